"""Commands as tests run them: in this process, with what they printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from compressnet.commands.cli import app
from conftest import CONFORMANCE

GREY = str(CONFORMANCE / "grey.codec")
IDENTITY = "b7fa25a9538cee751fd8879088f6cbfe75b5e4deb5b3c1cf8864ec5bd2d7e555"


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def refused(code: int, *arguments: object) -> str:
    """The one line that a command prints when it fails."""
    result = run(*arguments, code=code)
    assert result.stdout == ""
    assert result.stderr.startswith("compressnet: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def read(path: Path) -> np.ndarray:
    from compressnet.images import open_collection

    return open_collection(path).load()
