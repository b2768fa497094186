"""What a collection of any sizes, modes and depths takes without loss, in every lossless rival.

    collection  ->  Stacks  ->  each rival codes and decodes it, compared value by value  ->  Mixed

compressnet's own rows come from `own_rows`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compressnet import api
from compressnet.bench.points import COMPRESSNET
from compressnet.bench.rivals.lossless.family import UNPACKAGED
from compressnet.bench.rivals.lossless.rival import LosslessRival
from compressnet.bench.rivals.lossless.stacks import Stacks, difference, spread
from compressnet.codec.codec import Codec
from compressnet.files import temporary_folder
from compressnet.images.kinds import Pictures

FILES = 1000
"""Rivals with a file for each image get about so many: bytes an image hardly depend on it."""
MIXED_HEADER = ("codec", "layout", "bytes/image", "encode ms", "decode ms", "alone")
"""`ms` are milliseconds an image; `alone`: whether an image is read without the others."""
Report = Callable[[int, int, str], None]
Write = Callable[[Iterator[Pictures], Path], object]
"""Writes arrays (1,H,W) and (1,H,W,C), the images in order, into an archive at a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedRow:
    """What a collection takes in one way."""

    name: str
    """Codec and setting."""
    layout: str
    images: int
    """How many were coded: as files, no more than about FILES."""
    total_bytes: int
    """Of these images."""
    encode_s: float
    decode_s: float
    alone: bool
    """Whether an image is read without the others."""
    fault: str | None = None
    """What did not come back, in words; None where every value did."""

    @property
    def bytes_per_image(self) -> float:
        """Bytes over images."""
        return self.total_bytes / self.images

    @property
    def texts(self) -> tuple[str, ...]:
        """What stands under MIXED_HEADER."""
        return (
            self.name,
            self.layout,
            f"{self.bytes_per_image:.1f}",
            f"{1e3 * self.encode_s / self.images:.2f}",
            f"{1e3 * self.decode_s / self.images:.2f}",
            "yes" if self.alone else "no",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """All that was measured of a collection."""

    source: str
    images: int
    pixels: int
    raw_bytes: int
    """Of all values as they are."""
    cleared: int
    """Images with colour under alpha 0 that was cleared before."""
    rows: tuple[MixedRow, ...]
    """The fewest bytes an image first; those that are not exact last."""
    left_out: tuple[str, ...]
    """What was not measured, and why."""

    def as_json(self) -> dict[str, Any]:
        """The document that `bench --lossless --json` prints."""
        rows = [asdict(row) | {"bytes_per_image": row.bytes_per_image, "exact": row.fault is None} for row in self.rows]
        return asdict(self) | {"rows": rows, "left_out": list(self.left_out)}

    @property
    def remarks(self) -> list[str]:
        """What was changed, lost, sampled or left out, a line each."""
        lines: list[str] = []
        if self.cleared:
            lines.append(f"colour under alpha 0 of {self.cleared} images was cleared for all; --exact-alpha keeps it")
        lines += [f"{row.name}, {row.layout} is not exact: {row.fault}" for row in self.rows if row.fault is not None]
        sampled = min((row.images for row in self.rows), default=self.images)
        if sampled < self.images:
            lines.append(f"files were measured on {sampled} images, evenly spread")
        return [*lines, *self.left_out]


def run_mixed(
    stacks: Stacks,
    source: str,
    rivals: Sequence[LosslessRival],
    own: Sequence[MixedRow] = (),
    report: Report = lambda _done, _total, _title: None,
) -> Mixed:
    """Measure rivals on a collection, beside rows of compressnet's own.

    report: is told how many rivals are done, of how many, and what comes next. A rival that is not
    installed, does not hold these images, or fails, is left out and named.
    """
    rows = list(own)
    left_out: list[str] = list(UNPACKAGED)
    for done, rival in enumerate(rivals):
        report(done, len(rivals), f"{rival.name}, {rival.layout}")
        found = _measure(rival, stacks)
        if isinstance(found, MixedRow):
            rows.append(found)
        else:
            left_out.append(found)
    return Mixed(
        source=source,
        images=stacks.images,
        pixels=stacks.pixels,
        raw_bytes=stacks.raw_bytes,
        cleared=stacks.cleared,
        rows=tuple(sorted(rows, key=lambda row: (row.fault is not None, row.bytes_per_image))),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _measure(rival: LosslessRival, stacks: Stacks) -> MixedRow | str:
    """A rival's row, or why there is none, whatever it raises."""
    why = rival.missing or rival.refusal(stacks)
    if why is not None:
        return why
    given = spread(stacks, FILES) if rival.alone else stacks
    try:
        start = time.perf_counter()
        coded = rival.encode(given)
        middle = time.perf_counter()
        decoded = coded.decode()
        end = time.perf_counter()
    except Exception as error:
        return f"{rival.name}, {rival.layout} failed: {error!r}"
    return MixedRow(
        name=rival.name,
        layout=rival.layout,
        images=given.images,
        total_bytes=coded.total_bytes,
        encode_s=middle - start + coded.earlier_s,
        decode_s=end - middle,
        alone=rival.alone,
        fault=difference(given, decoded),
    )


def measure_own(name: str, stacks: Stacks, write: Write, codec: Codec | None = None, *, alone: bool = True) -> MixedRow:
    """What an archive takes on disk, and what comes back of it.

    write: writes the archive. codec: what reading needs, where the archive lacks it.
    alone: whether one image is read without the others. Raises what writing and reading raise.
    """
    with temporary_folder() as folder:
        path = folder / "bench.cnet"
        start = time.perf_counter()
        write(stacks.in_order(), path)
        middle = time.perf_counter()
        with api.open(path, codec=codec) as archive:
            images = list(archive)
        end = time.perf_counter()
        total_bytes = path.stat().st_size
    return MixedRow(
        name=name,
        layout="archive",
        images=stacks.images,
        total_bytes=total_bytes,
        encode_s=middle - start,
        decode_s=end - middle,
        alone=alone,
        fault=difference(stacks, _by_part(images, stacks)),
    )


def _by_part(images: Sequence[Pictures], stacks: Stacks) -> list[Pictures]:
    """Images in the collection's order as an array for each part; empty where shapes differ."""
    arrays: list[Pictures] = []
    for part in stacks.parts:
        expected = part.images_NHWC
        found = [images[place] for place in part.places_N.tolist() if place < len(images)]
        fits = len(found) == len(expected) and all(
            image.size == expected[0].size and image.dtype == expected.dtype for image in found
        )
        arrays.append(np.stack(found).reshape(expected.shape) if fits else expected[:0])
    return arrays


def own_rows(stacks: Stacks, codec: Codec | None, *, exact_alpha: bool = False) -> list[MixedRow]:
    """What compressnet takes: with a codec; or without, in blocks and solid; on one thread.

    exact_alpha: whether colour under alpha 0 is kept. What a codec takes counts where it does not
    ship with the package. Raises what writing and reading raise.
    """

    def writer(*, solid: bool) -> Write:
        def write(images: Iterable[Pictures], path: Path) -> object:
            return api.compress(
                *(images, path, codec),
                lossless=True,
                solid=solid,
                exact_alpha=exact_alpha,
                store_unknown=True,
                modes="tight",
                threads=1,
            )

        return write

    if codec is not None:
        return [measure_own(f"{COMPRESSNET}, codec {codec.name}", stacks, writer(solid=False), codec)]
    return [
        measure_own(COMPRESSNET, stacks, writer(solid=False)),
        measure_own(f"{COMPRESSNET}, solid", stacks, writer(solid=True), alone=False),
    ]
