"""The benchmark: rivals give back what they were given, BD-rates are right, the files are whole
and say all."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from compressnet.bench.curves import bd_rate, bd_rates, curves_of, draw
from compressnet.bench.measure import run_bench
from compressnet.bench.points import Bench, Point
from compressnet.bench.report import write_bench
from compressnet.bench.rivals.catalogue import RIVALS, find_lossless_rivals, find_rivals
from compressnet.bench.rivals.klt import encode_klt
from compressnet.bench.rivals.pictures import mosaic, open_jpegls, save_jpegls, unmosaic
from compressnet.bench.rivals.rival import Coded, Rival
from compressnet.codec.codec import Codec
from compressnet.errors import InputError, MissingExtraError
from compressnet.images.alpha import clear_hidden
from compressnet.images.metrics import mse_per_image, psnr_of_mse
from drawings import sprites


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 40), height=st.integers(1, 9), width=st.integers(1, 9), channels=st.sampled_from([1, 3, 4]))
def test_mosaics_come_apart_again(count: int, height: int, width: int, channels: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, height, width, channels), np.uint8)
    picture = mosaic(images)
    assert picture.shape[0] % height == 0
    assert picture.shape[1] % width == 0
    assert np.array_equal(unmosaic(picture, images.shape), images)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.slow
@pytest.mark.parametrize(
    "rival", [r for rivals in RIVALS.values() for r in rivals if r.lossless], ids=lambda r: f"{r.name}-{r.mode}"
)
def test_lossless_rivals_lose_nothing(rival: Rival, channels: int, mnist: np.ndarray) -> None:
    find_rivals([rival.name])
    images = np.repeat(mnist[:100, ..., None], channels, axis=3)
    for setting in rival.settings:
        coded = rival.encode(images, setting)
        assert np.array_equal(clear_hidden(coded.decode()), images)
        assert 0 < coded.total_bytes < images.nbytes


@pytest.mark.parametrize("shape", [(7, 5, 9, 1), (3, 8, 8, 2), (4, 9, 3, 3), (2, 1, 1, 4), (1, 200, 300, 1)])
@pytest.mark.parametrize("name", ["jpegls", "bz2", "xz"])
def test_noise_comes_back_bit_for_bit(name: str, shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for rival in find_rivals([name]):
        assert np.array_equal(rival.encode(noise, rival.settings[0]).decode(), noise)


def test_jpegls_knows_its_own_files() -> None:
    data = save_jpegls(np.zeros((4, 6, 1), np.uint8), {"level": 0})
    assert data[:4] == b"\xff\xd8\xff\xf7"  # SOI and SOF55 of ISO/IEC 14495-1
    assert open_jpegls(data, 1).shape == (4, 6, 1)


def test_every_lossless_mode_has_its_rivals() -> None:
    assert [(rival.name, rival.mode) for rival in find_lossless_rivals(None)] == [
        *((name, mode) for name in ("webp", "jxl", "jpeg2000", "png", "jpegls") for mode in ("mosaic", "single")),
        ("zstd", "dictionary"),
        ("zstd", "stream"),
        ("xz", "stream"),
        ("bz2", "stream"),
    ]
    with pytest.raises(InputError, match="--rivals avif: it always loses something; lossless are webp, jxl"):
        find_lossless_rivals(["png", "avif"])


@pytest.mark.parametrize("module", ["imagecodecs", "pillow_jxl", "zstandard"])
def test_a_missing_module_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"bench needs {module}; pip install 'compressnet\[bench\]'"):
        find_rivals(["png"])


@pytest.mark.parametrize(
    "rival", [r for rivals in RIVALS.values() for r in rivals if not r.lossless], ids=lambda r: f"{r.name}-{r.mode}"
)
def test_lossy_rivals_get_better_with_bytes(rival: Rival, mnist: np.ndarray) -> None:
    find_rivals([rival.name])
    images = mnist[:36, ..., None]
    chosen = sorted((rival.settings[1], rival.settings[-1]), key=lambda s: rival.encode(images, s).total_bytes)
    errors = []
    for setting in chosen:
        decoded = rival.encode(images, setting).decode()
        assert decoded.shape == images.shape
        errors.append(np.square(decoded.astype(float) - images).mean())
    assert errors[1] < errors[0]


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jxl", "jpeg2000", "klt"])
def test_alpha_comes_through_all_lossy_rivals_but_jpeg(name: str, channels: int) -> None:
    find_rivals([name])
    images = clear_hidden(sprites(30, channels=channels))
    for rival in RIVALS[name]:
        if rival.lossless:
            continue
        if name == "jpeg":
            with pytest.raises(InputError, match="JPEG has no alpha; leave jpeg out of --rivals"):
                rival.encode(images, rival.settings[-1])
        else:
            finest = min(rival.settings, key=lambda setting: setting.get("step", -setting.get("quality", 0)))
            decoded = rival.encode(images, finest).decode()
            assert decoded.shape == images.shape
            assert mse_per_image(images, decoded).mean() < 0.01


def test_klt_costs_about_its_entropy_and_decodes_to_its_step(mnist: np.ndarray) -> None:
    coded = encode_klt(mnist[..., None], {"step": 40})
    decoded = coded.decode()
    mse = np.square(decoded.astype(float) - mnist[..., None]).mean()
    assert 12 < mse < 40**2 / 12  # clamping and dead components only help
    assert 60 < coded.total_bytes / len(mnist) < 140


def test_unknown_rivals_are_named() -> None:
    with pytest.raises(InputError, match="--rivals gif: there are jpeg, webp"):
        find_rivals(["gif"])


def point(codec: str, total_bytes: int, psnr: float, effort: int | None = None) -> Point:
    return Point(
        codec=codec,
        mode="archive" if effort else "mosaic",
        setting="x",
        lossless=False,
        effort=effort,
        quality=None,
        images=10,
        total_bytes=total_bytes,
        mse=10 ** (-psnr / 10),
        psnr=psnr,
        ssim=psnr / 50,
        encode_s=1.0,
        decode_s=1.0,
        shown=np.zeros((2, 4, 4, 1), np.uint8),
    )


def test_bd_rate_of_half_the_bytes_is_minus_50_percent() -> None:
    own = [point("compressnet", 50 * 2**i, 20 + 3 * i, effort=1) for i in range(5)]
    rival = [point("avif", 100 * 2**i, 20 + 3 * i) for i in range(5)]
    found = bd_rate(own, rival)
    assert found.percent == pytest.approx(-50)
    assert found.psnr_interval == (20, 32)
    assert (found.curve, found.rival) == ("compressnet, effort 1", "avif, mosaic")
    within = bd_rate(own, rival, (24, 28))
    assert within.percent == pytest.approx(-50)
    assert within.psnr_interval == (24, 28)
    assert bd_rate(rival, own).percent == pytest.approx(100)


def test_bd_rate_says_where_curves_do_not_overlap() -> None:
    own = [point("compressnet", 100 + i, 20 + i, effort=9) for i in range(4)]
    rival = [point("jxl", 100 + i, 22.5 + i) for i in range(4)]
    found = bd_rate(own, rival)
    assert found.percent is None
    assert found.note == "the curves do not overlap by 1 dB: 20.0 to 23.0 dB, the rival 22.5 to 25.5 dB"
    assert bd_rate(own, rival[:1]).note == "a curve needs two points at least"


def test_points_that_a_cheaper_one_equals_do_not_count() -> None:
    own = [point("compressnet", 50 * 2**i, 20 + 3 * i, effort=1) for i in range(5)]
    rival = [point("avif", 100 * 2**i, 20 + 3 * i) for i in range(5)] + [point("avif", 500, 21)]
    curve = curves_of(rival)["avif, mosaic"]
    assert bd_rate(own, curve).percent == pytest.approx(-50)


@pytest.fixture(scope="module")
def bench(shipped: Codec, mnist: np.ndarray) -> Bench:
    def broken(images: np.ndarray, setting: dict[str, object]) -> Coded:
        raise RuntimeError("it fell over")

    original = RIVALS["png"]
    RIVALS["png"] = [replace(original[0], encode=broken)]
    try:
        return run_bench(
            mnist[:60], "mnist", shipped, rivals=["webp", "xz", "png"], efforts=(1, 2), qualities=(10, 50, 90)
        )
    finally:
        RIVALS["png"] = original


def test_a_failing_rival_is_noted_and_the_rest_goes_on(bench: Bench) -> None:
    assert [(failure.codec, failure.error) for failure in bench.failures] == [("png", "RuntimeError('it fell over')")]
    own_lossless = {"compressnet, archive, lossless"}  # where the shipped codec has such a network
    assert {point.curve for point in bench.points} - own_lossless == {
        "compressnet, effort 1",
        "compressnet, effort 2",
        "webp, mosaic",
        "webp, single",
        "webp, mosaic, lossless",
        "webp, single, lossless",
        "xz, stream, lossless",
    }
    for measured in bench.points:
        assert measured.total_bytes > 0
        assert measured.psnr == pytest.approx(psnr_of_mse(measured.mse)) if measured.mse else measured.psnr is None
        assert measured.lossless == (measured.mse == 0)


def test_the_files(bench: Bench, tmp_path: Path) -> None:
    write_bench(bench, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["bench.json", "rate-distortion.png", "rate-distortion.svg", "report.html"]
    told = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert told["images"] == 60
    assert {"codec", "mode", "bytes", "bytes_per_image", "mse", "psnr", "ssim", "encode_s", "decode_s"} <= set(
        told["points"][0]
    )
    assert len(told["bd_rate"]) == 4
    assert {(row["name"], row["mode"]) for row in told["lossless"]} >= {
        ("webp", "mosaic"),
        ("webp", "single"),
        ("xz", "stream"),
    }
    page = (tmp_path / "out" / "report.html").read_text()
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)
    for words in (
        "BD-rate",
        "originals",
        "worst images",
        "Lossless",
        "bits/pixel",
        "Bytes of the blocks",
        "it fell over",
        "<svg",
    ):
        assert words in page
    with Image.open(tmp_path / "out" / "rate-distortion.png") as picture:
        assert picture.size[0] > 1000


def test_the_curve_is_drawn_the_same_twice(bench: Bench) -> None:
    assert draw(bench.points, "title", "png") == draw(bench.points, "title", "png")


def test_every_effort_is_compared_with_every_lossy_rival(bench: Bench) -> None:
    assert [(rate.rival, rate.curve) for rate in bd_rates(bench.points)] == [
        (rival, f"compressnet, effort {effort}") for rival in ("webp, mosaic", "webp, single") for effort in (1, 2)
    ]
