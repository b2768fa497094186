"""concat, subset, append: the same pixels as before, blocks copied, nothing lost where something is wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.codec import Codec
from compressnet.container import Container
from compressnet.errors import CodecError, InputError
from compressnet.sources import FileSource
from conftest import CONFORMANCE


def packed(path: Path, codec: Codec, images: np.ndarray, **options: object) -> Path:
    compressnet.compress(images, path, codec, block_images=4, embed_codec=True, **options)  # pyright: ignore
    return path


def payloads(path: Path) -> list[bytes]:
    with Container(FileSource(path)) as container:
        return [container.read_block(i).payload for i in range(len(container.blocks))]


def test_concat_copies_blocks_and_joins_labels(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path) -> None:
    parts = [
        packed(tmp_path / "a.cnet", tiny, tiny_images[:10], labels=range(10)),
        packed(tmp_path / "b.cnet", tiny, tiny_images[10:], quality=20, labels=range(10, 23)),
    ]
    written = compressnet.concat(parts, tmp_path / "both.cnet")
    assert written.images == 23
    assert written.archive_bytes == (tmp_path / "both.cnet").stat().st_size
    assert payloads(tmp_path / "both.cnet") == payloads(parts[0]) + payloads(parts[1])
    with compressnet.open(tmp_path / "both.cnet") as both, compressnet.open(parts[1]) as second:
        assert np.array_equal(both[10:], second[:])
        assert both.labels is not None
        assert both.labels.tolist() == list(range(23))
        both.check()


def test_archives_that_do_not_go_together(
    tiny: Codec, tiny_images: np.ndarray, mnist: np.ndarray, tmp_path: Path
) -> None:
    plain = packed(tmp_path / "plain.cnet", tiny, tiny_images)
    labelled = packed(tmp_path / "labelled.cnet", tiny, tiny_images, labels=range(23))
    named = packed(tmp_path / "named.cnet", tiny, tiny_images, labels=[f"n{i}" for i in range(23)])
    compressnet.compress(mnist[:5], tmp_path / "mnist.cnet")
    output = tmp_path / "out.cnet"
    for others, kind, message in (
        ([tmp_path / "mnist.cnet"], CodecError, r"mnist\.cnet: made with another codec than .*plain\.cnet"),
        ([labelled], InputError, r"plain\.cnet: has no labels, others have"),
        ([tmp_path / "none.cnet"], InputError, r"none\.cnet: cannot be opened"),
    ):
        with pytest.raises(kind, match=message):
            compressnet.concat([plain, *others], output)
    with pytest.raises(InputError, match="some labels are integers and some are texts"):
        compressnet.concat([labelled, named], output)
    with pytest.raises(InputError, match="no archives"):
        compressnet.concat([], output)
    assert not output.exists()


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_subset_has_the_same_pixels(data: st.DataObject) -> None:
    with compressnet.open(CONFORMANCE / "grey.cnet") as archive:
        chosen = data.draw(
            st.one_of(
                st.lists(st.integers(-23, 22), min_size=1, max_size=40),
                st.slices(23).filter(lambda s: len(range(23)[s]) > 0),
            )
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "subset.cnet"
            compressnet.subset(archive, chosen, path)
            with compressnet.open(path) as found:
                assert np.array_equal(found[:], archive[chosen])
                assert archive.labels is not None
                assert found.labels is not None
                assert np.array_equal(found.labels, archive.labels[chosen])


def test_a_subset_of_whole_blocks_copies_them(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.cnet", tiny, tiny_images)
    blocks = payloads(path)
    with compressnet.open(path) as archive:
        compressnet.subset(archive, slice(4, 12), tmp_path / "b.cnet")
        assert payloads(tmp_path / "b.cnet") == blocks[1:3]
        compressnet.subset(archive, slice(2, 12), tmp_path / "b.cnet")
        assert payloads(tmp_path / "b.cnet")[1:] == blocks[1:3]
        with pytest.raises(InputError, match="the selection is empty"):
            compressnet.subset(archive, [], tmp_path / "c.cnet")
    assert not (tmp_path / "c.cnet").exists()


def test_append_keeps_what_is_there(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.cnet", tiny, tiny_images[:10], quality=30, labels=range(10))
    blocks = payloads(path)
    compressnet.append(path, tiny_images[10:], codec=tiny, labels=range(10, 23), block_images=4)
    assert payloads(path)[: len(blocks)] == blocks
    with compressnet.open(path) as archive:
        assert np.array_equal(archive[:], tiny.autoencoder(tiny_images, 30))
        assert archive.labels is not None
        assert archive.labels.tolist() == list(range(23))
    before = path.read_bytes()
    for images, options, kind, message in (
        (tiny_images[:2], {"codec": tiny}, InputError, "the new images: has no labels"),
        (np.zeros((2, 9, 9), np.uint8), {"codec": tiny, "labels": [1, 2]}, InputError, "images of 9x9x1"),
        (tiny_images[:2], {"labels": [1, 2]}, CodecError, "does not ship with compressnet; pass its file"),
        (tiny_images[:2], {"codec": "mnist", "labels": [1, 2]}, CodecError, "is another one"),
        (tiny_images[:2], {"codec": tiny, "labels": [1]}, InputError, "11 labels for 25 images|labels for"),
        (tiny_images[:0], {"codec": tiny, "labels": np.zeros(0, int)}, InputError, "no images to add"),
    ):
        with pytest.raises(kind, match=message):
            compressnet.append(path, images, **options)  # pyright: ignore
        assert path.read_bytes() == before


def test_symbols_are_read_without_the_decoder(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path) -> None:
    with compressnet.open(packed(tmp_path / "a.cnet", tiny, tiny_images, quality=70)) as archive:
        symbols = tiny.encoder(tiny_images, 70)
        assert np.array_equal(archive.symbols[:], symbols)
        assert np.array_equal(archive.symbols[-3], symbols[-3])
        assert np.array_equal(archive.symbols[[5, 1, 5]], symbols[[5, 1, 5]])
        assert len(archive.symbols) == 23
        with pytest.raises(IndexError):
            archive.symbols[23]


def test_symbols_of_different_networks_do_not_mix(mnist: np.ndarray, tmp_path: Path) -> None:
    for quality in (10, 60):
        compressnet.compress(mnist[:8], tmp_path / f"{quality}.cnet", quality=quality)
    compressnet.concat([tmp_path / "10.cnet", tmp_path / "60.cnet"], tmp_path / "both.cnet")
    with compressnet.open(tmp_path / "both.cnet") as archive:
        assert len(archive.symbols[:8]) == 8
        with pytest.raises(InputError, match="select those of one quality"):
            archive.symbols[6:10]
