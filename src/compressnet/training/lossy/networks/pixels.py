"""The networks' output as pixels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.training.lossy.networks.architecture import PIXEL_EXPONENT


def to_pixels(images_NHWC: NDArray[np.uint8], dtype: torch.dtype) -> torch.Tensor:
    """uint8 images (N,H,W,C) as the networks see them: (N,C,H,W), pixels in steps of 2^-6."""
    return torch.tensor(images_NHWC.transpose(0, 3, 1, 2), dtype=dtype) / 2**PIXEL_EXPONENT
