"""Work spread over threads, and NumPy's matrix products kept to one thread each.

NumPy's BLAS library brings threads of its own; two of ours that both use them wait for one
another. Its number of threads belongs to the process, so users are counted: the first one in sets
it to 1, the last one out restores it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import LibController

T = TypeVar("T")
U = TypeVar("U")


def default_threads() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Nesting(threading.local):
    """Whether the current thread works on a part of something that is spread already."""

    busy = False


class _Blas:
    """The process's BLAS threads, and how many want them to be one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._libraries: list[LibController] | None = None
        self._before: Sequence[int | None] = []

    @contextmanager
    def one_thread(self) -> Generator[None]:
        """BLAS runs on one thread within."""
        with self._lock:
            if self._libraries is None:
                from threadpoolctl import ThreadpoolController  # it looks through all that is loaded

                self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            libraries = self._libraries
            if self._users == 0:
                self._before = [library.num_threads for library in libraries]
                _set_threads(libraries, [1] * len(libraries))
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    _set_threads(libraries, self._before)


def _set_threads(libraries: list[LibController], numbers: Sequence[int | None]) -> None:
    """How many threads each library has."""
    for library, number in zip(libraries, numbers, strict=True):
        # threadpoolctl lets only the first thread that set a number set it again, until told so
        clear = getattr(library, "clear_controlling_thread", None)
        if clear is not None:
            clear(force=True)
        library.set_num_threads(number)


one_blas_thread = _Blas().one_thread
"""What decorates all that computes matrix products: BLAS runs on one thread within."""
_NESTING = _Nesting()


def spread(work: Callable[[T], U], parts: Sequence[T], threads: int) -> list[U]:
    """`work` done on every part, results in their order, on up to `threads` threads.

    Within such work it spreads nothing more: the threads are all at work then.
    """

    def run(part: T) -> U:
        _NESTING.busy = True
        try:
            return work(part)
        finally:
            _NESTING.busy = False

    if _NESTING.busy or threads == 1 or len(parts) <= 1:
        return [work(part) for part in parts]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, parts))
