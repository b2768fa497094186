"""Archives that were learned from their images, as users see them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import compressnet
from compressnet.archive.describe import describe
from compressnet.archive.writing import priming
from compressnet.container.container import Container
from compressnet.container.sources import BytesSource
from compressnet.container.writer import ContainerWriter
from compressnet.errors import CompressnetError, CorruptError, InputError, SlowerWarning
from conftest import CONFORMANCE
from drawings import drawn
from run_commands import refused, run

MODES = [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")]


def drawings(count: int, channels: int = 4, side: int = 12, seed: int = 0) -> np.ndarray:
    """Flat drawings with transparent surroundings, uint8 (N,H,W[,C])."""
    images = drawn(count, side, channels, seed)
    return images[..., 0] if channels == 1 else images


def same(path: Path | bytes, images: list[np.ndarray]) -> None:
    with compressnet.open(path) as archive:
        assert len(archive) == len(images)
        for i, image in enumerate(images):
            assert archive[i].dtype == image.dtype
            assert np.array_equal(archive[i], image)
        archive.check()


@pytest.fixture
def small_primer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Primers of a few images, so that most others are coded alone."""
    monkeypatch.setattr(priming, "WORK_LIMIT", 400)


@pytest.mark.usefixtures("small_primer")
def test_images_of_all_modes_sizes_and_depths_in_one_archive(tmp_path: Path) -> None:
    arrays = [drawings(6, channels, side, seed) for seed, (channels, _) in enumerate(MODES) for side in (5, 16)]
    arrays += [drawings(3, 1).astype(np.uint16) * 251, drawings(3, 4, 9).astype(np.uint16) * 13 + 7, arrays[0][:2]]
    path = tmp_path / "a.cnet"
    written = compressnet.compress(arrays, path, lossless=True, block_images=4)
    assert written.lossless_checked
    assert written.duplicates >= 2
    images = [image for array in arrays for image in array]
    same(path, images)
    told = describe(str(path))
    assert told["methods"]["adaptive"] == len(told["methods"]) * told["blocks"]
    (codec,) = told["codecs"]
    assert codec["name"] == "adaptive"
    assert 0 < codec["primer_images"] < len(images)
    assert codec["max_error"] == 0


@pytest.mark.usefixtures("small_primer")
def test_threads_and_backends_change_no_byte() -> None:
    images = drawings(10)
    written: list[bytes] = []
    for backend, threads in (("native", 1), ("native", 3), ("numpy", 1)):
        stream = io.BytesIO()
        compressnet.compress(images[:4] if backend == "numpy" else images, stream, None, 100, threads=threads)
        written.append(stream.getvalue())
    assert written[0] == written[1]
    stream = io.BytesIO()
    with pytest.warns(SlowerWarning, match="compiled core"):
        compressnet.compress(images[:4], stream, None, 100, backend="numpy", threads=1)
    assert stream.getvalue() == written[2]


def test_solid_is_smaller_and_holds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priming, "WORK_LIMIT", 2000)
    images = drawings(60)
    blocks = compressnet.compress(images, tmp_path / "a.cnet", None)
    solid = compressnet.compress(images, tmp_path / "b.cnet", None, solid=True)
    assert solid.archive_bytes < blocks.archive_bytes
    same(tmp_path / "b.cnet", list(images))
    assert describe(str(tmp_path / "b.cnet"))["codecs"][0]["primer_images"] == len(images)


def test_few_images_take_less_than_png(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        images, png_bytes = drawings(count, 4, 24), 0
        for image in images:
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, "PNG", optimize=True)
            png_bytes += len(stream.getvalue())
        assert compressnet.compress(images, tmp_path / "a.cnet", lossless=True).archive_bytes <= png_bytes


def test_noise_and_equal_images_take_little_more_than_they_have() -> None:
    generator = np.random.default_rng(3)
    noise = generator.integers(0, 256, (40, 12, 12, 3)).astype(np.uint8)
    deep = generator.integers(0, 1 << 16, (40, 9, 9)).astype(np.uint16)
    for images in (noise, deep, np.zeros((200, 24, 24, 4), np.uint8)):
        written = compressnet.compress(images, io.BytesIO(), lossless=True)
        distinct = np.unique(images.reshape(len(images), -1), axis=0).nbytes
        assert written.archive_bytes <= distinct * 1.01 + 64


@pytest.mark.usefixtures("small_primer")
@pytest.mark.parametrize("error", [1, 2, 8, 100])
def test_every_value_is_within_the_error_and_what_is_clear_or_opaque_stays_so(tmp_path: Path, error: int) -> None:
    generator = np.random.default_rng(error)
    arrays = [drawings(9), drawings(5, 2), generator.integers(0, 256, (4, 7, 7, 3)).astype(np.uint8)]
    path = tmp_path / "a.cnet"
    compressnet.compress(arrays, path, max_error=error)
    with compressnet.open(path) as archive:
        for image, known in zip(archive, (image for array in arrays for image in array), strict=True):
            assert np.abs(image.astype(int) - known).max() <= error
            if known.shape[-1] in (2, 4):
                for end in (0, 255):
                    assert np.array_equal(image[..., -1] == end, known[..., -1] == end)
    assert describe(str(path))["codecs"][0]["max_error"] == error


def test_flat_images_stay_flat_within_an_error() -> None:
    stream, images = io.BytesIO(), drawings(20, 3)
    compressnet.compress(images, stream, None, max_error=6)
    with compressnet.open(stream.getvalue()) as archive:
        for image, known in zip(archive, images, strict=True):
            colours = {tuple(pixel) for pixel in known.reshape(-1, 3).tolist()}
            assert len({tuple(pixel) for pixel in image.reshape(-1, 3).tolist()}) <= len(colours)


@pytest.mark.usefixtures("small_primer")
def test_append_goes_on_from_the_primer_that_is_there(tmp_path: Path) -> None:
    path, first, more = tmp_path / "a.cnet", drawings(20), drawings(6, 3, 7, 5)
    compressnet.compress(first, path, None)
    before = describe(str(path))["codecs"]
    written = compressnet.append(path, [more, first[3:5]])
    assert (written.images, written.lossless_checked) == (28, True)
    assert describe(str(path))["codecs"] == before
    same(path, [*first, *more, *first[3:5]])


@pytest.mark.usefixtures("small_primer")
def test_concat_keeps_each_primer_and_subset_those_it_needs(tmp_path: Path) -> None:
    parts = [drawings(9, seed=seed) for seed in (1, 2)]
    for name, images in zip("ab", parts, strict=True):
        compressnet.compress(images, tmp_path / f"{name}.cnet", None)
    compressnet.concat([tmp_path / "a.cnet", tmp_path / "b.cnet"], tmp_path / "c.cnet")
    same(tmp_path / "c.cnet", [*parts[0], *parts[1]])
    assert len(describe(str(tmp_path / "c.cnet"))["codecs"]) == 2
    with compressnet.open(tmp_path / "c.cnet") as archive:
        compressnet.subset(archive, [12, 10, 12], tmp_path / "d.cnet")
    same(tmp_path / "d.cnet", [parts[1][i] for i in (3, 1, 3)])
    assert len(describe(str(tmp_path / "d.cnet"))["codecs"]) == 1


@pytest.mark.parametrize("name", ["adaptive", "near"])
def test_every_cut_and_flipped_byte_is_an_error(name: str) -> None:
    data = (CONFORMANCE / f"{name}.cnet").read_bytes()
    damaged = [data[:length] for length in range(0, len(data), 7)]
    damaged += [data[:i] + bytes([data[i] ^ 1 << i % 8]) + data[i + 1 :] for i in range(len(data))]
    for given in damaged:
        with pytest.raises(CompressnetError), compressnet.open(given) as archive:
            archive.check()


def test_a_primer_whose_payload_was_changed_is_refused() -> None:
    with Container(BytesSource((CONFORMANCE / "adaptive.cnet").read_bytes(), "a")) as container:
        stream, (entry,) = io.BytesIO(), container.codecs
        assert entry.embedded is not None
        changed = entry.embedded[:-4] + bytes([entry.embedded[-4] ^ 16]) + entry.embedded[-3:]
        entry = type(entry)(identity=bytes(32), name="", embedded=changed, embedded_as=entry.embedded_as)
        writer = ContainerWriter(stream, [entry], container.kinds)
        writer.add(container.read_block(0))
        writer.finish(None)
    with (
        compressnet.open(stream.getvalue()) as archive,
        pytest.raises(CompressnetError, match=r"the primer.*not those that were written"),
    ):
        archive[0]


def test_a_primer_with_impossible_numbers_is_refused() -> None:
    with Container(BytesSource((CONFORMANCE / "adaptive.cnet").read_bytes(), "a")) as container:
        (entry,) = container.codecs
        assert entry.embedded is not None
        for number, value in ((0, 30), (1, 0), (1, 127)):
            changed = entry.embedded[:number] + bytes([value]) + entry.embedded[number + 1 :]
            stream = io.BytesIO()
            broken = type(entry)(identity=bytes(32), name="", embedded=changed, embedded_as=entry.embedded_as)
            ContainerWriter(stream, [broken], container.kinds).finish(None)
            with pytest.raises(CorruptError, match="the primer"):
                compressnet.open(stream.getvalue())


def test_lossless_and_a_quality_below_it_are_refused() -> None:
    with pytest.raises(InputError, match="give one of them"):
        compressnet.compress(drawings(2), io.BytesIO(), lossless=True, quality=50)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of 30 icons of two sizes."""
    path = tmp_path / "icons"
    path.mkdir()
    for i, image in enumerate([*drawings(20), *drawings(10, 4, 16, 4)]):
        Image.fromarray(image).save(path / f"{i:02}.png")
    return path


def test_compress_without_a_codec(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.cnet"
    told = json.loads(run("compress", folder, "-o", out, "--lossless", "--json").stdout)
    assert (told["codec"], told["quality"], told["lossless_checked"]) == ("adaptive", 100, True)
    plain = run("compress", folder, "-o", out, "-f").stdout
    assert "learned from the images themselves" in plain
    assert "without loss" not in plain
    assert "largest error 2" in run("compress", folder, "-o", out, "-f", "--max-error", "2").stdout
    solid = json.loads(run("compress", folder, "-o", out, "-f", "--lossless", "--solid", "--json").stdout)
    assert solid["images"] == 30
    run("decompress", out, "-o", tmp_path / "back")
    for path in folder.iterdir():
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(Image.open(tmp_path / "back" / path.name)))
    assert "give one of" in refused(2, "compress", folder, "-o", out, "-f", "--lossless", "--quality", "40")


def test_targets_without_a_codec(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.cnet"
    told = json.loads(run("compress", folder, "-o", out, "--target-psnr", "40", "--json").stdout)
    assert told["codec"] == "adaptive"
    assert 90 <= told["quality"] < 100
    whole = json.loads(run("compress", folder, "-o", out, "-f", "--lossless", "--json").stdout)["archive_bytes"]
    half = json.loads(run("compress", folder, "-o", out, "-f", "--target-bytes", f"{whole / 60}", "--json").stdout)
    assert half["quality"] < 100
    assert half["archive_bytes"] < whole


def test_append_keeps_the_error_of_an_archive(tmp_path: Path) -> None:
    path, hidden = tmp_path / "a.cnet", np.random.default_rng(1).integers(0, 256, (5, 7, 7, 4)).astype(np.uint8)
    hidden[:, :3, :, 3] = 0
    compressnet.compress(drawings(9), path, max_error=2)
    assert compressnet.append(path, hidden).hidden_cleared == 0
    with compressnet.open(path) as archive:
        for image, known in zip(archive[9:], hidden, strict=True):
            assert np.abs(image.astype(int) - known).max() <= 2
            assert np.array_equal(image[..., 3] == 0, known[..., 3] == 0)


@pytest.mark.parametrize(
    "wrong", [{"max_error": 2.5}, {"effort": "5"}, {"quality": 50.5}, {"block_images": 1.5}], ids=str
)
def test_numbers_that_are_not_whole_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="give a whole number"):
        compressnet.compress(drawings(3), io.BytesIO(), None, **wrong)


@pytest.mark.parametrize("flags", [("--no-embed-codec", "--lossless"), ("--max-error", "0", "--quality", "50")])
def test_flags_that_contradict_each_other_are_refused(folder: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    assert flags[0] in refused(2, "compress", folder, "-o", tmp_path / "a.cnet", *flags)
    assert not (tmp_path / "a.cnet").exists()


@pytest.mark.parametrize("target", [("--target-psnr", "nan"), ("--target-bytes", "-1"), ("--max-mse", "2")])
def test_targets_that_mean_nothing_are_refused(folder: Path, tmp_path: Path, target: tuple[str, str]) -> None:
    said = refused(2, "compress", folder, "-o", tmp_path / "a.cnet", *target)
    assert target[0] in said
    assert not (tmp_path / "a.cnet").exists()
