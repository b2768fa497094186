"""Work on threads: in order, BLAS on one thread meanwhile and as before afterwards, and no pools
within pools."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from compressnet.threads import one_blas_thread, spread

LIBRARIES = {
    pool["filepath"] for pool in threadpool_info() if pool["user_api"] == "blas" and "scipy" not in pool["filepath"]
}
"""NumPy's. SciPy, which other tests use, brings its own; others yet may be loaded later."""


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["filepath"] in LIBRARIES]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order(threads: int) -> None:
    assert spread(lambda i: i * i, range(20), threads) == [i * i for i in range(20)]
    assert spread(lambda i: i, [], threads) == []


def test_blas_has_one_thread_within_and_its_own_afterwards() -> None:
    np.ones((4, 4)) @ np.ones((4, 4))
    before = blas_threads()

    @one_blas_thread()
    def work(_: int) -> list[int]:
        return blas_threads()

    assert work(0) == [1] * len(before)
    assert blas_threads() == before
    assert spread(work, range(4), 2) == [[1] * len(before)] * 4
    assert blas_threads() == before


def test_blas_is_restored_by_whichever_thread_is_last() -> None:
    before = blas_threads()
    entered, left = threading.Event(), threading.Event()

    @one_blas_thread()
    def last() -> None:
        entered.set()
        left.wait()

    thread = threading.Thread(target=last)
    with one_blas_thread():
        thread.start()
        entered.wait()
    assert blas_threads() == [1] * len(before)
    left.set()
    thread.join()
    assert blas_threads() == before


def test_blas_is_restored_after_an_error() -> None:
    before = blas_threads()
    with pytest.raises(ZeroDivisionError):
        spread(one_blas_thread()(lambda i: 1 // i), range(3), 2)
    assert blas_threads() == before


def test_work_within_work_stays_on_its_thread() -> None:
    def inner(_: int) -> int:
        return threading.get_ident()

    def outer(_: int) -> bool:
        return set(spread(inner, range(4), 2)) == {threading.get_ident()}

    assert spread(outer, range(4), 2) == [True] * 4
