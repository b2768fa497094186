"""The entropy model: a masked MLP over groups of symbols, in integers, evaluated group by group.

Symbols are coded in groups. A group's distributions follow from the dequantized symbols of the groups before it
through two hidden layers whose units belong to groups too:

    hidden1[g] = f(symbols[<g])      hidden2[g] = f(hidden1[<=g])      outputs[g] = hidden2[<=g]

So every unit is computed once, when its group comes up, and decoding costs about one pass of the network.
(MADE, Germain et al., arXiv:1502.03509, with the units ordered.)

Axes: N images, D symbols, U hidden units, G groups, O outputs, S segments, Q qualities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CorruptError
from compressnet.exact import ANCHORS, EXACT_BELOW, QUALITIES, SHIFT_LIMIT, Float32, Node, bias_at, requantize, run_node
from compressnet.tables import BOUND_LIMIT, MEAN_LIMIT, SCALE_CENTRE, SCALES, Mixture, Tables

HIDDEN_LOW, HIDDEN_HIGH = -32, 223
OUTPUTS = 5
"""Per symbol: mean, log scale, mean, log scale, weight."""
MEAN_RANGE = (-2047, 2047)
SCALE_RANGE = (-64, 63)
WEIGHT_RANGE = (-128, 127)
MEAN_SHIFT = 9
"""mean * inverse_gain * 2^-9 is in 1/32 of a symbol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedLayer:
    """A layer of the masked MLP; only the weights that its mask leaves are kept."""

    weight: NDArray[np.int8]
    """Flat: for each group the matrix (its outputs, what it sees), row by row."""
    bias: NDArray[np.int32]
    """(1,O) or (12,O), see `compressnet.exact.bias_at`."""
    shift: NDArray[np.int8]
    """(O,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The entropy model of one network."""

    order: NDArray[np.int32]
    """(D,): symbol indices in order of coding."""
    group_symbols: NDArray[np.int32]
    """(G,): symbols of each group."""
    group_units: NDArray[np.int32]
    """(G,): units of each group, in either hidden layer."""
    hidden1: MaskedLayer
    hidden2: MaskedLayer
    output: MaskedLayer
    """A group's outputs: all its first means, log scales, second means, log scales, weights."""
    dequantize: Node
    """The decoder's first node: symbols to the integers that the networks see."""
    inverse_gain: NDArray[np.int16]
    """(100,S): from the means' units to symbols."""
    scale_offset: NDArray[np.int16]
    """(100,S): from the log scales' units to indices of scales."""
    bound: NDArray[np.int16]
    """(100,G): a group's symbols are within +-bound; where it is 0 they are 0 and cost nothing."""
    tables: Tables


def layer_shapes(prior: Prior) -> list[list[tuple[int, int]]]:
    """For each of the three layers and each group: (outputs, inputs seen)."""
    symbols, units = prior.group_symbols.astype(int), prior.group_units.astype(int)
    symbols_before = np.cumsum(symbols) - symbols
    units_up_to = np.cumsum(units)
    return [
        list(zip(units.tolist(), symbols_before.tolist(), strict=True)),
        list(zip(units.tolist(), units_up_to.tolist(), strict=True)),
        list(zip((OUTPUTS * symbols).tolist(), units_up_to.tolist(), strict=True)),
    ]


def _matrices(layer: MaskedLayer, shapes: list[tuple[int, int]]) -> list[NDArray[np.int8]]:
    ends = np.cumsum([outputs * seen for outputs, seen in shapes]).tolist()
    parts = np.split(layer.weight, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def prove_prior(prior: Prior, symbols: int) -> None:
    """Check shapes and prove that float32 computes the entropy model exactly. Raises CorruptError."""
    if sorted(prior.order.tolist()) != list(range(symbols)) or int(prior.group_symbols.sum()) != symbols:
        raise CorruptError("the entropy model's order is not a permutation of the symbols")
    if prior.group_symbols.min() < 1 or prior.group_units.min() < 1:
        raise CorruptError("the entropy model has an empty group")
    by_segment = (QUALITIES, len(prior.dequantize.arrays["repeats"]))
    shapes = (prior.inverse_gain.shape, prior.scale_offset.shape, prior.bound.shape, prior.group_units.shape)
    if shapes != (by_segment, by_segment, (QUALITIES, len(prior.group_symbols)), prior.group_symbols.shape):
        raise CorruptError(f"the entropy model's tables have shapes {shapes}")
    if prior.bound.min() < 0 or prior.bound.max() > BOUND_LIMIT:
        raise CorruptError(f"the entropy model's symbols are not within +-{BOUND_LIMIT}")
    if prior.inverse_gain.min() < 1 or int(prior.inverse_gain.max()) * MEAN_RANGE[1] >= EXACT_BELOW:
        raise CorruptError("the entropy model's gains are out of range")
    inputs = (max(-prior.dequantize.low, prior.dequantize.high), HIDDEN_HIGH, HIDDEN_HIGH)
    layers = (prior.hidden1, prior.hidden2, prior.output)
    for layer, shapes, largest in zip(layers, layer_shapes(prior), inputs, strict=True):
        outputs = sum(rows for rows, _ in shapes)
        if len(layer.weight) != sum(rows * seen for rows, seen in shapes) or layer.shift.shape != (outputs,):
            raise CorruptError("the entropy model's weights do not fit its groups")
        if layer.bias.shape not in ((1, outputs), (ANCHORS, outputs)):
            raise CorruptError("the entropy model's biases do not fit its groups")
        row_sums = [np.abs(m.astype(np.int64)).sum(axis=1) for m in _matrices(layer, shapes)]
        sums = np.concatenate(row_sums) * largest + np.abs(layer.bias.astype(np.int64)).max(axis=0)
        if sums.max() >= EXACT_BELOW or np.abs(layer.shift.astype(int)).max() > SHIFT_LIMIT:
            raise CorruptError("the entropy model leaves the range in which float32 is exact")
    prior.tables.check()


class PriorEvaluator:
    """An entropy model made ready to run; it may be used by several threads at once."""

    def __init__(self, prior: Prior) -> None:
        self.prior = prior
        layers = (prior.hidden1, prior.hidden2, prior.output)
        self.weights = [
            [np.ascontiguousarray(matrix.T.astype(np.float32)) for matrix in _matrices(layer, shapes)]
            for layer, shapes in zip(layers, layer_shapes(prior), strict=True)
        ]
        ends = np.cumsum(prior.group_symbols).tolist()
        self.groups = [prior.order[end - size : end] for end, size in zip(ends, prior.group_symbols, strict=True)]
        segment = np.repeat(np.arange(len(prior.dequantize.arrays["repeats"])), prior.dequantize.arrays["repeats"])
        self.segments = [segment[group] for group in self.groups]

    def active_groups(self, quality: int) -> int:
        """How many groups there are up to the last one whose symbols are not all 0."""
        coded = np.flatnonzero(self.prior.bound[quality])
        return int(coded[-1]) + 1 if len(coded) else 0

    def start(self, images: int, quality: int) -> PriorPass:
        """A pass over some images, all at one quality."""
        return PriorPass(self, images, quality)


class PriorPass:
    """One pass: `mixture(g)` then `reveal(g, ...)`, for each group in turn."""

    def __init__(self, evaluator: PriorEvaluator, images: int, quality: int) -> None:
        prior = evaluator.prior
        self._evaluator, self._quality = evaluator, quality
        self._symbols_ND = np.zeros((images, len(prior.order)), np.float32)
        units = int(prior.group_units.sum())
        self._hidden1_NU = np.empty((images, units), np.float32)
        self._hidden2_NU = np.empty((images, units), np.float32)
        self._biases = [
            bias_at(layer.bias, quality).astype(np.float32) for layer in (prior.hidden1, prior.hidden2, prior.output)
        ]
        self._dequantize_gain_D = np.repeat(
            prior.dequantize.arrays["table"][quality], prior.dequantize.arrays["repeats"]
        ).astype(np.float32)
        self._symbols_seen = self._units_seen = self._outputs_seen = 0

    def bound(self, group: int) -> int:
        """The group's symbols are within +-bound; 0 means that they are all 0."""
        return int(self._evaluator.prior.bound[self._quality, group])

    def mixture(self, group: int) -> Mixture:
        """The distributions of a group's symbols, n = N * symbols of the group, image by image."""
        evaluator, prior = self._evaluator, self._evaluator.prior
        units_stop = self._compute_units(group)
        outputs = slice(self._outputs_seen, self._outputs_seen + OUTPUTS * int(prior.group_symbols[group]))
        sums = self._hidden2_NU[:, :units_stop] @ evaluator.weights[2][group]
        sums += self._biases[2][outputs]
        values = requantize(sums, prior.output.shift[outputs], "linear", MEAN_RANGE[0], MEAN_RANGE[1])
        return self._to_mixture(values, group)

    def skip(self, group: int) -> None:
        """Pass over a group whose symbols are all 0, instead of `mixture` and `reveal`."""
        self._compute_units(group)
        self._advance(group)

    def _compute_units(self, group: int) -> int:
        """Both layers' hidden units of a group; gives where they end."""
        weights = self._evaluator.weights
        units = slice(self._units_seen, self._units_seen + int(self._evaluator.prior.group_units[group]))
        sums = self._symbols_ND[:, : self._symbols_seen] @ weights[0][group]
        self._hidden1_NU[:, units] = self._hidden(sums, 0, units)
        sums = self._hidden1_NU[:, : units.stop] @ weights[1][group]
        self._hidden2_NU[:, units] = self._hidden(sums, 1, units)
        return units.stop

    def reveal(self, group: int, symbols_Ng: NDArray[np.integer]) -> None:
        """Tell the pass a group's symbols (N, symbols of the group), before the next group."""
        prior = self._evaluator.prior
        size = int(prior.group_symbols[group])
        gain_g = self._dequantize_gain_D[self._evaluator.groups[group]]
        values = symbols_Ng.astype(np.float32) * gain_g
        node = prior.dequantize
        self._symbols_ND[:, self._symbols_seen : self._symbols_seen + size] = requantize(
            values, node.arrays["shift"], "linear", node.low, node.high
        )
        self._advance(group)

    def _advance(self, group: int) -> None:
        prior = self._evaluator.prior
        self._symbols_seen += int(prior.group_symbols[group])
        self._units_seen += int(prior.group_units[group])
        self._outputs_seen += OUTPUTS * int(prior.group_symbols[group])

    def _hidden(self, sums: Float32, layer: int, units: slice) -> Float32:
        prior = self._evaluator.prior
        sums += self._biases[layer][units]
        shift = (prior.hidden1, prior.hidden2)[layer].shift[units]
        return requantize(sums, shift, "leaky", HIDDEN_LOW, HIDDEN_HIGH)

    def _to_mixture(self, values_NO: Float32, group: int) -> Mixture:
        """Outputs to means, scales and weights in units of symbols at this quality."""
        evaluator, prior = self._evaluator, self._evaluator.prior
        segments = evaluator.segments[group]
        gain_g = prior.inverse_gain[self._quality][segments].astype(np.int32)
        offset_g = prior.scale_offset[self._quality][segments].astype(np.int32) + SCALE_CENTRE
        kinds = values_NO.reshape(len(values_NO), OUTPUTS, -1)
        integers = [np.ascontiguousarray(kinds[:, i]).astype(np.int32) for i in range(OUTPUTS)]
        half = 1 << (MEAN_SHIFT - 1)
        means = [np.clip((integers[i] * gain_g + half) >> MEAN_SHIFT, -MEAN_LIMIT, MEAN_LIMIT).ravel() for i in (0, 2)]
        scales = [np.clip(np.clip(integers[i], *SCALE_RANGE) + offset_g, 0, SCALES - 1).ravel() for i in (1, 3)]
        weight = prior.tables.weight[np.clip(integers[4], *WEIGHT_RANGE) - WEIGHT_RANGE[0]].astype(np.int32)
        return Mixture(means=(means[0], means[1]), scales=(scales[0], scales[1]), weight=weight.ravel())


def dequantize(prior: Prior, symbols_ND: NDArray[np.integer], quality: int) -> Float32:
    """Symbols (N,D) to the integers that the decoder and the prior see: float32 (N,D)."""
    return run_node(prior.dequantize, [symbols_ND.astype(np.float32)], quality)
