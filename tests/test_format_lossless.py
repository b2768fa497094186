"""docs/FORMAT.md, "Lossless payload", against compressnet, by way of a decoder written from that
page alone."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import numpy as np
import pytest

import compressnet
import reference_lossless
from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.file import to_bytes
from compressnet.codec.packed import pack_bundle
from compressnet.coding.softmax import frequencies
from compressnet.lossless.coder import LosslessNetwork
from compressnet.networks.numpy import NumpyBackend
from conftest import CONFORMANCE
from pixel_models import images_for, make_lossless_bundle, make_pixel_model
from reference_decoder import decode_archive, decode_single, read_codec, read_packed
from reference_encoder import RangeEncoder, lossless_payload
from reference_lossless import code_image, probe_images, symbols_of

HEIGHT, WIDTH = 5, 4


def images_of(channels: int, count: int = 5, seed: int = 0) -> np.ndarray:
    """(count,5,4,C): values by chance on areas of the usual backgrounds."""
    rng = np.random.default_rng([seed, channels])
    images = rng.choice([0, 128, 255], (count, 1, 1, channels)).repeat(HEIGHT, 1).repeat(WIDTH, 2).astype(np.uint8)
    noise = rng.integers(0, 256, images.shape, dtype=np.uint8)
    return np.where(rng.random(images.shape) < 0.2, noise, images)


def codec_of(bundle: Bundle) -> Codec:
    return Codec(bundle, NumpyBackend(), 1, "test")


def test_the_reference_stands_alone() -> None:
    tree = ast.parse(Path(reference_lossless.__file__).read_text())
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert not any(str(name).startswith("compressnet") for name in imported)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [None, (HEIGHT, WIDTH)])
def test_archives_decode_to_their_pixels(channels: int, size: tuple[int, int] | None, tmp_path: Path) -> None:
    model = make_pixel_model(channels, size, counts=channels != 2)
    images, codec = images_for(model, 9, (HEIGHT, WIDTH), 0, 0.01), codec_of(make_lossless_bundle(model))
    compressnet.compress(images, tmp_path / "a.cnet", codec, quality=100, block_images=3, store_unknown=True)
    archive = decode_archive((tmp_path / "a.cnet").read_bytes())
    assert np.array_equal(np.stack(archive.images), images)
    with compressnet.open(tmp_path / "a.cnet") as opened:
        blocks = [opened.container.read_block(i) for i in range(len(opened.container.blocks))]
    assert "lossless" in {block.method_name for block in blocks}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [None, (HEIGHT, WIDTH)])
def test_single_blocks_decode_to_their_pixels(channels: int, size: tuple[int, int] | None) -> None:
    images = images_of(channels, 2)
    images = images[..., 0] if channels == 1 else images
    bundle = make_lossless_bundle(make_pixel_model(2), make_pixel_model(channels, size))
    block = codec_of(bundle).compress(images, 100)
    assert np.array_equal(decode_single(block, read_codec(to_bytes(bundle))), images)
    damaged = block[:-1] + bytes([block[-1] ^ 1])
    with pytest.raises(ValueError, match="checksum"):
        decode_single(damaged, read_codec(to_bytes(bundle)))


def test_identities(shipped: Codec) -> None:
    models = (make_pixel_model(1, (28, 28)), make_pixel_model(3))
    both = make_bundle(shipped.bundle.networks, models, name="both", default_quality=46, about="{}")
    read = read_codec(to_bytes(both))
    assert (read.identity, read.lossless_identity) == (both.lossy_identity, both.lossless_identity)
    assert both.lossless_identity is not None
    part = both.only(both.lossless_identity)
    assert part is not None
    packed = read_packed(pack_bundle(part))
    assert (packed.networks, packed.lossless_identity) == ([], both.lossless_identity)


def payload_of(model: reference_lossless.PixelModel, image: np.ndarray) -> bytes:
    """The payload of an image (H,W,C), as the page's encoder writes it."""
    encoder, symbols = RangeEncoder(), symbols_of(model, image)

    def pick(frequencies_A: np.ndarray) -> int:
        symbol = next(symbols)
        encoder.append(symbol, frequencies_A)
        return symbol

    assert np.array_equal(code_image(model, *image.shape[:2], pick), image)
    return encoder.finish()


@pytest.mark.parametrize(("channels", "size"), [(1, None), (3, (3, 14)), (4, (2, 3))])
def test_probe(channels: int, size: tuple[int, int] | None) -> None:
    """The payload of the probe, as the page's encoder writes it, has the hash that the model
    carries."""
    model = make_pixel_model(channels, size, seed=3)
    (read,) = read_codec(to_bytes(make_lossless_bundle(model))).pixels
    images = probe_images(read)
    alone = [payload_of(read, image) for image in images]
    payload = lossless_payload(alone)
    assert hashlib.sha256(payload).digest() == model.probe.tobytes()
    (written, *others), _ = LosslessNetwork(model, NumpyBackend()).write_blocks(images[[0, 1, 2, 1]], [3, 1])
    assert written == payload
    assert others == [alone[1]]


def test_frequencies() -> None:
    rng = np.random.default_rng(0)
    for spread in (1, 30, 500, 2047):
        logits = rng.integers(-spread, spread + 1, (16, 50))
        logits[:, 0] = spread
        found = frequencies(logits.astype(np.float32))
        expected = [reference_lossless.frequencies(column.tolist()) for column in logits.T]
        assert np.array_equal(found, np.stack(expected, axis=1))


def test_the_committed_files() -> None:
    with np.load(CONFORMANCE / "lossless.npz") as arrays:
        expected = list(arrays.values())
    archive = decode_archive((CONFORMANCE / "lossless.cnet").read_bytes())
    assert all(np.array_equal(image, known) for image, known in zip(archive.images, expected, strict=True))
    codec = read_codec((CONFORMANCE / "lossless.codec").read_bytes())
    for name, images in (("grey", expected[:3]), ("alpha", expected[6:8])):
        block = (CONFORMANCE / f"lossless-{name}.block").read_bytes()
        assert np.array_equal(decode_single(block, codec), np.stack(images))
