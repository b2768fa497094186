"""Encoder, gains, entropy model and decoder as one, in torch.

    images x (B,C,H,W) -> g_a -> latents y (B,D) -> gain, round -> symbols k (B,D)
    symbols -> gain -> y_hat (B,D) -> g_s -> images x_hat (B,C,H,W)
    y_hat before each symbol -> entropy model -> p(k)

Axes: B batch, D symbols, S segments (symbols that share a gain), A anchor qualities, Q qualities,
M mixture components. Real values throughout; with `quantized` they are exact multiples of the
integers' steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compressnet.images.kinds import Kind
from compressnet.lossy.promotion import demotion, promotion
from compressnet.networks.program import ANCHOR_STEP, ANCHORS
from compressnet.training.common.quantize import quantize_through, round_through
from compressnet.training.lossy.networks.architecture import analysis, refinement, symbol_groups, synthesis
from compressnet.training.lossy.networks.channels import mapped
from compressnet.training.lossy.networks.context_module import ContextModule, Neighbourhood
from compressnet.training.lossy.networks.distributions import Distributions, mixture_bits
from compressnet.training.lossy.networks.formats import (
    DEQUANTIZED_LIMIT,
    LATENT_EXPONENT,
    LATENT_RANGE,
    PIXEL_EXPONENT,
    PIXEL_LIMIT,
    SYMBOL_BOUND,
    SYMBOL_EXPONENT,
)
from compressnet.training.lossy.networks.gains import Gains, GainTables
from compressnet.training.lossy.networks.layers import Weighted
from compressnet.training.lossy.networks.masked_module import MaskedModule
from compressnet.training.lossy.networks.trainable_network import TrainableNetwork
from compressnet.training.lossy.networks.widths import Widths

DITHER = 0.25
"""While the refinement learns, latents move up to this far, in symbols, before they are
rounded."""

COARSE_LAYERS = (
    "g_s.weighted.local",
    "g_s.weighted.coarse",
    "g_s.weighted.up",
    "g_s.weighted.fine",
    "prior.layer1",
    "prior.layer2",
)
"""Layers that are embedded in archives and can do with fewer bits a weight
(`Widths.weight_limit`): all but those that give pixels or scales."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one pass over a batch gives."""

    bits_B: Tensor
    x_hat: Tensor
    """The reconstruction (B,C,H,W), in pixels 0..255/64."""
    k_BD: Tensor
    """The symbols."""


class Model(nn.Module):
    """Encoder, gains, entropy model and decoder as one, for training."""

    def __init__(self, kind: Kind, widths: Widths, lambdas: Sequence[float]) -> None:
        """lambdas: at each of the 100 qualities."""
        super().__init__()
        self.kind, self.widths = kind, widths
        channels = widths.channels or kind[2]
        self.inner_kind = kind = (kind[0], kind[1], channels)
        """The kind of image that the networks see."""
        self.promotion, self.demotion = promotion(self.kind[2], channels), demotion(channels, self.kind[2])
        self.lambdas: Tensor
        self.register_buffer("lambdas", torch.tensor(lambdas), persistent=False)
        rows, columns = widths.grid_shape(kind[0], kind[1])
        self.grid = (widths.grid, rows, columns)
        self.symbols = widths.vector + math.prod(self.grid)
        pixels = (PIXEL_EXPONENT, PIXEL_LIMIT)
        self.g_a = TrainableNetwork(analysis(kind, widths), {"x": pixels})
        self.refines = False
        """Whether the refinement takes part; it is trained last, when all else is done."""
        self.g_r = (
            TrainableNetwork(refinement(kind, widths), {"x": pixels, "error": pixels}) if widths.refined else None
        )
        symbol_format = (SYMBOL_EXPONENT, DEQUANTIZED_LIMIT)
        self.g_s = TrainableNetwork(synthesis(kind, widths), {"vector": symbol_format, "grid": symbol_format})
        repeats = [1] * widths.vector + [rows * columns] * widths.grid
        self.gains = Gains(repeats, starting_gains(self.lambdas))
        self.bound_QS: NDArray[np.int64] | None = None
        """The alphabets (100,S) of the frozen network that it was, if it was one."""
        self.prior = self._make_prior()
        if self.g_r is not None:
            for name in ("vector", "grid"):
                if name in self.g_r.weighted:
                    torch.nn.init.zeros_(self.g_r.weighted[name].weight)  # pyright: ignore[reportArgumentType]
        for name, module in self.named_modules():
            if isinstance(module, (Weighted, Neighbourhood)) and name.startswith(COARSE_LAYERS):
                module.limit = widths.weight_limit

    def _make_prior(self) -> MaskedModule | ContextModule:
        widths = self.widths
        if widths.slices:
            return ContextModule(
                self.grid, widths.slices, widths.hidden_slice, positions=widths.positions, pyramid=widths.pyramid
            )
        groups = symbol_groups(self.inner_kind, widths)
        ahead = math.ceil(widths.vector / widths.vector_group)
        hidden = [widths.hidden_vector] * ahead + [widths.hidden_grid] * (len(groups) - ahead)
        return MaskedModule(groups, hidden)

    def for_kind(self, kind: Kind) -> Model:
        """The same model for images of another kind; parameters and formats are shared.

        It has to have a grid alone, and to know no positions.
        """
        assert not self.widths.vector
        assert not self.widths.positions
        other = Model(kind, self.widths, self.lambdas.tolist()).to(self.lambdas.device)
        for network in ("g_a", "g_s", "g_r"):
            if getattr(self, network) is not None:
                getattr(other, network).weighted = getattr(self, network).weighted
        for layers in ("layer1", "layer2", "layer3"):
            setattr(other.prior, layers, getattr(self.prior, layers))
        other.gains.encode_gain, other.gains.decode_gain = self.gains.encode_gain, self.gains.decode_gain
        other.gains.fixed = self.gains.fixed
        other.take_formats(self)
        other.refines = self.refines
        return other.train(self.training)

    def take_formats(self, other: Model) -> None:
        """Take over the exponents of another model's registers."""
        for name in ("g_a", "g_s", "g_r", "prior"):
            if getattr(self, name) is not None:
                getattr(self, name).exponents = dict(getattr(other, name).exponents)

    def encode(self, x: Tensor, quality_B: Tensor, tables: GainTables, *, quantized: bool) -> Tensor:
        """Images (B,C,H,W), pixels in 0..255/64, to latents (B,D)."""
        x = mapped(self.promotion, x, quantized=quantized)
        y_BD = self._latents(self.g_a({"x": x}, quality_B, quantized=quantized))
        if not self.refines:
            return y_BD
        assert self.g_r is not None
        with torch.no_grad():
            scaled_BD = y_BD * self.gains.per_symbol(tables[0], quality_B)
            _, y_hat_BD = self.round(scaled_BD, quality_B, tables, quantized=quantized)
            decoded = self._synthesis(y_hat_BD, quality_B, quantized=quantized)
            error = x - torch.clamp(decoded, 0, PIXEL_LIMIT / 2**PIXEL_EXPONENT)
        y_BD = y_BD + self._latents(self.g_r({"x": x, "error": error}, quality_B, quantized=quantized))
        return quantize_through(y_BD, torch.tensor(float(LATENT_EXPONENT)), *LATENT_RANGE) if quantized else y_BD

    def _latents(self, registers: dict[str, Tensor]) -> Tensor:
        present = [name for name, symbols in (("vector", self.widths.vector), ("grid", self.widths.grid)) if symbols]
        return torch.cat([registers[name].flatten(1) for name in present], dim=1)

    def symbols_of(self, x: Tensor, quality_B: Tensor, *, quantized: bool) -> Tensor:
        """Images (B,C,H,W) to symbols (B,D)."""
        tables = self.gains.tables(quantized=quantized)
        y_BD = self.encode(x, quality_B, tables, quantized=quantized)
        scaled_BD = y_BD * self.gains.per_symbol(tables[0], quality_B)
        return self.round(scaled_BD, quality_B, tables, quantized=quantized)[0]

    def round(
        self, scaled_BD: Tensor, quality_B: Tensor, tables: GainTables, *, quantized: bool
    ) -> tuple[Tensor, Tensor]:
        """Latents in units of symbols to symbols, and those to dequantized ones, (B,D) each."""
        k_BD = torch.clamp(round_through(scaled_BD), -SYMBOL_BOUND, SYMBOL_BOUND)
        y_hat_BD = k_BD * self.gains.per_symbol(tables[1], quality_B)
        limit = DEQUANTIZED_LIMIT
        if quantized:
            return k_BD, quantize_through(y_hat_BD, torch.tensor(float(SYMBOL_EXPONENT)), -limit, limit)
        return k_BD, torch.clamp(y_hat_BD, -limit / 2**SYMBOL_EXPONENT, limit / 2**SYMBOL_EXPONENT)

    def decode(self, y_hat_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> Tensor:
        """Dequantized symbols (B,D) to images (B,C,H,W)."""
        return mapped(self.demotion, self._synthesis(y_hat_BD, quality_B, quantized=quantized), quantized=quantized)

    def _synthesis(self, y_hat_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> Tensor:
        return self.g_s(self._parts(y_hat_BD), quality_B, quantized=quantized)["y"]

    def _parts(self, row_BD: Tensor) -> dict[str, Tensor]:
        """A row of dequantized symbols (B,D) taken apart into the vector and the grid."""
        parts: dict[str, Tensor] = {}
        if self.widths.vector:
            parts["vector"] = row_BD[:, : self.widths.vector]
        if self.widths.grid:
            parts["grid"] = row_BD[:, self.widths.vector :].reshape(len(row_BD), *self.grid)
        return parts

    def forward(self, x: Tensor, quality_B: Tensor, *, quantized: bool) -> Outcome:
        """Bits and reconstruction of a batch, from rounded symbols throughout.

        While training, the entropy model learns from the rounded symbols, but the encoder learns
        what symbols cost through latents plus uniform noise (`_steering`): with straight-through
        gradients alone it drifts to ever more bits.
        """
        tables = self.gains.tables(quantized=quantized)
        y_BD = self.encode(x, quality_B, tables, quantized=quantized)
        scaled_BD = y_BD * self.gains.per_symbol(tables[0], quality_B)
        dithered_BD = scaled_BD
        if self.training and self.refines:
            dithered_BD = scaled_BD + DITHER * (2 * torch.rand_like(scaled_BD) - 1)
        k_BD, y_hat_BD = self.round(dithered_BD, quality_B, tables, quantized=quantized)
        x_hat = self.decode(y_hat_BD, quality_B, quantized=quantized)
        inverse_BD = self.gains.per_symbol(tables[2], quality_B)[:, self.prior.order]
        mixture = self._mixture(y_hat_BD, inverse_BD, quality_B, quantized=quantized)
        bits_BD = mixture_bits(k_BD.detach()[:, self.prior.order], *mixture)
        if self.training:
            ordered_BD = scaled_BD[:, self.prior.order]
            mean, log2_scale, first = (part.detach() for part in mixture)
            steering_BD = self._steering(ordered_BD, (mean, log2_scale, first))
            bits_BD = bits_BD + (steering_BD - steering_BD.detach())
        return Outcome(bits_BD.sum(dim=1), x_hat, k_BD)

    def _steering(self, scaled_BD: Tensor, mixture: Distributions) -> Tensor:
        """What moves latents, in coding order, to cheaper symbols; only its gradient is used.

        A refinement starts from a trained encoder, for which the gradient by noise is spent. It
        gets what the next symbol would cost more, exactly; latents near the middle between two
        symbols are rounded either way (`DITHER`).
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


def starting_gains(lambdas_Q: Tensor) -> Tensor:
    """log2 gains at the 12 anchors; high-rate theory has steps go with 1/sqrt(lambda)."""
    return 1.0 + 0.5 * torch.log2(lambdas_Q[torch.arange(ANCHORS) * ANCHOR_STEP] / 60.0)
