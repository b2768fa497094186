"""A set of archives in a folder, as one array of images.

    manifest.json -> which shard an image is in -> that archive, opened when it is first needed

Axes: N images of the set, S shards.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.archive import Archive
from compressnet.archive.blocks import BlockReader
from compressnet.archive.embedding import resolve_codec
from compressnet.archive.image_array import READ_IMAGES
from compressnet.archive.indexing import runs_of_one_look
from compressnet.archive.manifest import Manifest, digest_of, read_manifest
from compressnet.archive.sharing import open_file
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.shipped import PathLike
from compressnet.container.columns import Labels
from compressnet.container.container import Container
from compressnet.container.entries import CodecEntry
from compressnet.errors import CorruptError, InputError
from compressnet.images.kinds import Pictures, Symbols
from compressnet.limits import Limits, Spending
from compressnet.threads import Lock

T = TypeVar("T")
OPEN_SHARDS = 8
"""Shards that are kept open; each keeps up to 64 MiB of what was read of it."""


class ArchiveSet(Archive):
    """A set of archives, indexed as one; `compressnet.open` makes one from its folder.

    Images, labels and names are as in an `Archive`. What belongs to one file, such as its blocks,
    is asked of a shard: `archives.shard(0)`.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, load: Callable[[Path], Archive], reopen: Callable[[], Archive]
    ) -> None:
        """load: opens a shard. reopen: what pickling stores."""
        self.folder, self.manifest = folder, manifest
        self._load, self._reopen = load, reopen
        self._opened: OrderedDict[int, Archive] = OrderedDict()
        self._lock = Lock()
        self._starts_S = np.cumsum([0, *(shard.images for shard in manifest.shards)])[:-1]
        self.look = manifest.look
        self.dtype = np.result_type(*(np.dtype(shard.dtype) for shard in manifest.shards))

    def __len__(self) -> int:
        return self.manifest.images

    def __repr__(self) -> str:
        return f"<ArchiveSet {self.name} shape={self.shape} shards={len(self.manifest.shards)}>"

    @property
    def name(self) -> str:
        """Its folder, for errors."""
        return str(self.folder)

    def shard(self, number: int) -> Archive:
        """One of its archives, which closes when nobody uses it any more.

        Raises IndexError, InputError where the file is missing, CorruptError where it is damaged
        or has another number of images than the manifest says, CodecError.
        """
        entry = self.manifest.shards[number]
        with self._lock:
            archive = self._opened.get(number)
            if archive is None:
                archive = self._load(self.folder / entry.file)
                weakref.finalize(archive, archive.container.close)
                self._opened[number] = archive
                if len(self._opened) > OPEN_SHARDS:
                    self._opened.popitem(last=False)
            self._opened.move_to_end(number)
        if len(archive) != entry.images or (self.look is not None and archive.look != self.look):
            raise CorruptError(f"{archive.name}: has other images than the manifest of its set says")
        return archive

    @property
    def container(self) -> Container:
        """Raises InputError: a set has one for each shard."""
        raise self._no_file()

    @property
    def reader(self) -> BlockReader:
        """Raises InputError: a set has one for each shard."""
        raise self._no_file()

    def _no_file(self) -> InputError:
        return InputError(
            f"{self.name}: a set of {len(self.manifest.shards)} archives, which is no single file; "
            f"give one of them, such as {self.folder / self.manifest.shards[0].file}"
        )

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each image, (H,W) or (H,W,C). Raises CorruptError for a damaged block."""
        if self.look is not None:
            return [self.look.shape] * len(self)
        return [shape for number in range(len(self._starts_S)) for shape in self.shard(number).shapes]

    @property
    def labels(self) -> Labels | None:
        """Integers (N,) or texts (N,), or None where the set has none."""
        if self.manifest.labels is None:
            return None
        shards = range(len(self._starts_S))
        found: list[Any] = [self._column(number, self.shard(number).labels) for number in shards]
        return np.concatenate(found)

    @property
    def names(self) -> Sequence[str] | None:
        """The images' names, or None where the set has none."""
        if not self.manifest.names:
            return None
        shards = range(len(self._starts_S))
        return [name for number in shards for name in self._column(number, self.shard(number).names)]

    def _column(self, number: int, column: T | None) -> T:
        """The labels or names of a shard. Raises CorruptError where it has none."""
        if column is None:
            raise CorruptError(f"{self.shard(number).name}: lacks labels or names, which others of its set have")
        return column

    @property
    def class_names(self) -> list[str] | None:
        """What the labels 0, 1, 2 and so on stand for, or None where the set does not say."""
        names = self.manifest.class_names
        return None if names is None else list(names)

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for archive in self._opened.values():
                archive.close()
            self._opened.clear()

    def batches(self, images: int = READ_IMAGES, chosen: slice | None = None) -> Iterator[Pictures]:
        """Images in order, all or those of a slice, as arrays (n,H,W[,C]) of one shape and type.

        An array holds consecutive images of a shard, up to about `images` of them.
        """
        wanted = range(len(self))[slice(None) if chosen is None else chosen]
        if wanted.step != 1:
            for start in range(0, len(wanted), images):
                read = self[np.asarray(wanted[start : start + images], np.int64)]
                yield from runs_of_one_look(list(read))
            return
        for number, start in enumerate(self._starts_S.tolist()):
            first, stop = max(wanted.start - start, 0), min(wanted.stop - start, self.manifest.shards[number].images)
            if first < stop:
                yield from self.shard(number).batches(images, slice(first, stop))

    def check(self, report: Callable[[int], None] = lambda _: None) -> None:
        """Compare every checksum, decode every block, and compare each file with the manifest.

        `report` is told how many images are done. Raises CorruptError for the first damage found.
        """
        for entry in (*self.manifest.shared, *self.manifest.shards):
            if digest_of(self.folder / entry.file) != entry.sha256:
                raise CorruptError(f"{self.folder / entry.file}: is not the file that the manifest of its set names")
        for number, start in enumerate(self._starts_S.tolist()):
            self.shard(number).check(lambda images, before=start: report(before + images))

    def with_symbols(self) -> NDArray[np.bool_]:
        """Which images have symbols, (N,), as for `Archive`. Raises CorruptError."""
        return np.concatenate([self.shard(number).with_symbols() for number in range(len(self._starts_S))])

    def ideal_bytes(self) -> float:
        """The ideal code length of all symbols, in bytes: a diagnostic, not a rate."""
        return sum(self.shard(number).ideal_bytes() for number in range(len(self._starts_S)))

    def _block_counts(self) -> NDArray[np.int64]:
        return np.concatenate([self.shard(number)._block_counts() for number in range(len(self._starts_S))])

    def _read_one(self, position: int) -> Pictures:
        number = int(np.searchsorted(self._starts_S, position, side="right")) - 1
        return self.shard(number)[position - int(self._starts_S[number])]

    def _by_shard(self, positions: NDArray[np.int64]) -> Iterator[tuple[Archive, NDArray[np.int64], NDArray[np.int64]]]:
        """Each shard that some images are in, which of them, and their numbers in it."""
        numbers = np.searchsorted(self._starts_S, positions, side="right") - 1
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            yield self.shard(number), rows, positions[rows] - self._starts_S[number]

    def _read(self, positions: NDArray[np.int64]) -> Pictures | list[Pictures]:
        if self.look is not None:
            images = np.empty((len(positions), *self.look.shape), self.look.dtype)
            for archive, rows, own in self._by_shard(positions):
                images[rows] = archive[own]
            return images
        found: dict[int, Pictures] = {}
        for archive, rows, own in self._by_shard(positions):
            found.update(zip(rows.tolist(), archive[own], strict=True))
        listed = [found[row] for row in range(len(positions))]
        alike = len({(image.shape, image.dtype) for image in listed}) == 1
        return np.stack(listed) if alike else listed

    def read_symbols(self, positions: NDArray[np.int64]) -> Symbols:
        """Symbols (n,D) of images of the set. Raises InputError as an `Archive` does."""
        parts = [(rows, archive.read_symbols(own)) for archive, rows, own in self._by_shard(positions)]
        widths = sorted({symbols.shape[1] for _, symbols in parts})
        if len(widths) > 1:
            raise InputError(f"{self.name}: images with {' and '.join(map(str, widths))} symbols; select those of one")
        found = np.zeros((len(positions), *widths), np.int32)
        for rows, symbols in parts:
            found[rows] = symbols
        return found


def open_set(
    folder: Path,
    codec: PathLike | Codec | None,
    backend: BackendName | None,
    threads: int | None,
    limits: Limits,
    reopen: Callable[[], Archive],
) -> ArchiveSet:
    """The set of archives in a folder; see `compressnet.open`.

    What its shards share is loaded once. Raises InputError, FormatError, CorruptError.
    """
    codecs: dict[bytes, Codec] = {}

    def load(path: Path) -> Archive:
        container, spending = open_file(path, limits=limits), Spending(limits)

        def resolve(entry: CodecEntry) -> Codec:
            if entry.identity not in codecs:
                codecs[entry.identity] = resolve_codec(entry, codec, container.name, backend, threads, spending)
            return codecs[entry.identity]

        try:
            return Archive(container, resolve)
        except BaseException:
            container.close()
            raise

    return ArchiveSet(folder, read_manifest(folder), load, reopen)
