"""Rivals at a given PSNR: they have it, they are the smaller of lossy and lossless, and samples
are scaled."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from compressnet.bench.rivals.approach import TOLERANCE_DB
from compressnet.bench.rivals.catalogue import AVIF, MATCHED_CODECS
from compressnet.bench.rivals.matched import mosaic_at
from compressnet.errors import InputError, MissingExtraError
from drawings import pixel_art, sprites

CODECS = {codec.title: codec for codec in MATCHED_CODECS}
LOSSY = ["AVIF", "WebP", "JPEG XL"]


@pytest.mark.parametrize("name", LOSSY)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossy_rivals_have_the_psnr(name: str, channels: int) -> None:
    matched = mosaic_at([sprites(60, channels=channels)], CODECS[name], 28)
    assert matched is not None
    assert matched.title == name
    if matched.psnr is not None and not matched.setting.startswith("quality 0, "):
        assert matched.interpolated == (matched.psnr == 28)
        assert abs(matched.psnr - 28) <= TOLERANCE_DB
        assert matched.note.startswith("interpolated between qualities" if matched.interpolated else "quality")
    if matched.psnr is not None:
        assert matched.psnr >= 28 - TOLERANCE_DB
    assert 0 < matched.total_bytes < 60 * 16 * 16 * channels


def test_more_psnr_takes_more_bytes() -> None:
    images = [sprites(60)]
    found = [mosaic_at(images, CODECS["JPEG XL"], psnr) for psnr in (22, 27, 32)]
    total_bytes = [matched.total_bytes for matched in found if matched is not None]
    assert len(total_bytes) == 3
    assert total_bytes == sorted(total_bytes)


def test_a_psnr_below_the_lowest_quality_takes_the_lowest() -> None:
    matched = mosaic_at([sprites(20, channels=3)], CODECS["WebP"], 2)
    assert matched is not None
    assert matched.psnr is not None
    assert matched.psnr > 2
    assert matched.setting.startswith("quality 0, ")


def test_out_of_reach_of_lossy_webp_is_lossless_webp() -> None:
    matched = mosaic_at([sprites(60)], CODECS["WebP"], 45)
    assert matched is not None
    assert matched.psnr is None
    assert matched.note == "lossless, quality 90, method 6"


@pytest.mark.parametrize("name", ["WebP", "JPEG XL"])
def test_flat_images_are_smaller_without_loss(name: str) -> None:
    matched = mosaic_at([pixel_art(64)], CODECS[name], 38)
    assert matched is not None
    assert matched.psnr is None
    assert matched.note.startswith("lossless")


def test_avif_has_no_lossless_mosaic() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    assert mosaic_at([images], CODECS["AVIF"], 99) is None


def test_hidden_colour_costs_nothing() -> None:
    images = sprites(30)
    cleaned = images.copy()
    cleaned[images[..., 3] == 0] = 0
    plain = mosaic_at([cleaned], CODECS["PNG"], 30)
    assert mosaic_at([images], CODECS["PNG"], 30) == plain


def test_shapes_have_a_mosaic_each() -> None:
    small, large = sprites(30), sprites(12, side_px=24)
    parts = [mosaic_at([images], CODECS["PNG"], 30) for images in (small, large)]
    both = mosaic_at([small, large], CODECS["PNG"], 30)
    assert both is not None
    assert both.total_bytes == sum(part.total_bytes for part in parts if part is not None)


def test_large_collections_are_measured_on_a_sample() -> None:
    images = [sprites(400, side_px=8, channels=3)]
    whole = mosaic_at(images, CODECS["WebP"], 28)
    some = mosaic_at(images, CODECS["WebP"], 28, sample_px=100 * 64)
    assert whole is not None
    assert some is not None
    assert whole.measured_share == 1
    assert some.measured_share == pytest.approx(0.25, abs=0.01)
    assert some.note.endswith("; scaled from 25% of the images")
    assert some.total_bytes == pytest.approx(whole.total_bytes, rel=0.15)


def test_an_encoder_that_knows_only_some_variants_is_measured_with_those() -> None:
    def variants(channels: int) -> list[dict[str, object]]:
        return [{"subsampling": "4:5:6"}, {"subsampling": "4:4:4"}]

    assert AVIF.matching is not None
    codec = replace(AVIF, matching=replace(AVIF.matching, variants=variants, slow={"speed": 6}))
    matched = mosaic_at([sprites(20)], codec, 25)
    assert matched is not None
    assert "subsampling 4:4:4" in matched.setting


def test_a_codec_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(MissingExtraError, match=r"JPEG XL is not measured: pip install 'compressnet\[bench\]'"):
        mosaic_at([sprites(4)], CODECS["JPEG XL"], 30)
    codec = replace(CODECS["PNG"], title="Nothing", pillow_format="NOTHING")
    with pytest.raises(MissingExtraError, match="Nothing is not measured: this installation of Pillow lacks it"):
        mosaic_at([sprites(4)], codec, 30)


@pytest.mark.parametrize("images", [[], [np.zeros((0, 8, 8), np.uint8)]])
def test_no_images_are_refused(images: list[np.ndarray]) -> None:
    with pytest.raises(InputError, match="there are no images to measure"):
        mosaic_at(images, CODECS["PNG"], 30)


def test_arrays_that_are_no_images_are_refused() -> None:
    with pytest.raises(InputError, match="images are float64"):
        mosaic_at([np.zeros((3, 8, 8))], CODECS["PNG"], 30)
