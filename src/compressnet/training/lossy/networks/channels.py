"""What `compressnet.lossy.promotion` maps between channels, in torch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from compressnet.lossy.promotion import Mapping
from compressnet.training.common.quantize import quantize_through
from compressnet.training.lossy.networks.formats import PIXEL_EXPONENT, PIXEL_LIMIT


def mapped(mapping: Mapping | None, x: Tensor, *, quantized: bool) -> Tensor:
    """Images (B,I,H,W), pixels in 0..255/64, to (B,O,H,W); as they are without a mapping."""
    if mapping is None:
        return x
    weight = torch.tensor(mapping.weight, dtype=x.dtype, device=x.device)[:, :, None, None] / 2**mapping.shift
    bias = torch.tensor(mapping.bias, dtype=x.dtype, device=x.device) / 2 ** (PIXEL_EXPONENT + mapping.shift)
    y = F.conv2d(x, weight, bias)
    if not (quantized and mapping.shift):
        return y
    return quantize_through(y, torch.tensor(float(PIXEL_EXPONENT)), 0, PIXEL_LIMIT)
