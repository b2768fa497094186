"""Commands for archives that may be damaged: verify, repair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compressnet.commands.console import CORRUPT, console, fail, guarded, progress_bar, shown
from compressnet.commands.options import (
    BackendOption,
    ForceOption,
    JsonOption,
    LimitsOption,
    QuietOption,
    ReadingCodecOption,
    ThreadsOption,
    backend_name,
    open_archive,
    parse_limits,
    require_target_free,
)
from compressnet.errors import BeyondLimitsError, CorruptError

if TYPE_CHECKING:
    from compressnet.archive.verifying import Verified

SAVE = "'compressnet repair' saves what is whole"
SAVE_SET = "the command that wrote the set writes damaged files anew, 'compressnet repair' saves what is whole in one"


@guarded
def verify(
    source: Annotated[str, typer.Argument(metavar="ARCHIVE", help="An archive; - for stdin.")],
    codec: ReadingCodecOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    limits: LimitsOption = None,
) -> None:
    """Check every checksum of an archive and decode every block; list what is damaged."""
    from compressnet.archive.verifying import verify as verify_archive
    from compressnet.images.kinds import count_text

    try:
        archive = open_archive(source, codec, backend, threads, limits)
    except BeyondLimitsError:
        raise
    except CorruptError as error:
        raise CorruptError(f"{error}; {SAVE}") from error
    with archive:
        with progress_bar("verify", len(archive), quiet=quiet) as report:
            verified = verify_archive(archive, report)
        name = archive.name
    if as_json:
        print(json.dumps(verified.as_json()))
    elif verified.is_well and not quiet:
        console.print(f"{source}: {count_text(verified.images)}, all well")
    elif not quiet:
        for lost in verified.damaged:
            console.print(shown(lost.line()))
        for remark in verified.remarks:
            console.print(shown(remark))
    if not verified.is_well:
        fail(f"{name}: {_summary(verified)}; {SAVE_SET if Path(name).is_dir() else SAVE}", CORRUPT)


def _summary(verified: Verified) -> str:
    if not verified.damaged:
        return "damaged, but no image is lost"
    images = f"{verified.damaged_images} of {verified.images} images"
    return f"{len(verified.damaged)} of {verified.blocks} blocks cannot be read, with {images}"


@guarded
def repair(
    source: Annotated[str, typer.Argument(metavar="BROKEN", help="A damaged archive; it is left as it is.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="OUT.cnet", help="The archive to write.")],
    codec: ReadingCodecOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    limits: LimitsOption = None,
) -> None:
    """Write what is whole in a damaged archive into a new one, and list what is lost."""
    from compressnet.archive.repair import repair as repair_archive
    from compressnet.archive.repair import require_other
    from compressnet.images.kinds import count_text

    require_other(source, output)
    require_target_free(output, force=force)
    with progress_bar("repair", None, quiet=quiet) as report:
        repaired = repair_archive(
            source,
            output,
            codec=codec,
            backend=backend_name(backend),
            threads=threads,
            limits=parse_limits(limits),
            report=report,
        )
    if as_json:
        print(json.dumps(repaired.as_json()))
    elif not quiet:
        of = "" if repaired.images is None else f"{repaired.kept} of "
        images = count_text(repaired.kept if repaired.images is None else repaired.images)
        console.print(f"{output}: {of}{images}, {repaired.archive_bytes} bytes")
        for lost in repaired.lost:
            console.print(shown(lost.line()))
        for remark in repaired.remarks:
            console.print(shown(remark))
        if not repaired.lost and not repaired.remarks:
            console.print("nothing was damaged")
