"""The command line: arguments in, one library call, figures out.

No logic that the library lacks.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import compressnet
from compressnet.commands.archives import decompress, info
from compressnet.commands.codecs import refine, train
from compressnet.commands.compressing import compress
from compressnet.commands.console import FAILED, console, guarded
from compressnet.commands.damage import repair, verify
from compressnet.commands.exporting import export
from compressnet.commands.figures import bench, demo, evaluate
from compressnet.commands.maintenance import append, concat, subset
from compressnet.commands.packing import advise, pack
from compressnet.native.library import core_name

app = typer.Typer(
    help="A neural codec for collections of small images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    pack,
    advise,
    compress,
    decompress,
    evaluate,
    bench,
    train,
    refine,
    export,
    concat,
    subset,
    append,
    info,
    verify,
    repair,
    demo,
):
    app.command()(command)


@guarded
def _print_version(value: bool) -> None:
    if value:
        name = core_name()
        core = f"native, {name}" if name else "none (no compiled core in this install; NumPy runs everything)"
        console.print(f"compressnet {compressnet.__version__}\ncore: {core}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and the core.")
    ] = False,
) -> None:
    """A neural codec for collections of small images."""


def run() -> None:
    """The entry point: a closed pipe ends the program quietly."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(FAILED) from None


if __name__ == "__main__":
    run()
