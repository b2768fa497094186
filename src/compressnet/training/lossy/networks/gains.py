"""The gains between latents and symbols.

Axes: B batch, D symbols, S segments (symbols that share a gain), Q qualities.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compressnet.training.common.quantize import over_qualities, round_through
from compressnet.training.lossy.networks.formats import GAIN_EXPONENT, GAIN_LIMIT

GainTables = tuple[Tensor, Tensor, Tensor]
"""The encoder's gains, the decoder's gains and the reciprocals of the latter: (100,S) each."""


class Gains(nn.Module):
    """Gains for every quality: one network, many rates.

    After Cui et al., "Asymmetric Gained Deep Image Compression" (arXiv:2003.02877): each segment
    has a learned gain before rounding, and another one that undoes it after.
    """

    def __init__(self, repeats: list[int], log2_gain: Tensor) -> None:
        """repeats: symbols per segment; log2_gain (12,): where all gains start."""
        super().__init__()
        self.repeats: Tensor
        self.register_buffer("repeats", torch.tensor(repeats))
        self.encode_gain = nn.Parameter(log2_gain[:, None].repeat(1, len(repeats)))
        self.decode_gain = nn.Parameter(-log2_gain[:, None].repeat(1, len(repeats)))
        self.fixed: GainTables | None = None
        """The tables, if they are taken over from a frozen network."""

    def tables(self, *, quantized: bool) -> GainTables:
        """All gains, real or fake-quantized."""
        if self.fixed is not None:
            dtype = self.encode_gain.dtype
            encode, decode, inverse = (table.to(dtype) for table in self.fixed)
            return encode, decode, inverse
        encode = torch.exp2(over_qualities(self.encode_gain))
        decode = torch.exp2(over_qualities(self.decode_gain))
        if not quantized:
            return encode, decode, 1 / decode
        rounded = _rounded_gain(decode)
        # At high qualities the decoder's gains are small integers; the encoder's make up for
        # their rounding.
        encode = encode * (decode / rounded).detach()
        return _rounded_gain(encode), rounded, _rounded_gain(1 / rounded)

    def per_symbol(self, table_QS: Tensor, quality_B: Tensor) -> Tensor:
        """A table's rows for a batch, repeated for every symbol: (B,D)."""
        return torch.repeat_interleave(table_QS[quality_B], self.repeats, dim=1)


def _rounded_gain(gain: Tensor) -> Tensor:
    return torch.clamp(round_through(gain * 2.0**GAIN_EXPONENT), 1, GAIN_LIMIT) / 2.0**GAIN_EXPONENT
