"""concat, subset, append: the same pixels as before, blocks copied, nothing lost where something
is wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.codec.codec import Codec
from compressnet.container.container import Container
from compressnet.container.sources import FileSource
from compressnet.errors import CodecError, InputError
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
    compressnet.concat([named, labelled], output)
    with compressnet.open(output, codec=tiny) as archive:
        assert archive.labels is not None
        assert archive.labels[[22, 23, 45]].tolist() == ["n22", "0", "22"]
    output.unlink()
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
        (tiny_images[:2], {"labels": [1, 2]}, CodecError, "pass its file with --codec"),
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


def mixed(path: Path, codec: Codec, seed: int, **options: object) -> list[np.ndarray]:
    """An archive of images of three shapes in runs, some of them equal.

    Gives what they decode to.
    """
    generator = np.random.default_rng(seed)
    shapes = [(8, 12), (5, 4, 3), (8, 12, 1)]
    arrays = [generator.integers(0, 256, (7, *shapes[(i + seed) % 3])).astype(np.uint8) for i in range(6)]
    arrays.append(arrays[0][:3])
    packed(path, codec, arrays, names=[f"{seed} {i}" for i in range(45)], **options)  # type: ignore[arg-type]
    with compressnet.open(path) as archive:
        return list(archive)


@pytest.fixture(scope="module")
def grey() -> Codec:
    return compressnet.load(CONFORMANCE / "grey.codec", threads=1)


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


@settings(max_examples=40, deadline=None)
@given(chosen=st.lists(st.integers(-45, 44), min_size=1, max_size=60) | st.just(list(range(45))))
def test_a_subset_of_a_mixed_archive(grey: Codec, chosen: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "mixed.cnet", Path(folder) / "subset.cnet"
        images = mixed(path, grey, 0, max_error=90)
        with compressnet.open(path) as archive:
            written = compressnet.subset(archive, chosen, output)
        assert written.images == len(chosen)
        with compressnet.open(output) as found:
            found.check()
            assert same(list(found), [images[i] for i in chosen])
            assert list(found.names or []) == [f"0 {range(45)[i]}" for i in chosen]
            assert found.container.images_in_blocks <= len({range(45)[i] for i in chosen})


def test_a_subset_has_no_kind_and_no_codec_that_it_does_not_need(grey: Codec, tmp_path: Path) -> None:
    images = mixed(tmp_path / "a.cnet", grey, 0)
    with compressnet.open(tmp_path / "a.cnet") as archive:
        compressnet.subset(archive, slice(7, 14), tmp_path / "b.cnet")
    with compressnet.open(tmp_path / "b.cnet") as found:
        assert found.shape == (7, 5, 4, 3)
        assert found.codecs == []
        assert same(list(found), images[7:14])


def test_concat_renumbers_kinds(grey: Codec, tmp_path: Path) -> None:
    paths = [tmp_path / f"{seed}.cnet" for seed in range(3)]
    images = [image for seed, path in enumerate(paths) for image in mixed(path, grey, seed)]
    written = compressnet.concat(paths, tmp_path / "all.cnet")
    assert written.images == len(images) == 135
    with compressnet.open(tmp_path / "all.cnet") as found:
        found.check()
        assert same(list(found), images)
        assert len(found.container.kinds) == 3
        assert list(found.names or []) == [f"{seed} {i}" for seed in range(3) for i in range(45)]


def test_concat_of_archives_of_which_one_has_no_codec(grey: Codec, tmp_path: Path) -> None:
    stored = np.random.default_rng(1).integers(0, 256, (3, 5, 5)).astype(np.uint8)
    packed(tmp_path / "stored.cnet", grey, stored, store_unknown=True)
    packed(tmp_path / "lossy.cnet", grey, stored[:, :1].repeat(8, axis=1).repeat(3, axis=2)[..., :12])
    compressnet.concat([tmp_path / "stored.cnet", tmp_path / "lossy.cnet"], tmp_path / "both.cnet")
    with compressnet.open(tmp_path / "both.cnet") as both, compressnet.open(tmp_path / "lossy.cnet") as lossy:
        assert same(list(both), [*stored, *lossy])


def test_append_to_a_mixed_archive(grey: Codec, tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    images = mixed(path, grey, 0, quality=30)
    new = [np.full((2, 8, 12), 40, np.uint8), np.full((1, 3, 3), 50, np.uint8), np.full((8, 12), 40, np.uint8)]
    written = compressnet.append(path, new, codec=grey, names=list("abcd"))
    assert (written.images, written.duplicates, written.learned) == (49, 2, 1)
    assert written.archive_bytes == path.stat().st_size
    with compressnet.open(path) as found:
        decoded = grey.autoencoder(new[0], 30)[0]
        assert same(list(found), [*images, decoded, decoded, new[1][0], decoded])
        assert (found.names or [])[44:] == ["0 44", *"abcd"]
    compressnet.append(path, new[1], codec=grey)
    with compressnet.open(path) as found:
        assert (found.names or [])[47:] == ["c", "d", "49"]


def test_append_to_an_archive_without_a_codec(grey: Codec, tmp_path: Path) -> None:
    path, images = tmp_path / "a.cnet", np.random.default_rng(1).integers(0, 256, (3, 5, 5)).astype(np.uint8)
    packed(path, grey, images, store_unknown=True)
    hidden = np.zeros((1, 5, 5, 4), np.uint8)
    hidden[..., 0] = 7
    written = compressnet.append(path, hidden)
    assert (written.images, written.lossless_checked) == (4, True)
    compressnet.append(path, np.zeros((2, 8, 12), np.uint8), codec=grey, names=["a", "b"])
    with compressnet.open(path) as found:
        assert list(found.names or []) == ["0", "1", "2", "3", "a", "b"]
        assert [image.shape for image in found] == [(5, 5)] * 3 + [(5, 5, 4)] + [(8, 12)] * 2
        assert np.array_equal(found[3], hidden[0])


def test_a_subset_whose_parts_fill_blocks(grey: Codec, tmp_path: Path) -> None:
    images = np.random.default_rng(3).integers(0, 256, (600, 8, 12)).astype(np.uint8)
    compressnet.compress(images, tmp_path / "all.cnet", grey, embed_codec=True)
    with compressnet.open(tmp_path / "all.cnet") as archive:
        for number, chosen in enumerate((slice(100, 400), slice(1, 600), slice(0, 600, 2), [*range(255), 300])):
            output = tmp_path / f"{number}.cnet"
            compressnet.subset(archive, chosen, output)
            with compressnet.open(output) as some:
                assert np.array_equal(some[:], archive[chosen])
                some.check()


def classified(path: Path, labels: list[int], class_names: list[str] | None) -> Path:
    """An archive of stored images with these labels."""
    images = np.arange(len(labels) * 12, dtype=np.uint8).reshape(len(labels), 3, 4)
    compressnet.compress(images, path, None, labels=labels, class_names=class_names)
    return path


def classes_of(path: Path) -> tuple[list[int], list[str] | None]:
    with compressnet.open(path) as archive:
        archive.check()
        assert archive.labels is not None
        return archive.labels.tolist(), archive.class_names


def test_names_of_classes_go_along(tmp_path: Path) -> None:
    path = classified(tmp_path / "a.cnet", [1, 0, -1, 1], ["cat", "dog"])
    assert classes_of(path) == ([1, 0, -1, 1], ["cat", "dog"])
    with compressnet.open(path) as archive:
        compressnet.subset(archive, [3, 2], tmp_path / "b.cnet")
    assert classes_of(tmp_path / "b.cnet") == ([1, -1], ["cat", "dog"])
    new = np.zeros((3, 3, 4), np.uint8)
    compressnet.append(path, new[:1], labels=[0])
    compressnet.append(path, new[:1], labels=[1], class_names=["cat", "dog"])
    compressnet.append(path, new, labels=[0, 1, -1], class_names=["dog", "emu"])
    assert classes_of(path) == ([1, 0, -1, 1, 0, 1, 1, 2, -1], ["cat", "dog", "emu"])


def test_concat_numbers_classes_by_name(tmp_path: Path) -> None:
    first = classified(tmp_path / "a.cnet", [1, 0], ["cat", "dog"])
    second = classified(tmp_path / "b.cnet", [0, 2, -1, 1], ["dog", "emu", "cat"])
    same = classified(tmp_path / "c.cnet", [0, 1], ["cat", "dog"])
    compressnet.concat([first, second, same], tmp_path / "all.cnet")
    assert classes_of(tmp_path / "all.cnet") == ([1, 0, 1, 0, -1, 2, 0, 1], ["cat", "dog", "emu"])
    nameless = classified(tmp_path / "d.cnet", [0, 1], None)
    with pytest.raises(InputError, match=r"d\.cnet: its classes have no names, others have"):
        compressnet.concat([first, nameless], tmp_path / "no.cnet")
    beyond = classified(tmp_path / "e.cnet", [0, 5], ["emu"])
    with pytest.raises(InputError, match=r"e\.cnet: label 5 is beyond its 1 named classes"):
        compressnet.concat([first, beyond], tmp_path / "no.cnet")
    with pytest.raises(InputError, match="its classes have no names"):
        compressnet.append(nameless, np.zeros((1, 3, 4), np.uint8), labels=[0], class_names=["cat"])
    assert not (tmp_path / "no.cnet").exists()


@pytest.mark.parametrize(
    ("labels", "class_names", "message"),
    [
        (None, ["cat"], "go with labels that are integers"),
        (["a", "b"], ["cat"], "go with labels that are integers"),
        ([0, 1], ["cat", "cat"], "two classes are called 'cat'"),
        ([0, 1], [], "0 names of classes"),
        ([0, 1], ["a\nb"], "no line of text"),
    ],
)
def test_names_of_classes_that_cannot_be(labels: object, class_names: list[str], message: str, tmp_path: Path) -> None:
    images = np.zeros((2, 3, 4), np.uint8)
    with pytest.raises(InputError, match=message):
        compressnet.compress(images, tmp_path / "a.cnet", None, labels=labels, class_names=class_names)
    assert list(tmp_path.iterdir()) == []


def test_append_codes_new_images_as_those_of_the_archive(grey: Codec, tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    images = np.random.default_rng(3).integers(0, 256, (6, 8, 12, 1)).astype(np.uint8).repeat(3, axis=-1)
    packed(path, grey, images[:3], modes="tight")
    assert compressnet.append(path, images[3:], codec=grey).grey == 3
    with compressnet.open(path) as found:
        assert np.array_equal(found[:], grey.autoencoder(images[..., 0])[..., None].repeat(3, axis=-1))
    with pytest.raises(InputError, match="they are grey saved in 3 channels: --modes tight"):
        compressnet.append(path, 255 - images, codec=grey, modes="as-is")
