"""From many inputs to a set of archives; run again, it does what is missing.

DIR/plan.json     while shards are written: what was asked for, and what was chosen
DIR/shared.cnet   what the shards share       DIR/shared.codec   a trained codec, with encoder
DIR/shard-*.cnet  each when it is whole       DIR/manifest.json  when all of them are there
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from compressnet.archive.embedding import SHARED_NAME
from compressnet.archive.manifest import (
    MANIFEST_NAME,
    Manifest,
    ShardEntry,
    file_entry,
    read_manifest,
    write_manifest,
)
from compressnet.archive.writing.outcome import Written, together
from compressnet.archive.writing.settings import Settings
from compressnet.codec.codec import BackendName, Codec
from compressnet.errors import CompressnetError, InputError
from compressnet.files import atomic_write
from compressnet.images import Account, Collection, Reading
from compressnet.packing.sharding.engine import Engine
from compressnet.packing.sharding.plan import (
    CODEC_NAME,
    SHARD_NAME,
    Columns,
    Recipe,
    Shard,
    Survey,
    common_columns,
    cut,
    named,
    require_different,
)
from compressnet.packing.sharding.recipe import make_recipe
from compressnet.packing.sharding.sampling import sampled
from compressnet.packing.sharding.tasks import Look, ShardDone, ShardsTask, survey, write_shards
from compressnet.remote import Url, located

PLAN_NAME = "plan.json"
TRIAL_NAME = "trial"
"""The folder within which a training goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAsked:
    """A set that is asked for."""

    inputs: tuple[str, ...]
    folder: Path
    reading: Reading
    request: dict[str, Any]
    """All options that bytes depend on, as JSON: a rerun is told by them from another command."""
    shard_images: int
    sample_images: int
    sample_bytes: int
    """How much is sampled at most, to choose on."""
    backend: BackendName | None
    threads: int
    """Of each task."""
    strict: bool
    force: bool
    """Whether a set of other inputs or options is replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWritten:
    """A set that is there."""

    manifest: Manifest
    written: Written
    """Of the shards that were written now; those that were there before are not in it."""
    reused: int
    """Shards that were there before."""
    account: Account


Choose = Callable[[Collection, int], tuple[Codec | None, Settings]]
"""Chooses codec and settings on a sample of so many images in all."""


def write_set(
    asked: SetAsked, engine: Engine, choose: Choose, report: Callable[[int, int], None], step: Callable[[str], None]
) -> SetWritten:
    """Write a set of archives, or what is missing of it.

    `report` is told how many images are done, of how many; `step` what comes next. Raises
    InputError, CodecError, DefectError, and EngineError where the work cannot go on; what is
    written until then stays, and the same call goes on from there.
    """
    require_different(asked.inputs)
    folder = asked.folder
    folder.mkdir(parents=True, exist_ok=True)
    step("look at the inputs")
    looks = [Look(source=source, reading=asked.reading) for source in asked.inputs]
    found = dict(engine.each(survey, looks))
    surveys = [found[i] for i in range(len(looks))]
    columns, account = common_columns(surveys)
    if asked.strict:
        account.require_complete(f"{len(surveys)} inputs")
    request = asked.request | {
        "shard_images": asked.shard_images,
        "inputs": [_input_of(survey) for survey in surveys],
    }
    recipe = _known_recipe(asked, request)
    if recipe is None:
        step("take a sample")
        limits = {"most_images": asked.sample_images, "most_bytes": asked.sample_bytes}
        sample = sampled(surveys, asked.reading, engine, **limits)
        codec, settings = choose(sample, sum(survey.images for survey in surveys))
        recipe = make_recipe(folder, sample, codec, settings, backend=asked.backend, threads=asked.threads)
        plan = {"request": request, "recipe": recipe.as_json()}
        atomic_write(folder / PLAN_NAME, (json.dumps(plan, indent=1) + "\n").encode())
    shutil.rmtree(folder / TRIAL_NAME, ignore_errors=True)
    shards = _with_digests(folder, named(cut(surveys, asked.shard_images), recipe, columns))
    step("write shards")
    done = _write_all(asked, engine, recipe, columns, surveys, shards, report)
    manifest = _finished(folder, recipe, columns, request, shards, done)
    parts: list[tuple[int, Written]] = []
    first = 0
    for shard in shards:
        written = done[shard.file].written
        parts += [] if written is None else [(first, written)]
        first += shard.images
    return SetWritten(manifest=manifest, written=together(parts), reused=len(shards) - len(parts), account=account)


def _input_of(survey: Survey) -> dict[str, Any]:
    """What tells an input from another one, or from itself after a change."""
    place, known = located(survey.source), {"source": survey.source, "images": survey.images}
    if isinstance(place, Url):
        return known | {"version": place.version()}
    if not place.exists():  # such as a sample that ships
        return known
    status = place.stat()
    return known | {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _known_recipe(asked: SetAsked, request: dict[str, Any]) -> Recipe | None:
    """What the same command chose before; None where it is to be chosen now.

    Raises InputError where the folder has something else.
    """
    folder = asked.folder
    try:
        before = _before(folder)
        if before is not None and before["request"] == json.loads(json.dumps(request)):
            recipe = Recipe.from_json(before["recipe"])
            if not recipe.settings.shared or (folder / SHARED_NAME).is_file():
                return recipe
    except (KeyError, TypeError, ValueError, CompressnetError):
        before = {}
    if asked.force:
        for name in (MANIFEST_NAME, PLAN_NAME):
            (folder / name).unlink(missing_ok=True)
        return None
    if before is not None:
        raise InputError(
            f"{folder}: has a set of archives of other inputs or options, or a damaged one; -f replaces it, or give "
            "another folder"
        )
    others = [path.name for path in folder.iterdir() if not _is_ours(path.name)]
    if others:
        raise InputError(f"{folder}: is not empty, it has {min(others)}; give another folder")
    return None


def _before(folder: Path) -> dict[str, Any] | None:
    """Request and recipe of the set that is there, whole or not."""
    if (folder / PLAN_NAME).is_file():
        return json.loads((folder / PLAN_NAME).read_bytes())
    return read_manifest(folder).made if (folder / MANIFEST_NAME).is_file() else None


def _with_digests(folder: Path, shards: Sequence[Shard]) -> list[Shard]:
    """The shards with what the manifest of an earlier run says of them."""
    if not (folder / MANIFEST_NAME).is_file():
        return list(shards)
    known = {entry.file: entry.sha256 for entry in read_manifest(folder).shards}
    return [replace(shard, sha256=known.get(shard.file)) for shard in shards]


def _is_ours(name: str) -> bool:
    return name in (SHARED_NAME, CODEC_NAME, TRIAL_NAME) or name.startswith(".")


def _write_all(
    asked: SetAsked,
    engine: Engine,
    recipe: Recipe,
    columns: Columns,
    surveys: Sequence[Survey],
    shards: Sequence[Shard],
    report: Callable[[int, int], None],
) -> dict[str, ShardDone]:
    """All shards, by their files' names."""
    of_source: dict[str, list[Shard]] = {}
    for shard in shards:
        of_source.setdefault(shard.source, []).append(shard)
    tasks = [
        ShardsTask(
            folder=str(asked.folder.absolute()),
            source=one.source,
            reading=asked.reading,
            recipe=recipe,
            columns=columns,
            shards=tuple(some),
        )
        for one in surveys
        for some in ([[shard] for shard in of_source[one.source]] if one.seekable else [of_source[one.source]])
    ]
    total, images = sum(shard.images for shard in shards), 0
    done: dict[str, ShardDone] = {}
    report(0, total)
    for _, some in engine.each(write_shards, tasks):
        done |= {one.entry.file: one for one in some}
        images += sum(one.entry.images for one in some)
        report(images, total)
    return done


def _finished(
    folder: Path,
    recipe: Recipe,
    columns: Columns,
    request: dict[str, Any],
    shards: Sequence[Shard],
    done: dict[str, ShardDone],
) -> Manifest:
    """Write the manifest, and remove what is not of the set: other shards, and parts of shards."""
    entries: list[ShardEntry] = [done[shard.file].entry for shard in shards]
    shared = [SHARED_NAME] if recipe.settings.shared else []
    manifest = Manifest(
        shards=tuple(entries),
        shared=tuple(file_entry(folder / name) for name in shared),
        labels=columns.labels,
        class_names=columns.class_names,
        names=columns.names,
        made={"request": request, "recipe": recipe.as_json()},
    )
    kept = {entry.file for entry in entries}
    for path in folder.iterdir():
        whole_name = path.name.removeprefix(".").rpartition(".cnet")[0] + ".cnet"
        if SHARD_NAME.fullmatch(whole_name) and path.name not in kept:
            path.unlink(missing_ok=True)
    write_manifest(folder, manifest)
    (folder / PLAN_NAME).unlink(missing_ok=True)
    return manifest


def trial_path(folder: Path) -> Path:
    """Where a training packs its sample, and lies meanwhile."""
    trial = folder / TRIAL_NAME
    trial.mkdir(exist_ok=True)
    return trial / "sample.cnet"


def manifest_json(manifest: Manifest) -> dict[str, Any]:
    """What `--json` tells of a set."""
    return {"images": manifest.images, "bytes": manifest.bytes, "shards": [asdict(one) for one in manifest.shards]}
