"""Fewer channels than images came in: when they are left out, and that they come back."""

from __future__ import annotations

import io

import numpy as np
import pytest

import compressnet
from compressnet.archive.writing.tightness import chosen_tight
from compressnet.codec.codec import Codec
from compressnet.errors import InputError
from compressnet.images.forms import Form
from compressnet.images.modes import AS_IS, TIGHT, Tight
from compressnet.packing.targets import Target, find_quality
from conftest import CONFORMANCE


@pytest.fixture(scope="module")
def grey() -> Codec:
    return compressnet.load(CONFORMANCE / "grey.codec", threads=1)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    with np.load(CONFORMANCE / "grey.npz") as arrays:
        return arrays["images"]


def as_rgb(grey: np.ndarray) -> np.ndarray:
    return grey[..., None].repeat(3, axis=-1)


def opaque(images: np.ndarray) -> np.ndarray:
    return np.concatenate([images, np.full_like(images[..., :1], 255)], axis=-1)


def test_by_default_what_every_image_allows(grey: Codec, images: np.ndarray) -> None:
    rgb = as_rgb(images)
    colourful = rgb.copy()
    colourful[0, 0, 0, 0] ^= 1
    for batches, expected in (
        ([images], AS_IS),
        ([rgb, images], Tight(colour=True)),
        ([rgb, colourful], AS_IS),
        ([opaque(rgb)], TIGHT),
        ([opaque(colourful)], Tight(alpha=True)),
    ):
        assert chosen_tight(lambda batches=batches: batches, None, None, None) == expected
        assert chosen_tight(lambda batches=batches: batches, grey, None, None) == expected
        assert chosen_tight(lambda batches=batches: batches, grey, None, "as-is") == AS_IS
        assert chosen_tight(lambda batches=batches: batches, grey, None, "tight") == TIGHT


def test_a_codec_for_the_images_as_they_are_codes_them_so(grey: Codec) -> None:
    rgb = compressnet.load(CONFORMANCE / "rgb.codec", threads=1)
    pictures = as_rgb(np.random.default_rng(0).integers(0, 256, (3, 12, 8)).astype(np.uint8))
    assert chosen_tight(lambda: [pictures], rgb, None, None) == AS_IS
    assert chosen_tight(lambda: [opaque(pictures)], rgb, None, None) == Tight(alpha=True)
    assert chosen_tight(lambda: [pictures], grey, None, None) == Tight(colour=True)


def test_grey_in_any_mode_is_coded_as_grey(grey: Codec, images: np.ndarray) -> None:
    decoded = grey.autoencoder(images)
    for pictures, expected in (
        (as_rgb(images), as_rgb(decoded)),
        (opaque(as_rgb(images)), opaque(as_rgb(decoded))),
        (opaque(images[..., None]), opaque(decoded[..., None])),
    ):
        stream = io.BytesIO()
        written = compressnet.compress(pictures, stream, grey, modes="tight")
        with compressnet.open(stream.getvalue(), grey) as archive:
            assert archive.shape == pictures.shape
            assert np.array_equal(archive[:], expected)
            assert archive.with_symbols().all()
            assert [form.kind for form in archive.container.kinds] == [(8, 12, 1)]
        distinct = len(np.unique(images, axis=0))
        assert written.grey == (distinct if pictures.shape[-1] > 2 else 0)
        assert written.opaque == (distinct if pictures.shape[-1] != 3 else 0)
        said = "\n".join(written.remarks())
        assert ("of grey saved in 3 or 4 channels: coded as grey" in said) == (written.grey > 0)
        assert ("with alpha that is opaque: coded without it" in said) == (written.opaque > 0)


def test_forms_that_are_shown_alike_are_one_array(grey: Codec, images: np.ndarray) -> None:
    rgb = as_rgb(images)
    rgb[::2, 0, 0, 0] ^= 1
    stream = io.BytesIO()
    compressnet.compress(rgb, stream, grey, modes="tight")
    with compressnet.open(stream.getvalue(), grey) as archive:
        assert set(archive.container.kinds) == {Form(shape=(8, 12, 3)), Form(shape=(8, 12, 3), grey=True)}
        assert archive.shape == rgb.shape
        assert np.array_equal(archive[:][::2], rgb[::2])
        assert [batch.shape for batch in archive.batches(10)] == [(10, 8, 12, 3), (10, 8, 12, 3), (3, 8, 12, 3)]


def test_a_psnr_holds_for_what_is_shown(grey: Codec, images: np.ndarray) -> None:
    pictures = np.concatenate([as_rgb(images), as_rgb(images)[..., :1] | 1], axis=-1)
    stream = io.BytesIO()
    compressnet.compress(pictures, stream, grey, modes="tight", min_psnr=30, store_unknown=True)
    with compressnet.open(stream.getvalue(), grey) as archive:
        assert {form.kind[2] for form in archive.container.kinds} == {2}
        mse_N = ((archive.array().astype(float) - pictures) ** 2).mean(axis=(1, 2, 3)) / 255**2
    assert mse_N.max() <= 10**-3


def test_a_quality_is_looked_for_on_what_is_coded(shipped: Codec, mnist: np.ndarray) -> None:
    target = Target(measure="psnr", value=24)
    reached = find_quality(shipped, as_rgb(mnist[:200]), target, tight=TIGHT)
    assert reached == find_quality(shipped, mnist[:200], target)


def test_the_error_says_that_images_are_grey(grey: Codec, images: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"8x12x3.*; they are grey saved in 3 channels: --modes tight \(modes='tight'"):
        compressnet.compress(as_rgb(images), io.BytesIO(), grey)
    with pytest.raises(InputError, match="grey saved in 4 channels with opaque alpha: --modes tight"):
        compressnet.compress(opaque(as_rgb(images)), io.BytesIO(), grey)
    with pytest.raises(InputError, match="their alpha is opaque throughout: --modes tight"):
        compressnet.compress(opaque(images[..., None]), io.BytesIO(), grey)
    with pytest.raises(InputError, match=r"train one for these images with 'compressnet train'$"):
        compressnet.compress(as_rgb(images)[:, 1:], io.BytesIO(), grey)
