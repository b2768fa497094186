"""The formats of the networks' numbers: in what steps values count, and how far they go."""

from __future__ import annotations

from compressnet.networks.dense import HIDDEN_HIGH, HIDDEN_LOW
from compressnet.networks.program import Range

HIDDEN_RANGE: Range = (HIDDEN_LOW, HIDDEN_HIGH)
"""Hidden values: 8 bits, most of them for the positive side, as a leaky ReLU divides the rest by
8."""
SIGNED_RANGE: Range = (-128, 127)
LATENT_RANGE: Range = (-2047, 2047)
"""Latents before rounding: 12 bits, only ever multiplied by a gain."""
LATENT_EXPONENT = 8
"""Latents count in steps of 2^-8."""
PIXEL_EXPONENT = 6
"""Networks see pixels in steps of 2^-6: 0 to 4 (scaled to 0..1 they learn more slowly)."""
PIXEL_LIMIT = 255
SYMBOL_BOUND = 63
"""Symbols go from -63 to 63."""
SYMBOL_EXPONENT = 7
"""Dequantized symbols count in steps of 2^-7, those of the gains, so that nothing is rounded."""
DEQUANTIZED_LIMIT = 2047
"""Dequantized symbols are 12-bit integers. At 8 bits their rounding alone would add a tenth to the
error at the highest qualities."""
GAIN_EXPONENT = 7
"""Gains count in steps of 2^-7: they go from 1/128 to 32."""
GAIN_LIMIT = 4095
"""Gains are 12-bit integers."""
