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

from compressnet.networks.program import ANCHOR_STEP, ANCHORS
from compressnet.training.common.quantize import quantize_through, round_through
from compressnet.training.lossy.design import Design
from compressnet.training.lossy.networks.architecture import (
    LATENT_EXPONENT,
    LATENT_RANGE,
    PIXEL_EXPONENT,
    SYMBOL_EXPONENT,
    analysis,
    grid_shape,
    refinement,
    symbol_groups,
    synthesis,
)
from compressnet.training.lossy.networks.channels import demotion, promotion
from compressnet.training.lossy.networks.context import ContextPrior, Neighbourhood
from compressnet.training.lossy.networks.distributions import Distributions, mixture_bits
from compressnet.training.lossy.networks.gains import Levels
from compressnet.training.lossy.networks.layers import DEQUANTIZED_LIMIT, Weighted
from compressnet.training.lossy.networks.masked import MaskedPrior
from compressnet.training.lossy.networks.network import Network

SYMBOL_BOUND = 63
DITHER = 0.25
"""While the refinement learns, latents move up to this far, in symbols, before they are rounded."""

COARSE_LAYERS = (
    "g_s.weighted.local",
    "g_s.weighted.coarse",
    "g_s.weighted.up",
    "g_s.weighted.fine",
    "prior.layer1",
    "prior.layer2",
)
"""What is embedded and can do with fewer bits a weight (`Widths.weight_limit`): not what gives pixels or scales."""

Gains = tuple[Tensor, Tensor, Tensor]
"""What `Levels.tables` gives."""


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
        channels = widths.channels or kind[2]
        self.inner_kind = kind = (kind[0], kind[1], channels)
        """The kind of image that the networks see."""
        self.promotion, self.demotion = promotion(self.kind[2], channels), demotion(channels, self.kind[2])
        self.lambdas: Tensor
        self.register_buffer("lambdas", torch.tensor(design.lambdas()), persistent=False)
        rows, columns = grid_shape(kind[0], kind[1])
        self.grid = (widths.grid, rows, columns)
        self.symbols = widths.vector + math.prod(self.grid)
        self.bound = SYMBOL_BOUND
        self.g_a = Network(analysis(kind, widths), {"x": (PIXEL_EXPONENT, 255)})
        self.refines = False
        """Whether the refinement takes part; it is trained last, when all else is done."""
        pixels = (PIXEL_EXPONENT, 255)
        self.g_r = Network(refinement(kind, widths), {"x": pixels, "error": pixels}) if widths.refined else None
        symbol_format = (SYMBOL_EXPONENT, DEQUANTIZED_LIMIT)
        self.g_s = Network(synthesis(kind, widths), {"vector": symbol_format, "grid": symbol_format})
        repeats = [1] * widths.vector + [rows * columns] * widths.grid
        self.levels = Levels(repeats, starting_gains(self.lambdas))
        self.prior = self._make_prior()
        if self.g_r is not None:
            for name in ("vector", "grid"):
                if name in self.g_r.weighted:
                    torch.nn.init.zeros_(self.g_r.weighted[name].weight)  # pyright: ignore[reportArgumentType]
        for name, module in self.named_modules():
            if isinstance(module, (Weighted, Neighbourhood)) and name.startswith(COARSE_LAYERS):
                module.limit = widths.weight_limit

    def _make_prior(self) -> MaskedPrior | ContextPrior:
        widths = self.widths
        if widths.slices:
            return ContextPrior(self.grid, widths.slices, widths.hidden_slice, positions=widths.positions)
        groups = symbol_groups(self.inner_kind, widths)
        ahead = math.ceil(widths.vector / widths.vector_group)
        hidden = [widths.hidden_vector] * ahead + [widths.hidden_grid] * (len(groups) - ahead)
        return MaskedPrior(groups, hidden)

    def for_kind(self, kind: tuple[int, int, int]) -> Model:
        """The same model for images of another kind: all parameters and formats are shared, not copied.

        Its design has to be one of a grid alone, without positions.
        """
        assert not self.widths.vector
        assert not self.widths.positions
        other = Model(kind, self.design).to(self.lambdas.device)
        for network in ("g_a", "g_s", "g_r"):
            if getattr(self, network) is not None:
                getattr(other, network).weighted = getattr(self, network).weighted
        for layers in ("layer1", "layer2", "layer3"):
            setattr(other.prior, layers, getattr(self.prior, layers))
        other.levels.encode_gain, other.levels.decode_gain = self.levels.encode_gain, self.levels.decode_gain
        other.take_formats(self)
        other.refines = self.refines
        return other.train(self.training)

    def take_formats(self, other: Model) -> None:
        """Take over the exponents of another model's registers."""
        for name in ("g_a", "g_s", "g_r", "prior"):
            if getattr(self, name) is not None:
                getattr(self, name).exponents = dict(getattr(other, name).exponents)

    def config(self) -> dict[str, object]:
        """What rebuilds the model."""
        design = asdict(self.design)
        return {
            "kind": list(self.kind),
            "widths": design["widths"],
            "lambda": [*design["log_lambda"], design["origin"]],
        }

    def encode(self, x: Tensor, quality_B: Tensor, tables: Gains, *, quantized: bool) -> Tensor:
        """Images (B,C,H,W), pixels in 0..255/64, to latents (B,D)."""
        if self.promotion is not None:
            x = self.promotion(x, quantized=quantized)
        y_BD = self._latents(self.g_a({"x": x}, quality_B, quantized=quantized))
        if not self.refines:
            return y_BD
        assert self.g_r is not None
        with torch.no_grad():
            scaled_BD = y_BD * self.levels.per_symbol(tables[0], quality_B)
            _, y_hat_BD = self.round(scaled_BD, quality_B, tables, quantized=quantized)
            decoded = self._synthesis(y_hat_BD, quality_B, quantized=quantized)
            error = x - torch.clamp(decoded, 0, 255 / 2**PIXEL_EXPONENT)
        y_BD = y_BD + self._latents(self.g_r({"x": x, "error": error}, quality_B, quantized=quantized))
        return quantize_through(y_BD, torch.tensor(float(LATENT_EXPONENT)), *LATENT_RANGE) if quantized else y_BD

    def _latents(self, registers: dict[str, Tensor]) -> Tensor:
        present = [name for name, symbols in (("vector", self.widths.vector), ("grid", self.widths.grid)) if symbols]
        return torch.cat([registers[name].flatten(1) for name in present], dim=1)

    def symbols_of(self, x: Tensor, quality_B: Tensor, *, quantized: bool) -> Tensor:
        """Images (B,C,H,W) to symbols (B,D)."""
        tables = self.levels.tables(quantized=quantized)
        y_BD = self.encode(x, quality_B, tables, quantized=quantized)
        return self.round(y_BD * self.levels.per_symbol(tables[0], quality_B), quality_B, tables, quantized=quantized)[
            0
        ]

    def round(self, scaled_BD: Tensor, quality_B: Tensor, tables: Gains, *, quantized: bool) -> tuple[Tensor, Tensor]:
        """Latents in units of symbols to symbols and what these are dequantized to, (B,D) each."""
        k_BD = torch.clamp(round_through(scaled_BD), -self.bound, self.bound)
        y_hat_BD = k_BD * self.levels.per_symbol(tables[1], quality_B)
        limit = DEQUANTIZED_LIMIT
        if quantized:
            return k_BD, quantize_through(y_hat_BD, torch.tensor(float(SYMBOL_EXPONENT)), -limit, limit)
        return k_BD, torch.clamp(y_hat_BD, -limit / 2**SYMBOL_EXPONENT, limit / 2**SYMBOL_EXPONENT)

    def decode(self, y_hat_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> Tensor:
        """Dequantized symbols (B,D) to images (B,C,H,W)."""
        y = self._synthesis(y_hat_BD, quality_B, quantized=quantized)
        return y if self.demotion is None else self.demotion(y, quantized=quantized)

    def _synthesis(self, y_hat_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> Tensor:
        return self.g_s(self._parts(y_hat_BD), quality_B, quantized=quantized)["y"]

    def _parts(self, row_BD: Tensor) -> dict[str, Tensor]:
        """A row of symbols (B,D), or of something about each of them, taken apart into the vector and the grid."""
        parts: dict[str, Tensor] = {}
        if self.widths.vector:
            parts["vector"] = row_BD[:, : self.widths.vector]
        if self.widths.grid:
            parts["grid"] = row_BD[:, self.widths.vector :].reshape(len(row_BD), *self.grid)
        return parts

    def forward(self, x: Tensor, quality_B: Tensor, *, quantized: bool) -> Outcome:
        """Bits and reconstruction of a batch, from rounded symbols throughout.

        While training, the rate teaches the entropy model on the rounded symbols, and the encoder through latents
        plus uniform noise (`_steering`): with straight-through gradients alone the encoder drifts to ever more bits.
        """
        tables = self.levels.tables(quantized=quantized)
        y_BD = self.encode(x, quality_B, tables, quantized=quantized)
        scaled_BD = y_BD * self.levels.per_symbol(tables[0], quality_B)
        dithered_BD = scaled_BD
        if self.training and self.refines:
            dithered_BD = scaled_BD + DITHER * (2 * torch.rand_like(scaled_BD) - 1)
        k_BD, y_hat_BD = self.round(dithered_BD, quality_B, tables, quantized=quantized)
        x_hat = self.decode(y_hat_BD, quality_B, quantized=quantized)
        inverse_BD = self.levels.per_symbol(tables[2], quality_B)[:, self.prior.order]
        mixture = self._mixture(y_hat_BD, inverse_BD, quality_B, quantized=quantized)
        bits_BD = mixture_bits(k_BD.detach()[:, self.prior.order], *mixture)
        if self.training:
            ordered_BD = scaled_BD[:, self.prior.order]
            mean, log2_scale, first = (part.detach() for part in mixture)
            steering_BD = self._steering(ordered_BD, (mean, log2_scale, first))
            bits_BD = bits_BD + (steering_BD - steering_BD.detach())
        return Outcome(bits_BD.sum(dim=1), x_hat, k_BD)

    def _steering(self, scaled_BD: Tensor, mixture: Distributions) -> Tensor:
        """What makes latents, in coding order, move to cheaper symbols: its gradient alone is of use.

        A refinement starts from a trained encoder, whose gradient by noise is spent. It gets what a symbol more or less
        would cost, exactly, and latents near the middle between two symbols are rounded either way.
        """
        if not self.refines:
            return mixture_bits(scaled_BD + torch.rand_like(scaled_BD) - 0.5, *mixture)
        below_BD = torch.floor(scaled_BD.detach())
        with torch.no_grad():
            rise_BD = mixture_bits(below_BD + 1, *mixture) - mixture_bits(below_BD, *mixture)
        return rise_BD * scaled_BD

    def _mixture(self, y_hat_BD: Tensor, inverse_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> Distributions:
        """The distributions of all symbols, in units of symbols and coding order."""
        mean, log2_scale, first = self.prior(y_hat_BD, quality_B, quantized=quantized)
        return mean * inverse_BD, torch.clamp(log2_scale + torch.log2(inverse_BD), -5.0, 5.0), first

    def refresh_exponents(self) -> None:
        """Let every layer choose its weights' exponents anew at its next quantized pass."""
        for module in self.modules():
            if isinstance(module, (Weighted, Neighbourhood)):
                module.exponents_O = None

    def chosen_exponents(self) -> dict[str, Tensor | None]:
        """What every layer chose last, by its name."""
        layers = {
            name: module for name, module in self.named_modules() if isinstance(module, (Weighted, Neighbourhood))
        }
        return {name: layer.exponents_O for name, layer in layers.items()}

    def choose_exponents(self, chosen: dict[str, Tensor | None]) -> None:
        """Set what every layer chose last."""
        for name, exponents_O in chosen.items():
            layer = self.get_submodule(name)
            assert isinstance(layer, (Weighted, Neighbourhood))
            layer.exponents_O = exponents_O

    def observe(self, on: bool) -> None:
        """Start observing the ranges of hidden values, or settle on exponents for them."""
        for network in (self.g_a, self.g_r, self.g_s, self.prior):
            if network is None:
                continue
            if on:
                network.observed = {}
            else:
                network.settle()


def starting_gains(lambdas_Q: Tensor) -> Tensor:
    """log2 gains at the 12 anchors: a step proportional to 1/sqrt(lambda), as high-rate theory has it."""
    return 1.0 + 0.5 * torch.log2(lambdas_Q[torch.arange(ANCHORS) * ANCHOR_STEP] / 60.0)
