"""Training: torch networks, fake quantization, the loss and the loop, and the freeze to a bundle."""

from __future__ import annotations

from types import ModuleType

from compressnet.errors import MissingExtraError


def import_training() -> ModuleType:
    """The module `compressnet.training.train`. Raises MissingExtraError where torch is not installed."""
    try:
        from compressnet.training import train
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        message = "training needs torch, which is not installed; pip install 'compressnet[train]'"
        raise MissingExtraError(message) from error
    return train
