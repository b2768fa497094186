"""Sets of archives as tests write them: all tasks run here, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from compressnet.images import Reading
from compressnet.packing.choosing import Asked, choose
from compressnet.packing.sharding.write_set import SetAsked, SetWritten, write_set

T = TypeVar("T")
U = TypeVar("U")


class Here:
    """Runs tasks in this process; `backwards` takes the last one first."""

    def __init__(self, *, backwards: bool = False) -> None:
        self._backwards = backwards

    def each(self, function: Callable[[T], U], items: Sequence[T]) -> Iterator[tuple[int, U]]:
        order = range(len(items))
        for number in reversed(order) if self._backwards else order:
            yield number, function(items[number])


def write(
    inputs: Sequence[Path],
    folder: Path,
    *,
    quality: int = 100,
    shard_images: int = 100,
    engine: Any = None,
    force: bool = False,
    strict: bool = False,
) -> SetWritten:
    """A set of what `compress` chooses for the inputs."""
    wanted = Asked(quality=quality, threads=1)
    asked = SetAsked(
        inputs=tuple(map(str, inputs)),
        folder=folder,
        reading=Reading(),
        request={"quality": quality},
        shard_images=shard_images,
        sample_images=300,
        sample_bytes=1 << 20,
        backend=None,
        threads=1,
        strict=strict,
        force=force,
    )

    def chosen_on(sample: Any, images: int) -> Any:
        chosen = choose(sample, wanted, lambda *_: quality)
        return chosen.codec, chosen.settings

    return write_set(asked, engine or Here(), chosen_on, lambda *_: None, lambda _: None)


def drawn(count: int, seed: int = 0) -> np.ndarray:
    """Pictures of few colours (N,16,16,3): what is learned from them is the best codec."""
    generator = np.random.default_rng(seed)
    tiles = generator.integers(0, 8, (count, 4, 4, 3), np.uint8) * 32
    return np.kron(tiles, np.ones((1, 4, 4, 1), np.uint8))


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
