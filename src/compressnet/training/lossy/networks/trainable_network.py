"""Encoder, decoder and refinement in torch: a list of layers, run in floats or fake-quantized.

Axes: B batch, C channels, O outputs. Real values throughout; with `quantized` they are exact
multiples of the integers' steps.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compressnet.training.common.quantize import leaky, quantize_through
from compressnet.training.lossy.networks.formats import LATENT_EXPONENT, PIXEL_EXPONENT
from compressnet.training.lossy.networks.layer_list import Layer
from compressnet.training.lossy.networks.layers import Weighted, bias_rows

STEP_SPREAD = 3
"""A channel's step is at most 2^STEP_SPREAD finer than the coarsest of its register."""
Format = tuple[Tensor, int]
"""Exponents of a register's steps, () or (C,), and the largest magnitude of its integers."""


class TrainableNetwork(nn.Module):
    """g_a, g_s or g_r, to be trained: runs a list of `Layer`s.

    `exponents`: for each step, those of its channels, (C,); () until they are calibrated.
    """

    def __init__(self, layers: list[Layer], inputs: Mapping[str, tuple[int, int]]) -> None:
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
        """Of a conv or dense layer, for each output: () or (O,).

        The outputs of one channel lie side by side.
        """
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
            case "concat":
                return torch.cat([part.flatten(1) for part in inputs], dim=1)
            case "shuffle":
                return F.pixel_shuffle(x, layer.attributes["factor"])
            case "crop":
                return x[:, :, : layer.attributes["height"], : layer.attributes["width"]]
            case "extend":
                return F.pad(x, (0, layer.attributes["columns"], 0, layer.attributes["rows"]), mode="replicate")
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
        """Remember what step each channel needs: its largest values over the clamp."""
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
