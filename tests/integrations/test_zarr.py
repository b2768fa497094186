"""Arrays of images in Zarr stores, v3 and (by numcodecs) v2."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import compressnet
from compressnet.errors import CodecError, CodecNotFoundError, CorruptError, InputError
from conftest import CONFORMANCE
from drawings import drawn

zarr = pytest.importorskip("zarr")

from zarr.storage import FsspecStore, LocalStore, MemoryStore, ZipStore  # noqa: E402

from compressnet.integrations.zarr import CompressnetCodec  # noqa: E402

GREY = CONFORMANCE / "grey.codec"
"""Codes 8x12 at qualities below 100."""


def make(store: Any, images: np.ndarray, codec: CompressnetCodec | None = None, **options: Any) -> Any:
    """An array in chunks of 4 images that holds some."""
    options = {"chunks": (4, *images.shape[1:]), "compressors": None, **options}
    array = zarr.create_array(
        store, shape=images.shape, dtype=images.dtype, serializer=codec or CompressnetCodec(), **options
    )
    array[:] = images
    return array


@pytest.fixture(scope="module")
def grey() -> np.ndarray:
    return np.load(CONFORMANCE / "grey.npz")["images"]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2"])
def test_images_come_back_as_they_were(channels: int, dtype: str) -> None:
    images = drawn(10, channels=channels).astype(dtype)
    images = images[..., 0] if channels == 1 else images * (257 if images.dtype.itemsize == 2 else 1)
    store = MemoryStore()
    make(store, images)
    found = zarr.open_array(store, mode="r")
    assert found.dtype == images.dtype.newbyteorder("=")
    assert np.array_equal(found[:], images)
    assert np.array_equal(found[5], images[5])
    assert np.array_equal(found[[9, 2], 3:5], images[[9, 2], 3:5])


def test_it_is_found_by_its_name_and_its_metadata_are_plain() -> None:
    array = make(MemoryStore(), drawn(5), CompressnetCodec(max_error=2, effort=3))
    (codec,) = array.metadata.to_dict()["codecs"]
    assert codec == {"name": "compressnet", "configuration": {"max_error": 2, "effort": 3}}
    assert CompressnetCodec.from_dict({"name": "compressnet"}) == CompressnetCodec()
    assert pickle.loads(pickle.dumps(array.metadata)) == array.metadata
    assert hash(CompressnetCodec("mnist")) == hash(CompressnetCodec("mnist"))


def test_a_reader_imports_zarr_alone(tmp_path: Path) -> None:
    images = drawn(5, channels=3)
    make(tmp_path / "a.zarr", images)
    program = (
        "import sys, zarr\n"
        "assert 'compressnet' not in sys.modules\n"
        "print(zarr.open_array(sys.argv[1], mode='r')[:].sum())"
    )
    result = subprocess.run([sys.executable, "-c", program, tmp_path / "a.zarr"], capture_output=True, text=True)
    assert result.stdout.strip() == str(images.sum()), result.stderr


def test_it_takes_fewer_bytes_than_the_pixels() -> None:
    images = drawn(32, channels=3)
    array = make(MemoryStore(), images, chunks=(32, *images.shape[1:]))
    assert array.nbytes_stored() < images.nbytes / 3


def test_stores_of_all_kinds(tmp_path: Path) -> None:
    images = drawn(6)
    for store in (LocalStore(tmp_path / "a.zarr"), FsspecStore.from_url("memory://a.zarr")):
        make(store, images)
        assert np.array_equal(zarr.open_array(store, mode="r")[2:], images[2:])
    with ZipStore(tmp_path / "a.zip", mode="w") as store:
        make(store, images)
    with ZipStore(tmp_path / "a.zip", mode="r") as store:
        assert np.array_equal(zarr.open_array(store, mode="r")[2:], images[2:])


@pytest.mark.filterwarnings("ignore:Consolidated metadata:UserWarning")
def test_groups_with_consolidated_metadata() -> None:
    store = MemoryStore()
    group = zarr.create_group(store)
    images = drawn(5)
    group.create_array("images", shape=images.shape, dtype="uint8", chunks=images.shape, serializer=CompressnetCodec())
    group["images"][:] = images
    zarr.consolidate_metadata(store)
    assert np.array_equal(zarr.open_consolidated(store)["images"][3], images[3])


class Counting(MemoryStore):
    """Counts the bytes that are read."""

    read_bytes = 0

    async def get(self, *arguments: Any, **options: Any) -> Any:
        found = await super().get(*arguments, **options)
        self.read_bytes += 0 if found is None else len(found)
        return found


def test_a_part_of_a_shard_is_read_alone() -> None:
    images = np.random.default_rng(0).integers(0, 256, (32, 16, 16)).astype(np.uint8)
    store = Counting()
    make(store, images, shards=(32, 16, 16))
    array = zarr.open_array(store, mode="r+")
    store.read_bytes = 0
    assert np.array_equal(array[9], images[9])
    assert 4 * 256 <= store.read_bytes < 8 * 256
    array[9] = 7
    assert np.array_equal(array[8], images[8])
    assert (array[9] == 7).all()


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((8, 12), "uint8", "chunks of 2 axes and type |u1: compressnet codes images"),
        ((4, 8, 12), "float32", "chunks of 3 axes and type <f4"),
        ((4, 8, 12, 5), "uint8", "chunks of 4x8x12x5: an image has sides of 1 to 4096 pixels and 1 to 4 channels"),
        ((4, 8, 5000), "uint8", "chunks of 4x8x5000"),
    ],
)
def test_other_chunks_are_refused_when_the_array_is_made(shape: tuple[int, ...], dtype: str, said: str) -> None:
    store = MemoryStore()
    with pytest.raises(InputError) as error:
        zarr.create_array(store, shape=shape, dtype=dtype, chunks=shape, serializer=CompressnetCodec())
    assert said in str(error.value)
    assert not store._store_dict


def test_what_the_codec_does_not_code_is_refused_when_the_array_is_made() -> None:
    with pytest.raises(InputError, match=r"chunks of 4x9x9: .*grey"):
        make(MemoryStore(), np.zeros((8, 9, 9), np.uint8), CompressnetCodec(GREY))
    with pytest.raises(InputError, match="16 bits are coded without loss and without a codec"):
        make(MemoryStore(), np.zeros((8, 8, 12), np.uint16), CompressnetCodec(GREY))
    with pytest.raises(InputError, match="chunks of 3 axes and type <f4"):
        make(MemoryStore(), np.zeros((8, 8, 12), np.float32), shards=(8, 8, 12))


@pytest.mark.parametrize("options", [{"quality": 101}, {"effort": 0}, {"max_error": -1}, {"quality": "best"}])
def test_odd_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="give a whole number from"):
        CompressnetCodec(**options)


def test_a_shipped_codec_is_named_and_not_embedded(mnist: np.ndarray) -> None:
    store = MemoryStore()
    array = make(store, mnist[:8], CompressnetCodec("mnist", quality=50))
    (codec,) = array.metadata.to_dict()["codecs"]
    assert codec["configuration"]["codec"] == "mnist-1"
    assert "embedded" not in codec["configuration"]
    shipped = compressnet.load("mnist")
    assert np.array_equal(zarr.open_array(store, mode="r")[:4], shipped.autoencoder(mnist[:4], quality=50))
    by_identity = make(MemoryStore(), mnist[:4], CompressnetCodec(shipped.identity, quality=50))
    assert np.array_equal(by_identity[:], array[:4])


def test_a_codec_of_ones_own_is_read_from_the_store(grey: np.ndarray, tmp_path: Path) -> None:
    shutil.copy(GREY, tmp_path / "own.codec")
    store = MemoryStore()
    make(store, grey[:8], CompressnetCodec(tmp_path / "own.codec", quality=60))
    (tmp_path / "own.codec").unlink()
    array = zarr.open_array(store, mode="r+")
    assert np.array_equal(array[:], compressnet.load(GREY).autoencoder(grey[:8], quality=60))
    with pytest.raises(CodecError, match="encoder"):
        array[:4] = grey[:4]


def test_a_codec_is_found_in_a_folder(grey: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    make(store, grey[:8], CompressnetCodec(GREY, quality=60, embed=False))
    array = zarr.open_array(store, mode="r+")
    with pytest.raises(CodecNotFoundError, match="name its folder in the environment variable COMPRESSNET_CODECS"):
        array[:]
    shutil.copy(GREY, tmp_path / "a.codec")
    monkeypatch.setenv("COMPRESSNET_CODECS", f"/nowhere:{tmp_path}")
    assert np.array_equal(array[:], compressnet.load(GREY).autoencoder(grey[:8], quality=60))
    array[:4] = grey[4:8]
    assert np.array_equal(array[:4], array[4:])


def test_a_wrong_codec_is_refused(grey: np.ndarray) -> None:
    store = MemoryStore()
    make(store, grey[:8], CompressnetCodec(GREY))
    metadata = json.loads(store._store_dict["zarr.json"].to_bytes())
    right = metadata["codecs"][0]["configuration"]
    wrong = CompressnetCodec(CONFORMANCE / "odd.codec").to_dict()["configuration"]
    for configuration in (wrong, right | {"identity": "0" * 64}, right | {"embedded": wrong["embedded"]}):
        metadata["codecs"][0]["configuration"] = configuration
        store._store_dict["zarr.json"] = zarr.core.buffer.cpu.Buffer.from_bytes(json.dumps(metadata).encode())
        with pytest.raises(CodecError):
            zarr.open_array(store, mode="r")[:]


def test_damage_is_refused() -> None:
    store = MemoryStore()
    images = drawn(4)
    make(store, images)
    key = next(key for key in store._store_dict if key != "zarr.json")
    whole = store._store_dict[key].to_bytes()
    for data in (whole[:-3], b"", whole[:200] + bytes(20) + whole[220:]):
        store._store_dict[key] = zarr.core.buffer.cpu.Buffer.from_bytes(data)
        with pytest.raises(compressnet.errors.FormatError):
            zarr.open_array(store, mode="r")[:]
    other = MemoryStore()
    make(other, images[:, :7])
    store._store_dict[key] = other._store_dict[key]
    with pytest.raises(CorruptError, match="a chunk of 4x7x12x4, but the store says 4x12x12x4"):
        zarr.open_array(store, mode="r")[:]


@pytest.mark.parametrize("embedded", ["!", "AAAA", "eJw="])
def test_an_embedded_codec_that_is_damaged_is_refused(embedded: str) -> None:
    codec = CompressnetCodec("own", identity="0" * 64, embedded=embedded)
    with pytest.raises(CorruptError, match="the codec in the store's metadata is"):
        codec.coding.decode(b"")
