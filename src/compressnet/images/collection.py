"""`Collection`: images of any sizes that can be read from the start, any number of times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.account import Account
from compressnet.images.kinds import Pictures, size_text

BATCH_IMAGES = 2048
BATCH_BYTES = 1 << 26
"""Arrays of large images have fewer of them."""
ONE_KIND = "one size and mode is needed here; crop or scale them first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Pictures in order, with names and labels where the source has them."""

    name: str
    count: int
    batches: Callable[[], Iterator[Pictures]]
    """Arrays (n,H,W) or (n,H,W,C), in order; uint8, or uint16 where the source has 16 bits.

    The shape of the images, and their type, may change from array to array.
    """
    names: Sequence[str] | None = None
    """A relative path with `/` for each image."""
    labels: NDArray[Any] | None = None
    """int64 or texts, one for each image."""
    class_names: Sequence[str] | None = None
    """What integer labels 0, 1, 2 and so on stand for, where the source says so."""
    span: Callable[[int, int], Iterator[Pictures]] | None = None
    """As `batches`, images start to stop - 1 alone, where the source gives them without reading
    those before."""
    account: Account = field(default_factory=Account)
    """What was left out of it, dropped or changed, and where labels and names come from."""

    def load(self, limit: int | None = None, way_out: str = ONE_KIND) -> NDArray[Any]:
        """All images, or the first `limit`, as one array (N,H,W[,C]).

        Raises InputError, which ends with `way_out`, where sizes differ.
        """
        return np.concatenate(list(_limited(one_shape(self.batches(), self.name, way_out), limit)))

    def arrays(self, limit: int | None = None) -> Iterator[Pictures]:
        """All images, or the first `limit`, as `batches` gives them."""
        return _limited(self.batches(), limit)

    def between(self, start: int, stop: int) -> Iterator[Pictures]:
        """Images start to stop - 1, as `batches` gives them; quicker where there is `span`."""
        if self.span is not None:
            yield from self.span(start, stop)
            return
        first = 0
        for batch in self.batches():
            part = batch[max(start - first, 0) : max(stop - first, 0)]
            first += len(batch)
            if len(part):
                yield part
            if first >= stop and stop < self.count:  # damage at the end shows where the end is read
                break

    def sample(self, count: int) -> NDArray[Any]:
        """Up to `count` images, evenly spread over the collection, as one array.

        Raises InputError as `load` does.
        """
        positions = evenly_spread(self.count, count)
        parts: list[Pictures] = []
        start = 0
        for batch in self._same_shape():
            chosen = positions[(positions >= start) & (positions < start + len(batch))]
            parts.append(batch[chosen - start])
            start += len(batch)
        return np.concatenate(parts)

    def sample_sets(self, count: int, run: int = 1) -> list[NDArray[Any]]:
        """Up to about `count` images, evenly spread: an array (N,H,W[,C]) for each shape.

        run: how many neighbours are taken together. Raises InputError.
        """
        runs = evenly_spread(-(-self.count // run), max(1, count // run))
        parts: dict[tuple[int, ...], list[Pictures]] = {}
        start = 0
        for batch in self.batches():
            chosen = np.isin(np.arange(start, start + len(batch)) // run, runs)
            parts.setdefault(batch.shape[1:], []).append(batch[chosen])
            start += len(batch)
        sets = [np.concatenate(arrays) for arrays in parts.values()]
        return [images for images in sets if len(images)]

    def _same_shape(self) -> Iterator[Pictures]:
        return one_shape(self.batches(), self.name, ONE_KIND)


def _limited(batches: Iterable[Pictures], limit: int | None) -> Iterator[Pictures]:
    """Arrays up to so many images; without a limit to the end, which is where damage shows."""
    taken = 0
    for batch in batches:
        yield batch if limit is None else batch[: limit - taken]
        taken += len(batch)
        if limit is not None and taken >= limit:
            break


def one_shape(batches: Iterable[Pictures], what: str, way_out: str) -> Iterator[Pictures]:
    """The same arrays.

    Raises InputError at the first one whose images have another shape or type than those before.
    """
    first: Pictures | None = None
    for batch in batches:
        first = batch[:1] if first is None else first
        if (batch.shape[1:], batch.dtype) != (first.shape[1:], first.dtype):
            raise InputError(f"{what}: images of {_shape_text(first)} and of {_shape_text(batch)}; {way_out}")
        yield batch


def _shape_text(batch: Pictures) -> str:
    """The kind of a batch's images in words, height first."""
    return f"{size_text((*batch.shape[1:], 1)[:3])}{' of 16 bits' if batch.dtype == np.uint16 else ''}"


def evenly_spread(total: int, count: int) -> NDArray[np.int64]:
    """Up to `count` positions among `total`, first and last included, rising."""
    return np.unique(np.linspace(0, total - 1, count).astype(np.int64))


def survey(collection: Collection, report: Callable[[int], None] = lambda _: None) -> dict[tuple[int, ...], int]:
    """How many images there are of each shape (H,W[,C]), in order of first appearance.

    Reads all of them.

    report: takes the number of images read so far. Raises InputError.
    """
    counts: Counter[tuple[int, ...]] = Counter()
    for batch in collection.batches():
        counts[batch.shape[1:]] += len(batch)
        report(counts.total())
    return dict(counts)


def batch_images(image_bytes: int) -> int:
    """How many images of this many bytes go into one array."""
    return max(1, min(BATCH_IMAGES, BATCH_BYTES // max(1, image_bytes)))


def in_batches(images: Iterable[Pictures]) -> Iterator[Pictures]:
    """Single images (H,W) or (H,W,C) as arrays (n,H,W[,C]).

    Neighbours of one shape and type go together.
    """
    group: list[Any] = []
    for image in images:
        alike = not group or (image.shape, image.dtype) == (group[0].shape, group[0].dtype)
        if group and (not alike or len(group) >= batch_images(image.nbytes)):
            yield np.stack(group)
            group = []
        group.append(image)
    if group:
        yield np.stack(group)
