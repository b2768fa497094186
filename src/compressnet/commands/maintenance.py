"""Commands that make archives from archives: concat, subset, append."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from compressnet.commands.console import console, guarded, progress_bar
from compressnet.commands.inputs import (
    ConvertOption,
    InputArgument,
    LabelsOption,
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
    EffortOption,
    ForceOption,
    JsonOption,
    LimitsOption,
    QualityOption,
    QuietOption,
    ReadingCodecOption,
    ThreadsOption,
    parse_limits,
    parse_selection,
    require_target_free,
)

OutputOption = Annotated[str, typer.Option("-o", "--output", metavar="OUT.cnet", help="The archive to write.")]
ArchiveArgument = Annotated[str, typer.Argument(metavar="ARCHIVE", help="An archive.")]


@guarded
def concat(
    sources: Annotated[list[str], typer.Argument(metavar="ARCHIVE...", help="Archives of one codec.")],
    output: OutputOption,
    force: ForceOption = False,
    quiet: QuietOption = False,
    limits: LimitsOption = None,
) -> None:
    """Put archives together, one after the other, without coding an image again."""
    from compressnet.archive.maintain import concat as concat_archives
    from compressnet.images.kinds import count_text

    require_target_free(output, force=force)
    with progress_bar("concat", None, quiet=quiet) as report:
        written = concat_archives(sources, output, limits=parse_limits(limits), report=report)
    if not quiet:
        console.print(f"{output}: {count_text(written.images)}, {written.archive_bytes} bytes")
        for line in written.remarks():
            console.print(line)


@guarded
def subset(
    source: ArchiveArgument,
    output: OutputOption,
    select: Annotated[
        str, typer.Option(metavar="A:B,C,...", help="Images by number: ranges A:B or A:B:STEP, and single ones.")
    ],
    codec: ReadingCodecOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = None,
    limits: LimitsOption = None,
) -> None:
    """Write some images of an archive into another, with the very same pixels."""
    from compressnet.archive.maintain import subset as write_subset
    from compressnet.archive.opening import open as open_archive
    from compressnet.images.kinds import count_text

    require_target_free(output, force=force)
    with open_archive(source, codec, threads=threads, limits=parse_limits(limits)) as archive:
        positions = parse_selection(select, len(archive))
        with progress_bar("subset", len(positions), quiet=quiet) as report:
            written = write_subset(archive, positions, output, report=report)
    if not quiet:
        console.print(f"{output}: {count_text(written.images)}, {written.archive_bytes} bytes")


@guarded
def append(
    target: ArchiveArgument,
    source: InputArgument,
    codec: ReadingCodecOption = None,
    quality: QualityOption = None,
    effort: EffortOption = 1,
    labels: LabelsOption = None,
    no_labels: NoLabelsOption = False,
    convert: ConvertOption = False,
    skip_bad: SkipBadOption = False,
    skipped: SkippedOption = None,
    strict: StrictOption = False,
    names_encoding: NamesEncodingOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    threads: ThreadsOption = None,
    limits: LimitsOption = None,
) -> None:
    """Add images to the end of an archive, with their labels and names."""
    from compressnet.archive.maintain import append as append_images
    from compressnet.images.kinds import count_text

    collection = open_input(
        source,
        labels=labels,
        no_labels=no_labels,
        convert=convert,
        skip_bad=skip_bad,
        skipped=skipped,
        strict=strict,
        names_encoding=names_encoding,
        deep=True,
    )
    with progress_bar("append", collection.count, quiet=quiet) as report:
        written = append_images(
            target,
            collection.batches(),
            names=collection.names,
            codec=codec,
            quality=quality,
            effort=effort,
            labels=collection.labels,
            class_names=collection.class_names,
            threads=threads,
            limits=parse_limits(limits),
            report=report,
        )
    if as_json:
        print(json.dumps(written.as_json() | {"account": account_json(collection)}))
    elif not quiet:
        console.print(f"{target}: {count_text(written.images)}, {written.archive_bytes} bytes")
        for line in written.remarks():
            console.print(line)
        tell_account(collection)
