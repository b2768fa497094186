"""Who runs the tasks of a set: any number of processes, on any number of machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Engine(Protocol):
    """Runs a function on many items, somewhere; `compressnet.integrations.dask` has one."""

    def each(self, function: Callable[[T], U], items: Sequence[T]) -> Iterator[tuple[int, U]]:
        """The number of each item, and what the function gives for it, as it comes.

        Raises what the function raises of compressnet's errors, and EngineError where the work
        cannot go on.
        """
        ...
