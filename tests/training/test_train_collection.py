"""One network for all sizes and modes of a collection: trained, frozen for each, coded exactly."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import compressnet
from compressnet.codec.bundle import Bundle
from compressnet.codec.codec import Codec
from compressnet.codec.shipped import read_bundle
from compressnet.errors import InputError
from compressnet.images.alpha import with_hidden_of
from compressnet.images.metrics import psnr_of_mse
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.training.common.gather import gather
from compressnet.training.common.options import Options, Progress, TrainingInterrupted
from compressnet.training.freeze.check import check_frozen
from compressnet.training.freeze.thaw import design_of, thaw
from compressnet.training.lossy.design import Preset
from compressnet.training.train import refine_gathered, train_collection
from drawings import sprites
from make_conformance import blobs
from reference_decoder import decode_archive, decode_single, read_codec

SMALL = Preset(minutes=1, fine=4, coarse=8, hidden=6)
GREY, COLOUR = blobs(300, (9, 14, 1), 3)[..., 0], sprites(150, side_px=12)
KINDS = [(12, 12, 4), (9, 14, 1)]
"""Of the images that are trained on, the one with the most values first."""


def options(**changes: object) -> Options:
    chosen: dict[str, object] = {"epochs": 3, "batch": 16, "threads": 1}
    return Options(**(chosen | changes))


def images_of(kind: tuple[int, int, int]) -> np.ndarray:
    return GREY[:40] if kind == KINDS[1] else COLOUR[:40]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("codecs")


@pytest.fixture(scope="module")
def trained(folder: Path) -> Bundle:
    return train_collection([GREY, COLOUR], folder / "both.codec", options(), SMALL)


@pytest.fixture(scope="module")
def both(trained: Bundle, folder: Path) -> Codec:
    return compressnet.load(folder / "both.codec", threads=1)


@pytest.mark.parametrize("kind", KINDS)
def test_both_backends_code_each_kind_alike(both: Codec, folder: Path, kind: tuple[int, int, int]) -> None:
    assert (both.kinds, both.coded) == ([], ["any size x 1 or 2 or 3 or 4"])
    numpy, images = compressnet.load(folder / "both.codec", "numpy", threads=1), images_of(kind)
    for quality in (0, 60, 99):
        data = both.compress(images, quality)
        assert numpy.compress(images, quality) == data
        decoded = both.decompress(data)
        assert decoded.shape == images.shape
        assert np.array_equal(decoded, numpy.decompress(data))
        assert np.array_equal(decoded, numpy.autoencoder(images, quality))


@pytest.mark.parametrize("kind", KINDS)
def test_quality_buys_psnr(both: Codec, kind: tuple[int, int, int]) -> None:
    images = images_of(kind).reshape(-1, *kind)
    decoded = [with_hidden_of(both.autoencoder(images, quality), images) for quality in (0, 30, 60)]
    mse = [np.square(pixels.astype(int) - images).mean() / 255**2 for pixels in decoded]
    assert psnr_of_mse(mse[0]) + 4 < psnr_of_mse(mse[1]) + 2 < psnr_of_mse(mse[2])


def test_archives_of_all_kinds_decode_to_the_same_with_the_reference_decoder(both: Codec) -> None:
    stream = io.BytesIO()
    written = compressnet.compress([GREY[:9], COLOUR[:7], GREY[9:20]], stream, both, embed_codec=True)
    assert written.reasons == {}
    with compressnet.open(stream.getvalue(), None, "numpy") as archive:
        images = list(archive)
        archive.check()
    expected = [*both.autoencoder(GREY[:9]), *both.autoencoder(COLOUR[:7]), *both.autoencoder(GREY[9:20])]
    assert all(np.array_equal(image, known) for image, known in zip(images, expected, strict=True))
    again = decode_archive(stream.getvalue()).images
    assert all(np.array_equal(image, known) for image, known in zip(again, expected, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_single_blocks_decode_to_the_same_with_the_reference_decoder(
    both: Codec, folder: Path, kind: tuple[int, int, int]
) -> None:
    codec, images = read_codec((folder / "both.codec").read_bytes()), images_of(kind)[:5]
    for quality in (7, 90):
        assert np.array_equal(decode_single(both.compress(images, quality), codec), both.autoencoder(images, quality))


@pytest.mark.parametrize("kind", KINDS)
def test_the_networks_thaw_to_what_they_compute(trained: Bundle, kind: tuple[int, int, int]) -> None:
    (network,) = trained.networks
    assert isinstance(network, SizelessNetwork)
    assert network.encoder is not None
    images = images_of(kind).reshape(-1, *kind)
    model = thaw(network, design_of(network, "x"), kind)
    check_frozen(model, network.at(kind), images, network.encoder.nodes[-1].arrays["bound"])


def test_one_network_is_for_all_sizes_and_modes(trained: Bundle) -> None:
    (network,) = trained.networks
    assert isinstance(network, SizelessNetwork)
    assert (network.kind, network.served, network.tile_px) == ((0, 0, 4), (1, 2, 3, 4), 4)


@pytest.mark.slow
def test_an_interrupted_training_resumes_where_it_was(trained: Bundle, tmp_path: Path) -> None:
    output = tmp_path / "both.codec"

    def interrupt(point: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted, match=r"both\.codec\.pictures\.checkpoint"):
        train_collection([GREY, COLOUR], output, options(), SMALL, report=interrupt)
    with pytest.raises(InputError, match="of other images or options"):
        train_collection([GREY, COLOUR], output, options(), replace(SMALL, fine=6), resume=True)
    resumed = train_collection([GREY, COLOUR], output, options(), SMALL, resume=True)
    assert resumed.identity == trained.identity
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.codec", "both.codec.log.jsonl"]


def test_symbols_of_images_of_any_size_ask_for_the_kind(tmp_path: Path) -> None:
    grey, colour = blobs(250, (8, 12, 1), 3), blobs(250, (12, 8, 3), 3)
    train_collection([grey, colour], tmp_path / "a.codec", options(epochs=1), SMALL)
    codec = compressnet.load(tmp_path / "a.codec", threads=1)
    symbols = codec.encoder(grey[:5])
    with pytest.raises(InputError, match="codes images of any size; say by `kind` which"):
        codec.decoder(symbols)
    assert np.array_equal(codec.decoder(symbols, kind=(8, 12, 1)), codec.autoencoder(grey[:5])[..., 0])
    assert codec.autoencoder(colour[:5]).shape == (5, 12, 8, 3)


def test_too_few_images_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="150 distinct images"):
        train_collection([COLOUR], tmp_path / "a.codec", options(), SMALL)
    assert list(tmp_path.iterdir()) == []


def test_refining_a_network_without_a_size_changes_its_encoder_alone(trained: Bundle, folder: Path) -> None:
    gathered = gather([GREY, COLOUR], 0)
    new = refine_gathered(trained, gathered, folder / "refined.codec", options(epochs=2))
    assert new.identity == trained.identity
    codecs = [compressnet.load(folder / name) for name in ("both.codec", "refined.codec")]
    assert not np.array_equal(*(codec.encoder(COLOUR[:40], 90) for codec in codecs))
    for writer, reader in (codecs, codecs[::-1]):
        for images in (GREY[:9], COLOUR[:9]):
            data = writer.compress(images, quality=90)
            assert np.array_equal(reader.decompress(data), writer.autoencoder(images, 90))


def test_codecs_for_one_size_are_not_refined_for_any(folder: Path) -> None:
    bundle = read_bundle("mnist")
    with pytest.raises(InputError, match="'mnist-1' has no network for images of any size"):
        refine_gathered(bundle, gather([GREY, COLOUR], 0), folder / "a.codec", options())
