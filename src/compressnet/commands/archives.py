"""Commands on archives: decompress, info."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compressnet.commands.console import USAGE, console, errors_console, fail, guarded, progress_bar, shown
from compressnet.commands.options import (
    STREAM,
    BackendOption,
    ForceOption,
    JsonOption,
    LimitsOption,
    QuietOption,
    ReadingCodecOption,
    ThreadsOption,
    open_archive,
    parse_limits,
    parse_selection,
    require_target_free,
)
from compressnet.errors import InputError

if TYPE_CHECKING:
    from compressnet.archive.archive import Archive


@guarded
def decompress(
    source: Annotated[str, typer.Argument(metavar="ARCHIVE", help="An archive; - for stdin.")],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="PNGs in a .zip, .tar, .parquet or folder; images of one size also .npz, .npy, *-ubyte(.gz); "
            "- for .npy on stdout.",
        ),
    ],
    select: Annotated[str | None, typer.Option(metavar="A:B", help="Only images A to B-1.")] = None,
    codec: ReadingCodecOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    limits: LimitsOption = None,
) -> None:
    """Decompress an archive into images."""
    from compressnet.images import write_collection, write_npy
    from compressnet.images.kinds import count_text

    if output != STREAM:
        require_target_free(output, force=force)
    with open_archive(source, codec, backend, threads, limits) as archive:
        chosen = _parse_select(select, len(archive))
        count = chosen.stop - chosen.start
        if output == STREAM:
            _require_one_shape(archive, chosen)
        labels, names = archive.labels, archive.names
        if output == STREAM and not quiet and (labels is not None or names is not None):
            both = " and ".join(noun for noun, found in (("labels", labels), ("names", names)) if found is not None)
            errors_console.print(f"compressnet: {both} left out: .npy on standard output holds images alone")
        with progress_bar("decompress", count, quiet=quiet) as report:
            batches = _selected(archive, chosen, report)
            if output == STREAM:
                write_npy(sys.stdout.buffer, batches, count)
                return
            further = write_collection(
                output,
                batches,
                count=count,
                names=None if names is None else names[chosen],
                labels=None if labels is None else labels[chosen],
                class_names=archive.class_names,
                overwrite=force,
            )
    if not quiet:
        console.print(f"{output}: {count_text(count)}")
        for line in further:
            console.print(line)


def _parse_select(text: str | None, images: int) -> slice:
    """`A:B` as Python slices it. Raises InputError where that selects nothing."""
    if text is None:
        return slice(0, images)
    try:
        first, last = (int(part) if part else None for part in text.split(":"))
    except ValueError:
        fail(f"--select {text}: give a range such as 100:200, 100: or :200", USAGE)
    start, stop, _ = slice(first, last).indices(images)
    if start >= stop:
        raise InputError(f"--select {text}: selects none of the {images} images")
    return slice(start, stop)


def _require_one_shape(archive: Archive, chosen: slice) -> None:
    """Raises InputError where the images have several shapes.

    It does so before anything is on its way through a pipe.
    """
    shapes = sorted(set(archive.shapes[chosen])) if archive.is_mixed else []
    if len(shapes) > 1:
        raise InputError(
            f"standard output: an array takes images of one shape, these have {len(shapes)}, "
            f"such as {shapes[0]} and {shapes[1]}; write a folder, .zip, .tar or .parquet instead"
        )


def _selected(archive: Archive, chosen: slice, report: Callable[[int], None]) -> Iterator[Any]:
    """The chosen images as arrays of one shape each, some thousand at a time."""
    done = 0
    for images in archive.batches(chosen=chosen):
        yield images
        done += len(images)
        report(done)


@guarded
def info(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An archive, a .codec file or a shipped codec's name.")],
    sheet: Annotated[
        str | None,
        typer.Option("--contact-sheet", metavar="FILE.png", help="Draw images of the archive into a PNG file."),
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(metavar="A:B,C,...", help="Which images: ranges and numbers; by default the first 60."),
    ] = None,
    codec: ReadingCodecOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    limits: LimitsOption = None,
) -> None:
    """Describe an archive or a codec, or draw an archive's images."""
    from compressnet.archive.describe import describe

    if sheet is None and select is not None:
        fail("--select says which images a contact sheet shows; give --contact-sheet, too", USAGE)
    document = describe(file, parse_limits(limits))
    if sheet is not None:
        document["contact_sheet"] = _draw_sheet(document, sheet, select, codec, limits, force=force)
    if as_json:
        print(json.dumps(document))
        return
    for name, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            console.print(f"{name}:")
            for entry in value:
                console.print(
                    "  " + shown(", ".join(f"{key} {_told(key, known, ' to ')}" for key, known in entry.items()))
                )
        else:
            console.print(f"{name}: {shown(_told(name, value))}")


def _draw_sheet(
    document: dict[str, Any], target: str, select: str | None, codec: str | None, limits: str | None, *, force: bool
) -> dict[str, Any]:
    """Draw images of the archive that is described; gives what is told of the file."""
    from compressnet.archive.gallery import SHOWN, contact_sheet
    from compressnet.files import atomic_write
    from compressnet.remote import located

    sheet = located(target)
    if document["type"] != "archive":
        raise InputError(f"{document['file']}: a codec, which has no images; contact sheets are of archives")
    if sheet.suffix.lower() != ".png":
        raise InputError(f"{sheet}: contact sheets are PNG files; give a name that ends in .png")
    if sheet.exists() and not force:
        raise InputError(f"{sheet}: exists already; -f overwrites it")
    with open_archive(document["file"], codec, None, None, limits) as archive:
        chosen = range(min(SHOWN, len(archive))) if select is None else parse_selection(select, len(archive))
        atomic_write(sheet, contact_sheet(archive, chosen))
        return {"file": str(sheet), "images": len(chosen), "of": len(archive)}


def _told(name: str, value: Any, separator: str = ", ") -> str:
    """A value of `describe`'s document, in words. separator: between the values of a list."""
    if name == "size" and value is None:
        return "any"
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "contact_sheet":
        return f"{value['file']}, {value['images']} of {value['of']} images"
    if isinstance(value, dict):
        return ", ".join(f"{count} {key}" for key, count in value.items())
    if isinstance(value, list):
        return {"shape": "x", "kind": "x", "size": "x", "channels": " or "}.get(name, separator).join(map(str, value))
    return str(value)
