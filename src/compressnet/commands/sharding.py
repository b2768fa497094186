"""`--engine dask` of compress and pack: many inputs to a set of archives, on many processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compressnet.commands.console import USAGE, console, fail, make_progress
from compressnet.commands.options import STREAM
from compressnet.errors import InputError

if TYPE_CHECKING:
    from compressnet.archive.writing.settings import Settings
    from compressnet.codec.codec import BackendName, Codec
    from compressnet.images import Collection, Reading
    from compressnet.packing.sharding.write_set import SetWritten

SAMPLE_IMAGES, SAMPLE_BYTES = 16_384, 1 << 26
"""Of all inputs, what `compress` chooses on, at most."""
TRAINED_IMAGES, TRAINED_BYTES = 1 << 20, 1 << 27
"""Of all inputs, what `pack` trains on, at most."""


class EngineChoice(str, Enum):
    """Who runs the tasks of a set of archives."""

    dask = "dask"


EngineOption = Annotated[
    EngineChoice | None,
    typer.Option("--engine", help="Write a set of archives into the folder OUT, on several processes or machines."),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="With --engine: a scheduler that runs, as tcp://host:8786; else here."),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="With --engine: processes here; by default one for each processor.")
]
ShardImagesOption = Annotated[
    int | None, typer.Option(min=1, help="With --engine: images of a shard, at most; by default 100,000.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The options of an engine."""

    engine: EngineChoice | None
    scheduler: str | None
    workers: int | None
    shard_images: int | None

    def require_unused(self, inputs: Sequence[str]) -> str:
        """The one input of a command without an engine; leaves with a line for more than that."""
        for option, value in (
            ("--scheduler", self.scheduler),
            ("--workers", self.workers),
            ("--shard-images", self.shard_images),
        ):
            if value is not None:
                fail(f"{option} goes with --engine dask", USAGE)
        if len(inputs) != 1:
            fail(f"{len(inputs)} inputs: --engine dask writes a set of archives of them; else give one", USAGE)
        return inputs[0]


def require_none(**options: object) -> None:
    """Leave with a line where options are given that do not go with an engine."""
    for name, value in options.items():
        if value:
            fail(f"--{name.replace('_', '-')} does not go with --engine dask", USAGE)


def write_sharded(
    inputs: Sequence[str],
    output: str,
    where: Where,
    choose: Callable[[Collection, int], tuple[Codec | None, Settings]],
    *,
    reading: Reading,
    request: dict[str, Any],
    most_images: int,
    most_bytes: int,
    backend: BackendName | None = None,
    threads: int | None = None,
    strict: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> SetWritten:
    """Write a set, with progress on stderr. Raises CompressnetError."""
    from compressnet.integrations.dask import DaskEngine
    from compressnet.packing.sharding.plan import SHARD_IMAGES
    from compressnet.packing.sharding.write_set import SetAsked, write_set
    from compressnet.remote import is_url

    if STREAM in (output, *inputs):
        fail("--engine dask: - is one process's own; give files and folders that all processes see", USAGE)
    if is_url(output):
        raise InputError(f"{output}: --engine dask writes a folder, which has to be a path that all processes see")
    if Path(output).exists() and not Path(output).is_dir():
        raise InputError(f"{output}: is a file; --engine dask writes a folder")
    asked = SetAsked(
        inputs=tuple(str(Path(source).absolute()) if Path(source).exists() else source for source in inputs),
        folder=Path(output),
        reading=reading,
        request=request,
        shard_images=where.shard_images or SHARD_IMAGES,
        sample_images=most_images,
        sample_bytes=most_bytes,
        backend=backend,
        threads=threads or 1,
        strict=strict,
        force=force,
    )
    with make_progress(quiet=quiet) as progress, DaskEngine(where.scheduler, where.workers) as engine:
        bar = progress.add_task("start")
        return write_set(
            asked,
            engine,
            choose,
            lambda done, total: progress.update(bar, completed=done, total=total),
            lambda step: progress.update(bar, description=step),
        )


def tell_set(done: SetWritten, output: str, *, lines: Sequence[str], as_json: bool, quiet: bool, more: Any) -> None:
    """What was written. lines: what else is to be said; more: fields of the JSON document."""
    from compressnet.images.kinds import count_text
    from compressnet.packing.sharding.write_set import manifest_json

    if as_json:
        document = manifest_json(done.manifest) | {"reused_shards": done.reused, "written": done.written.as_json()}
        print(json.dumps(document | {"account": done.account.as_json()} | more))
        return
    if quiet:
        return
    manifest = done.manifest
    console.print(
        f"{output}: {count_text(manifest.images)} in {len(manifest.shards)} shards, {manifest.bytes} bytes, "
        f"{manifest.bytes / manifest.images:.2f} an image"
    )
    if done.reused:
        console.print(f"{done.reused} of the shards were there already; what follows is of the others")
    for line in (*lines, *done.written.remarks(), *done.account.lines()):
        console.print(line)
