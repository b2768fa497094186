"""What runs on workers: a look at an input, some images of it, and its shards.

Each function takes one record and gives one, so that any engine can send them anywhere. A shard
appears under its name when it is whole, and one that is there is not written again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compressnet import api
from compressnet.adaptive.part import AdaptivePart
from compressnet.archive.embedding import SHARED_NAME
from compressnet.archive.manifest import ShardEntry, shard_entry
from compressnet.archive.sharing import read_shared
from compressnet.archive.writing.outcome import Written
from compressnet.codec.bundle import adaptive_bundle
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.loading import load, make_codec
from compressnet.errors import FormatError, InputError
from compressnet.images import Collection, Reading
from compressnet.images.kinds import Pictures
from compressnet.images.labels import are_texts
from compressnet.limits import DEFAULT_LIMITS
from compressnet.packing.sharding.plan import CODEC_NAME, Columns, Recipe, Shard, Survey
from compressnet.packing.sources import open_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An input to be looked at."""

    source: str
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTask:
    """Images of an input to be taken as a sample, evenly spread."""

    source: str
    reading: Reading
    images: int
    """How many, at most."""
    most_bytes: int
    run: int
    """How many neighbours are taken together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardsTask:
    """Shards of an input to be written."""

    folder: str
    source: str
    reading: Reading
    recipe: Recipe
    columns: Columns
    shards: tuple[Shard, ...]
    """In order. Several, where the input has to be read from its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardDone:
    """A shard that is there."""

    entry: ShardEntry
    written: Written | None
    """None where it was there before."""


def survey(look: Look) -> Survey:
    """What an input holds. Raises InputError, MissingExtraError."""
    collection = open_source(look.source, look.reading)
    labels = collection.labels
    return Survey(
        source=look.source,
        images=collection.count,
        seekable=collection.span is not None,
        labels=None if labels is None else "texts" if are_texts(labels) else "integers",
        class_names=None if collection.class_names is None else tuple(collection.class_names),
        names=collection.names is not None,
        account=collection.account,
    )


def take_sample(task: SampleTask) -> list[Pictures]:
    """Arrays (n,H,W[,C]) of some images. Raises InputError."""
    collection = open_source(task.source, task.reading)
    first = next(collection.between(0, 1))
    count = min(task.images, max(1, task.most_bytes // max(1, first.nbytes)))
    runs = max(1, min(-(-count // task.run), -(-collection.count // task.run)))
    starts = np.unique(np.linspace(0, max(0, collection.count - task.run), runs).astype(np.int64)).tolist()
    spans = [(start, min(start + task.run, collection.count)) for start in starts]
    if count >= collection.count:
        spans = [(0, collection.count)]
    arrays: list[Pictures] = []
    taken_bytes = 0
    for array in _spans(collection, spans):
        arrays.append(array)
        taken_bytes += array.nbytes
        if taken_bytes > 2 * task.most_bytes:  # later images are larger than the first one
            break
    return arrays


def _spans(collection: Collection, spans: list[tuple[int, int]]) -> Iterator[Pictures]:
    """The images of some ranges, which may overlap, in one pass where that is quicker."""
    if collection.span is not None:
        for start, stop in spans:
            yield from collection.span(start, stop)
        return
    position = 0
    for batch in collection.batches():
        rows = np.arange(position, position + len(batch))
        chosen = np.any([(rows >= start) & (rows < stop) for start, stop in spans], axis=0)
        position += len(batch)
        if chosen.any():
            yield batch[chosen]


def write_shards(task: ShardsTask) -> list[ShardDone]:
    """Write those shards of an input that are not there yet.

    Raises InputError, CodecError, and DefectError where nothing may be lost but was.
    """
    folder = Path(task.folder)
    there = {shard.file: _whole(folder, shard) for shard in task.shards}
    if all(there.values()):
        return [ShardDone(entry=entry, written=None) for entry in there.values() if entry is not None]
    collection = open_source(task.source, task.reading)
    if task.shards[-1].stop > collection.count:
        raise InputError(f"{task.source}: has changed since it was opened; let nothing change it meanwhile")
    codec = codec_of(task.folder, task.recipe)
    done: list[ShardDone] = []
    for shard, images in _cut_images(collection, task.shards):
        entry, written = there[shard.file], None
        if entry is None:
            written = _write(task, shard, images, collection, codec)
            entry = shard_entry(folder / shard.file)
        done.append(ShardDone(entry=entry, written=written))
    return done


def _cut_images(collection: Collection, shards: tuple[Shard, ...]) -> Iterator[tuple[Shard, Iterator[Pictures]]]:
    """The images of each shard; of several, in one pass over the input."""
    if collection.span is not None or len(shards) == 1:
        for shard in shards:
            yield shard, collection.between(shard.start, shard.stop)
        return
    source = collection.between(shards[0].start, shards[-1].stop)
    left: list[Pictures] = []

    def take(images: int) -> Iterator[Pictures]:
        while images:
            array = left.pop() if left else next(source, None)
            if array is None:
                raise InputError(f"{collection.name}: ended too early; let nothing change it meanwhile")
            if len(array) > images:
                left.append(array[images:])
            yield array[:images]
            images -= min(len(array), images)

    for shard in shards:
        images = take(shard.images)
        yield shard, images
        for _ in images:  # what is left of a shard that was there already
            pass


def _write(task: ShardsTask, shard: Shard, images: Iterator[Pictures], collection: Collection, codec: Codec) -> Written:
    rows, columns = slice(shard.start, shard.stop), task.columns
    return api.write(
        images,
        Path(task.folder) / shard.file,
        codec,
        task.recipe.settings,
        labels=None if columns.labels is None or collection.labels is None else collection.labels[rows],
        names=None if not columns.names or collection.names is None else collection.names[rows],
        class_names=columns.class_names,
        backend=_backend(task.recipe),
    )


def _whole(folder: Path, shard: Shard) -> ShardEntry | None:
    """What is there of a shard: all of it, or nothing.

    Its index is read and, where an earlier manifest has its digest, that is compared.
    """
    if not (folder / shard.file).is_file():
        return None
    try:
        entry = shard_entry(folder / shard.file)
    except FormatError:
        return None
    is_whole = entry.images == shard.images and shard.sha256 in (None, entry.sha256)
    return entry if is_whole else None


def _backend(recipe: Recipe) -> BackendName | None:
    return recipe.backend  # pyright: ignore[reportReturnType]


@functools.lru_cache(maxsize=2)
def codec_of(folder: str, recipe: Recipe) -> Codec:
    """The codec that a recipe names, ready to run; a worker loads it once."""
    backend, threads = _backend(recipe), recipe.settings.threads
    primer = None
    if recipe.primer is not None:
        entry = read_shared(Path(folder) / SHARED_NAME, DEFAULT_LIMITS)[bytes.fromhex(recipe.primer)]
        primer = AdaptivePart.of(entry.embedded or b"", f"{folder}: the primer")
    if recipe.codec is None:
        assert primer is not None
        return make_codec(adaptive_bundle(primer), backend, threads, "what was learned")
    codec = load(Path(folder) / CODEC_NAME if recipe.codec == CODEC_NAME else recipe.codec, backend, threads)
    return codec if primer is None else codec.with_part(primer)
