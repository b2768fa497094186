"""A set of archives reads as one array, and says what is missing."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.archive.describe import describe
from compressnet.archive.manifest import read_manifest
from compressnet.archive.verifying import verify
from compressnet.errors import CodecNotFoundError, CompressnetError, CorruptError, FormatError, InputError
from sets import drawn, write

IMAGES = drawn(250)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """250 images in three shards, with labels and names, that share a primer."""
    place = tmp_path_factory.mktemp("set")
    for name, images, first in (("a", IMAGES[:180], 0), ("b", IMAGES[180:], 180)):
        numbers = np.arange(first, first + len(images))
        np.savez(place / f"{name}.npz", images=images, labels=numbers, names=[f"{i}.png" for i in numbers])
    write([place / "a.npz", place / "b.npz"], place / "out")
    return place / "out"


@pytest.mark.parametrize(
    "index",
    [7, -1, slice(80, 200), slice(None, None, -37), [249, 0, 99, 100, 0], np.arange(250) % 50 == 3, slice(5, 5)],
    ids=str,
)
def test_images_are_those_of_the_inputs(folder: Path, index: object) -> None:
    with compressnet.open(folder) as archives:
        assert np.array_equal(archives[index], IMAGES[index])  # pyright: ignore[reportArgumentType]


def test_it_is_an_array(folder: Path) -> None:
    with compressnet.open(folder) as archives:
        assert (archives.shape, archives.ndim, archives.dtype) == (IMAGES.shape, 4, np.uint8)
        assert archives.chunks == ((90, 90, 70), (16,), (16,), (3,))
        assert np.array_equal(archives[85:95, 2:5, :, 0], IMAGES[85:95, 2:5, :, 0])
        assert np.array_equal(np.concatenate(list(archives.batches(40, slice(70, 230)))), IMAGES[70:230])
        assert np.array_equal(np.stack(list(archives)), IMAGES)


def test_labels_and_names_go_along(folder: Path) -> None:
    with compressnet.open(folder) as archives:
        assert archives.labels is not None
        assert archives.labels.tolist() == list(range(250))
        assert archives.names == [f"{i}.png" for i in range(250)]


def test_it_is_pickled_by_its_path(folder: Path) -> None:
    with compressnet.open(folder) as archives, pickle.loads(pickle.dumps(archives)) as again:
        assert np.array_equal(again[200], IMAGES[200])


def test_more_shards_than_are_kept_open(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IMAGES)
    write([tmp_path / "a.npy"], tmp_path / "out", shard_images=20)
    with compressnet.open(tmp_path / "out") as archives:
        for i in range(0, 250, 19):
            assert np.array_equal(archives[i], IMAGES[i])


def test_shards_are_small_as_the_primer_is_beside_them(folder: Path) -> None:
    document = describe(str(folder))
    (codec,) = document["codecs"]
    assert document["shared"] == ["shared.cnet"]
    assert codec["embedded_bytes"] > 0
    (alone,) = describe(str(folder / read_manifest(folder).shards[0].file))["codecs"]
    assert alone == {"name": "adaptive", "identity": codec["identity"], "embedded_bytes": None}


def test_a_shard_alone_names_the_file_that_it_needs(folder: Path, tmp_path: Path) -> None:
    shard = shutil.copy(folder / read_manifest(folder).shards[0].file, tmp_path / "alone.cnet")
    with pytest.raises(CodecNotFoundError, match=r"alone.cnet: needs the primer .* put the file shared.cnet"):
        compressnet.open(shard)
    shutil.copy(folder / "shared.cnet", tmp_path)
    with compressnet.open(shard) as archive:
        assert np.array_equal(archive[:], IMAGES[:90])


def test_what_is_shared_holds_no_images(folder: Path) -> None:
    with pytest.raises(InputError, match=r"shared.cnet: has no images"):
        compressnet.open(folder / "shared.cnet")


def test_concat_makes_a_file_that_carries_all(folder: Path, tmp_path: Path) -> None:
    compressnet.concat(sorted(folder.glob("*.cnet")), tmp_path / "one.cnet")
    with compressnet.open(tmp_path / "one.cnet") as archive:
        assert np.array_equal(archive[:], IMAGES)


def test_images_of_several_shapes(tmp_path: Path) -> None:
    small = IMAGES[:120, :8]
    np.save(tmp_path / "a.npy", IMAGES[:30])
    np.save(tmp_path / "b.npy", small)
    write([tmp_path / "a.npy", tmp_path / "b.npy"], tmp_path / "out")
    with compressnet.open(tmp_path / "out") as archives:
        assert (archives.is_mixed, archives.shape) == (True, (150,))
        found = archives[28:32]
        assert [image.shape[0] for image in found] == [16, 16, 8, 8]
        assert np.array_equal(archives[30:150], small)
        with pytest.raises(InputError, match="several shapes"):
            _ = archives.chunks


def test_what_belongs_to_one_file_is_asked_of_a_shard(folder: Path) -> None:
    with compressnet.open(folder) as archives, pytest.raises(InputError, match="a set of 3 archives"):
        compressnet.subset(archives, [1], folder / "never.cnet")
    assert not (folder / "never.cnet").exists()


def test_verify_lists_what_is_missing_and_what_is_damaged(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    first, second, third = (copy / shard.file for shard in read_manifest(copy).shards)
    first.unlink()
    data = bytearray(second.read_bytes())
    data[data.index(b"BLOK") + 10] ^= 1
    second.write_bytes(data)
    shutil.copy(copy / "shared.cnet", third)
    with compressnet.open(copy) as archives:
        found = verify(archives)
    assert [(lost.file, lost.ranges) for lost in found.damaged] == [
        (first.name, [(0, 89)]),
        (second.name, [(90, 179)]),
        (third.name, [(180, 249)]),
    ]
    with compressnet.open(folder) as archives:
        assert verify(archives).is_well


def test_a_folder_that_is_no_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a folder without manifest.json"):
        compressnet.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"compressnet_set": 2}, FormatError),
        ({"images": 251}, CorruptError),
        ({"shards": []}, CorruptError),
        ({"labels": "floats"}, CorruptError),
        ({"made": None}, CorruptError),
    ],
)
def test_a_damaged_manifest_is_refused(folder: Path, tmp_path: Path, change: dict[str, object], error: type) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(document | change))
    with pytest.raises(error, match=r"manifest.json"):
        compressnet.open(tmp_path)


@pytest.mark.parametrize("file", ["../out.cnet", "/etc/passwd", "..", "a/b.cnet", ""])
def test_a_manifest_leads_to_no_other_folder(folder: Path, tmp_path: Path, file: str) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    document["shards"][0]["file"] = file
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(CorruptError, match="a file called"):
        compressnet.open(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_manifest_gives_images_or_one_of_our_errors(folder: Path, data: st.DataObject) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    shard = document["shards"][0]
    where = data.draw(st.sampled_from([document, shard, document["shared"][0]]))
    where[data.draw(st.sampled_from(sorted(where)))] = data.draw(JSON)
    changed = folder.parent / "changed"
    changed.mkdir(exist_ok=True)
    for path in folder.glob("*.cnet"):
        if not (changed / path.name).exists():
            shutil.copy(path, changed)
    (changed / "manifest.json").write_text(json.dumps(document))
    try:
        with compressnet.open(changed) as archives:
            assert np.array_equal(archives[0], IMAGES[0])
    except CompressnetError:
        pass
