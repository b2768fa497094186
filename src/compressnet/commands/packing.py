"""Commands for one's own images: pack and advise."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compressnet.commands.console import INTERRUPTED, USAGE, console, errors_console, fail, guarded, status_line
from compressnet.commands.inputs import (
    ConvertOption,
    InputArgument,
    InputsArgument,
    LabelsOption,
    ModesOption,
    NamesEncodingOption,
    NoLabelsOption,
    SkipBadOption,
    SkippedOption,
    StrictOption,
    account_json,
    open_input,
    tell_account,
)
from compressnet.commands.options import (
    AdviseOption,
    BlockImagesOption,
    ExactAlphaOption,
    ForceOption,
    JsonOption,
    MaxErrorOption,
    MinPsnrOption,
    PresetChoice,
    PresetOption,
    QualityOption,
    QuietOption,
    SeedOption,
    TargetPsnrOption,
    ThreadsOption,
    local_path,
    require_target_free,
)
from compressnet.commands.sets import pack_set
from compressnet.commands.sharding import (
    EngineOption,
    SchedulerOption,
    ShardImagesOption,
    Where,
    WorkersOption,
    require_none,
)
from compressnet.commands.tables import tell_advice
from compressnet.commands.watching import Watcher
from compressnet.errors import InputError

if TYPE_CHECKING:
    from compressnet.images import Collection
    from compressnet.packing.options import Packed

ADVICE_S = 600.0
"""How long `advise` may take with an existing codec; without one, as long as it trained."""


@guarded
def pack(
    sources: InputsArgument,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT.cnet",
            parser=local_path,
            help="The archive; with --engine, a folder of archives.",
        ),
    ],
    preset: PresetOption = PresetChoice.balanced,
    quality: QualityOption = None,
    target_psnr: TargetPsnrOption = None,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Every pixel comes back as it was; the same as --quality 100.")
    ] = False,
    effort: Annotated[
        int | None,
        typer.Option(min=1, max=9, help="How long to search for cheaper symbols; by default 1, 5 or 7, by preset."),
    ] = None,
    max_error: MaxErrorOption = None,
    min_psnr: MinPsnrOption = None,
    exact_alpha: ExactAlphaOption = False,
    labels: LabelsOption = None,
    no_labels: NoLabelsOption = False,
    modes: ModesOption = None,
    convert: ConvertOption = False,
    skip_bad: SkipBadOption = False,
    skipped: SkippedOption = None,
    strict: StrictOption = False,
    names_encoding: NamesEncodingOption = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.001, help="Length of the training, instead of the preset's.")
    ] = None,
    block_images: BlockImagesOption = 256,
    keep_codec: Annotated[
        bool,
        typer.Option(
            "--keep-codec",
            help="Pack with a trained codec in any case, and leave it as OUT.cnet.codec; append needs it.",
        ),
    ] = False,
    advise: AdviseOption = True,
    seed: SeedOption = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from what an interrupted run left.")] = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    threads: ThreadsOption = None,
    engine: EngineOption = None,
    scheduler: SchedulerOption = None,
    workers: WorkersOption = None,
    shard_images: ShardImagesOption = None,
) -> None:
    """Train a codec on images, and pack them with it into one file that opens anywhere."""
    from compressnet.coding.coder import LOSSLESS_QUALITY
    from compressnet.images import Reading
    from compressnet.packing import pack as packing
    from compressnet.packing.options import PackOptions
    from compressnet.training import import_training

    if quality is not None and target_psnr is not None:
        fail("give either --quality or --target-psnr", USAGE)
    if lossless and quality not in (None, LOSSLESS_QUALITY):
        fail("--lossless is quality 100; leave --quality out", USAGE)
    lossless = lossless or quality == LOSSLESS_QUALITY or (max_error == 0 and quality is None and target_psnr is None)
    if lossless and not (target_psnr is None and max_error in (None, 0) and min_psnr is None):
        fail("--lossless loses nothing; leave --target-psnr, --max-error and --min-psnr out", USAGE)
    where = Where(engine=engine, scheduler=scheduler, workers=workers, shard_images=shard_images)
    if engine is None:
        where.require_unused(sources)
        require_target_free(output, force=force)
        require_target_free(packing.codec_path(output), force=force or resume)
    else:
        require_none(labels=labels, skipped=skipped)
    training = import_training()
    options = PackOptions(
        preset=preset.value,
        quality=None if lossless else quality,
        target_psnr=target_psnr,
        lossless=lossless,
        effort=effort,
        max_error=None if lossless else max_error,
        min_psnr=min_psnr,
        exact_alpha=exact_alpha,
        block_images=block_images,
        seed=seed,
        threads=threads,
        minutes=minutes,
        keep_codec=keep_codec,
        modes=None if modes is None else modes.value,
        advise=advise and engine is None,
    )
    if engine is not None:
        reading = Reading(
            convert=convert, skip_bad=skip_bad, deep=lossless, labels=not no_labels, names_encoding=names_encoding
        )
        pack_set(
            *(sources, output, where, options, reading, _show, _of_training),
            strict=strict,
            force=force,
            quiet=quiet,
            as_json=as_json,
        )
        return
    collection = open_input(
        sources[0],
        labels=labels,
        no_labels=no_labels,
        convert=convert,
        skip_bad=skip_bad,
        skipped=skipped,
        strict=strict,
        names_encoding=names_encoding,
        deep=lossless,
        output=str(output),
        force=force,
    )
    with status_line(quiet=quiet) as say:
        try:
            packed = packing.pack(
                collection,
                output,
                options,
                Watcher(partial(_show, say), say),
                labels=collection.labels,
                class_names=collection.class_names,
                resume=resume,
            )
        except training.TrainingInterrupted as error:
            fail(f"interrupted; the training so far is in {error}, --resume goes on from there", INTERRUPTED)
    if as_json:
        print(json.dumps(packed.as_json() | {"account": account_json(collection)}))
    elif not quiet:
        _tell(packed, output, collection)


def _show(say: Callable[[str], None], progress: Any) -> None:
    """How far a training is."""
    point = progress.points[len(progress.points) // 2]
    psnr = "without loss" if math.isinf(point.psnr) else f"at {point.psnr:.2f} dB"
    say(f"train: {progress.share:.0%}, {point.bytes_per_image:.1f} bytes/image {psnr} held out")


def _tell(packed: Packed, output: Path, collection: Collection) -> None:
    """What was packed, in words."""
    from compressnet.images.kinds import count_text

    written = packed.written
    psnr = "all that is seen as it was" if packed.psnr is None else f"{packed.psnr:.2f} dB"
    psnr = "without loss" if written.lossless_checked else psnr
    console.print(
        f"{output}: {count_text(written.images)}, {written.archive_bytes} bytes, "
        f"{written.archive_bytes / written.images:.2f} an image, {packed.codec_bytes} of them the codec's; {psnr}"
    )
    for line in (*_of_training(packed), *written.remarks(collection.names)):
        console.print(line)
    tell_account(collection)
    if packed.advice is not None:
        tell_advice(packed.advice)


def _of_training(packed: Packed) -> list[str]:
    """What became of the training, a line each."""
    lines = (packed.why_untrained, _own_training(packed), packed.missed, *packed.left_out)
    return [line for line in lines if line]


def _own_training(packed: Packed) -> str | None:
    """What a codec of its own saves; None where none was packed with."""
    other = packed.untrained
    if other is None or other.is_packed:
        return None
    saved = 1 - packed.written.archive_bytes / other.archive_bytes
    at = "" if other.psnr is None else f" at {other.psnr:.2f} dB"
    return f"own training saves {saved:.0%}: without it, {other.archive_bytes} bytes{at} with {other.codec}"


@guarded
def advise(
    source: InputArgument,
    codec: Annotated[
        str | None, typer.Option("--codec", help="A codec to judge; without one, a codec is trained first.")
    ] = None,
    quality: QualityOption = None,
    target_psnr: TargetPsnrOption = None,
    preset: PresetOption = PresetChoice.fast,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    threads: ThreadsOption = None,
) -> None:
    """Compare sizes with zstd, AVIF, WebP, JPEG XL and PNG, and recommend one."""
    from compressnet.coding.coder import LOSSLESS_QUALITY
    from compressnet.files import temporary_folder
    from compressnet.packing import pack as packing
    from compressnet.packing.options import PackOptions

    if quality is not None and target_psnr is not None:
        fail("give either --quality or --target-psnr", USAGE)
    collection = open_input(source)
    options = PackOptions(
        preset=preset.value,
        quality=quality,
        target_psnr=target_psnr,
        lossless=quality == LOSSLESS_QUALITY,
        seed=seed,
        threads=threads,
    )
    with temporary_folder() as folder, status_line(quiet=quiet) as say:
        output = folder / "advise.cnet"
        watcher = Watcher(lambda progress: say(f"train: {progress.share:.0%}"), say)
        if codec is None:
            packed = packing.pack(collection, output, options, watcher)
        else:
            packed = packing.pack_with(codec, collection, output, options, watcher, budget_s=ADVICE_S)
    if packed.advice is None:
        raise InputError(f"{source}: {packed.left_out[-1]}")
    if as_json:
        print(json.dumps(packed.advice.to_json()))
        return
    if packed.why_untrained and not quiet:
        errors_console.print(packed.why_untrained)
    tell_advice(packed.advice)
