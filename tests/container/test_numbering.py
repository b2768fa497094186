"""Numbers of codecs and kinds where some are lost."""

from __future__ import annotations

import pytest

from compressnet.container.numbering import Event, numbers_of

NAMES = {"f": Event.FOUND, "l": Event.LOST, "g": Event.GAP, "h": Event.HIDDEN}


def events(text: str) -> list[tuple[Event, int]]:
    """A letter for each event, a digit for a block that refers to this number."""
    return [(Event.USED, int(letter)) if letter.isdigit() else (NAMES[letter], 0) for letter in text]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        ("f0f1", [0, 1]),
        ("ff01", [0, 1]),
        ("f", [0]),
        ("l0f1", [1]),
        ("gf0", [0]),
        ("gf1", [1]),
        ("gff1", [0, 1]),
        ("gf1f2", [1, 2]),
        ("gf101f2", [1, 2]),
        ("f0gf2", [0, 2]),
        ("f0gf", [0, None]),
        ("f0gf0", [0, None]),
        ("gf01", [None]),
        ("f0g10f2", [0, 2]),
        ("f01f2", [0, 2]),
        ("f1", [1]),
        ("0f1", [1]),
        ("f10f2", [1, 2]),
        ("ff2", [None, 2]),
        ("f0l1gf3", [0, 3]),
        ("f0hf1", [0, 1]),
        ("fh1f2", [None, 2]),
        ("gfh1f2", [1, 2]),
    ],
)
def test_numbers(text: str, numbers: list[int | None]) -> None:
    assert numbers_of(events(text)) == numbers
