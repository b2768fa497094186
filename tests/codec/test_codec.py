"""Codecs: three models that agree, blocks of bytes, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.codec.bundle import make_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.single import pack_single, unpack_single
from compressnet.errors import CodecError, CodecRefusedError, CorruptError, InputError
from compressnet.lossy.network import Network


@pytest.mark.parametrize("quality", [0, 31, 60, 99])
def test_three_models_agree(tiny: Codec, tiny_images: np.ndarray, quality: int) -> None:
    symbols = tiny.encoder(tiny_images, quality)
    assert symbols.dtype == np.int32
    assert symbols.shape == (len(tiny_images), tiny.bundle.networks[0].prior.order.size)
    decoded = tiny.decoder(symbols, quality)
    assert decoded.dtype == np.uint8
    assert decoded.shape == tiny_images.shape
    assert np.array_equal(decoded, tiny.autoencoder(tiny_images, quality))
    assert np.array_equal(decoded, tiny.decompress(tiny.compress(tiny_images, quality)))


def test_single_images_and_batches_agree(tiny: Codec, tiny_images: np.ndarray) -> None:
    together = tiny.autoencoder(tiny_images)
    for i in (0, 7, 22):
        assert np.array_equal(tiny.autoencoder(tiny_images[i : i + 1])[0], together[i])
        assert np.array_equal(tiny.decompress(tiny.compress(tiny_images[i : i + 1]))[0], together[i])


def test_a_channels_axis_of_one_is_kept(shipped: Codec, mnist: np.ndarray) -> None:
    images = mnist[:3, :, :, None]
    assert shipped.autoencoder(images).shape == (3, 28, 28, 1)
    assert shipped.decompress(shipped.compress(images)).shape == (3, 28, 28, 1)
    assert shipped.decompress(shipped.compress(mnist[:3])).shape == (3, 28, 28)


def test_quality_is_the_codecs_own_by_default(tiny: Codec, tiny_images: np.ndarray) -> None:
    assert tiny.default_quality == 60
    assert tiny.compress(tiny_images) == tiny.compress(tiny_images, quality=60)


def test_a_damaged_block_is_refused_whatever_byte_it_is(tiny: Codec, tiny_images: np.ndarray) -> None:
    data = tiny.compress(tiny_images[:2])
    for i in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = data[:i] + bytes([data[i] ^ flip]) + data[i + 1 :]
            with pytest.raises(CorruptError):
                tiny.decompress(damaged)
    for length in range(len(data)):
        with pytest.raises(CorruptError):
            tiny.decompress(data[:length])
    with pytest.raises(CorruptError, match="checksum"):
        tiny.decompress(data + b"\0")


def test_a_block_of_another_codec_is_refused(tiny: Codec, shipped: Codec, tiny_images: np.ndarray) -> None:
    with pytest.raises(CorruptError, match="made with another codec"):
        shipped.decompress(tiny.compress(tiny_images[:2]))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60))
def test_arbitrary_bytes_are_refused(shipped: Codec, data: bytes) -> None:
    with pytest.raises(CorruptError):
        shipped.decompress(data)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 28, 28), np.float32), "have to be uint8 arrays"),
        (np.zeros((28, 28), np.uint8), "have to be uint8 arrays"),
        (np.zeros((2, 32, 32), np.uint8), "32x32x1 .*codes 28x28x1; train one"),
        (np.zeros((2, 28, 28, 3), np.uint8), "28x28x3"),
        (np.zeros((0, 28, 28), np.uint8), "a block holds 1 to 65536"),
    ],
)
def test_images_that_it_does_not_code_are_refused(shipped: Codec, images: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        shipped.compress(images)


def test_no_images_give_no_symbols(shipped: Codec) -> None:
    assert shipped.encoder(np.zeros((0, 28, 28), np.uint8)).shape[0] == 0


def test_qualities_and_efforts_out_of_range_are_refused(shipped: Codec, mnist: np.ndarray) -> None:
    with pytest.raises(InputError, match="quality 100 is lossless and has no symbols"):
        shipped.encoder(mnist[:1], 100)
    with pytest.raises(InputError, match="quality 150: the codec mnist-1 has qualities 0 to 99"):
        shipped.encoder(mnist[:1], 150)
    with pytest.raises(InputError, match="quality -1"):
        shipped.compress(mnist[:1], -1)
    with pytest.raises(InputError, match="effort"):
        shipped.compress(mnist[:1], effort=10)


def test_symbols_that_it_does_not_know_are_refused(tiny: Codec, tiny_arrays: dict[str, np.ndarray]) -> None:
    symbols = tiny_arrays["symbols"][:2]
    expected = f"no network for them; at quality 60 an image has {symbols.shape[1]} symbols"
    with pytest.raises(InputError, match=expected):
        tiny.decoder(symbols[:, 1:])
    with pytest.raises(InputError, match="outside of their alphabets at quality 60"):
        tiny.decoder(symbols + 200)


def test_the_decoding_part_has_no_encoder(grey_path, tiny_images: np.ndarray) -> None:
    images = np.zeros((2, 8, 12), np.uint8)
    codec = compressnet.load(grey_path)
    data = codec.compress(images)
    from compressnet.codec.file import from_bytes, to_bytes

    part = Codec(from_bytes(to_bytes(codec.bundle, encoder=False), "part"), codec.backend, 1, "part")
    assert np.array_equal(part.decompress(data), codec.autoencoder(images))
    with pytest.raises(CodecError, match="has no encoder"):
        part.encoder(images)


def with_another_probe(network: Network, name: str) -> Network:
    """A network whose probe no machine reproduces, as an array of it is another."""
    changed = getattr(network.probe, name).copy()
    changed.flat[0] ^= 1
    return replace(network, probe=replace(network.probe, **{name: changed}))


@pytest.mark.parametrize("name", ["pixels", "frequencies", "symbols"])
def test_a_backend_that_does_not_reproduce_the_probe_is_refused(
    tiny: Codec, tiny_arrays: dict[str, np.ndarray], name: str
) -> None:
    network = with_another_probe(tiny.bundle.networks[0], name)
    bundle = make_bundle((network,), name="refused", default_quality=60, about="")
    codec = Codec(bundle, tiny.backend, 1, "here")
    data = tiny.compress(tiny_arrays["images"])
    uses: list[Callable[[], object]] = [
        lambda: codec.decoder(tiny_arrays["symbols"]),
        lambda: codec.encoder(tiny_arrays["images"]),
        lambda: codec.compress(tiny_arrays["images"]),
        lambda: codec.decompress(data),
        lambda: codec.coder(tiny.kinds[0], 0),
    ]
    for use in uses + uses:
        with pytest.raises(
            CodecRefusedError, match=rf"here: the {tiny.backend.name} backend does not reproduce.*{name} of"
        ):
            use()


def test_only_networks_that_are_used_have_to_be_reproduced(tiny: Codec, tiny_images: np.ndarray) -> None:
    network = tiny.bundle.networks[0]
    low = replace(with_another_probe(network, "pixels"), qualities=(0, 50))
    codec = Codec(make_bundle((low, network), name="both", default_quality=60, about=""), tiny.backend, 1, "here")
    assert np.array_equal(codec.autoencoder(tiny_images, 51), tiny.autoencoder(tiny_images, 51))
    with pytest.raises(CodecRefusedError, match="of the probe differ at quality 0"):
        codec.compress(tiny_images, 50)


def test_a_block_of_colour_needs_an_axis_for_it(tiny: Codec, tiny_images: np.ndarray) -> None:
    identity = bytes.fromhex(tiny.identity)
    single = unpack_single(tiny.compress(tiny_images.reshape(-1, *tiny.kinds[0])), identity)
    data = pack_single(replace(single, channels_axis=False), identity)
    if tiny.kinds[0][2] == 1:
        assert tiny.decompress(data).ndim == 3
    else:
        with pytest.raises(CorruptError, match="channels without an axis for them"):
            tiny.decompress(data)
