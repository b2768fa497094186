"""One step from a collection to an archive: train a codec for it, embed it, pack, and advise.

    collection -> gathered -> training -> OUT.cnet.codec -> quality -> OUT.cnet -> advice

The collection is read twice, and before that as far as it takes to see whether all images are grey
or opaque. First what is trained on is gathered; the sample on which the quality for a target is
looked for is kept in passing. Then, as training takes long and not all images need
fit in memory, it is read again to be written.

What is unfinished lies beside the output: a checkpoint while the training goes on, OUT.cnet.codec
until the archive is there. `resume` goes on from whichever is there.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from compressnet import api
from compressnet.archive.embedding import chosen_quality
from compressnet.archive.writing.choosing import SAMPLE_IMAGES
from compressnet.archive.writing.picked import Picked
from compressnet.archive.writing.settings import Settings
from compressnet.archive.writing.tightness import chosen_tight
from compressnet.bench.rivals.budget import Budget, Clock, start_budget
from compressnet.codec.codec import Codec
from compressnet.images import Collection, evenly_spread
from compressnet.images.kinds import Pictures, sixteen_bits_error
from compressnet.images.modes import tightened
from compressnet.packing.options import Packed, PackOptions, Watcher
from compressnet.packing.samples import Tap
from compressnet.packing.steps import AIMED_IMAGES, RUN_IMAGES, Job, Sample, with_advice, write_and_check
from compressnet.packing.untrained import base_of, picked_for, smaller, why_not_train
from compressnet.training import import_training

if TYPE_CHECKING:
    from compressnet.training.common.gather import Gathered

ADVICE_SHARE, LEAST_ADVICE_S = 0.25, 10.0
"""Of a training's time, what advice may take, and how long it may take at least."""
TIMED_IMAGES = 64
"""Images that tell how long all of them would take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trained:
    """What came of a training."""

    codec: Codec | None
    why_untrained: str | None
    left_out: list[str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An archive that was packed, and how: all but advice."""

    packed: Packed
    job: Job
    """With the codec that it was written with, and what was picked."""
    sample: Sample
    """To compare with rivals."""
    seconds: float
    """Of the training."""

    @property
    def settings(self) -> Settings:
        """What it was written with, and others like it are."""
        picked = self.job.picked
        network_mse = None if picked is None else picked.network_mse
        return self.job.options.settings(self.packed.quality, self.job.tight, network_mse)


def codec_path(output: Path) -> Path:
    """Where the codec of an archive lies until the archive is written."""
    return output.with_name(output.name + ".codec")


def pack(
    collection: Collection,
    output: Path,
    options: PackOptions,
    watcher: Watcher,
    *,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    resume: bool = False,
) -> Packed:
    """Train a codec on a collection, and write the collection with it to `output`.

    `settle`, and then advice.
    """
    settled = settle(collection, output, options, watcher, labels=labels, class_names=class_names, resume=resume)
    budget_s = max(ADVICE_SHARE * settled.seconds, LEAST_ADVICE_S)
    packed = with_advice(settled.packed, settled.job, settled.sample, budget_s)
    if not options.keep_codec:
        codec_path(output).unlink(missing_ok=True)
    import_training().log_path(codec_path(output)).unlink(missing_ok=True)
    return packed


def settle(
    collection: Collection,
    output: Path,
    options: PackOptions,
    watcher: Watcher,
    *,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    resume: bool = False,
) -> Settled:
    """Train a codec on a collection, and write the collection with it to `output`.

    The codec, where one was trained, stays at `codec_path`.

    Images of kinds that are not trained on are coded without loss, by what is learned from them;
    with too few images in all, all of them are. A short training is left out where a sample says
    that it would come to nothing. After any training, all images are written without the codec as
    well, as `compress` writes them, at the same PSNR, and the smaller archive is kept; neither
    where the codec is to be kept. Images of 16 bits are refused beside a codec that loses
    something. Raises InputError, MissingExtraError
    without torch, TrainingInterrupted on Ctrl-C, and DefectError where nothing may be lost but
    was.
    """
    training = import_training()
    path = codec_path(output)
    watcher.step("read the images")
    tight = chosen_tight(collection.batches, None, None, options.modes)
    adapts = training.PRESETS[options.preset].adapts and not options.loses_nothing
    aimed = Tap(evenly_spread(collection.count, AIMED_IMAGES if options.target_psnr is not None else 0))
    compared = Tap(evenly_spread(collection.count, SAMPLE_IMAGES if adapts else 0))
    gathered: Gathered | str
    try:
        batches = tightened(compared.through(aimed.through(collection.batches())), tight)
        gathered = training.gather(batches, options.seed, lossless=options.lossless)
    except training.TooFewImagesError as error:
        gathered = f"packed without a codec: {error}"
    if not isinstance(gathered, str) and gathered.deep and not options.loses_nothing:
        raise sixteen_bits_error("a lossy codec is for 8 bits")
    picked = None
    if not isinstance(gathered, str) and adapts and not (resume and path.exists()):
        watcher.step("compare with what is learned")
        picked = picked_for(compared.sets(), options)
        if options.minutes is None and not options.keep_codec:  # nobody asked for a training
            gathered = why_not_train(picked) or gathered
    trained = _train(training, gathered, path, options, watcher, picked, resume=resume)
    job = Job(
        collection=collection,
        images=collection.count,
        output=output,
        options=options,
        watcher=watcher,
        codec=picked.codec if trained.codec is None and picked is not None else trained.codec,
        picked=picked if trained.codec is None else None,
        tight=tight,
        labels=labels,
        class_names=class_names,
    )
    # The codec at hand is not passed to read the archive: that a file opens with what it embeds is
    # what `pack` promises, so this is a self-test of it.
    packed, sample = write_and_check(job, aimed.sets(), read_with=None)
    packed = replace(packed, why_untrained=trained.why_untrained, left_out=trained.left_out)
    if trained.codec is not None and not options.keep_codec:
        packed, sample, job = smaller(packed, sample, job, aimed.sets(), picked)
    return Settled(packed=packed, job=job, sample=sample, seconds=trained.seconds)


def pack_with(
    codec: str | Path,
    collection: Collection,
    output: Path,
    options: PackOptions,
    watcher: Watcher,
    *,
    budget_s: float | None = None,
    clock: Clock = time.monotonic,
) -> Packed:
    """Write a collection with an existing codec, and compare.

    A shipped codec is not embedded, and costs nothing.
    budget_s: about how long all of this may take by `clock`; where coding the whole collection
    would take too much of it, a sample is packed and judged.
    Raises InputError, CodecError.
    """
    budget = start_budget(budget_s, clock)
    loaded = api.load(codec, threads=options.threads)
    quality = chosen_quality(loaded, options.quality, options.max_error)
    tight = chosen_tight(collection.batches, loaded, quality, options.modes)
    settings = Settings(
        quality=quality, effort=options.search_effort, embed_codec=False, store_unknown=True, tight=tight
    )
    job = Job(
        collection=_part_in_time(collection, loaded, settings, budget),
        images=collection.count,
        output=output,
        options=options,
        watcher=watcher,
        codec=loaded,
        tight=tight,
    )
    part = job.collection
    aimed = [] if options.target_psnr is None else part.sample_sets(AIMED_IMAGES)
    packed, sample = write_and_check(job, aimed, read_with=loaded)
    return with_advice(packed, job, sample, budget.left_s() if budget.is_limited else None, clock)


def _train(
    training: ModuleType,
    gathered: Gathered | str,
    path: Path,
    options: PackOptions,
    watcher: Watcher,
    picked: Picked | None,
    *,
    resume: bool,
) -> _Trained:
    """Train the codec of a collection, unless it exists already.

    gathered: what is trained on, or why nothing is. picked: what codes a sample best, for a
    training that begins from a codec.
    """
    if isinstance(gathered, str):
        return _Trained(codec=None, why_untrained=gathered, left_out=[], seconds=0)
    began_s = time.monotonic()
    if not (resume and path.exists()):
        preset = training.PRESETS[options.preset]
        train_options = training.Options(
            minutes=options.minutes or preset.minutes,
            holdout=training.holdout_of(gathered),
            seed=options.seed,
            threads=options.threads,
            # Bounds may need higher qualities than the target.
            target_psnr=None if options.bounds.are_set else options.target_psnr,
        )
        report = watcher.training
        if options.lossless:
            training.train_lossless(gathered, path, train_options, options.preset, resume=resume, report=report)
        else:
            base = base_of(picked)
            training.train_gathered(gathered, path, train_options, preset, base=base, resume=resume, report=report)
    seconds = time.monotonic() - began_s
    codec = api.load(path, threads=options.threads)
    return _Trained(codec=codec, why_untrained=None, left_out=gathered.left_out_by_reason(), seconds=seconds)


def _part_in_time(collection: Collection, codec: Codec, settings: Settings, budget: Budget) -> Collection:
    """The collection, or as much of it as is coded in a quarter of the time that is left.

    Reading back takes up to another quarter, and rivals the rest.
    """
    if not budget.is_limited:
        return collection
    first = next(collection.batches())[:TIMED_IMAGES]

    def code(images: Pictures) -> None:
        api.write(images, io.BytesIO(), codec, settings)

    code(first[:1])  # makes ready what is made ready once
    before_s = budget.left_s()
    code(first)
    needed_s = (before_s - budget.left_s()) * collection.count / len(first)
    allowed_s = budget.left_s() / 4
    if needed_s <= allowed_s:
        return collection
    count = max(TIMED_IMAGES, int(collection.count * allowed_s / needed_s))
    sets = collection.sample_sets(count, RUN_IMAGES)
    return Collection(name=collection.name, count=sum(map(len, sets)), batches=lambda: iter(sets))
