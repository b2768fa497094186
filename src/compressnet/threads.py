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


class Lock:
    """A lock that a forked process has anew: nobody there will free one that was taken before."""

    def __init__(self) -> None:
        self._of_process: dict[int, threading.Lock] = {}

    def __enter__(self) -> None:
        # another thread may come first, and setdefault cannot be interrupted
        self._of_process.setdefault(os.getpid(), threading.Lock()).acquire()

    def __exit__(self, *_: object) -> None:
        self._of_process[os.getpid()].release()


class _Blas:
    """The process's BLAS threads, and how many want them to be one."""

    def __init__(self) -> None:
        self._lock = Lock()
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


class _Job:
    """The parts of one `spread`: numbers from 0 on, handed out in their order."""

    def __init__(self, do: Callable[[int], None], count: int, depth: int) -> None:
        """depth: how many others it is within."""
        self.do, self.count, self.depth = do, count, depth
        self.handed_out = self.running = 0
        self.errors: dict[int, BaseException] = {}

    @property
    def is_done(self) -> bool:
        """Whether every part was done."""
        return self.handed_out == self.count and not self.running


class _Team:
    """Threads that do the parts of a `spread` and of all within it.

    Whoever spreads does parts, too; threads that have none left help others with theirs.
    """

    def __init__(self, threads: int) -> None:
        self._limit, self._idle = threads, 0
        self._helpers: list[threading.Thread] = []
        self._jobs: list[_Job] = []
        """Those that have parts to hand out, in the order in which they came."""
        self._changed = threading.Condition()
        self._is_over = False

    def do(self, job: _Job) -> None:
        """Have all parts of a job done. Raises the first part's error, of those that failed."""
        with self._changed:
            self._jobs.append(job)
            missing = min(job.count - 1 - self._idle, self._limit - 1 - len(self._helpers))
            for _ in range(missing):
                self._helpers.append(threading.Thread(target=self._work, daemon=True))
                self._helpers[-1].start()
            self._changed.notify_all()
        self._work(job)
        if job.errors:
            raise job.errors[min(job.errors)]

    def finish(self) -> None:
        """Wait until the helpers are gone."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        for helper in self._helpers:
            helper.join()

    def _work(self, own: _Job | None = None) -> None:
        """Do parts of any job until it is over; or of an own one, and those within, until done."""
        while True:
            with self._changed:
                while (job := self._job_for(own)) is None:
                    if self._is_over if own is None else own.is_done:
                        return
                    self._idle += own is None
                    self._changed.wait()
                    self._idle -= own is None
                number = job.handed_out
                job.handed_out, job.running = number + 1, job.running + 1
                if job.handed_out == job.count:
                    self._jobs.remove(job)
            error = self._error_of(job, number)
            with self._changed:
                job.running -= 1
                if error is not None:
                    job.errors[number] = error
                    job.count = job.handed_out
                    self._jobs = [other for other in self._jobs if other is not job]
                if job.is_done:
                    self._changed.notify_all()

    def _job_for(self, own: _Job | None) -> _Job | None:
        """The job to do a part of next; one that is not within an own one may take too long."""
        if own in self._jobs:
            return own
        return next((job for job in self._jobs if own is None or job.depth > own.depth), None)

    def _error_of(self, job: _Job, number: int) -> BaseException | None:
        """Do a part of a job; what it raised."""
        before = _HERE.team, _HERE.depth
        _HERE.team, _HERE.depth = self, job.depth + 1
        try:
            job.do(number)
        except BaseException as error:  # whoever spread the work raises it
            return error
        finally:
            _HERE.team, _HERE.depth = before
        return None


class _Here(threading.local):
    """What the current thread works for."""

    team: _Team | None = None
    depth = 0


_HERE = _Here()


def spread(work: Callable[[T], U], parts: Sequence[T], threads: int) -> list[U]:
    """`work` done on every part, results in their order, on up to `threads` threads.

    Within such work, its parts are shared with those of the threads that have nothing left to do.
    """
    if threads == 1 or len(parts) <= 1:
        return [work(part) for part in parts]
    found: dict[int, U] = {}

    def do(number: int) -> None:
        found[number] = work(parts[number])

    if _HERE.team is not None:
        _HERE.team.do(_Job(do, len(parts), _HERE.depth))
    else:
        team = _Team(threads)
        try:
            team.do(_Job(do, len(parts), 0))
        finally:
            team.finish()
    return [found[number] for number in range(len(parts))]


def spread_rows(work: Callable[[slice], U], rows: int, at_least: int, threads: int) -> list[U]:
    """`work` done on rows, in slices of at least so many, up to about four for each thread."""
    step = max(at_least, -(-rows // (4 * threads)))
    return spread(work, [slice(start, start + step) for start in range(0, rows, step)], threads)
