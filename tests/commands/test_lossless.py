"""Quality 100 on the command line: what is written, said and refused."""

from __future__ import annotations

import html
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import compressnet
from backends import BACKENDS
from compressnet.codec.bundle import make_bundle
from compressnet.codec.file import to_bytes
from compressnet.codec.shipped import read_bundle
from compressnet.commands.watching import training_table
from compressnet.images import write_collection
from compressnet.training.common.options import Measured, Progress
from drawings import pixel_art, sprites
from pixel_models import make_lossless_bundle, make_pixel_model
from run_commands import GREY, IDENTITY, read, refused, run

GREY_MODEL, COLOUR_MODEL = make_pixel_model(1, (8, 12), seed=2), make_pixel_model(3)
LOSSLESS = make_lossless_bundle(GREY_MODEL, COLOUR_MODEL)


def dots(count: int, first: int = 0) -> np.ndarray:
    """Images (count,8,12) of the grey model's background with two other pixels at their end: what
    it codes well."""
    images = np.full((count, 8, 12), GREY_MODEL.planes[0].background, np.uint8)
    for i, image in enumerate(images, first):
        image[7, 10:] = (i % 250 + 1, 40 + i // 250)
    return images


@pytest.fixture
def codec(tmp_path: Path) -> Path:
    """A codec that is lossless, and has no other quality."""
    path = tmp_path / "pixels.codec"
    path.write_bytes(to_bytes(LOSSLESS))
    return path


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A codec for 8x12 images at all qualities."""
    lossy = read_bundle(GREY)
    bundle = make_bundle(lossy.networks, LOSSLESS.pixels, name="both", default_quality=60, about="{}")
    path = tmp_path / "both.codec"
    path.write_bytes(to_bytes(bundle))
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    path = tmp_path / "dots.npy"
    np.save(path, dots(40))
    return path


@pytest.fixture
def archive(tmp_path: Path, images: Path, codec: Path) -> Path:
    path = tmp_path / "dots.cnet"
    run("compress", images, "-o", path, "--codec", codec, "--block-images", 16)
    return path


def opened(path: Path) -> np.ndarray:
    with compressnet.open(path, threads=1) as found:
        return found[:]


def told_of(path: Path) -> dict:
    return json.loads(run("info", path, "--json").stdout)


# archives


def test_every_pixel_comes_back(tmp_path: Path, images: Path, codec: Path) -> None:
    path = tmp_path / "a.cnet"
    said = run("compress", images, "-o", path, "--codec", codec, "--quality", 100).stdout
    assert f"40 images, {path.stat().st_size} bytes" in said
    assert "quality 100" in said
    assert "worst" not in said
    assert (told_of(path)["methods"], told_of(path)["qualities"]) == ({"lossless": 1}, [100])
    assert "40 images, all well" in run("verify", path).stdout
    for backend in BACKENDS:
        run("decompress", path, "-o", tmp_path / "b.npy", "-f", "--backend", backend)
        assert np.array_equal(read(tmp_path / "b.npy"), dots(40))
    run("decompress", path, "-o", tmp_path / "some.npy", "--select", "17:30")
    assert np.array_equal(read(tmp_path / "some.npy"), dots(40)[17:30])


def test_a_codec_that_is_lossless_needs_no_quality(images: Path, codec: Path, tmp_path: Path) -> None:
    told = json.loads(run("compress", images, "-o", tmp_path / "a.cnet", "--codec", codec, "--json").stdout)
    assert (told["quality"], told["stored"]) == (100, 0)


def test_a_codec_with_both_parts_writes_the_one_that_is_needed(images: Path, both: Path, tmp_path: Path) -> None:
    bundle = read_bundle(both)
    for quality, identity in ((100, bundle.lossless_identity), (60, bundle.lossy_identity)):
        path = tmp_path / f"{quality}.cnet"
        run("compress", images, "-o", path, "--codec", both, "--quality", quality)
        assert identity is not None
        assert [entry["identity"] for entry in told_of(path)["codecs"]] == [identity.hex()]
    assert np.array_equal(opened(tmp_path / "100.cnet"), dots(40))
    assert told_of(tmp_path / "60.cnet")["codecs"][0]["identity"] == IDENTITY


def test_images_that_are_smaller_without_the_codec_leave_it_out(codec: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).integers(0, 256, (9, 8, 12)).astype(np.uint8))
    path = tmp_path / "a.cnet"
    said = run("compress", tmp_path / "noise.npy", "-o", path, "--codec", codec).stdout
    assert "9 images stored: smaller as they are" in said
    assert told_of(path)["codecs"] == []
    run("decompress", path, "-o", tmp_path / "b.npy")
    assert np.array_equal(read(tmp_path / "b.npy"), read(tmp_path / "noise.npy"))


def test_hidden_colour_is_kept(tmp_path: Path) -> None:
    codec, source = tmp_path / "alpha.codec", tmp_path / "alpha.zip"
    codec.write_bytes(to_bytes(make_lossless_bundle(make_pixel_model(4))))
    images = sprites(12, side_px=8)
    write_collection(source, iter([images]), count=12)
    run("compress", source, "-o", tmp_path / "a.cnet", "--codec", codec, "--quality", 100)
    assert np.array_equal(opened(tmp_path / "a.cnet"), images)


@pytest.mark.parametrize("option", [("--target-psnr", 30), ("--target-bytes", 9), ("--max-mse", 0.01)])
def test_targets_are_for_codecs_that_lose(images: Path, codec: Path, tmp_path: Path, option: tuple) -> None:
    said = refused(1, "compress", images, "-o", tmp_path / "a.cnet", "--codec", codec, *option)
    assert "the codec random is lossless, it has quality 100 and no other" in said


@pytest.mark.parametrize("command", ["compress", "evaluate", "advise"])
def test_qualities_that_a_codec_has_not(images: Path, codec: Path, tmp_path: Path, command: str) -> None:
    output = ("-o", tmp_path / "a.cnet") if command == "compress" else ()
    said = refused(1, command, images, *output, "--codec", GREY, "--quality", 100)
    assert "the codec tiny-grey has no lossless part; train one with 'compressnet train --lossless'" in said
    said = refused(1, command, images, *output, "--codec", codec, "--quality", 60)
    assert "quality 60: the codec random is lossless, its only quality is 100" in said
    assert not (tmp_path / "a.cnet").exists()


def test_images_of_other_sizes_are_told(codec: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((3, 8, 13), np.uint8))
    said = run("compress", tmp_path / "wide.npy", "-o", tmp_path / "a.cnet", "--codec", codec).stdout
    assert "1 image coded without the codec, learned from themselves: no network for 8x13x1\n" in said
    assert "without loss: all 3 images were read back, and every value is as it was\n" in said
    said = refused(1, "compress", tmp_path / "wide.npy", "-o", tmp_path / "b.cnet", "--codec", GREY)
    assert "images of 8x13x1 (height, width, channels)" in said


def test_append_goes_on_without_loss(archive: Path, codec: Path, both: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "more.npy", dots(20, first=100))
    run("append", archive, tmp_path / "more.npy", "--codec", codec)
    run("append", archive, tmp_path / "dots.npy", "--codec", both, "--quality", 100)
    assert np.array_equal(opened(archive), np.concatenate([dots(40), dots(20, first=100), dots(40)]))
    assert told_of(archive)["methods"] == {"lossless": 5}
    said = refused(4, "append", archive, tmp_path / "more.npy", "--codec", GREY)
    assert LOSSLESS.identity.hex() in said


def test_append_at_another_quality_takes_the_other_part(
    archive: Path, images: Path, both: Path, tmp_path: Path
) -> None:
    run("append", archive, images, "--codec", both, "--quality", 60)
    told = told_of(archive)
    assert (told["images"], told["methods"], told["qualities"]) == (80, {"lossless": 3, "lossy": 1}, [60, 100])
    assert len(told["codecs"]) == 2
    assert np.array_equal(opened(archive)[:40], dots(40))
    run("verify", archive)


def test_append_to_a_lossy_archive_with_a_codec_of_both_parts(images: Path, both: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    run("compress", images, "-o", path, "--codec", GREY)
    run("append", path, images, "--codec", both, "--effort", 2)
    told = told_of(path)
    assert (told["images"], told["methods"]) == (80, {"lossy": 2})


def test_concat_and_subset(archive: Path, tmp_path: Path) -> None:
    run("concat", archive, archive, "-o", tmp_path / "twice.cnet")
    run("subset", tmp_path / "twice.cnet", "-o", tmp_path / "some.cnet", "--select", "5:9,50,-1")
    assert np.array_equal(opened(tmp_path / "some.cnet"), dots(40)[[5, 6, 7, 8, 10, 39]])
    assert told_of(tmp_path / "some.cnet")["methods"] == {"lossless": 1}


def test_the_codec_is_asked_for_where_it_is_not_embedded(images: Path, codec: Path, both: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    run("compress", images, "-o", path, "--codec", codec, "--no-embed-codec")
    for wrong in ((), ("--codec", "mnist"), ("--codec", GREY)):
        assert LOSSLESS.identity.hex() in refused(4, "verify", path, *wrong)
    for right in (codec, both):
        run("verify", path, "--codec", right)


# figures


def test_evaluate_has_one_way(images: Path, codec: Path, both: Path) -> None:
    for known in (codec, both):
        told = json.loads(run("evaluate", images, "--codec", known, "--quality", 100, "--json").stdout)
        (row,) = told["rows"]
        assert (row["path"], row["mse"], row["psnr"], row["psnr_mean"]) == ("archive", 0, None, None)
        assert row["ssim"] is None  # images of 8 rows have none
        assert told["quality"] == 100
        assert 0 < told["ideal_bytes_per_image"] < told["bytes_per_image"]
        assert told["codec_bytes"] == told_of(known)["lossless_embedded_bytes"]


def test_evaluate_of_images_that_have_an_ssim(codec: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "colour.npy", sprites(5, side_px=12, channels=3))
    told = json.loads(run("evaluate", tmp_path / "colour.npy", "--codec", codec, "--json").stdout)
    assert told["rows"][0]["ssim"] == 1


def test_evaluate_for_people(images: Path, codec: Path) -> None:
    for effort in (1, 3):
        said = run("evaluate", images, "--codec", codec, "--effort", effort).stdout
        assert "every pixel came back as it was" in said
        assert "decoding needs the codec" in said
        for words in ("four", "DIFFER", "searched", "- dB", "the worst"):
            assert words not in said


def test_evaluate_writes_a_page(images: Path, codec: Path, tmp_path: Path) -> None:
    run("evaluate", images, "--codec", codec, "--report", tmp_path / "a.html", "-q")
    page = html.unescape((tmp_path / "a.html").read_text())
    for words in ("quality 100", "Every pixel came back as it was", "Bytes of the blocks"):
        assert words in page
    for words in ("worst", "inf"):
        assert words not in page


def test_advise_without_loss(images: Path, codec: Path, tmp_path: Path) -> None:
    document = json.loads(run("advise", images, "--codec", codec, "--quality", 100, "--json").stdout)
    assert document["psnr"] is None
    assert [row["psnr"] for row in document["rows"]] == [None] * len(document["rows"])
    assert document["rows"][0]["name"] == "compressnet"
    assert {"JPEG XL", "WebP", "PNG"} <= {row["name"] for row in document["rows"]}
    assert "AVIF has nothing lossless" in document["left_out"]
    said = run("advise", images, "--codec", codec, "--quality", 100).stdout
    assert " without loss" in said
    assert " dB." not in said


def test_advise_on_too_few_images(tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", pixel_art(20))
    result = run("advise", tmp_path / "few.npy", "--quality", 100)
    assert "20 distinct images of 1 to 64 pixels a side are too few to train on" in result.stderr
    assert " without loss" in result.stdout


# codecs


def test_info_of_codecs(codec: Path, both: Path) -> None:
    told = told_of(codec)
    assert told["lossless"] == [{"size": [8, 12], "channels": 1}, {"size": None, "channels": 3}]
    assert told["identity"] == told["lossless_identity"] == LOSSLESS.identity.hex()
    assert (told["embedded_bytes"], told["networks"], told["default_quality"]) == (None, [], 100)
    assert 0 < told["lossless_embedded_bytes"] < told["codec_bytes"]
    lines = run("info", codec).stdout.splitlines()
    for line in (
        "networks: none",
        "embedded_bytes: none",
        "lossless:",
        "  size 8x12, channels 1",
        "  size any, channels 3",
        f"lossless_identity: {LOSSLESS.identity.hex()}",
    ):
        assert line in lines
    told = told_of(both)
    assert (told["identity"], told["lossless_identity"]) == (IDENTITY, LOSSLESS.identity.hex())
    assert told["embedded_bytes"] > 0 < told["lossless_embedded_bytes"]
    assert "  kind 8x12x1, qualities 0 to 99, symbols" in run("info", both).stdout
    assert "lossless: none" in run("info", GREY).stdout.splitlines()


def test_info_of_archives(archive: Path) -> None:
    lines = run("info", archive).stdout.splitlines()
    embedded = told_of(archive)["codecs"][0]["embedded_bytes"]
    for line in (
        "shape: 40x8x12",
        "  shape 8x12, bits 8, coded_channels 1, images 40",
        "methods: 3 lossless",
        "qualities: 100",
        "labels: none",
        f"  name random, identity {LOSSLESS.identity.hex()}, embedded_bytes {embedded}",
    ):
        assert line in lines


def test_export_has_nothing_to_write(codec: Path, both: Path, tmp_path: Path) -> None:
    for options in ((), ("--quality", 100), ("--quality", 30)):
        assert "the codec random is lossless" in refused(1, "export", codec, "-o", tmp_path / "m", *options)
    said = refused(1, "export", both, "-o", tmp_path / "m", "--quality", 100)
    assert "quality 100 is lossless and has no encoder or decoder to export" in said
    assert not (tmp_path / "m").exists()
    run("export", both, "-o", tmp_path / "m")
    assert len(list((tmp_path / "m").iterdir())) == 3


def test_refine_needs_an_encoder(images: Path, codec: Path, tmp_path: Path) -> None:
    said = refused(1, "refine", codec, images, "-o", tmp_path / "a.codec", "--epochs", 1)
    assert "'random' is lossless, and has no encoder to refine" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--lossless", "--design", "detail"), "--lossless has no --design and no --quality-range"),
        (("train", "--lossless", "--quality-range", "3:9"), "--lossless has no --design and no --quality-range"),
        (("train", "--beside", "mnist"), "--beside goes with --lossless"),
        (("pack", "--lossless", "--quality", 50), "--lossless is quality 100"),
        (("pack", "--lossless", "--target-psnr", 30), "--lossless loses nothing"),
        (("pack", "--quality", 100, "--max-error", 3), "--lossless loses nothing"),
        (("pack", "--lossless", "--min-psnr", 40), "--lossless loses nothing"),
    ],
)
def test_wrong_usage(images: Path, tmp_path: Path, arguments: tuple, words: str) -> None:
    command, *options = arguments
    output = tmp_path / ("a.codec" if command == "train" else "a.cnet")
    assert words in refused(2, command, images, "-o", output, *options)
    assert not output.exists()


def test_what_cannot_be_trained(images: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.codec"
    assert "too few to train on" in refused(1, "train", images, "-o", output, "--lossless", "--epochs", 1)
    many = tmp_path / "many.npy"
    np.save(many, dots(420))
    cuda = ("--lossless", "--device", "cuda", "--epochs", 1)
    assert "trained on the CPU" in refused(1, "train", many, "-o", output, *cuda)
    nothing = ("--lossless", "--beside", tmp_path / "nothing.codec", "--epochs", 1)
    assert "nothing.codec: no such codec" in refused(4, "train", many, "-o", output, *nothing)
    assert not output.exists()


# trainings


TRAINED = pixel_art(200)
QUICKLY = ("--preset", "fast", "--threads", 1)


@pytest.fixture
def art(tmp_path: Path) -> Path:
    path = tmp_path / "art.npy"
    np.save(path, np.unique(np.concatenate([TRAINED, 255 - TRAINED, TRAINED // 2]), axis=0))
    return path


@pytest.mark.slow
def test_train_and_use_a_codec(art: Path, tmp_path: Path) -> None:
    codec = tmp_path / "art.codec"
    result = run("train", art, "-o", codec, "--lossless", "--epochs", 0.3, *QUICKLY, "--no-advise")
    bundle = read_bundle(codec)
    assert f"{codec}: {codec.stat().st_size} bytes, identity {bundle.identity.hex()}\n" in result.stdout
    assert "lossless" in result.stdout
    assert "mosaic" not in result.stdout
    run("compress", art, "-o", tmp_path / "a.cnet", "--codec", codec, "--quality", 100)
    run("decompress", tmp_path / "a.cnet", "-o", tmp_path / "b.npy")
    assert np.array_equal(read(tmp_path / "b.npy"), read(art))
    assert "exists already" in refused(1, "train", art, "-o", codec, "--lossless", "--epochs", 1)


def test_train_beside_a_codec(art: Path, tmp_path: Path) -> None:
    codec, mnist = tmp_path / "both.codec", read_bundle("mnist")
    said = run("train", art, "-o", codec, "--lossless", "--beside", "mnist", "--epochs", 0.1, *QUICKLY, "--no-advise")
    bundle = read_bundle(codec)
    assert bundle.lossy_identity == bundle.identity == mnist.identity
    assert bundle.default_quality == mnist.default_quality
    assert bundle.lossless_identity is not None
    assert f"identities {mnist.identity.hex()} and {bundle.lossless_identity.hex()}" in said.stdout
    loaded = compressnet.load(codec, threads=1)
    digits = read(Path("mnist"))[:5]
    assert loaded.compress(digits) == compressnet.load("mnist", threads=1).compress(digits)
    images = read(art)[:5]
    assert np.array_equal(loaded.decompress(loaded.compress(images, 100)), images)


@pytest.mark.parametrize("options", [("--lossless",), ("--quality", 100)])
def test_pack_without_loss(art: Path, tmp_path: Path, options: tuple) -> None:
    output = tmp_path / "a.cnet"
    common = (*QUICKLY, "--minutes", 0.02, "--no-advise")
    document = json.loads(run("pack", art, "-o", output, *options, *common, "--json").stdout)
    assert (document["psnr"], document["quality"]) == (None, 100)
    assert document["why_untrained"].startswith("packed without the trained codec: ")
    assert document["written"]["archive_bytes"] == output.stat().st_size
    assert np.array_equal(opened(output), read(art))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.cnet", "art.npy"]


def test_what_pack_says(art: Path, tmp_path: Path) -> None:
    common = (*QUICKLY, "--minutes", 0.02)
    said = run("pack", art, "-o", tmp_path / "a.cnet", "--lossless", *common).stdout
    assert "; without loss" in said
    assert "AVIF has nothing lossless" in said
    assert "compressnet takes" in said or "Use compressnet" in said


def test_refine_keeps_the_lossless_part(tmp_path: Path, both: Path) -> None:
    source, output = tmp_path / "many.npy", tmp_path / "refined.codec"
    np.save(source, dots(80))
    run("refine", both, source, "-o", output, "--epochs", 0.1, "--threads", 1, "-q")
    before, after = read_bundle(both), read_bundle(output)
    assert after.identity == before.identity
    assert after.lossless_identity == before.lossless_identity == LOSSLESS.identity
    loaded = compressnet.load(output, threads=1)
    assert np.array_equal(loaded.decompress(loaded.compress(dots(4), 100)), dots(4))


def test_the_table_of_a_training() -> None:
    progress = Progress(
        network="pixels",
        share=0.5,
        step=10,
        epoch=1.25,
        seconds=3,
        loss=1,
        quantized=False,
        points=[Measured(100, 12.34, float("inf"), None)],
    )
    stream = io.StringIO()
    Console(file=stream, width=100).print(training_table(progress, None))
    said = stream.getvalue()
    for words in ("pixels: 50%, 1.2 epochs", "12.3", "lossless", "100"):
        assert words in said
    for words in ("inf", "mosaic", "nan"):
        assert words not in said
