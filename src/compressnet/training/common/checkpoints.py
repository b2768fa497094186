"""Checkpoints on disk: written whole or not at all, read only by their own training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from compressnet.errors import FormatError, InputError
from compressnet.files import atomic_open


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state with its `version` and `signature`, atomically."""
    with atomic_open(path) as stream:
        torch.save(state, stream)


def read_checkpoint(path: Path, version: int, signature: dict[str, Any]) -> dict[str, Any] | None:
    """The state that was written; None where there is none.

    Raises FormatError for a file that is no checkpoint, InputError for a checkpoint of another
    version or signature.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise FormatError(f"{path}: not a checkpoint, or cut off; delete it and start anew") from error
    if state.get("version") != version or state["signature"] != signature:
        raise InputError(f"{path}: the checkpoint is of other images or options; use the same ones, or delete it")
    return state
