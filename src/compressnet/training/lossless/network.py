"""A pixel model in torch: the network of one plane, in floats or fake-quantized.

Its parts are described in `compressnet.lossless.model`.

Axes: B images, H rows, W columns, P pixels, I inputs, O outputs, E columns of a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compressnet.lossless.model import (
    CODES,
    COUNT_LIMIT,
    HALF,
    HALF_BITS,
    OUTSIDE,
    REACH_LIMIT,
    RELATIVE,
    RELATIVE_LIMIT,
    TABLE_LIMIT,
    taps,
)
from compressnet.networks.dense import HIDDEN_HIGH, HIDDEN_LOW
from compressnet.training.common.quantize import leaky, quantize_through, round_through
from compressnet.training.lossless.design import PixelDesign
from compressnet.training.lossless.layers import LOGIT_EXPONENT, Layer, Table, look_up

RELATIVE_EXPONENT = 5
COUNT_EXPONENT = 1
SUM_EXPONENT = 4
"""Of the tables that are added up, and so of the sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Some pixels of images."""

    image: Tensor
    """(P,): which image; ascending, and in coding order within an image."""
    y: Tensor
    x: Tensor


class PlaneNet(nn.Module):
    """The network of one plane. `size`: rows and columns that biases know, or none."""

    def __init__(self, design: PixelDesign, number: int, size: tuple[int, int] | None, background: int) -> None:
        super().__init__()
        self.design, self.number, self.size, self.background = design, number, size, background
        self.near_table, self.far_table = Table(CODES, design.near_columns), Table(CODES, design.far_columns)
        self.across_tables = nn.ModuleList(Table(CODES, design.near_columns) for _ in range(number))
        self.seen_table = nn.Parameter(torch.randn(CODES, design.seen) * 0.05)
        self.seen_bias = nn.Parameter(torch.zeros(design.seen))
        self.seen_exponents = torch.zeros(design.seen)
        self.observed_seen: Tensor | None = None
        inputs = len(taps(design.near)) * design.near_columns + len(taps(design.far)) * design.far_columns
        inputs += number * len(taps(design.across)) * design.near_columns
        widths = [inputs + design.seen, *design.hidden]
        self.layers = nn.ModuleList(Layer(i, o) for i, o in itertools.pairwise(widths))
        rows, columns = size or (1, 1)
        self.row = nn.Parameter(torch.zeros(rows, design.hidden[0]))
        self.column = nn.Parameter(torch.zeros(columns, design.hidden[0]))
        self.first.more = [self.row, self.column]
        self.flag, self.high = Layer(design.hidden[-1], 1), Layer(design.hidden[-1], HALF)
        relative = len(taps(RELATIVE))
        self.low1 = Layer(design.hidden[-1] + relative + (HALF if design.counts else 0), design.low, bias_rows=HALF)
        self.low2 = Layer(design.low, HALF)
        for layer in (self.flag, self.high, self.low2):
            layer.out_exponents.fill_(LOGIT_EXPONENT)

    @property
    def first(self) -> Layer:
        """The layer that sees neighbours."""
        layer = self.layers[0]
        assert isinstance(layer, Layer)
        return layer

    def all_layers(self) -> Iterator[Layer]:
        """Hidden layers and outputs."""
        for layer in (*self.layers, self.flag, self.high, self.low1, self.low2):
            assert isinstance(layer, Layer)
            yield layer

    def hidden_layers(self) -> Iterator[Layer]:
        """The layers whose outputs are hidden values."""
        for layer in (*self.layers, self.low1):
            assert isinstance(layer, Layer)
            yield layer

    def in_exponents(self) -> Tensor:
        """Of the first layer's inputs: (I,)."""
        near = self.near_table.exponents().repeat(len(taps(self.design.near)))
        far = self.far_table.exponents().repeat(len(taps(self.design.far)))
        across = [table.exponents().repeat(len(taps(self.design.across))) for table in self.across_tables]  # pyright: ignore
        return torch.cat([near, far, *across, self.seen_exponents])

    def forward(
        self, planes: Sequence[Tensor], pixels: Pixels, values_P: Tensor, *, quantized: bool
    ) -> tuple[Tensor, ...]:
        """Costs in nats: of flags (P,), and of high and low bits (Q,) of pixels not background.

        planes: int64 (B,H,W) each, this one after all before it. values_P: the pixels' values.
        """
        hidden, codes = self.trunk(planes, pixels, quantized=quantized)
        none = torch.zeros(0)
        exponents = self._last_exponents()
        flag = self.flag.logits(self.flag(hidden, exponents, [0], quantized=quantized), quantized=quantized)[:, 0]
        others_P = values_P != self.background
        flag_nats = F.softplus(torch.where(others_P, -flag, flag))
        chosen = others_P.nonzero()[:, 0]
        if not len(chosen):
            return flag_nats, none, none
        high, low = self.values(
            hidden[chosen], planes[-1], pixels, chosen, values_P[chosen], codes[chosen], quantized=quantized
        )
        high_nats = F.cross_entropy(high, values_P[chosen] >> HALF_BITS, reduction="none")
        low_nats = F.cross_entropy(low, values_P[chosen] & (HALF - 1), reduction="none")
        return flag_nats, high_nats, low_nats

    def trunk(self, planes: Sequence[Tensor], pixels: Pixels, *, quantized: bool) -> tuple[Tensor, Tensor]:
        """The last hidden layer (P,O), and the values of the relative neighbours (P,12)."""
        own = planes[-1]
        padded = F.pad(own, (REACH_LIMIT,) * 4, value=OUTSIDE)
        near = self._gathered(padded, self.design.near, pixels)
        far = self._gathered(padded, self.design.far, pixels)
        features = [
            look_up(near, self.near_table(quantized=quantized)).flatten(1),
            look_up(far, self.far_table(quantized=quantized)).flatten(1),
        ]
        for table, plane in zip(self.across_tables, planes[:-1], strict=True):
            around = self._gathered(F.pad(plane, (REACH_LIMIT,) * 4, value=OUTSIDE), self.design.across, pixels)
            features.append(look_up(around, table(quantized=quantized)).flatten(1))
        if self.design.seen:
            features.append(self._seen(own, pixels, quantized=quantized))
        rows: list[Tensor | int] = [0, 0, 0] if self.size is None else [0, pixels.y, pixels.x]
        x, exponents = torch.cat(features, dim=1), self.in_exponents()
        for layer in self.layers:
            assert isinstance(layer, Layer)
            x = layer.hidden(layer(x, exponents, rows, quantized=quantized), quantized=quantized)
            exponents, rows = layer.out_exponents, list[Tensor | int]([0])
        return x, self._gathered(padded, RELATIVE, pixels)

    def values(
        self,
        hidden_QO: Tensor,
        own: Tensor,
        pixels: Pixels,
        chosen: Tensor,
        values_Q: Tensor,
        relative_Q: Tensor,
        *,
        quantized: bool,
    ) -> tuple[Tensor, Tensor]:
        """Logits of the high and of the low four bits, given the high ones: (Q,16) each."""
        exponents = self._last_exponents()
        high = self.high.logits(self.high(hidden_QO, exponents, [0], quantized=quantized), quantized=quantized)
        nibble = values_Q >> HALF_BITS
        middle = (nibble << HALF_BITS) + HALF // 2
        neighbours = torch.where(relative_Q == OUTSIDE, 0, relative_Q) - middle[:, None]
        inputs = [hidden_QO, neighbours.clamp(-RELATIVE_LIMIT, RELATIVE_LIMIT) / 2.0**RELATIVE_EXPONENT]
        low_exponents = [exponents, torch.full((relative_Q.shape[1],), float(RELATIVE_EXPONENT))]
        if self.design.counts:
            counts = counts_before(
                own, self.background, pixels.image[chosen], pixels.y[chosen] * own.shape[2] + pixels.x[chosen]
            )
            inputs.append(counts.clamp(max=COUNT_LIMIT) / 2.0**COUNT_EXPONENT)
            low_exponents.append(torch.full((HALF,), float(COUNT_EXPONENT)))
        sums = self.low1(torch.cat(inputs, dim=1), torch.cat(low_exponents), [nibble], quantized=quantized)
        units = self.low1.hidden(sums, quantized=quantized)
        low = self.low2(units, self.low1.out_exponents, [0], quantized=quantized)
        return high, self.low2.logits(low, quantized=quantized)

    def _last_exponents(self) -> Tensor:
        layer = self.layers[-1]
        assert isinstance(layer, Layer)
        return layer.out_exponents

    def _gathered(self, padded: Tensor, ranges: tuple[tuple[int, int, int], ...], pixels: Pixels) -> Tensor:
        """The codes of a template's neighbours: (P, taps)."""
        height, width = padded.shape[1:]
        base_P = pixels.image * (height * width) + (pixels.y + REACH_LIMIT) * width + pixels.x + REACH_LIMIT
        offsets = torch.tensor([dy * width + dx for dy, dx in taps(ranges)])
        return padded.reshape(-1)[base_P[:, None] + offsets]

    def _seen(self, own: Tensor, pixels: Pixels, *, quantized: bool) -> Tensor:
        """The sums over the values before each pixel, as hidden values: (P,E)."""
        table, bias = self.seen_table, self.seen_bias
        if quantized:
            scale = 2.0**SUM_EXPONENT
            table = round_through(table * scale).clamp(-TABLE_LIMIT, TABLE_LIMIT) / scale
            bias = round_through(bias * scale) / scale
        flat = own.flatten(1)
        added = look_up(flat, table) * (flat != self.background)[..., None]
        sums = (torch.cumsum(added, dim=1) - added + bias)[pixels.image, pixels.y * own.shape[2] + pixels.x]
        values = leaky(sums)
        if self.observed_seen is not None and len(values):
            self.observed_seen = torch.maximum(self.observed_seen, values.detach().amax(dim=0))
        return quantize_through(values, self.seen_exponents, HIDDEN_LOW, HIDDEN_HIGH) if quantized else values

    def observe(self) -> None:
        """From now on note how large hidden values get."""
        for layer in self.hidden_layers():
            layer.observed_O = torch.full_like(layer.out_exponents, 2.0**-8)
        self.observed_seen = torch.full_like(self.seen_exponents, 2.0**-8)

    def settle(self) -> None:
        """Fix the hidden exponents from what was observed, and stop observing."""
        for layer in self.hidden_layers():
            assert layer.observed_O is not None
            layer.out_exponents = torch.floor(torch.log2(HIDDEN_HIGH / layer.observed_O)).clamp(-8, 12)
            layer.observed_O = None
        assert self.observed_seen is not None
        self.seen_exponents = torch.floor(torch.log2(HIDDEN_HIGH / self.observed_seen)).clamp(-16, 12)
        self.observed_seen = None
        self.refresh_exponents()

    def refresh_exponents(self) -> None:
        """Let all layers choose their weights' exponents anew."""
        for layer in self.all_layers():
            layer.kept = None

    def get_extra_state(self) -> dict[str, list[Tensor] | Tensor]:
        return {"hidden": [layer.out_exponents for layer in self.hidden_layers()], "seen": self.seen_exponents}

    def set_extra_state(self, state: dict[str, list[Tensor]]) -> None:
        for layer, exponents in zip(self.hidden_layers(), state["hidden"], strict=True):
            layer.out_exponents = exponents
        self.seen_exponents = torch.as_tensor(state["seen"])
        self.refresh_exponents()


def counts_before(own: Tensor, background: int, image_Q: Tensor, place_Q: Tensor) -> Tensor:
    """How often each value with a pixel's high four bits came before it, background apart: (Q,16).

    image_Q, place_Q: the pixels, none of them background, in coding order. This is a matrix
    product over the pairs of an image's pixels that are not background.
    """
    images = len(own)
    flat = own.flatten(1)
    all_image, all_place = (flat != background).nonzero(as_tuple=True)
    all_values = flat[all_image, all_place]
    all_slot, longest = _slots(all_image, images)
    slot_Q, asked = _slots(image_Q, images)
    known = torch.full((images, longest), -HALF)
    known_place = torch.full((images, longest), flat.shape[1])
    known[all_image, all_slot], known_place[all_image, all_slot] = all_values, all_place
    values = torch.full((images, asked), -2 * HALF)
    places = torch.zeros((images, asked), dtype=torch.int64)
    values[image_Q, slot_Q], places[image_Q, slot_Q] = flat[image_Q, place_Q], place_Q
    alike = (values >> HALF_BITS)[:, :, None] == (known >> HALF_BITS)[:, None, :]
    alike &= known_place[:, None, :] < places[:, :, None]
    return torch.bmm(alike.float(), F.one_hot(known & (HALF - 1), HALF).float())[image_Q, slot_Q]


def _slots(image_P: Tensor, images: int) -> tuple[Tensor, int]:
    """The number of each pixel among those of its image, and the largest number of pixels."""
    counts = torch.bincount(image_P, minlength=images)
    starts = torch.cumsum(counts, dim=0) - counts
    return torch.arange(len(image_P)) - starts[image_P], int(counts.max())
