"""Work spread over threads, with NumPy's matrix products kept to one thread each.

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
    from threadpoolctl import ThreadpoolController

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
        self._controller: ThreadpoolController | None = None
        self._limiter = None

    @contextmanager
    def one_thread(self) -> Generator[None]:
        """BLAS runs on one thread within."""
        with self._lock:
            if self._controller is None:
                from threadpoolctl import ThreadpoolController  # it looks through all loaded libraries

                self._controller = ThreadpoolController()
            if self._users == 0:
                self._limiter = self._controller.limit(limits=1, user_api="blas")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0 and self._limiter is not None:
                    self._limiter.restore_original_limits()


_BLAS = _Blas()
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

    if _NESTING.busy:
        return [work(part) for part in parts]
    with _BLAS.one_thread():
        if threads == 1 or len(parts) <= 1:
            return [work(part) for part in parts]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(run, parts))
