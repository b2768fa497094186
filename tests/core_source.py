"""The core's source, and programs that tests compile and run it with."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "libcompressnet"


def need(*tools: str) -> None:
    """Skips a test where one of these programs is not there."""
    if missing := [tool for tool in tools if not shutil.which(tool)]:
        pytest.skip(f"not there: {', '.join(missing)}")


def run_tool(*command: str | Path) -> str:
    """What a program printed that has to succeed."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
