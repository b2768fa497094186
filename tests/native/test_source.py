"""The core's source stays small."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "libcompressnet"
MOST_LINES, MOST_ADAPTIVE_LINES = 3250, 1060
"""Of code, neither empty nor comment alone: of all but adaptive models, and of these."""
MOST_LINES_OF_FUNCTION = 80
FILES = [*sorted((SOURCE / "src").iterdir()), *sorted((SOURCE / "include").iterdir())]


def code(path: Path) -> list[str]:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    return [line for line in text.splitlines() if line.strip()]


def test_the_core_is_small() -> None:
    of_adaptive = [path for path in FILES if path.name.startswith("adaptive")]
    assert sum(len(code(path)) for path in of_adaptive) <= MOST_ADAPTIVE_LINES
    assert sum(len(code(path)) for path in FILES if path not in of_adaptive) <= MOST_LINES


def test_functions_are_short() -> None:
    found = 0
    for path in FILES:
        start = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.match(r"\w.*\{$", line) or (start is None and re.match(r" {8,}.*\) \{$", line)):
                start = number
            if line == "}" and start is not None:
                assert number - start < MOST_LINES_OF_FUNCTION, f"{path.name}:{start}"
                found, start = found + 1, None
    assert found > 100
