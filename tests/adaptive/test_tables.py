"""The tables are the same on every machine, and are those of FORMAT.md."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compressnet.adaptive.tables import ENTRIES, exact_logarithm, exact_squash, exact_stretch, tables

FORMAT = Path(__file__).parents[2] / "docs/FORMAT.md"


@pytest.mark.parametrize("formula", [exact_squash, exact_stretch, exact_logarithm])
def test_no_entry_is_near_a_tie(formula: Callable[[int], float]) -> None:
    """A double is off by 1e-10 at most, here: all mathematical libraries round alike."""
    from_tie = [abs(math.fmod(abs(formula(i)), 1) - 0.5) for i in range(ENTRIES)]
    assert min(from_tie) > 1e-9


def test_tables_are_those_of_the_format() -> None:
    made = tables()
    data = b"".join(table.astype(f"<{table.dtype.str[1:]}").tobytes() for table in (made.squash, made.stretch))
    digest = hashlib.sha256(data + made.logarithm.astype("<u2").tobytes()).hexdigest()
    assert digest == "6f233aeb7f4e8b677e7c605f32dc87ed1ba181a29300834b8ba391f438bbf964"
    assert f"`{digest}`" in FORMAT.read_text(encoding="utf-8")


def test_ends_and_middles() -> None:
    made = tables()
    assert (made.squash[0], made.squash[2048], made.squash[-1]) == (22, 32768, 65514)
    assert (made.stretch[0], made.stretch[2047], made.stretch[2048], made.stretch[-1]) == (-2047, 0, 0, 2047)
    assert (made.logarithm[0], made.logarithm[1], made.logarithm[-1]) == (0, 177, 2129)
    assert np.array_equal(made.stretch, -made.stretch[::-1])
    with pytest.raises(ValueError, match="read-only"):
        made.squash[0] = 1
