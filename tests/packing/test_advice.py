"""Advice: its figures add up, its sentence says what they say, and what is not installed is
named."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clocks import Clock
from compressnet.bench.rivals.catalogue import MATCHED_CODECS
from compressnet.errors import InputError
from compressnet.packing.advice import Advice, advise
from drawings import sprites

QUICK = [codec for codec in MATCHED_CODECS if codec.title in ("WebP", "PNG")]


def advice(payload_bytes: int, codec_bytes: int, images: np.ndarray | None = None) -> Advice:
    images = sprites(40) if images is None else images
    return advise([images], psnr_db=30, payload_bytes=payload_bytes, codec_bytes=codec_bytes, codecs=QUICK)


@pytest.fixture(scope="module")
def best_bytes() -> int:
    """What the best rival takes for the 40 sprites."""
    told = advice(1, 0)
    return min(row.total_bytes for row in told.rows[1:])


def test_rows_are_compressnet_first_then_the_rivals() -> None:
    told = advice(1000, 500)
    assert [row.name for row in told.rows] == ["compressnet", "raw pixels", "zstd -19", "WebP", "PNG"]
    own, raw = told.rows[:2]
    assert own.total_bytes == 1500
    assert own.note == "1,000 bytes of images and 500 of codec"
    assert raw.total_bytes == 40 * 16 * 16 * 4
    assert all(0 < row.total_bytes < raw.total_bytes for row in told.rows[2:])
    assert told.images == 40


def test_a_clear_win(best_bytes: int) -> None:
    told = advice(best_bytes // 4, best_bytes // 4)
    assert told.use_compressnet
    assert told.sentence.startswith("Use compressnet: it takes ")
    assert told.sentence.endswith("saves 50%.")
    assert told.break_even_images is not None
    assert told.break_even_images < 40


def test_a_codec_that_more_images_would_pay_for(best_bytes: int) -> None:
    told = advice(best_bytes // 2, 10 * best_bytes)
    assert not told.use_compressnet
    assert told.sentence.startswith(f"Use {told.best_rival} instead: ")
    assert "would pay from about 810 images on" in told.sentence
    assert told.break_even_images in (800, 801)


def test_images_that_never_pay(best_bytes: int) -> None:
    told = advice(2 * best_bytes, 0)
    assert not told.use_compressnet
    assert told.break_even_images is None
    assert "would not pay with more images either" in told.sentence


@pytest.mark.parametrize("share", [0.995, 1.0, 1.005])
def test_under_1_percent_it_is_a_tie_and_the_general_codec_is_advised(best_bytes: int, share: float) -> None:
    told = advice(round(share * best_bytes), 0)
    assert not told.use_compressnet
    assert told.sentence.startswith(f"A tie, so use {told.best_rival}: ")


@settings(max_examples=20, deadline=None)
@given(payload_bytes=st.integers(1, 3000), codec_bytes=st.integers(0, 100_000))
def test_break_even_is_the_first_number_of_images_that_pays(payload_bytes: int, codec_bytes: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 1), dtype=np.uint8)
    told = advise([images], psnr_db=30, payload_bytes=payload_bytes, codec_bytes=codec_bytes, codecs=[])
    rival_bytes = min(row.total_bytes for row in told.rows[1:])

    def pays(count: int) -> bool:
        return 10 * codec_bytes + count * payload_bytes < count * rival_bytes

    needed = told.break_even_images
    if needed is None:
        assert payload_bytes >= rival_bytes
    else:
        assert pays(needed)
        assert needed == 1 or not pays(needed - 1)


def test_what_is_not_installed_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    codecs = [codec for codec in MATCHED_CODECS if codec.title in ("JPEG XL", "PNG")]
    told = advise([sprites(20)], psnr_db=30, payload_bytes=500, codec_bytes=0, codecs=codecs)
    assert [row.name for row in told.rows] == ["compressnet", "raw pixels", "xz -9e", "PNG"]
    assert told.left_out == (
        "zstd is not measured: pip install 'compressnet[bench]'; xz is, in its place",
        "JPEG XL is not measured: pip install 'compressnet[bench]'",
    )


def test_the_document_is_json() -> None:
    told = json.loads(json.dumps(advice(1000, 500).to_json()))
    assert told["payload_bytes"] == 1000
    assert told["rows"][0] == {
        "name": "compressnet",
        "total_bytes": 1500,
        "psnr": 30,
        "note": "1,000 bytes of images and 500 of codec",
    }


def test_progress_is_told() -> None:
    told: list[str] = []
    advise([sprites(10)], psnr_db=30, payload_bytes=500, codec_bytes=0, codecs=QUICK, report=told.append)
    assert told[0] == "zstd -19"
    assert "PNG, lossless" in told


@pytest.mark.parametrize("psnr_db", [0, -3, 100, float("inf"), float("nan")])
def test_a_psnr_that_cannot_be_matched_is_refused(psnr_db: float) -> None:
    with pytest.raises(InputError, match="give one between 0 and 100, such as 30"):
        advise([sprites(4)], psnr_db=psnr_db, payload_bytes=500, codec_bytes=0)


def test_bytes_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="0 bytes of payload and 5 of codec"):
        advice(0, 5)


def limited(budget_s: float, images: np.ndarray, psnr_db: float = 30) -> Advice:
    """Advice within a budget, where every measurement takes a second."""
    clock = Clock()
    return advise(
        [images],
        psnr_db=psnr_db,
        payload_bytes=500,
        codec_bytes=0,
        codecs=QUICK,
        budget_s=budget_s,
        clock=clock,
        report=clock.tick,
    )


def test_without_time_only_the_quickest_is_measured_and_the_others_are_named() -> None:
    told = limited(0, sprites(40))
    assert [row.name for row in told.rows] == ["compressnet", "raw pixels", "zstd -19"]
    assert told.left_out == tuple(f"{name} is not measured: there was no time left for it" for name in ("WebP", "PNG"))


def test_what_fits_is_measured_and_the_rest_is_named() -> None:
    told = limited(6, sprites(40))
    assert [row.name for row in told.rows] == ["compressnet", "raw pixels", "zstd -19", "PNG"]
    assert told.left_out == ("WebP is not measured: there was no time left for it",)


def test_with_time_enough_a_budget_changes_nothing() -> None:
    images = sprites(700, side_px=8)
    told, unlimited = (
        limited(10_000, images),
        advise([images], psnr_db=30, payload_bytes=500, codec_bytes=0, codecs=QUICK),
    )
    assert told == unlimited
    assert (told.sampled_images, told.packed_images, told.sampling) == (700, 700, "")


def test_with_less_time_rivals_are_measured_on_a_sample() -> None:
    told = limited(25, sprites(4000, side_px=8, channels=3), psnr_db=20)
    assert [row.name for row in told.rows][-2:] == ["WebP", "PNG"]
    assert not told.left_out
    assert 0 < told.sampled_images < 4000
    assert told.sampling == f"rivals were measured on {told.sampled_images:,} to 4,000 of 4,000 images"
    assert "scaled from" in told.rows[-2].note


def test_what_was_sampled_is_told() -> None:
    images = sprites(40)
    common = {"psnr_db": 30, "payload_bytes": 500, "codec_bytes": 0, "codecs": QUICK}
    told = advise([images], scale=10, **common)
    assert (told.images, told.sampled_images, told.packed_images) == (400, 40, 400)
    assert told.sampling == "rivals were measured on 40 of 400 images"
    assert all(row.note.endswith("scaled from 10% of the images") for row in told.rows[3:])
    told = advise([images], scale=10, packed_images=80, **common)
    assert told.sampling == "compressnet was measured on 80 of 400 images, its rivals on 40"
    assert json.loads(json.dumps(told.to_json()))["packed_images"] == 80


def test_without_loss_every_byte_codec_is_a_rival(monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> Advice:
        return advise([sprites(40)], psnr_db=None, payload_bytes=500, codec_bytes=0, codecs=QUICK)

    monkeypatch.setitem(sys.modules, "bz3", None)
    names = [row.name for row in told().rows]
    assert names[:6] == ["compressnet", "raw pixels", "zstd -19", "xz -9e", "zstd -22 --long", "brotli -11"]
    assert told().left_out == ("bzip3 is not measured: pip install 'compressnet[rivals]'",)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    names = [row.name for row in told().rows]
    assert names[:4] == ["compressnet", "raw pixels", "xz -9e", "brotli -11"]


def test_byte_codecs_that_time_does_not_suffice_for_are_named() -> None:
    pytest.importorskip("bz3")
    told = advise([sprites(40)], psnr_db=None, payload_bytes=500, codec_bytes=0, codecs=QUICK, budget_s=0)
    late = "is not measured: there was no time left for it"
    named = [f"{name} {late}" for name in ("xz -9e", "zstd -22 --long", "brotli -11", "bzip3", "WebP", "PNG")]
    assert told.left_out == tuple(named)
