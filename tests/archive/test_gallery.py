"""Contact sheets, and what notebooks show of an archive."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import compressnet
from compressnet.archive.gallery import NOTEBOOK_BYTES, contact_sheet
from compressnet.errors import InputError
from conftest import CONFORMANCE
from drawings import drawn, sprites


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shapes, one of 16 bits, with names and classes."""
    deep = np.full((1, 4, 4), 0x40FF, np.uint16)
    sets = [drawn(12, side_px=16), sprites(1, side_px=90, channels=3), deep]
    names = [f"<b>folder</b>/{i}&{i}.png" for i in range(14)]
    path = tmp_path_factory.mktemp("gallery") / "<a>.cnet"
    labels = [0, 1] * 7
    compressnet.compress(iter(sets), path, None, 100, 1, labels=labels, names=names, class_names=["<i>cat", "dog"])
    return path


def test_a_sheet_shows_each_image_in_its_place(path: Path) -> None:
    with compressnet.open(path) as archive:
        sheet = opened(contact_sheet(archive))
        assert sheet.shape == (2 * (72 + 26) + 8, 10 * 72 + 8, 3)
        image = archive[0].repeat(4, 0).repeat(4, 1)
        opaque = image[..., 3] == 255
        assert np.array_equal(sheet[8:72, 8:72][opaque], image[..., :3][opaque])
        assert (sheet[8 + 98 : 72 + 98, 8 + 3 * 72 : 72 + 3 * 72] == 0x40).all()
        chosen = opened(contact_sheet(archive, [3, 12]))
        assert chosen.shape == (72 + 26 + 8, 2 * 72 + 8, 3)
        assert not np.array_equal(chosen[8:72, 8:72], sheet[8:72, 8:72])


def test_what_is_transparent_has_chequers_behind(tmp_path: Path) -> None:
    compressnet.compress(np.zeros((1, 32, 32, 4), np.uint8), tmp_path / "a.cnet", None)
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert set(opened(contact_sheet(archive))[8:72, 8:72].ravel().tolist()) == {205, 235}


def test_captions_are_drawn(path: Path, tmp_path: Path) -> None:
    compressnet.compress(drawn(1), tmp_path / "bare.cnet", None)
    with compressnet.open(path) as archive, compressnet.open(tmp_path / "bare.cnet") as bare:
        assert (opened(contact_sheet(archive))[72:98, 8:72] < 128).sum() > (
            opened(contact_sheet(bare))[72:, 8:72] < 128
        ).sum()


def test_sheets_have_bounds(path: Path) -> None:
    with compressnet.open(path) as archive:
        for chosen in ([], [0] * 2001):
            with pytest.raises(InputError, match=f"{len(chosen)} images for a contact sheet; choose 1 to 2000"):
                contact_sheet(archive, chosen)


def test_a_notebook_shows_the_first_images_with_escaped_names(path: Path) -> None:
    with compressnet.open(path) as archive:
        shown = archive._repr_html_()
    picture = re.search(r'src="data:image/png;base64,([^"]*)"', shown)
    assert opened(base64.b64decode(picture[1])).shape[1] == 728
    assert "&lt;a&gt;.cnet" in shown
    assert "<li value=3>&lt;b&gt;folder&lt;/b&gt;/3&amp;3.png, dog</li>" in shown
    assert not re.search(r"<b>folder|<i>cat|<a>\.cnet", shown)
    assert f"{path.stat().st_size:,} bytes" in shown


def test_a_notebook_gets_a_bounded_picture(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 56, 56, 3)).astype(np.uint8)
    compressnet.compress(noise, tmp_path / "a.cnet", CONFORMANCE / "grey.codec", store_unknown=True)
    with compressnet.open(tmp_path / "a.cnet") as archive:
        shown = archive._repr_html_()
    assert len(shown) < NOTEBOOK_BYTES * 4 / 3 + 2000
    assert "the first 15 of 60 images" in shown


def test_a_notebook_says_what_is_damaged(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    with compressnet.open(path) as archive:
        data[archive.container.blocks[0].offset + 12] ^= 1
    with compressnet.open(bytes(data)) as archive:
        assert "&lt;bytes&gt;: block 0" in archive._repr_html_()
