"""A clock for tests of what depends on time."""

from __future__ import annotations


class Clock:
    """It stands still until `now` is changed, or `tick` is told of something, which takes a
    second."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def tick(self, _text: str = "") -> None:
        self.now += 1
