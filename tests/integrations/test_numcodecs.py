"""The codec of numcodecs, held to what numcodecs documents of its codecs."""

from __future__ import annotations

import array
import json
from typing import Any

import numpy as np
import pytest

from compressnet.errors import CodecError, InputError
from conftest import CONFORMANCE
from drawings import drawn

numcodecs = pytest.importorskip("numcodecs")

from compressnet.integrations.numcodecs import Compressnet  # noqa: E402

GREY = CONFORMANCE / "grey.codec"
CODECS = [Compressnet(), Compressnet(effort=1), Compressnet("mnist", quality=40), Compressnet(GREY, max_error=9)]


@pytest.mark.parametrize(
    "images",
    [drawn(5), drawn(1, channels=1)[..., 0], drawn(3, channels=2), drawn(4, channels=3).astype("<u2") * 255],
    ids=lambda images: f"{images.shape} {images.dtype}",
)
def test_encode_and_decode(images: np.ndarray) -> None:
    codec = Compressnet()
    encoded = codec.encode(images)
    for given in (encoded, bytearray(encoded), array.array("b", encoded), np.frombuffer(encoded, "u1")):
        decoded = codec.decode(given)
        assert decoded.dtype == images.dtype
        assert np.array_equal(decoded, images)
    for out in (np.empty_like(images), bytearray(images.nbytes)):
        codec.decode(encoded, out=out)
        assert bytes(out) == images.tobytes()
    assert np.array_equal(codec.decode(codec.encode(memoryview(images))), images)


@pytest.mark.parametrize(
    "given",
    [b"1234", np.zeros((2, 3), np.uint8), np.zeros((2, 8, 8), ">u2"), np.zeros((2, 8, 8), np.float64), np.array(["a"])],
)
def test_what_is_no_array_of_images_is_refused(given: Any) -> None:
    with pytest.raises(InputError, match="compressnet codes images, which are chunks"):
        Compressnet().encode(given)


def test_fortran_order_is_refused() -> None:
    with pytest.raises(InputError, match="chunks in Fortran order"):
        Compressnet().encode(np.asfortranarray(drawn(3)))


@pytest.mark.parametrize("codec", CODECS, ids=range(len(CODECS)))
def test_config_goes_through_json(codec: Compressnet) -> None:
    config = json.loads(json.dumps(codec.get_config()))
    assert config["id"] == "compressnet"
    assert numcodecs.get_codec(config) == codec
    assert eval(repr(codec)) == codec


def test_different_settings_are_different_codecs() -> None:
    assert len({repr(codec) for codec in CODECS}) == len(CODECS)
    assert CODECS[0] != CODECS[1]
    assert repr(CODECS[1]) == "Compressnet(effort=1)"


def test_what_earlier_versions_encoded_is_decoded(tiny_name: str, tiny_arrays: dict[str, np.ndarray]) -> None:
    encoded = (CONFORMANCE / f"{tiny_name}.cnet").read_bytes()
    for codec in (Compressnet(CONFORMANCE / f"{tiny_name}.codec"), Compressnet()):  # this archive has its codec within
        assert np.array_equal(codec.decode(encoded), tiny_arrays["decoded"])


def test_zarr_v2_arrays() -> None:
    zarr = pytest.importorskip("zarr")
    store = zarr.storage.MemoryStore()
    images = drawn(10).astype("<u2") * 257
    written = zarr.create_array(
        store, shape=images.shape, dtype="<u2", chunks=(4, 12, 12, 4), zarr_format=2, compressors=Compressnet()
    )
    written[:] = images
    found = zarr.open_array(store, mode="r", zarr_format=2)
    assert np.array_equal(found[3:7], images[3:7])
    assert np.array_equal(found[:], images)


def test_a_wrong_codec_is_refused(mnist: np.ndarray) -> None:
    encoded = Compressnet("mnist", quality=40).encode(mnist[:3])
    with pytest.raises(CodecError):
        Compressnet("fashion-mnist").decode(encoded)
    with pytest.raises(CodecError):
        Compressnet("mnist", identity="0" * 64).decode(encoded)
