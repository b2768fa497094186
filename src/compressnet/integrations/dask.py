"""Tasks on Dask's distributed scheduler: processes of this machine, or any cluster by its address.

    with DaskEngine("tcp://10.0.0.1:8786") as engine:
        for number, result in engine.each(function, items):
            ...

It knows nothing of images: it sends a function and its items to workers, and brings back what
comes of them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from compressnet import errors
from compressnet.errors import CompressnetError, EngineError, InputError
from compressnet.integrations.hosts import missing_host
from compressnet.threads import default_threads

try:
    from dask import config
    from distributed import Client, KilledWorker, LocalCluster, as_completed
    from distributed.utils import silence_logging_cmgr
except ModuleNotFoundError as error:
    raise missing_host("Dask", "dask") from error

T = TypeVar("T")
U = TypeVar("U")
RETRIES = 3
"""How often a task is tried again that failed by no fault of its input."""
AGAIN = "what is written stays: run the same command again, and it goes on from there"
_SETTINGS = {
    "distributed.comm.timeouts.connect": "10s",
    "distributed.scheduler.allowed-failures": RETRIES,
    "distributed.worker.daemon": True,
    "distributed.diagnostics.nvml": False,
}


class DaskEngine:
    """Runs tasks on Dask, while a `with` block lasts.

    A task whose worker dies is run by another one.
    """

    def __init__(self, scheduler: str | None = None, workers: int | None = None) -> None:
        """scheduler: the address of one that runs, such as tcp://host:8786.

        None starts `workers` processes of one thread each here, by default one for each processor.
        Raises InputError for both.
        """
        if scheduler is not None and workers is not None:
            raise InputError(f"{workers} workers and the scheduler {scheduler}, which has its own: give one of them")
        self._scheduler, self._workers = scheduler, workers
        self._stack = ExitStack()
        self._client: Client | None = None

    def __enter__(self) -> Self:
        """Raises EngineError where the scheduler cannot be reached."""
        with ExitStack() as stack:
            stack.enter_context(config.set(_SETTINGS))
            stack.enter_context(silence_logging_cmgr(logging.CRITICAL))  # what goes wrong is an error of ours
            stack.enter_context(warnings.catch_warnings(action="ignore"))  # of ports and of memory
            try:
                cluster: Any = self._scheduler
                if cluster is None:
                    cluster = stack.enter_context(
                        LocalCluster(
                            n_workers=self._workers or default_threads(),
                            threads_per_worker=1,
                            dashboard_address=None,  # pyright: ignore[reportArgumentType] - it may be
                            memory_limit=None,
                            silence_logs=logging.CRITICAL,
                        )
                    )
                self._client = stack.enter_context(Client(cluster, set_as_default=False))
            except (OSError, TimeoutError, ValueError) as error:
                raise EngineError(f"{self._scheduler or 'Dask'}: no scheduler answers there ({error})") from error
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def each(self, function: Callable[[T], U], items: Sequence[T]) -> Iterator[tuple[int, U]]:
        """The number of each item, and what a function gives for it, as it comes.

        Raises the first of compressnet's errors that it raises, and EngineError where workers or
        the scheduler are gone.
        """
        assert self._client is not None
        futures = {
            self._client.submit(_told, function, item, pure=False, retries=RETRIES): number
            for number, item in enumerate(items)
        }
        try:
            for future in as_completed(futures, loop=self._client.loop):
                yield futures[future], _result(future.result())
                future.release()
        except KilledWorker as error:
            raise EngineError(f"workers died {RETRIES + 1} times at one task ({error}); {AGAIN}") from error
        except CompressnetError:
            raise
        except Exception as error:  # Dask raises many kinds where a scheduler is gone
            raise EngineError(f"Dask gave up: {type(error).__name__} ({error}); {AGAIN}") from error
        finally:
            self._client.cancel(list(futures), force=True)


def _told(function: Callable[[T], U], item: T) -> tuple[str, Any]:
    """What a function gives, or which of our errors it raises: bad input is not tried again."""
    try:
        return "", function(item)
    except CompressnetError as error:
        return type(error).__name__, error.args[0]


def _result(told: tuple[str, Any]) -> Any:
    kind, value = told
    if kind:
        found = getattr(errors, "InputError" if kind == "PictureError" else kind, CompressnetError)
        raise found(value)
    return value
