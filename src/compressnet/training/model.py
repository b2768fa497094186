"""Encoder, gains, entropy model and decoder as one, in torch.

    x (B,C,H,W) -> g_a -> y (B,D) latents -> gain, round -> k (B,D) symbols -> gain -> y_hat (B,D) -> g_s -> x_hat
                                                                    prior(y_hat before each symbol) -> p(k)

Axes: B batch, D symbols, S segments (symbols that share a gain), A anchor qualities, Q qualities, M mixture
components. Real values throughout; with `quantized` they are exact multiples of the integers' steps.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from compressnet.exact import ANCHOR_STEP, ANCHORS
from compressnet.training.architecture import (
    PIXEL_EXPONENT,
    SYMBOL_EXPONENT,
    analysis,
    grid_shape,
    symbol_groups,
    synthesis,
)
from compressnet.training.context import ContextPrior, Neighbourhood
from compressnet.training.design import Design
from compressnet.training.distributions import mixture_bits
from compressnet.training.layers import DEQUANTIZED_LIMIT, Weighted
from compressnet.training.masked import MaskedPrior
from compressnet.training.networks import Levels, Network
from compressnet.training.quantize import quantize_through, round_through

SYMBOL_BOUND = 63


@dataclass(frozen=True, slots=True)
class Outcome:
    """One pass over a batch: bits (B,), reconstruction (B,C,H,W) in pixels 0..255/64, symbols (B,D)."""

    bits_B: Tensor
    x_hat: Tensor
    k_BD: Tensor


class Model(nn.Module):
    """Encoder, gains, entropy model and decoder as one, for training."""

    def __init__(self, kind: tuple[int, int, int], design: Design) -> None:
        """kind: (H,W,C)."""
        super().__init__()
        widths = design.widths
        self.kind, self.design, self.widths = kind, design, widths
        self.lambdas: Tensor
        self.register_buffer("lambdas", torch.tensor(design.lambdas()), persistent=False)
        rows, columns = grid_shape(kind[0], kind[1])
        self.grid = (widths.grid, rows, columns)
        self.symbols = widths.vector + math.prod(self.grid)
        self.bound = SYMBOL_BOUND
        self.g_a = Network(analysis(kind, widths), {"x": (PIXEL_EXPONENT, 255)})
        symbol_format = (SYMBOL_EXPONENT, DEQUANTIZED_LIMIT)
        self.g_s = Network(synthesis(kind, widths), {"vector": symbol_format, "grid": symbol_format})
        repeats = [1] * widths.vector + [rows * columns] * widths.grid
        self.levels = Levels(repeats, starting_gains(self.lambdas))
        self.prior = self._make_prior()
        for module in self.modules():
            if isinstance(module, (Weighted, Neighbourhood)):
                module.limit = widths.weight_limit

    def _make_prior(self) -> MaskedPrior | ContextPrior:
        widths = self.widths
        if widths.slices:
            return ContextPrior(self.grid, widths.slices, widths.hidden_slice)
        groups = symbol_groups(self.kind, widths)
        ahead = widths.vector_single + math.ceil((widths.vector - widths.vector_single) / widths.vector_group)
        hidden = [widths.hidden_vector] * ahead + [widths.hidden_grid] * (len(groups) - ahead)
        return MaskedPrior(groups, hidden)

    def config(self) -> dict[str, object]:
        """What rebuilds the model."""
        design = asdict(self.design)
        return {
            "kind": list(self.kind),
            "widths": design["widths"],
            "lambda": [*design["log_lambda"], design["origin"]],
        }

    def encode(self, x: Tensor, quality_B: Tensor, *, quantized: bool) -> Tensor:
        """Images (B,C,H,W), pixels in 0..255/64, to latents (B,D)."""
        registers = self.g_a({"x": x}, quality_B, quantized=quantized)
        present = [name for name, symbols in (("vector", self.widths.vector), ("grid", self.widths.grid)) if symbols]
        return torch.cat([registers[name].flatten(1) for name in present], dim=1)

    def decode(self, y_hat_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> Tensor:
        """Dequantized symbols (B,D) to images (B,C,H,W)."""
        vector, grid = y_hat_BD[:, : self.widths.vector], y_hat_BD[:, self.widths.vector :]
        registers: dict[str, Tensor] = {}
        if self.widths.vector:
            registers["vector"] = vector
        if self.widths.grid:
            registers["grid"] = grid.reshape(len(grid), *self.grid)
        return self.g_s(registers, quality_B, quantized=quantized)["y"]

    def forward(self, x: Tensor, quality_B: Tensor, *, quantized: bool) -> Outcome:
        """Bits and reconstruction of a batch, from rounded symbols throughout.

        While training, the rate teaches the entropy model on the rounded symbols, and the encoder through latents
        plus uniform noise: with straight-through gradients alone the encoder drifts to ever more bits.
        """
        y_BD = self.encode(x, quality_B, quantized=quantized)
        encode_QS, decode_QS, inverse_QS = self.levels.tables(quantized=quantized)
        scaled_BD = y_BD * self.levels.per_symbol(encode_QS, quality_B)
        k_BD = torch.clamp(round_through(scaled_BD), -self.bound, self.bound)
        y_hat_BD = k_BD * self.levels.per_symbol(decode_QS, quality_B)
        limit = DEQUANTIZED_LIMIT
        if quantized:
            y_hat_BD = quantize_through(y_hat_BD, torch.tensor(float(SYMBOL_EXPONENT)), -limit, limit)
        else:
            y_hat_BD = torch.clamp(y_hat_BD, -limit / 2**SYMBOL_EXPONENT, limit / 2**SYMBOL_EXPONENT)
        x_hat = self.decode(y_hat_BD, quality_B, quantized=quantized)
        inverse_BD = self.levels.per_symbol(inverse_QS, quality_B)[:, self.prior.order]
        mixture = self._mixture(y_hat_BD, inverse_BD, quality_B, quantized=quantized)
        bits_BD = mixture_bits(k_BD.detach()[:, self.prior.order], *mixture)
        if self.training:
            noisy_BD = (scaled_BD + torch.rand_like(scaled_BD) - 0.5)[:, self.prior.order]
            steering_BD = mixture_bits(noisy_BD, *(part.detach() for part in mixture))
            bits_BD = bits_BD + (steering_BD - steering_BD.detach())
        return Outcome(bits_BD.sum(dim=1), x_hat, k_BD)

    def _mixture(
        self, y_hat_BD: Tensor, inverse_BD: Tensor, quality_B: Tensor, *, quantized: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The distributions of all symbols, in units of symbols and coding order."""
        mean, log2_scale, first = self.prior(y_hat_BD, quality_B, quantized=quantized)
        return mean * inverse_BD, torch.clamp(log2_scale + torch.log2(inverse_BD), -5.0, 5.0), first

    def refresh_exponents(self) -> None:
        """Let every layer choose its weights' exponents anew at its next quantized pass."""
        for module in self.modules():
            if isinstance(module, Weighted):
                module.exponents_O = None

    def observe(self, on: bool) -> None:
        """Start observing the ranges of hidden values, or settle on exponents for them."""
        for network in (self.g_a, self.g_s, self.prior):
            if on:
                network.observed = {}
            else:
                network.settle()


def starting_gains(lambdas_Q: Tensor) -> Tensor:
    """log2 gains at the 12 anchors: a step proportional to 1/sqrt(lambda), as high-rate theory has it."""
    return 1.0 + 0.5 * torch.log2(lambdas_Q[torch.arange(ANCHORS) * ANCHOR_STEP] / 60.0)
