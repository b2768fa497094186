"""INPUT of the commands: how it is read, and what is told of it at the end."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compressnet.commands.console import USAGE, console, fail
from compressnet.commands.options import STREAM, require_target_free
from compressnet.errors import InputError

if TYPE_CHECKING:
    from compressnet.images import Collection

_INPUT = (
    "A folder, .zip or .tar(.gz|.xz|.bz2) of pictures, .parquet, .npz, .npy or IDX(.gz), a folder of such files, a "
    "Zarr array, 'mnist', or - for IDX or .npy on stdin"
)
InputArgument = Annotated[str, typer.Argument(metavar="INPUT", help=f"{_INPUT}.")]
InputsArgument = Annotated[
    list[str], typer.Argument(metavar="INPUT...", help=f"{_INPUT}. With --engine, any number of them.")
]
LabelsOption = Annotated[
    str | None, typer.Option("--labels", help="IDX, .npy, .npz, one label a line, or .csv: name,label.")
]
NoLabelsOption = Annotated[bool, typer.Option("--no-labels", help="Take no labels, even where there are some.")]
ConvertOption = Annotated[
    bool, typer.Option("--convert", help="Make 8 bits of pictures and arrays of 16 bits or floating point.")
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad", help="Leave broken and unsupported pictures out, instead of stopping.")
]
SkippedOption = Annotated[
    str | None,
    typer.Option("--skipped", metavar="FILE", help="List what --skip-bad leaves out, and why."),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Stop before anything is written if anything would be left out or dropped.")
]


class ModesChoice(str, Enum):
    """How many channels images are coded in."""

    as_is = "as-is"
    tight = "tight"


ModesOption = Annotated[
    ModesChoice | None,
    typer.Option(
        "--modes",
        help="tight: code grey saved as RGB in one channel, and opaque images without alpha; they come back as they "
        "were. By default where every image of the collection allows it.",
    ),
]
NamesEncodingOption = Annotated[
    str | None, typer.Option("--names-encoding", help="Of names in a .zip or .tar that do not say theirs, as cp932.")
]


def open_input(
    source: str,
    *,
    labels: str | None = None,
    no_labels: bool = False,
    convert: bool = False,
    skip_bad: bool = False,
    skipped: str | None = None,
    strict: bool = False,
    names_encoding: str | None = None,
    deep: bool = False,
    output: str | None = None,
    force: bool = False,
) -> Collection:
    """The collection of INPUT, - being standard input (IDX or .npy).

    With `skipped`, the list of what was skipped is written. deep: whether 16 bits are taken as
    they are. output: which may not be the input. force: whether `skipped` may be there already.
    Raises InputError, MissingExtraError.
    """
    from compressnet.files import atomic_write, is_same_file
    from compressnet.images import Reading, collection_from_bytes, read_labels
    from compressnet.images.account import Ledger, merged
    from compressnet.packing.sources import open_source
    from compressnet.remote import located

    if labels is not None and no_labels:
        fail("give either --labels or --no-labels", USAGE)
    if skipped is not None and not skip_bad:
        fail("--skipped lists what --skip-bad leaves out; give both", USAGE)
    for target in (output, skipped):
        if target is not None and source != STREAM and is_same_file(located(target), located(source)):
            raise InputError(f"{target}: is the input; give another name")
    if skipped is not None:
        require_target_free(skipped, force=force)
    reading = Reading(
        convert=convert,
        skip_bad=skip_bad,
        deep=deep,
        labels=labels is None and not no_labels,
        names_encoding=names_encoding,
    )
    if source == STREAM:
        collection = collection_from_bytes(sys.stdin.buffer.read(), "standard input", reading)
    else:
        collection = open_source(source, reading)
    if labels is not None:
        ledger = Ledger()
        found = read_labels(labels, collection.names, ledger)
        account = merged([replace(collection.account, labels=""), ledger.account(labels=f"from {labels}", names="")])
        collection = replace(collection, labels=found, class_names=None, account=account)
    if strict:
        collection.account.require_complete(source)
    if skipped is not None:
        lines = [f"{name}\t{note.what}\n" for note in collection.account.skipped for name in note.names]
        atomic_write(located(skipped), "".join(lines).encode())
    return collection


def tell_account(collection: Collection) -> None:
    """A line for everything that a user should know of what was read."""
    for line in collection.account.lines():
        console.print(line)


def account_json(collection: Collection) -> dict[str, Any]:
    """The account, as `--json` prints it under `account`."""
    return {"images": collection.count, **collection.account.as_json()}
