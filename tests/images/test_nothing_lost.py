"""Every file of a source is an image, or in the account: nothing is dropped in silence."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from compressnet.errors import InputError
from compressnet.images import Account, Reading, open_collection
from compressnet.images.formats.pictures.pictures import encode_png
from compressnet.images.names import tidy_path
from picture_files import PACKERS, Files, grey, picture, singles

RGB = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
PAGES = [Image.fromarray(np.full((4, 4, 3), value, np.uint8)) for value in (10, 20, 30)]


def with_exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture(Image.fromarray(RGB), "png", exif=exif)


CONTENTS: dict[str, tuple[bytes, int]] = {
    "plain.png": (grey(3), 1),
    "colour.jpg": (picture(Image.fromarray(RGB), "jpeg"), 1),
    "palette.png": (picture(Image.fromarray(RGB).quantize(16), "png"), 1),
    "turned.png": (with_exif(6), 1),
    "profile.png": (picture(Image.fromarray(RGB), "png", icc_profile=b"p"), 1),
    "walk.gif": (picture(PAGES[0], "gif", save_all=True, append_images=PAGES[1:]), 3),
    "stack.tif": (picture(PAGES[0], "tiff", save_all=True, append_images=PAGES[1:]), 3),
    "deep.png": (encode_png(RGB.astype(np.uint16) * 257), 1),
    "no-ending": (grey(4), 1),
    "photo.pgm": (picture(Image.fromarray(RGB[..., 0].copy()), "ppm"), 1),
    "notes.txt": (b"notes", 0),
    "model.svg": (b"<svg/>", 0),
    ".hidden.png": (grey(5), 0),
    "broken.png": (grey(6)[:40], 0),
    "text.png": (b"text", 0),
    "empty.jpg": (b"", 0),
    "float.tif": (picture(Image.fromarray(np.full((4, 4), 7.5, np.float32)), "tiff"), 0),
}
"""What files hold, and how many images each gives."""
FOLDERS = ["", "a/", "b/", "a/b/", "@eaDir/"]


def counted(account: Account) -> int:
    return sum(len(note.names) for note in (*account.left_out, *account.skipped))


@st.composite
def sources(draw: st.DrawFn) -> Files:
    """Files of some contents in some folders."""
    places = st.tuples(st.sampled_from(FOLDERS), st.sampled_from(sorted(CONTENTS)))
    chosen = draw(st.lists(places, min_size=1, max_size=12, unique=True))
    return [(folder + name, CONTENTS[name][0]) for folder, name in sorted(chosen)]


@pytest.mark.parametrize("target", PACKERS)
@settings(max_examples=200, deadline=None)
@given(files=sources())
def test_files_are_images_or_in_the_account(target: str, files: Files) -> None:
    with tempfile.TemporaryDirectory() as folder:
        PACKERS[target](Path(folder) / target, files)
        try:
            collection = open_collection(Path(folder) / target, Reading(skip_bad=True))
        except InputError as error:
            assert "no pictures in it that can be taken" in str(error)  # noqa: PT017
            return
        images = singles(collection)
        account = collection.account
        taken = [name for name, _ in files if CONTENTS[name.rpartition("/")[2]][1] and "@eaDir" not in name]
        assert len(images) == collection.count == len(collection.names or ())
        assert len(images) == sum(CONTENTS[name.rpartition("/")[2]][1] for name in taken)
        assert len(taken) + counted(account) == len(files)
        said = {note.what: set(note.names) for note in (*account.changed, *account.dropped)}
        for ending, what in (
            ("palette.png", "palette read as RGB or RGBA"),
            ("turned.png", "turned as the EXIF orientation says"),
            ("profile.png", "colour profile (ICC)"),
            ("walk.gif", "each frame or page an image"),
        ):
            assert {tidy_path(name) for name in taken if name.endswith(ending)} <= said.get(what, set())
        if collection.labels is None:
            assert account.labels.startswith("none")
        else:
            assert len(collection.labels) == len(images)


def test_arrays_are_images_labels_or_in_the_account(tmp_path: Path) -> None:
    images = np.zeros((3, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.zeros((3, 5)), weights=np.zeros(3))
    account = open_collection(tmp_path / "a.npz").account
    dropped = {name for note in account.dropped for name in note.names}
    left_out = {name for note in account.left_out for name in note.names}
    assert (dropped | left_out) == {"labels", "weights"}
    assert account.labels.startswith("none")


def test_an_account_in_words_and_figures(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(CONTENTS["palette.png"][0])
    for name in ("notes.txt", "more.txt", "x.svg", "z.md"):
        (tmp_path / name).write_bytes(b"text")
    account = open_collection(tmp_path).account
    assert account.lines() == [
        "4 left out, no picture, or of a format that is not read (2 .txt, 1 .svg, 1 .md): more.txt, notes.txt, "
        "x.svg, ...",
        "2 changed, palette read as RGB or RGBA (2 .png): a.png, b.png",
        "labels: none: no labels.csv, no class folders",
        "names: those of the files",
    ]
    assert account.as_json() == {
        "left_out": [
            {
                "what": "no picture, or of a format that is not read",
                "count": 4,
                "endings": {".txt": 2, ".svg": 1, ".md": 1},
                "first": ["more.txt", "notes.txt", "x.svg"],
            }
        ],
        "skipped": [],
        "dropped": [],
        "changed": [
            {"what": "palette read as RGB or RGBA", "count": 2, "endings": {".png": 2}, "first": ["a.png", "b.png"]}
        ],
        "labels": "none: no labels.csv, no class folders",
        "names": "those of the files",
        "copied": "",
    }
    with pytest.raises(InputError, match=r"in: --strict: 4 left out, no picture, .*notes\.txt"):
        account.require_complete("in")


def test_a_picture_alone_is_a_collection_of_its_frames(tmp_path: Path) -> None:
    path = tmp_path / "walk.gif"
    path.write_bytes(CONTENTS["walk.gif"][0])
    assert open_collection(path).names == ["walk-0.gif", "walk-1.gif", "walk-2.gif"]
    stream = io.BytesIO()
    Image.new("RGBA", (16, 16)).save(stream, "ico")
    (tmp_path / "a.ico").write_bytes(stream.getvalue())
    assert open_collection(tmp_path / "a.ico").count == 1
