"""The command compress."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compressnet.commands.console import USAGE, console, errors_console, fail, guarded, progress_bar
from compressnet.commands.inputs import (
    ConvertOption,
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
    STREAM,
    BackendOption,
    BlockImagesOption,
    ChosenCodecOption,
    ChosenEffortOption,
    ExactAlphaOption,
    ForceOption,
    JsonOption,
    LosslessOption,
    MaxErrorOption,
    MaxMseOption,
    MinPsnrOption,
    QualityOption,
    QuietOption,
    SolidOption,
    TargetBytesOption,
    TargetPsnrOption,
    ThreadsOption,
    backend_name,
    parse_target,
    reach,
    require_target_free,
)
from compressnet.commands.sets import compress_set
from compressnet.commands.sharding import (
    EngineOption,
    SchedulerOption,
    ShardImagesOption,
    Where,
    WorkersOption,
    require_none,
)

if TYPE_CHECKING:
    from compressnet.codec.codec import Codec
    from compressnet.images import Collection
    from compressnet.packing.choosing import Asked
    from compressnet.packing.targets import Target


@guarded
def compress(
    sources: InputsArgument,
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="OUT.cnet", help="The archive; - for stdout; with --engine, a folder of archives."
        ),
    ],
    codec: ChosenCodecOption = None,
    lossless: LosslessOption = False,
    solid: SolidOption = False,
    quality: QualityOption = None,
    target_psnr: TargetPsnrOption = None,
    target_bytes: TargetBytesOption = None,
    max_mse: MaxMseOption = None,
    effort: ChosenEffortOption = None,
    block_images: BlockImagesOption = 256,
    embed_codec: Annotated[
        bool | None,
        typer.Option("--embed-codec/--no-embed-codec", help="Carry the decoder; by default if it is not shipped."),
    ] = None,
    labels: LabelsOption = None,
    no_labels: NoLabelsOption = False,
    modes: ModesOption = None,
    convert: ConvertOption = False,
    skip_bad: SkipBadOption = False,
    skipped: SkippedOption = None,
    strict: StrictOption = False,
    names_encoding: NamesEncodingOption = None,
    max_error: MaxErrorOption = None,
    min_psnr: MinPsnrOption = None,
    exact_alpha: ExactAlphaOption = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    engine: EngineOption = None,
    scheduler: SchedulerOption = None,
    workers: WorkersOption = None,
    shard_images: ShardImagesOption = None,
) -> None:
    """Compress images into an archive, lossless or lossy.

    Without --codec, one is picked on a sample: a codec that comes with compressnet, what is
    learned from the images themselves, or both, image by image. Where nothing is asked for, that
    is at about 36 dB, or at the codec's own quality where it was made for such images (mnist for
    digits). Lossless coding and that within a largest error learn from the images. With a codec,
    what it has no network for is coded by what is learned from it, and above quality 70 images
    that take no more bytes without loss are coded without loss, if the codec can.
    """
    from compressnet import api
    from compressnet.archive.embedding import chosen_quality
    from compressnet.archive.writing.bounds import Bounds
    from compressnet.coding.coder import LOSSLESS_QUALITY
    from compressnet.container.entries import PRIMER_NAME
    from compressnet.images import Reading
    from compressnet.images.kinds import count_text
    from compressnet.packing.choosing import Asked, choose

    target = parse_target(quality, target_psnr, target_bytes, max_mse)
    if lossless and (target is not None or quality not in (None, LOSSLESS_QUALITY)):
        fail("give one of --lossless, --quality, --target-psnr, --target-bytes and --max-mse", USAGE)
    if lossless and max_error:
        fail(f"--lossless and --max-error {max_error}: give one of them", USAGE)
    if max_error == 0 and quality not in (None, LOSSLESS_QUALITY):
        fail(f"--max-error 0 loses nothing, --quality {quality} does: give one of them", USAGE)
    quality = LOSSLESS_QUALITY if lossless else quality
    bounds = Bounds(max_error=max_error, min_psnr=min_psnr, exact_alpha=exact_alpha)
    where = Where(engine=engine, scheduler=scheduler, workers=workers, shard_images=shard_images)
    if engine is None:
        source = where.require_unused(sources)
        if output != STREAM:
            require_target_free(output, force=force)
    else:
        source = ""
        require_none(solid=solid, embed_codec=embed_codec, labels=labels, skipped=skipped)
    loaded = None if codec is None else api.load(codec, backend_name(backend), threads)
    known = quality if loaded is None or target is not None else chosen_quality(loaded, quality, max_error)
    asked = Asked(
        codec=loaded,
        quality=quality,
        target=target,
        bounds=bounds,
        effort=effort,
        modes=None if modes is None else modes.value,
        solid=solid,
        block_images=block_images,
        embed_codec=embed_codec,
        backend=backend_name(backend),
        threads=threads,
    )
    deep = known == LOSSLESS_QUALITY or max_error == 0
    if engine is not None:
        reading = Reading(
            convert=convert, skip_bad=skip_bad, deep=deep, labels=not no_labels, names_encoding=names_encoding
        )
        compress_set(
            *(sources, output, where, asked, reading, lambda images: partial(_reach, asked, images, quiet=quiet)),
            strict=strict,
            force=force,
            quiet=quiet,
            as_json=as_json,
        )
        return
    collection = open_input(
        source,
        labels=labels,
        no_labels=no_labels,
        convert=convert,
        skip_bad=skip_bad,
        skipped=skipped,
        strict=strict,
        names_encoding=names_encoding,
        deep=deep,
        output=None if output == STREAM else output,
        force=force,
    )
    chosen = choose(collection, asked, partial(_reach, asked, collection.count, quiet=quiet))
    loaded, settings, picked, known = chosen.codec, chosen.settings, chosen.picked, chosen.settings.quality
    if loaded is None and embed_codec is False:
        fail("--no-embed-codec: what is learned from the images themselves is needed to read them", USAGE)
    with progress_bar("compress", collection.count, quiet=quiet) as report:
        written = api.write(
            collection.batches(),
            sys.stdout.buffer if output == STREAM else output,
            loaded,
            settings,
            labels=collection.labels,
            names=collection.names,
            class_names=collection.class_names,
            backend=backend_name(backend),
            report=report,
        )
    if output == STREAM:  # which holds the archive, so all else is told beside it
        if not quiet:
            for line in (*written.remarks(collection.names), *collection.account.lines()):
                errors_console.print(line)
        return
    if as_json:
        name = PRIMER_NAME if loaded is None else loaded.name
        document = written.as_json() | {"codec": name, "quality": known, "account": account_json(collection)}
        document["picked"] = None if picked is None else picked.as_json()
        document["max_error"] = max_error if loaded is not None or known is None else LOSSLESS_QUALITY - known
        print(json.dumps(document))
    elif not quiet:
        per_image = written.archive_bytes / written.images
        console.print(
            f"{output}: {count_text(written.images)}, {written.archive_bytes} bytes, {per_image:.2f} an image, "
            f"{_described(loaded, known)}"
        )
        if picked is not None and picked.remark is not None:
            console.print(picked.remark)
        for line in written.remarks(collection.names):
            console.print(line)
        if loaded is not None and not bounds.are_set and known != LOSSLESS_QUALITY:
            _warn_of_ruined(output, collection, loaded, written.images)
        tell_account(collection)


def _reach(asked: Asked, images: int, target: Target, codec: Codec, sample: list[Any], *, quiet: bool) -> int:
    """The quality of a codec for a target, which a collection of so many images is written at."""
    return reach(
        target,
        codec,
        sample,
        asked.effort or 1,
        asked.block_images,
        quiet=quiet,
        embed_codec=asked.embed_codec,
        collection_images=images,
    )


def _described(codec: Codec | None, quality: int | None) -> str:
    """How images were coded, in words."""
    if codec is not None:
        return f"quality {quality}"
    if quality is None or quality == 100:
        return "without loss, learned from the images themselves"
    return f"largest error {100 - quality}, learned from the images themselves"


def _warn_of_ruined(output: str, collection: Collection, codec: Codec, images: int) -> None:
    """Name images that came out far worse than most.

    They are probably unlike those that the codec was trained on.
    """
    from compressnet import api
    from compressnet.packing.checking import FAR_WORSE_DB, check_against

    with api.open(output, codec=codec) as archive:
        checked = check_against(archive, collection)
    if checked.far_worse:
        of = "" if checked.images == images else f" of {checked.images} looked at"
        console.print(
            f"images{of} more than {FAR_WORSE_DB:g} dB below the median, {checked.median:.2f} dB; "
            "--min-psnr prevents that:"
        )
        for image, psnr in checked.far_worse:
            name = image if collection.names is None else collection.names[image]
            console.print(f"  {psnr:.2f} dB  {name}")
