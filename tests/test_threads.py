"""Work on threads: in order, BLAS on one thread meanwhile and as before afterwards, and idle
threads help with work that is spread within work."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from compressnet.threads import one_blas_thread, spread, spread_rows

LIBRARIES = {
    pool["filepath"] for pool in threadpool_info() if pool["user_api"] == "blas" and "scipy" not in pool["filepath"]
}
"""NumPy's. SciPy, which other tests use, brings its own; others yet may be loaded later."""


@pytest.fixture(autouse=True)
def two_blas_threads() -> Iterator[None]:
    """So that one is fewer, also where tests run side by side or there is one processor."""
    with threadpool_limits(2, "blas"):
        yield


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["filepath"] in LIBRARIES]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order(threads: int) -> None:
    assert spread(lambda i: i * i, range(20), threads) == [i * i for i in range(20)]
    assert spread(lambda i: i, [], threads) == []


def test_blas_has_one_thread_within_and_its_own_afterwards() -> None:
    np.ones((4, 4)) @ np.ones((4, 4))
    before = blas_threads()
    assert before == [2] * len(LIBRARIES)

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


def test_threads_that_are_done_help_with_work_within_work() -> None:
    both = threading.Barrier(2)

    def inner(i: int) -> int:
        both.wait(10)  # two threads have to be here at once
        return i

    def outer(i: int) -> list[int]:
        return spread(inner, range(4), 2) if i else []

    assert spread(outer, range(2), 2) == [[], [0, 1, 2, 3]]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_work_within_work_within_work_comes_in_order(threads: int) -> None:
    def deepest(i: int) -> int:
        return i

    def inner(i: int) -> list[int]:
        return spread(deepest, range(i), threads)

    def outer(i: int) -> list[list[int]]:
        return spread(inner, range(i), threads)

    assert spread(outer, range(7), threads) == [[list(range(j)) for j in range(i)] for i in range(7)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_first_error_is_raised_from_within(threads: int) -> None:
    def inner(i: int) -> None:
        if i % 3 == 2:
            raise KeyError(i)

    def outer(i: int) -> None:
        spread(inner, range(9), threads)

    with pytest.raises(KeyError, match="2"):
        spread(outer, range(4), threads)


@given(rows=st.integers(0, 300), at_least=st.integers(1, 40), threads=st.integers(1, 4))
def test_rows_are_spread_in_order_and_not_too_few_at_a_time(rows: int, at_least: int, threads: int) -> None:
    parts = spread_rows(lambda part: list(range(rows))[part], rows, at_least, threads)
    assert [row for part in parts for row in part] == list(range(rows))
    assert all(len(part) >= at_least for part in parts[:-1])
