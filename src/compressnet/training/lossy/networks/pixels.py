"""Images as what the networks see."""

from __future__ import annotations

import torch

from compressnet.images.kinds import Images
from compressnet.training.lossy.networks.formats import PIXEL_EXPONENT


def to_pixels(images_NHWC: Images, dtype: torch.dtype) -> torch.Tensor:
    """Images (N,H,W,C) as the networks see them: (N,C,H,W), pixels in steps of 2^-6."""
    return torch.tensor(images_NHWC.transpose(0, 3, 1, 2), dtype=dtype) / 2**PIXEL_EXPONENT
