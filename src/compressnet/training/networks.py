"""The networks in torch: g_a, g_s and the entropy model, in floats or fake-quantized.

    x (B,C,H,W) -> g_a -> y (B,D) latents -> gain, round -> k (B,D) symbols -> gain -> y_hat (B,D) -> g_s -> x_hat
                                                                    prior(y_hat before each symbol) -> p(k)

Axes: B batch, D symbols, S segments (symbols that share a gain), A anchor qualities, Q qualities, M mixture
components. Real values throughout; with `quantized` they are exact multiples of the integers' steps.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compressnet.exact import ANCHOR_STEP, ANCHORS, LEAKY_SHIFT
from compressnet.training.architecture import (
    LATENT_EXPONENT,
    PIXEL_EXPONENT,
    SYMBOL_EXPONENT,
    Layer,
    analysis,
    grid_shape,
    symbol_groups,
    synthesis,
)
from compressnet.training.design import Design
from compressnet.training.quantize import (
    biases_through,
    over_qualities,
    quantize_through,
    round_through,
    weight_exponents,
    weights_through,
)

SYMBOL_BOUND = 63
DEQUANTIZED_LIMIT = 2047
"""Dequantized symbols are 12-bit integers: at 8 bits their rounding alone adds a tenth to the error at the top."""
STEP_SPREAD = 3
"""A channel's step is at most 2^STEP_SPREAD finer than the coarsest of its register."""
GAIN_LIMIT = 4095
GAIN_EXPONENT = 7
"""Gains are 12-bit integers in steps of 2^-7, so 1/128 to 32."""
MEAN_EXPONENT = 7
SCALE_EXPONENT = 3
WEIGHT_EXPONENT = 4
COMPONENT_LIMITS = {"mean": (-2047, 2047), "scale": (-64, 63), "weight": (-128, 127)}
FLOOR = 2.0**-16
"""Every symbol of the alphabet keeps about this probability (docs/FORMAT.md)."""


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 1/8."""
    return F.leaky_relu(x, 2.0**-LEAKY_SHIFT)


class Weighted(nn.Module):
    """Weights and biases of one conv or dense node; the bias may depend on the quality."""

    def __init__(self, shape: tuple[int, ...], *, by_quality: bool, gain: float = 1.0) -> None:
        super().__init__()
        fan_in = math.prod(shape[1:])
        self.weight = nn.Parameter(torch.randn(shape) * gain / math.sqrt(fan_in))
        self.bias = nn.Parameter(torch.zeros(ANCHORS if by_quality else 1, shape[0]))
        self.exponents_O: Tensor | None = None  # while training; they change rarely and cost a pass over the weights

    def forward(
        self, in_exponents: Tensor, out_exponents: Tensor, in_largest: int, *, quantized: bool
    ) -> tuple[Tensor, Tensor]:
        """Weight and biases (1 or 100, O), real or fake-quantized; exponents as in `integers_scale`."""
        if not quantized:
            return self.weight, over_qualities(self.bias)
        return self.quantized(self.weight, in_exponents, out_exponents, in_largest)

    def quantized(
        self, weight: Tensor, in_exponents: Tensor, out_exponents: Tensor, in_largest: int
    ) -> tuple[Tensor, Tensor]:
        """A weight (this one, masked or not) and the biases, fake-quantized."""
        scale = integers_scale(weight, in_exponents)
        exponents_O = self.exponents_O
        if exponents_O is None or not self.training:
            exponents_O = weight_exponents(weight * scale, self.bias, out_exponents, in_largest)
            self.exponents_O = exponents_O
        return weights_through(weight * scale, exponents_O) / scale, biases_through(self.bias, exponents_O)


def integers_scale(weight: Tensor, in_exponents: Tensor) -> Tensor:
    """What weights (O,I,...) have to be multiplied by to take integers for inputs: 2^-exponent of each input's step.

    in_exponents: () or (C,), where every channel has I/C inputs.
    """
    if in_exponents.dim() == 0:
        return torch.exp2(-in_exponents).to(weight.dtype)
    each = torch.repeat_interleave(in_exponents, weight.shape[1] // len(in_exponents))
    return torch.exp2(-each).to(weight.dtype).reshape(1, -1, *([1] * (weight.dim() - 2)))


def bias_rows(bias: Tensor, quality_B: Tensor) -> Tensor:
    """(1 or 100, O) biases for each image of a batch: (1 or B, O)."""
    return bias if len(bias) == 1 else bias[quality_B]


Format = tuple[Tensor, int]
"""Exponents of a register's steps, () or (C,), and the largest magnitude of its integers."""


class Network(nn.Module):
    """g_a or g_s: runs a list of `Layer`s; `exponents` holds each step's powers of two, (C,), once calibrated."""

    def __init__(self, layers: list[Layer], inputs: dict[str, tuple[int, int]]) -> None:
        """inputs: name of each input register -> (exponent, largest magnitude of its integers)."""
        super().__init__()
        self.layers = layers
        self.inputs = inputs
        self.weighted = nn.ModuleDict(
            {
                layer.output.replace(".", "_"): Weighted(
                    (layer.outputs, *layer.fan_in),
                    by_quality=layer.by_quality,
                    gain=0.5 if layer.output.endswith(".b") else 1.2 if layer.activation == "leaky" else 0.7,
                )
                for layer in layers
                if layer.op in ("conv", "dense")
            }
        )
        steps = sorted({layer.step for layer in layers if layer.step})
        fixed = {"latent": LATENT_EXPONENT, "pixels": PIXEL_EXPONENT}
        self.exponents: dict[str, Tensor] = {step: torch.tensor(float(fixed.get(step, 4))) for step in steps}
        self.channels = {
            step: min(layer.outputs for layer in layers if layer.step == step and layer.outputs)
            for step in steps
            if step not in fixed
        }
        self.observed: dict[str, Tensor] | None = None

    def get_extra_state(self) -> dict[str, Tensor]:
        return dict(self.exponents)

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        self.exponents = {step: torch.as_tensor(exponent).float() for step, exponent in state.items()}

    def register_formats(self) -> dict[str, Format]:
        """Exponents and largest magnitude of every register."""
        formats = {name: (torch.tensor(float(exponent)), most) for name, (exponent, most) in self.inputs.items()}
        for layer in self.layers:
            if layer.step:
                low, high = layer.clamp
                formats[layer.output] = (self.exponents[layer.step], max(-low, high))
            else:
                formats[layer.output] = formats[layer.inputs[0]]
        return formats

    def output_exponents(self, layer: Layer) -> Tensor:
        """Of a conv or dense layer, for each output: () or (O,); the outputs of one channel lie side by side."""
        exponents = self.exponents[layer.step]
        return exponents if exponents.dim() == 0 else exponents.repeat_interleave(layer.outputs // len(exponents))

    def forward(self, registers: dict[str, Tensor], quality_B: Tensor, *, quantized: bool) -> dict[str, Tensor]:
        """All registers after a run; fills `observed` while that is a dictionary."""
        values = dict(registers)
        formats = self.register_formats()
        for layer in self.layers:
            values[layer.output] = self._step(
                layer, [values[name] for name in layer.inputs], formats, quality_B, quantized
            )
        return values

    def _step(
        self,
        layer: Layer,
        inputs: list[Tensor],
        formats: dict[str, Format],
        quality_B: Tensor,
        quantized: bool,
    ) -> Tensor:
        x = inputs[0]
        match layer.op:
            case "unshuffle":
                return F.pixel_unshuffle(x, layer.attributes["factor"])
            case "shuffle":
                return F.pixel_shuffle(x, layer.attributes["factor"])
            case "reshape":
                return x.reshape(len(x), *(layer.attributes[name] for name in ("channels", "height", "width")))
            case "add":
                x = x + inputs[1]
            case _:
                in_exponents, in_largest = formats[layer.inputs[0]]
                weight, bias = self.weighted[layer.output.replace(".", "_")](
                    in_exponents, self.output_exponents(layer), in_largest, quantized=quantized
                )
                bias_BO = bias_rows(bias, quality_B)
                if layer.op == "dense":
                    x = F.linear(x.flatten(1), weight) + bias_BO
                else:
                    x = F.conv2d(x, weight, stride=layer.attributes["stride"], padding=layer.attributes["padding"])
                    x = x + bias_BO[:, :, None, None]
        if layer.activation == "leaky":
            x = leaky(x)
        if self.observed is not None and layer.step in self.channels:
            self._observe(layer, x)
        if quantized:
            exponents = self.output_exponents(layer) if layer.outputs else self.exponents[layer.step]
            x = quantize_through(x, exponents, *layer.clamp)
        return x

    def _observe(self, layer: Layer, x: Tensor) -> None:
        """Remember how many steps of 1 each channel needs: its largest values over the clamp."""
        assert self.observed is not None
        low, high = layer.clamp
        channels = self.channels[layer.step]
        rows = x.detach().reshape(len(x), channels, -1).transpose(0, 1).flatten(1)
        rows = rows[:, torch.randint(rows.shape[1], (20_000,))] if rows.shape[1] > 20_000 else rows
        needed = torch.maximum(torch.quantile(rows, 0.9999, dim=1) / high, torch.quantile(rows, 0.0001, dim=1) / low)
        known = self.observed.get(layer.step, torch.full_like(needed, 2.0**-12))
        self.observed[layer.step] = torch.maximum(known, needed)

    def settle(self) -> None:
        """Fix every step's exponents from what was observed, and stop observing."""
        assert self.observed is not None
        for step, needed in self.observed.items():
            exponents = torch.floor(-torch.log2(needed) + 0.15)
            self.exponents[step] = torch.minimum(exponents, exponents.min() + STEP_SPREAD).cpu()
        self.observed = None


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

    def tables(self, *, quantized: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Encoder's gains, decoder's gains and the reciprocals of the latter: each (100,S)."""
        encode = torch.exp2(over_qualities(self.encode_gain))
        decode = torch.exp2(over_qualities(self.decode_gain))
        inverse = torch.exp2(-over_qualities(self.decode_gain))
        if quantized:
            scale = 2.0**GAIN_EXPONENT
            encode, decode, inverse = (
                torch.clamp(round_through(gain * scale), 1, GAIN_LIMIT) / scale for gain in (encode, decode, inverse)
            )
        return encode, decode, inverse

    def per_symbol(self, table_QS: Tensor, quality_B: Tensor) -> Tensor:
        """A table's rows for a batch, repeated for every symbol: (B,D)."""
        return torch.repeat_interleave(table_QS[quality_B], self.repeats, dim=1)


class Prior(nn.Module):
    """A masked MLP over groups of symbols: each group's distributions from the groups before it.

    After MADE (Germain et al., arXiv:1502.03509), with hidden units that belong to groups, so that decoding
    computes every unit once. Each symbol is a mixture of two logistics, discretised
    (PixelCNN++, arXiv:1701.05517), its means and scales in units of the dequantized symbols.
    """

    def __init__(self, groups: list[list[int]], hidden: list[int]) -> None:
        """groups: symbol indices in order of coding; hidden: units of each group."""
        super().__init__()
        sizes = [len(group) for group in groups]
        group_of_symbol = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(sizes))
        group_of_unit = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(hidden))
        group_of_output = group_of_symbol.repeat(5)
        total, units = len(group_of_symbol), len(group_of_unit)
        self.order: Tensor
        self.mask1: Tensor
        self.mask2: Tensor
        self.mask3: Tensor
        self.register_buffer("order", torch.tensor([i for group in groups for i in group]))
        self.register_buffer("mask1", (group_of_unit[:, None] > group_of_symbol[None]).float())
        self.register_buffer("mask2", (group_of_unit[:, None] >= group_of_unit[None]).float())
        self.register_buffer("mask3", (group_of_output[:, None] >= group_of_unit[None]).float())
        self.groups, self.hidden = groups, hidden
        self.layer1 = Weighted((units, total), by_quality=True)
        self.layer2 = Weighted((units, units), by_quality=False)
        self.layer3 = Weighted((5 * total, units), by_quality=False, gain=0.3)
        with torch.no_grad():
            for layer, mask in zip(self.layers(), (self.mask1, self.mask2, self.mask3), strict=True):
                seen = mask.sum(dim=1, keepdim=True).clamp_min(1)
                layer.weight.mul_(mask * torch.sqrt(mask.shape[1] / seen))
            self.layer3.bias[:, total : 2 * total] = -0.3
            self.layer3.bias[:, 3 * total : 4 * total] = 0.7
        self.exponents: dict[str, int] = {"hidden1": 4, "hidden2": 4}
        self.observed: dict[str, float] | None = None

    def layers(self) -> tuple[Weighted, Weighted, Weighted]:
        """The three layers, in order."""
        return self.layer1, self.layer2, self.layer3

    def get_extra_state(self) -> dict[str, int]:
        return dict(self.exponents)

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.exponents = dict(state)

    def output_exponents(self) -> Tensor:
        """The exponents of the (5*D,) outputs: means, log scales (twice), weight."""
        total = len(self.order)
        kinds = [MEAN_EXPONENT, SCALE_EXPONENT, MEAN_EXPONENT, SCALE_EXPONENT, WEIGHT_EXPONENT]
        return torch.repeat_interleave(torch.tensor(kinds, dtype=torch.float32, device=self.order.device), total)

    def masked(self, index: int, *, quantized: bool) -> tuple[Tensor, Tensor]:
        """Weight and biases of layer 0, 1 or 2, its mask applied."""
        layer = self.layers()[index]
        mask = (self.mask1, self.mask2, self.mask3)[index]
        in_exponent, in_largest = (
            (float(SYMBOL_EXPONENT), DEQUANTIZED_LIMIT),
            (float(self.exponents["hidden1"]), 223),
            (float(self.exponents["hidden2"]), 223),
        )[index]
        if not quantized:
            return layer.weight * mask, over_qualities(layer.bias)
        hidden1, hidden2 = (torch.tensor(float(self.exponents[name])) for name in ("hidden1", "hidden2"))
        out_exponents = (hidden1, hidden2, self.output_exponents())[index]
        return layer.quantized(layer.weight * mask, torch.tensor(in_exponent), out_exponents, in_largest)

    def forward(self, y_hat_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Means (M,B,D), log2 scales (M,B,D) and the first component's weight (B,D), in coding order."""
        x = y_hat_BD[:, self.order]
        for index in range(3):
            weight, bias = self.masked(index, quantized=quantized)
            x = F.linear(x, weight) + bias_rows(bias, quality_B)
            if index < 2:
                x = leaky(x)
                name = f"hidden{index + 1}"
                if self.observed is not None:
                    flat = x.detach().flatten()[:1_000_000:5]
                    needed = float(torch.quantile(flat, 0.9999)) / 223
                    self.observed[name] = max(self.observed.get(name, 2.0**-12), needed)
                if quantized:
                    x = quantize_through(x, torch.tensor(float(self.exponents[name])), -32, 223)
        mean1, scale1, mean2, scale2, weight = x.reshape(len(x), 5, -1).unbind(1)
        if quantized:
            mean1, mean2 = (_component(m, MEAN_EXPONENT, "mean") for m in (mean1, mean2))
            scale1, scale2 = (_component(s, SCALE_EXPONENT, "scale") for s in (scale1, scale2))
            weight = _component(weight, WEIGHT_EXPONENT, "weight")
        first_BD = torch.clamp(torch.sigmoid(weight), 1 / 256, 255 / 256)
        return torch.stack([mean1, mean2]), torch.stack([scale1, scale2]), first_BD

    def settle(self) -> None:
        """Fix the hidden exponents from what was observed, and stop observing."""
        assert self.observed is not None
        for name, needed in self.observed.items():
            self.exponents[name] = math.floor(-math.log2(needed) + 0.15)
        self.observed = None


def _component(x_BD: Tensor, exponent: int, name: str) -> Tensor:
    """An output of the entropy model, fake-quantized."""
    return quantize_through(x_BD, torch.tensor(float(exponent)), *COMPONENT_LIMITS[name])


def mixture_bits(k_BD: Tensor, mean_MBD: Tensor, log2_scale_MBD: Tensor, first_BD: Tensor) -> Tensor:
    """-log2 of a discretised mixture of two logistics on the interval k +- 1/2, in units of symbols: (B,D)."""
    inverse_MBD = torch.exp2(-log2_scale_MBD)
    upper = (k_BD + 0.5 - mean_MBD) * inverse_MBD
    lower = (k_BD - 0.5 - mean_MBD) * inverse_MBD
    flip = torch.where(upper + lower > 0, -1.0, 1.0)  # the side where a difference loses no digits
    high, low = torch.where(flip < 0, -lower, upper), torch.where(flip < 0, -upper, lower)
    log_high, log_low = F.logsigmoid(high), F.logsigmoid(low)
    log_mass = log_high + torch.log(-torch.expm1(torch.clamp(log_low - log_high, max=-1e-6)))
    log_weights = torch.stack([torch.log(first_BD), torch.log1p(-first_BD)])
    log_p = torch.logsumexp(log_mass + log_weights, dim=0)
    return -torch.logaddexp(log_p, torch.full_like(log_p, math.log(FLOOR))) / math.log(2)


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
        groups = symbol_groups(kind, widths)
        hidden = [widths.hidden_vector] * widths.vector + [widths.hidden_grid] * (len(groups) - widths.vector)
        self.prior = Prior(groups, hidden)

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
