"""Compress and pack with `--engine`: what is chosen on a sample, and told at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressnet.commands.console import INTERRUPTED, fail, status_line
from compressnet.commands.sharding import (
    SAMPLE_BYTES,
    SAMPLE_IMAGES,
    TRAINED_BYTES,
    TRAINED_IMAGES,
    Where,
    tell_set,
    write_sharded,
)
from compressnet.commands.watching import Watcher

if TYPE_CHECKING:
    from compressnet.archive.writing.picked import Picked
    from compressnet.archive.writing.settings import Settings
    from compressnet.codec.codec import Codec
    from compressnet.images import Collection, Reading
    from compressnet.packing.choosing import Asked, Reach
    from compressnet.packing.options import Packed, PackOptions


def compress_set(
    sources: list[str],
    output: str,
    where: Where,
    asked: Asked,
    reading: Reading,
    reach_for: Callable[[int], Reach],
    *,
    strict: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """`compress --engine`. reach_for: finds a quality for a target, for so many images in all."""
    from compressnet.packing.choosing import choose

    picked: list[Picked | None] = []

    def chosen_on(sample: Collection, images: int) -> tuple[Codec | None, Settings]:
        chosen = choose(sample, asked, reach_for(images))
        picked.append(chosen.picked)
        return chosen.codec, chosen.settings

    done = write_sharded(
        *(sources, output, where, chosen_on),
        reading=reading,
        request={"command": "compress", "reading": asdict(reading)} | asked.as_json(),
        most_images=SAMPLE_IMAGES,
        most_bytes=SAMPLE_BYTES,
        backend=asked.backend,
        threads=asked.threads,
        strict=strict,
        force=force,
        quiet=quiet,
    )
    found = next(iter(picked), None)
    lines = [] if found is None or found.remark is None else [found.remark]
    more = {"picked": None if found is None else found.as_json()}
    tell_set(done, output, lines=lines, as_json=as_json, quiet=quiet, more=more)


def pack_set(
    sources: list[str],
    output: Path,
    where: Where,
    options: PackOptions,
    reading: Reading,
    show: Callable[[Callable[[str], None], Any], None],
    lines_of: Callable[[Packed], list[str]],
    *,
    strict: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """`pack --engine`: one codec is trained on a sample of all inputs; all tasks write with it.

    show: tells how far the training is. lines_of: what is to be said of what was packed.
    """
    from compressnet.packing import pack as packing
    from compressnet.packing.sharding.write_set import trial_path
    from compressnet.training import import_training

    settled: list[packing.Settled] = []

    def trained_on(sample: Collection, images: int) -> tuple[Codec | None, Settings]:
        del images
        with status_line(quiet=quiet) as say:
            watcher = Watcher(partial(show, say), say)
            settled.append(packing.settle(sample, trial_path(output), options, watcher, resume=True))
        return settled[0].job.codec, settled[0].settings

    try:
        done = write_sharded(
            *(sources, str(output), where, trained_on),
            reading=reading,
            request={"command": "pack", "reading": asdict(reading)} | asdict(replace(options, threads=None)),
            most_images=TRAINED_IMAGES,
            most_bytes=TRAINED_BYTES,
            threads=options.threads,
            strict=strict,
            force=force,
            quiet=quiet,
        )
    except import_training().TrainingInterrupted as error:
        fail(f"interrupted; the training so far is in {error}, the same command goes on from there", INTERRUPTED)
    packed = settled[0].packed if settled else None
    lines = [] if packed is None else lines_of(packed)
    more = {"packed_sample": None if packed is None else packed.as_json()}
    tell_set(done, str(output), lines=lines, as_json=as_json, quiet=quiet, more=more)
