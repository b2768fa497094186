"""Commands that make codecs: train and refine."""

from __future__ import annotations

import json
import time
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compressnet.commands.console import INTERRUPTED, USAGE, console, errors_console, fail, guarded, status_line
from compressnet.commands.inputs import (
    ConvertOption,
    InputArgument,
    SkipBadOption,
    SkippedOption,
    StrictOption,
    account_json,
    open_input,
    tell_account,
)
from compressnet.commands.options import (
    AdviseOption,
    ForceOption,
    JsonOption,
    PresetChoice,
    PresetOption,
    QuietOption,
    SeedOption,
    ThreadsOption,
    local_path,
    require_target_free,
)
from compressnet.commands.tables import tell_advice
from compressnet.commands.watching import RivalCurves, Watcher, training_table, watched_training

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from compressnet.codec.bundle import Bundle
    from compressnet.images import Collection
    from compressnet.training.train import Progress as TrainingProgress


class DeviceChoice(str, Enum):
    """What trains the networks."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class DesignChoice(str, Enum):
    """Which networks a codec gets, see docs/ARCHITECTURE.md."""

    overview = "overview"
    detail = "detail"


ALL_QUALITIES = "0:99"
OutputOption = Annotated[
    Path, typer.Option("-o", "--output", metavar="NAME.codec", parser=local_path, help="The codec to write.")
]
EpochsOption = Annotated[float | None, typer.Option(min=0.001, help="Length of the training.")]
MinutesOption = Annotated[float | None, typer.Option(min=0.001, help="Length of the training.")]
HoldoutOption = Annotated[int | None, typer.Option(min=0, help="Images at the end that are not trained on.")]
DeviceOption = Annotated[DeviceChoice, typer.Option(help="What trains.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside the output.")]


@guarded
def train(
    source: InputArgument,
    output: OutputOption,
    preset: PresetOption = PresetChoice.balanced,
    epochs: EpochsOption = None,
    minutes: MinutesOption = None,
    quality_range: Annotated[str, typer.Option(metavar="LO:HI", help="Qualities to train for.")] = ALL_QUALITIES,
    design: Annotated[
        DesignChoice | None,
        typer.Option(
            help="For images of one size and long trainings: two large networks side by side. overview: where all "
            "images are laid out alike, as digits are; detail: for others."
        ),
    ] = None,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Train a codec for quality 100: every pixel comes back as it was.")
    ] = False,
    beside: Annotated[
        str | None,
        typer.Option(metavar="CODEC", help="With --lossless: a codec whose other qualities the new one has as well."),
    ] = None,
    holdout: HoldoutOption = None,
    convert: ConvertOption = False,
    skip_bad: SkipBadOption = False,
    skipped: SkippedOption = None,
    strict: StrictOption = False,
    seed: SeedOption = 0,
    device: DeviceOption = DeviceChoice.auto,
    advise: AdviseOption = True,
    resume: ResumeOption = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    threads: ThreadsOption = None,
) -> None:
    """Train a codec on images like yours, of any sizes and modes."""
    from dataclasses import replace

    from compressnet.codec.shipped import read_bundle
    from compressnet.coding.coder import METHODS
    from compressnet.training import import_training

    if lossless and (design is not None or quality_range != ALL_QUALITIES):
        fail("--lossless has no --design and no --quality-range", USAGE)
    if beside is not None and not lossless:
        fail("--beside goes with --lossless: it takes over the other qualities of a codec", USAGE)
    qualities = _parse_qualities(quality_range)
    training = import_training()
    _require_writable(output, epochs, minutes, force)
    collection = open_input(
        source,
        no_labels=True,
        convert=convert,
        skip_bad=skip_bad,
        skipped=skipped,
        strict=strict,
        deep=lossless,
        force=force,
    )
    if epochs is None and minutes is None:
        minutes = training.PRESETS[preset.value].minutes
    options = training.Options(
        epochs=epochs, minutes=minutes, qualities=qualities, seed=seed, device=device.value, threads=threads
    )
    if design is not None:
        images = collection.load()
        images = images.reshape(*images.shape[:3], -1)
        held_out = min(5000, len(images) // 10) if holdout is None else holdout
        options = replace(options, holdout=held_out)
        sets = [images[len(images) - held_out :] if held_out else images[:1000]]
        run = partial(training.train, images, output, options, designs=training.DESIGNS[design.value], resume=resume)
    else:
        gathered = training.gather(collection.batches(), seed, lossless=lossless)
        options = replace(options, holdout=training.holdout_of(gathered) if holdout is None else holdout)
        sets = None if lossless else gathered.held_out(options.holdout)
        if lossless:
            known = None if beside is None else read_bundle(beside)
            run = partial(training.train_lossless, gathered, output, options, preset.value, beside=known, resume=resume)
        else:
            chosen = training.PRESETS[preset.value]
            run = partial(training.train_gathered, gathered, output, options, chosen, resume=resume)
        if not quiet:
            for line in gathered.left_out_by_reason():
                errors_console.print(line)
    began_s = time.monotonic()
    bundle = _run(output, quiet or as_json, run, sets)
    if as_json:
        identities = {METHODS[part.method]: part.identity.hex() for part in bundle.parts}
        document = {"codec": str(output), "bytes": output.stat().st_size, "identities": identities}
        print(json.dumps(document | {"account": account_json(collection)}))
    elif not quiet:
        tell_account(collection)
    if advise and not (quiet or as_json):
        _advise(output, collection, preset, threads, lossless, time.monotonic() - began_s)


@guarded
def refine(
    codec: Annotated[str, typer.Argument(metavar="CODEC", help="A shipped codec's name, or a .codec file.")],
    source: InputArgument,
    output: OutputOption,
    epochs: EpochsOption = None,
    minutes: MinutesOption = None,
    holdout: HoldoutOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = DeviceChoice.auto,
    resume: ResumeOption = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = None,
) -> None:
    """Improve a codec's encoder for images like yours.

    What decodes, and the identity, stay the same.
    """
    from dataclasses import replace

    from compressnet.codec.shipped import read_bundle
    from compressnet.lossy.sizeless import SizelessNetwork
    from compressnet.training import import_training

    training = import_training()
    _require_writable(output, epochs, minutes, force)
    bundle, collection = read_bundle(codec), open_input(source)
    options = training.Options(
        epochs=epochs,
        minutes=30.0 if epochs is None and minutes is None else minutes,
        seed=seed,
        device=device.value,
        threads=threads,
    )
    if any(isinstance(network, SizelessNetwork) for network in bundle.networks):
        gathered = training.gather(collection.batches(), seed)
        options = replace(options, holdout=training.holdout_of(gathered) if holdout is None else holdout)
        run = partial(training.refine_gathered, bundle, gathered, output, options, resume=resume)
    else:
        images = collection.load()
        images = images.reshape(*images.shape[:3], -1)
        options = replace(options, holdout=min(5000, len(images) // 10) if holdout is None else holdout)
        run = partial(training.refine, bundle, images, output, options, resume=resume)
    _run(output, quiet, run, None)


def _advise(
    codec: Path, collection: Collection, preset: PresetChoice, threads: int | None, lossless: bool, trained_s: float
) -> None:
    """Say whether the new codec was worth it, in no more time than its training took."""
    from compressnet.coding.coder import LOSSLESS_QUALITY
    from compressnet.files import temporary_folder
    from compressnet.packing.options import PackOptions
    from compressnet.packing.pack import LEAST_ADVICE_S, pack_with

    budget_s = max(trained_s, LEAST_ADVICE_S)
    with temporary_folder() as folder, status_line(quiet=False) as say:
        quality = LOSSLESS_QUALITY if lossless else None
        options = PackOptions(preset=preset.value, quality=quality, effort=1, threads=threads)
        target, watcher = folder / "advise.cnet", Watcher(lambda _: None, say)
        packed = pack_with(codec, collection, target, options, watcher, budget_s=budget_s)
    assert packed.advice is not None
    tell_advice(packed.advice)


def _require_writable(output: Path, epochs: float | None, minutes: float | None, force: bool) -> None:
    if epochs is not None and minutes is not None:
        fail("give either --epochs or --minutes", USAGE)
    if output.suffix != ".codec":
        fail(f"{output}: the name of a codec ends in .codec", USAGE)
    require_target_free(output, force=force)


def _run(
    output: Path, quiet: bool, start: Callable[..., Bundle], held_out: Sequence[NDArray[np.uint8]] | None
) -> Bundle:
    """Train; with held-out images (N,H,W,C), show a table of figures.

    Beside the training's own figures it has what general codecs take.
    """
    from compressnet.training import import_training

    curves = None if quiet or held_out is None else RivalCurves(held_out)
    last: TrainingProgress | None = None
    with watched_training(quiet=quiet, curves=curves) as show:

        def report(progress: TrainingProgress) -> None:
            nonlocal last
            last = progress
            show(progress)

        try:
            bundle = start(report=report)
        except import_training().TrainingInterrupted as error:
            fail(f"interrupted; the training so far is in {error}, --resume goes on from there", INTERRUPTED)
    if not quiet:
        if curves is not None:
            curves.wait()
        if last is not None:
            console.print(training_table(last, curves))
        identities = dict.fromkeys((bundle.lossy_identity, bundle.lossless_identity))
        shown = " and ".join(identity.hex() for identity in identities if identity is not None)
        both = None not in identities
        console.print(
            f"{output}: {output.stat().st_size} bytes, "
            f"{f'identities {shown}, the second of the lossless part' if both else f'identity {shown}'}"
        )
    return bundle


def _parse_qualities(text: str) -> tuple[int, int]:
    """`LO:HI`, both included."""
    try:
        low, high = (int(part) for part in text.split(":"))
    except ValueError:
        fail(f"--quality-range {text}: give two numbers, such as 20:60", USAGE)
    if not 0 <= low <= high <= 99:
        fail(f"--quality-range {text}: qualities go from 0 to 99, the lower one first", USAGE)
    return low, high
