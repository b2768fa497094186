"""One step from a collection to an archive: train a codec for it, embed it, pack, and say whether it was worth it.

    collection -> gathered -> training -> OUT.cnet.codec -> quality -> OUT.cnet -> advice

What is unfinished lies beside the output: a checkpoint while the training goes on, OUT.cnet.codec until the archive is
there. `resume` goes on from whichever is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from compressnet import api
from compressnet.archive.embedding import chosen_quality
from compressnet.archive.writing.outcome import Written
from compressnet.archive.writing.settings import BLOCK_IMAGES
from compressnet.codec.codec import Codec
from compressnet.images import Collection
from compressnet.images.kinds import Images
from compressnet.packing.advice import Advice, advise
from compressnet.packing.checking import check_against
from compressnet.packing.targets import OutOfReachError, Target, find_quality
from compressnet.training import import_training

if TYPE_CHECKING:
    from compressnet.training.common.gather import Gathered

EFFORTS = {"fast": 3, "balanced": 5, "best": 7}
"""How long to search for cheaper symbols, where nothing else is said."""
ADVISED_IMAGES = 8192
"""Images on which a collection is compared with rivals, at most."""
ADVISED_PX = {"fast": 1 << 19, "balanced": 1 << 21, "best": 1 << 22}
"""Pixels that picture codecs are measured on."""
RUN_IMAGES = 32
AIMED_IMAGES, BISECTED_IMAGES = 1024, 128
"""Images on which the quality for a target is settled, and those of the bisection before."""
MEASURED_IMAGES = 8192
"""Images that the PSNR of an archive is measured on."""


class Watcher(Protocol):
    """Who is told how the work goes."""

    def training(self, progress: Any, /) -> None:
        """A training's `Progress`."""
        ...

    def step(self, text: str) -> None:
        """What comes next."""
        ...

    def packed(self, images: int) -> None:
        """Images in the archive so far."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PackOptions:
    """How to pack; what is None is chosen by the preset and the codec."""

    preset: str = "balanced"
    quality: int | None = None
    target_psnr: float | None = None
    effort: int | None = None
    max_error: int | None = None
    min_psnr: float | None = None
    exact_alpha: bool = False
    block_images: int = BLOCK_IMAGES
    seed: int = 0
    threads: int | None = None
    minutes: float | None = None
    lossless: bool = False
    """Whether to train for quality 100, and pack at it."""
    keep_codec: bool = False
    """Whether the codec, with its encoder, stays beside the archive: `append` needs it."""
    advise: bool = True

    @property
    def has_bounds(self) -> bool:
        """Whether there is something that every image has to meet."""
        return self.max_error is not None or self.min_psnr is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """An archive that was made, and what it is worth."""

    written: Written
    codec_bytes: int
    """Of the archive, those of the embedded codec; 0 where no codec was trained."""
    quality: int | None
    """None where all images are stored."""
    psnr: float | None
    """In dB, over the collection or a sample of it, hidden colour left out; None for perfect images."""
    missed: str | None
    """Why a target was missed."""
    why_untrained: str | None
    """Why no codec was trained; None where one was."""
    left_out: list[str]
    """Kinds of images that the codec has no network for, and why."""
    advice: Advice | None

    def as_json(self) -> dict[str, Any]:
        """The document that `pack --json` prints."""
        return asdict(self) | {"advice": None if self.advice is None else self.advice.to_json()}


def codec_path(output: Path) -> Path:
    """Where the codec of an archive lies until the archive is there."""
    return output.with_name(output.name + ".codec")


def pack(
    collection: Collection,
    output: Path,
    options: PackOptions,
    watcher: Watcher,
    *,
    labels: Any = None,
    resume: bool = False,
) -> Packed:
    """Train a codec on a collection, and write the collection with it to `output`.

    Images of kinds that are not trained on are stored without loss; with too few images in all, all of them are.
    Raises InputError, MissingExtraError without torch, TrainingInterrupted on Ctrl-C.
    """
    training = import_training()
    path = codec_path(output)
    why_untrained: str | None = None
    left_out: list[str] = []
    codec: Codec | None = None
    watcher.step("read the images")
    try:
        gathered = training.gather(collection.batches(), options.seed, lossless=options.lossless)
        left_out = [f"{count} images of {'x'.join(map(str, shape))}: {why}" for shape, count, why in gathered.left_out]
    except training.TooFewImagesError as error:
        why_untrained = f"packed without a codec: {error}"
    else:
        if not (resume and path.exists()):
            _train(training, gathered, path, options, watcher, resume=resume)
        codec = api.load(path, threads=options.threads)
    packed = _write(collection, output, options, watcher, labels, codec, why_untrained, left_out)
    if not options.keep_codec:
        path.unlink(missing_ok=True)
    training.log_path(path).unlink(missing_ok=True)
    return packed


def _train(
    training: ModuleType, gathered: Gathered, path: Path, options: PackOptions, watcher: Watcher, *, resume: bool
) -> None:
    """Train the codec of a collection."""
    preset = training.PRESETS[options.preset]
    train_options = training.Options(
        minutes=options.minutes or preset.minutes,
        holdout=training.holdout_of(gathered),
        seed=options.seed,
        threads=options.threads,
        target_psnr=None if options.has_bounds else options.target_psnr,  # bounds may need high qualities
    )
    report = watcher.training
    if options.lossless:
        training.train_lossless(gathered, path, train_options, options.preset, resume=resume, report=report)
    else:
        training.train_gathered(gathered, path, train_options, preset, resume=resume, report=report)


def pack_with(
    codec: str | Path, collection: Collection, output: Path, options: PackOptions, watcher: Watcher
) -> Packed:
    """Write a collection with a codec that is there, and compare. A shipped codec is not embedded, and costs nothing.

    Raises InputError, CodecError.
    """
    loaded = api.load(codec, threads=options.threads)
    return _write(collection, output, options, watcher, None, loaded, None, [])


def _write(
    collection: Collection,
    output: Path,
    options: PackOptions,
    watcher: Watcher,
    labels: Any,
    codec: Codec | None,
    why_untrained: str | None,
    left_out: list[str],
) -> Packed:
    """Find the quality, write the archive, and compare it with what others take."""
    effort = EFFORTS[options.preset] if options.effort is None else options.effort
    quality = options.quality
    missed: str | None = None
    if codec is not None and options.target_psnr is not None:
        watcher.step("look for the quality")
        target = Target(measure="psnr", value=options.target_psnr)
        sample = collection.sample_sets(AIMED_IMAGES)
        try:
            reached = find_quality(codec, sample, target, effort=effort, bisected=BISECTED_IMAGES)
            quality, missed = reached.quality, reached.misses(target)
        except OutOfReachError as error:
            quality, missed = codec.qualities[error.highest], str(error)
    watcher.step("pack")
    bounds = {"max_error": options.max_error, "min_psnr": options.min_psnr, "exact_alpha": options.exact_alpha}
    common: dict[str, Any] = {"labels": labels, "names": collection.names, "report": watcher.packed, **bounds}
    if codec is None:
        written = api.compress(collection.batches(), output, None, block_images=options.block_images, **common)
    else:
        quality = chosen_quality(codec, quality, options.max_error)
        written = api.compress(
            collection.batches(),
            output,
            codec,
            quality=quality,
            effort=effort,
            block_images=options.block_images,
            embed_codec=None,
            threads=options.threads,
            **common,
        )
    watcher.step("compare")
    with api.open(output, threads=options.threads) as archive:
        psnr = check_against(archive, collection, MEASURED_IMAGES).psnr
        codec_bytes = sum(len(entry.embedded) for entry in archive.container.codecs if entry.embedded is not None)
    advice: Advice | None = None
    if options.advise:
        advice = advise_on(
            collection,
            psnr=psnr,
            payload_bytes=written.archive_bytes - codec_bytes,
            codec_bytes=codec_bytes,
            sample_px=ADVISED_PX[options.preset],
            report=watcher.step,
        )
    return Packed(
        written=written,
        codec_bytes=codec_bytes,
        quality=None if codec is None else quality,
        psnr=psnr,
        missed=missed,
        why_untrained=why_untrained,
        left_out=left_out,
        advice=advice,
    )


def advise_on(
    collection: Collection,
    *,
    psnr: float | None,
    payload_bytes: int,
    codec_bytes: int,
    sample_px: int,
    report: Callable[[str], None] = lambda _: None,
) -> Advice:
    """Compare what a collection takes with rivals, on a sample of it where it is large. Raises InputError."""
    sets: list[Images] = collection.sample_sets(ADVISED_IMAGES, RUN_IMAGES)
    return advise(
        sets,
        psnr_db=psnr,
        payload_bytes=payload_bytes,
        codec_bytes=codec_bytes,
        sample_px=sample_px,
        scale=collection.count / sum(map(len, sets)),
        report=report,
    )
