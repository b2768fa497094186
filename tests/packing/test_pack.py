"""pack and advise: a collection in, one file out that opens alone, and a plain word on whether it
was worth it."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import compressnet
from compressnet.errors import InputError
from compressnet.images import Collection, open_collection, write_collection
from compressnet.packing.options import PackOptions
from compressnet.packing.pack import codec_path, pack, pack_with
from compressnet.training.common.options import TrainingInterrupted
from conftest import CONFORMANCE
from drawings import sprites
from run_commands import refused, run

SMALL, LARGE = sprites(360, side_px=8), sprites(120, side_px=12, channels=3)
QUICK = PackOptions(preset="fast", minutes=0.04, quality=60, effort=1, threads=1, advise=False, keep_codec=True)
"""So short a training saves nothing, so its codec is asked for."""
COLLECTION = Collection(
    name="sprites",
    count=483,
    batches=lambda: iter([SMALL[:200], LARGE, SMALL[200:], SMALL[:3]]),
    names=[f"sprite {i}" for i in range(483)],
)


class Silent:
    """A watcher that says nothing."""

    def training(self, progress: Any, /) -> None: ...

    def step(self, text: str) -> None: ...

    def packed(self, images: int) -> None: ...


class Interrupting(Silent):
    """A watcher that presses Ctrl-C at the first sign of a training."""

    def training(self, progress: Any, /) -> None:
        del progress
        raise KeyboardInterrupt


def images_in(path: Path) -> int:
    with compressnet.open(path) as archive:
        return len(archive)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as a folder of PNG files in two sub-folders."""
    target = tmp_path_factory.mktemp("pictures") / "sprites"
    names = [f"{'wide' if 200 <= i < 320 else 'small'}/{i:03d}.png" for i in range(483)]
    write_collection(target, COLLECTION.batches(), count=483, names=names)
    return target


@pytest.mark.slow
def test_a_packed_collection_opens_alone(tmp_path: Path) -> None:
    output = tmp_path / "a.cnet"
    packed = pack(COLLECTION, output, QUICK, Silent(), labels=list(range(483)))
    codec_path(output).unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["a.cnet"]
    assert packed.written.archive_bytes == output.stat().st_size
    assert packed.written.duplicates == 3
    assert (packed.quality, packed.why_untrained, packed.advice) == (60, None, None)
    assert packed.codec_bytes < packed.written.archive_bytes
    with compressnet.open(output) as archive:
        assert archive.names is not None
        assert list(archive.names) == list(COLLECTION.names or ())
        assert archive.labels is not None
        assert archive.labels.tolist() == list(range(483))
        assert archive[0].shape == (8, 8, 4)
        assert archive[200].shape == (12, 12, 3)
        assert np.array_equal(archive[480], archive[0])
        decoded = archive[200:320]
        psnr = 10 * np.log10(255**2 / np.square(np.asarray(decoded).astype(float) - LARGE).mean())
        assert psnr > 20


@pytest.mark.slow
def test_a_collection_is_read_twice(tmp_path: Path) -> None:
    """Once to gather what is trained on, once to write it.

    With a target, and checked and compared. Packing without the codec as well would read it again.
    """
    reads: list[int] = []

    def batches() -> Iterator[np.ndarray]:
        reads.append(1)
        return COLLECTION.batches()

    counted = replace(COLLECTION, batches=batches)
    options = replace(QUICK, quality=None, target_psnr=24, advise=True, modes="as-is")
    packed = pack(counted, tmp_path / "a.cnet", options, Silent())
    assert len(reads) == 2
    assert packed.advice is not None
    assert packed.advice.images == 483


def test_with_a_codec_a_collection_is_read_once(tmp_path: Path, mnist: np.ndarray) -> None:
    reads: list[int] = []

    def batches() -> Iterator[np.ndarray]:
        reads.append(1)
        return iter([mnist[:40]])

    digits = Collection(name="digits", count=40, batches=batches)
    options = PackOptions(preset="fast", effort=1, modes="as-is")
    packed = pack_with("mnist", digits, tmp_path / "a.cnet", options, Silent())
    assert len(reads) == 1
    assert packed.advice is not None
    assert (packed.advice.packed_images, packed.advice.sampling) == (40, "")


def test_in_little_time_a_sample_is_packed_and_judged(tmp_path: Path, mnist: np.ndarray) -> None:
    """The clock moves by a hundredth of a second whenever it is read."""
    digits = Collection(name="digits", count=1000, batches=lambda: iter([mnist[:500], mnist[500:1000]]))
    ticks = count(step=0.01)
    packed = pack_with(
        "mnist",
        digits,
        tmp_path / "a.cnet",
        PackOptions(preset="fast", effort=1),
        Silent(),
        budget_s=0.2,
        clock=lambda: next(ticks),
    )
    assert packed.advice is not None
    assert images_in(tmp_path / "a.cnet") == packed.advice.packed_images < 1000
    assert packed.advice.images == 1000
    assert f"compressnet was measured on {packed.advice.packed_images:,} of 1,000 images" in packed.advice.sampling
    scaled = packed.written.archive_bytes * 1000 / packed.advice.packed_images
    assert packed.advice.payload_bytes == round(scaled)


@pytest.mark.slow
def test_a_target_is_reached_or_its_miss_is_told(tmp_path: Path) -> None:
    options = replace(QUICK, quality=None, target_psnr=24)
    packed = pack(COLLECTION, tmp_path / "a.cnet", options, Silent())
    assert packed.psnr is not None
    assert abs(packed.psnr - 24) < 0.25 or packed.missed is not None


@pytest.mark.slow
def test_bounds_hold_for_every_value(tmp_path: Path) -> None:
    options = replace(QUICK, quality=50, max_error=6)
    packed = pack(COLLECTION, tmp_path / "a.cnet", options, Silent())
    originals = [image for batch in COLLECTION.batches() for image in batch]
    with compressnet.open(tmp_path / "a.cnet") as archive:
        worst = max(int(np.abs(archive[i].astype(int) - image).max()) for i, image in enumerate(originals))
    assert worst <= 6
    assert packed.written.stored + packed.written.raised > 0


def test_too_few_images_are_packed_without_a_codec(tmp_path: Path) -> None:
    few = Collection(name="few", count=20, batches=lambda: iter([SMALL[:12], LARGE[:8]]))
    packed = pack(few, tmp_path / "a.cnet", PackOptions(preset="fast", exact_alpha=True), Silent())
    assert packed.why_untrained is not None
    assert "20 distinct images of 8 bits are too few" in packed.why_untrained
    assert (packed.codec_bytes, packed.psnr, packed.written.stored) == (0, None, 0)
    assert packed.written.lossless_checked
    assert packed.advice is not None
    assert packed.advice.images == 20
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert np.array_equal(archive[3], SMALL[3])
        assert np.array_equal(archive[12], LARGE[0])


@pytest.mark.parametrize("said", [{"lossless": True}, {"max_error": 0}, {"quality": 100}])
def test_without_loss_too_few_images_keep_hidden_colour(tmp_path: Path, said: dict[str, Any]) -> None:
    hidden = SMALL[:20].copy()
    hidden[..., :3][hidden[..., 3] == 0] = 99
    few = Collection(name="few", count=20, batches=lambda: iter([hidden]))
    packed = pack(few, tmp_path / "a.cnet", PackOptions(preset="fast", advise=False, **said), Silent())
    assert (packed.quality, packed.written.lossless_checked, packed.written.hidden_cleared) == (100, True, 0)
    assert "without loss: all 20 images were read back, and every value is as it was" in packed.written.remarks()
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert np.array_equal(archive[:], hidden)


def test_hidden_colour_that_is_dropped_is_told(tmp_path: Path) -> None:
    hidden = SMALL[:20].copy()
    hidden[:5, 0, 0] = (9, 9, 9, 0)
    few = Collection(name="few", count=20, batches=lambda: iter([hidden]))
    packed = pack(few, tmp_path / "a.cnet", PackOptions(preset="fast", advise=False, quality=92), Silent())
    assert (packed.quality, packed.written.lossless_checked) == (92, False)
    lost = int(((hidden[..., 3] == 0) & hidden[..., :3].any(axis=-1)).any(axis=(1, 2)).sum())
    assert packed.written.hidden_cleared == lost >= 5
    remark = f"{lost} images lost the colour under alpha 0, which nobody sees; --exact-alpha keeps it"
    assert remark in packed.written.remarks()


def test_images_of_16_bits_are_packed_and_advice_leaves_them_out(tmp_path: Path) -> None:
    deep = (LARGE[:8].astype(np.uint16) << 8) + 3
    for batches, lines in (
        ([deep], ["no advice: all images have 16 bits, and rivals are measured on 8"]),
        ([SMALL[:12], deep], []),
    ):
        count = sum(map(len, batches))
        few = Collection(name="few", count=count, batches=lambda batches=batches: iter(batches))
        packed = pack(few, tmp_path / "a.cnet", PackOptions(preset="fast", lossless=True), Silent())
        assert packed.left_out == lines
        assert packed.psnr is None
        with compressnet.open(tmp_path / "a.cnet") as archive:
            assert np.array_equal(archive[count - 8 :], deep)
        if packed.advice is not None:
            assert packed.advice.left_out[0] == "8 images of 16 bits are not compared: rivals are measured on 8 bits"
            assert (packed.advice.images, packed.advice.packed_images) == (12, 12)
            assert packed.advice.payload_bytes < packed.written.archive_bytes - deep.nbytes // 4


def test_images_of_16_bits_are_refused_before_a_lossy_training(tmp_path: Path) -> None:
    deep = (LARGE[:8].astype(np.uint16) << 8) + 3
    both = Collection(name="both", count=488, batches=lambda: iter([SMALL, LARGE, deep]))
    with pytest.raises(InputError, match=r"16 bits: a lossy codec is for 8 bits; --quality 100 .*--convert"):
        pack(both, tmp_path / "a.cnet", QUICK, Interrupting())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_grey_saved_as_colour_is_trained_on_and_coded_as_grey(tmp_path: Path) -> None:
    grey = sprites(420, side_px=8, channels=3)[..., 1]
    coloured = np.concatenate([grey[..., None].repeat(3, axis=-1), np.full((*grey.shape, 1), 255, np.uint8)], axis=-1)
    saved = Collection(name="saved", count=420, batches=lambda: iter([coloured]))
    packed = pack(saved, tmp_path / "a.cnet", QUICK, Silent())
    assert packed.written.grey == packed.written.opaque == len(np.unique(grey, axis=0))
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert archive.shape == coloured.shape
        decoded = archive.array()
        assert np.array_equal(decoded, decoded[..., :1].repeat(4, axis=-1) | coloured[..., 3:] * (np.arange(4) == 3))


@pytest.mark.slow
def test_images_of_rare_sizes_are_trained_on_and_coded(tmp_path: Path) -> None:
    tiny, wide = sprites(5, side_px=6), sprites(2, side_px=70)[:, :9]
    both = Collection(name="both", count=487, batches=lambda: iter([SMALL, LARGE, tiny, wide]))
    packed = pack(both, tmp_path / "a.cnet", QUICK, Silent())
    assert packed.left_out == []
    assert packed.written.learned_reasons == {}
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert archive.codecs[0].coded == ["any size x 1 or 2 or 3 or 4"]
        assert archive.shapes[-3:] == [(6, 6, 4), (9, 70, 4), (9, 70, 4)]


@pytest.mark.slow
def test_an_interrupted_pack_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "a.cnet"
    output.write_bytes(b"the old file")
    with pytest.raises(TrainingInterrupted):
        pack(COLLECTION, output, QUICK, Interrupting())
    assert output.read_bytes() == b"the old file"
    pack(COLLECTION, output, QUICK, Silent(), resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.cnet", "a.cnet.codec"]
    assert images_in(output) == 483


@pytest.mark.slow
def test_a_kept_codec_can_append(tmp_path: Path) -> None:
    output = tmp_path / "a.cnet"
    pack(COLLECTION, output, QUICK, Silent())
    np.save(tmp_path / "more.npy", LARGE[:7])
    run("append", output, tmp_path / "more.npy", "--codec", codec_path(output))
    assert images_in(output) == 490


@pytest.mark.slow
def test_a_training_that_does_not_pay_is_not_packed_with(tmp_path: Path) -> None:
    output = tmp_path / "a.cnet"
    packed = pack(COLLECTION, output, replace(QUICK, keep_codec=False), Silent())
    assert [path.name for path in tmp_path.iterdir()] == ["a.cnet"]
    assert packed.untrained is not None
    assert packed.untrained.is_packed
    assert packed.untrained.archive_bytes == packed.written.archive_bytes == output.stat().st_size
    assert packed.why_untrained is not None
    assert packed.why_untrained.startswith(f"packed without the trained codec: {output.stat().st_size} bytes, where")
    assert packed.codec_bytes == 0
    assert images_in(output) == 483


def test_a_training_that_can_come_to_nothing_is_left_out(tmp_path: Path) -> None:
    """What is learned from such drawings takes a fraction of what the network takes."""
    output = tmp_path / "a.cnet"
    options = PackOptions(preset="fast", target_psnr=36, effort=1, threads=1, advise=False)
    packed = pack(COLLECTION, output, options, Interrupting())
    assert packed.why_untrained is not None
    assert "packed without a codec of its own: on a sample, what is learned" in packed.why_untrained
    assert "--preset balanced trains in any case" in packed.why_untrained
    assert packed.psnr is not None
    assert packed.psnr >= 35.9
    assert (packed.untrained, images_in(output)) == (None, 483)


@pytest.mark.slow
def test_a_shipped_codec_costs_nothing(tmp_path: Path, mnist: np.ndarray) -> None:
    digits = Collection(name="digits", count=300, batches=lambda: iter([mnist[:300]]))
    packed = pack_with("mnist", digits, tmp_path / "a.cnet", PackOptions(preset="fast", effort=1), Silent())
    assert packed.codec_bytes == 0
    assert packed.advice is not None
    assert packed.advice.use_compressnet
    assert packed.advice.sentence.startswith("Use compressnet: ")


@pytest.mark.slow
def test_pack_and_what_it_says(tmp_path: Path, folder: Path) -> None:
    common = ["--preset", "fast", "--minutes", "0.04", "--effort", "1", "--threads", "1", "--quality", "40"]
    document = json.loads(run("pack", folder, "-o", tmp_path / "a.cnet", *common, "--json").stdout)
    assert document["written"]["images"] == 483
    assert document["untrained"]["archive_bytes"] == document["written"]["archive_bytes"]
    assert {row["name"] for row in document["advice"]["rows"]} >= {"compressnet", "raw pixels", "AVIF", "WebP", "PNG"}
    said = run("pack", folder, "-o", tmp_path / "b.cnet", *common, "--no-advise").stdout
    assert f"b.cnet: 483 images, {(tmp_path / 'b.cnet').stat().st_size} bytes" in said
    assert "3 images equal to an earlier one" in said
    assert "exists already" in refused(1, "pack", folder, "-o", tmp_path / "b.cnet", *common)
    run("decompress", tmp_path / "b.cnet", "-o", tmp_path / "out")
    names = open_collection(tmp_path / "out").names
    assert names is not None
    assert sorted(names) == sorted(open_collection(folder).names or ())
    (tmp_path / "c.cnet.codec").write_bytes(b"somebody's codec")
    assert "c.cnet.codec: exists already" in refused(1, "pack", folder, "-o", tmp_path / "c.cnet", *common)
    assert "give either --quality or --target-psnr" in refused(
        2, "pack", folder, "-o", tmp_path / "c.cnet", "--quality", "3", "--target-psnr", "30"
    )


def test_advise_with_a_codec(tmp_path: Path) -> None:
    with np.load(CONFORMANCE / "grey.npz") as arrays:
        np.save(tmp_path / "images.npy", arrays["images"])
    document = json.loads(
        run("advise", tmp_path / "images.npy", "--codec", CONFORMANCE / "grey.codec", "--json").stdout
    )
    assert document["codec_bytes"] > 0
    assert not document["use_compressnet"]
    assert "instead: compressnet takes" in document["sentence"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_killed_packs_leave_the_old_file_or_the_new_one(tmp_path: Path, folder: Path) -> None:
    output = tmp_path / "a.cnet"
    output.write_bytes(b"the old file")
    command = [
        sys.executable,
        "-m",
        "compressnet.commands.cli",
        "pack",
        str(folder),
        "-o",
        str(output),
        "-f",
        "-q",
        "--no-advise",
    ]
    command += ["--preset", "fast", "--minutes", "0.04", "--effort", "1", "--threads", "1"]
    generator = random.Random(0)
    for i in range(4):
        with subprocess.Popen([*command, *(["--resume"] if i else [])], stderr=subprocess.PIPE) as process:
            time.sleep(generator.uniform(1, 6))
            process.send_signal(signal.SIGKILL)
        if output.read_bytes() != b"the old file":
            assert images_in(output) == 483
            output.write_bytes(b"the old file")
    subprocess.run([*command, "--resume"], check=True)
    assert images_in(output) == 483
