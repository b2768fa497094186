"""Gains and biases that depend on the quality."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compressnet.training.common.quantize import over_qualities, round_through

GAIN_LIMIT = 4095
GAIN_EXPONENT = 7
"""Gains are 12-bit integers in steps of 2^-7, so 1/128 to 32."""


class Levels(nn.Module):
    """The gains between latents and symbols, for every quality: one network, many rates.

    After Cui et al., "Asymmetric Gained Deep Image Compression" (arXiv:2003.02877): a learned gain per segment
    before rounding, another one undoes it after.
    """

    def __init__(self, repeats: list[int], log2_gain: Tensor) -> None:
        """repeats: symbols per segment; log2_gain (12,): where all gains start."""
        super().__init__()
        self.repeats: Tensor
        self.register_buffer("repeats", torch.tensor(repeats))
        self.encode_gain = nn.Parameter(log2_gain[:, None].repeat(1, len(repeats)))
        self.decode_gain = nn.Parameter(-log2_gain[:, None].repeat(1, len(repeats)))
        self.fixed: tuple[Tensor, Tensor, Tensor] | None = None
        """The tables, where they are a frozen network's."""

    def tables(self, *, quantized: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Encoder's gains, decoder's gains and the reciprocals of the latter: each (100,S)."""
        if self.fixed is not None:
            dtype = self.encode_gain.dtype
            encode, decode, inverse = (table.to(dtype) for table in self.fixed)
            return encode, decode, inverse
        encode = torch.exp2(over_qualities(self.encode_gain))
        decode = torch.exp2(over_qualities(self.decode_gain))
        if not quantized:
            return encode, decode, 1 / decode
        rounded = _rounded_gain(decode)
        # at high qualities the decoder's gains are small integers; what rounding does to them, the encoder's undo
        encode = encode * (decode / rounded).detach()
        return _rounded_gain(encode), rounded, _rounded_gain(1 / rounded)

    def per_symbol(self, table_QS: Tensor, quality_B: Tensor) -> Tensor:
        """A table's rows for a batch, repeated for every symbol: (B,D)."""
        return torch.repeat_interleave(table_QS[quality_B], self.repeats, dim=1)


def _rounded_gain(gain: Tensor) -> Tensor:
    return torch.clamp(round_through(gain * 2.0**GAIN_EXPONENT), 1, GAIN_LIMIT) / 2.0**GAIN_EXPONENT
