"""Training: images come in, and a codec file goes out. Only this package needs torch.

In reading order: `common` (gathered images, options, the schedule), `lossy` and `lossless` (what
is trained), `freeze` (to integers), `join` and `refine` (networks become a codec),
`train_lossless`, `train` (what callers import, by `import_training`).
"""

from __future__ import annotations

from types import ModuleType

from compressnet.errors import MissingExtraError


def import_training() -> ModuleType:
    """Give `compressnet.training.train`. Raises MissingExtraError without torch."""
    try:
        from compressnet.training import train
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        message = "training needs torch, which is not installed; pip install 'compressnet[train]'"
        raise MissingExtraError(message) from error
    return train
