"""The masked MLP: an entropy model over groups of symbols, in integers, evaluated group by group.

A group's distributions follow from the dequantized symbols of the groups before it through two
hidden layers whose units belong to groups too:

    hidden1[g] = f(symbols[<g])      hidden2[g] = f(hidden1[<=g])      outputs[g] = hidden2[<=g]

So every unit is computed once, when its group comes up, and decoding costs about one pass of the
network. (MADE, Germain et al., arXiv:1502.03509, with the units ordered.)

Axes: N images, D symbols, U hidden units, G groups, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.mixture import Mixture
from compressnet.errors import CorruptError
from compressnet.lossy.prior import OUTPUTS, Prior, PriorEvaluator, PriorPass, output_values
from compressnet.networks.dense import HIDDEN_HIGH, DenseLayer, hidden_units, require_exact
from compressnet.networks.numpy import bias_at
from compressnet.networks.program import ANCHORS
from compressnet.networks.proof import magnitudes


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedPrior(Prior):
    """An entropy model in which every unit may read all symbols of earlier groups."""

    group_units: NDArray[np.int32]
    """(G,): units of each group, in either hidden layer."""
    hidden1: DenseLayer
    hidden2: DenseLayer
    output: DenseLayer
    """A group's outputs: all its first means, log scales, second means, log scales, weights."""

    def evaluator(self) -> PriorEvaluator:
        """The model made ready to run."""
        return MaskedEvaluator(self)

    def prove_layers(self) -> None:
        """Check the layers' shapes and prove that float32 computes them exactly.

        Raises CorruptError.
        """
        if self.group_units.shape != self.group_symbols.shape or self.group_units.min() < 1:
            raise CorruptError("the entropy model has an empty group")
        inputs = (self.dequantized_limit, HIDDEN_HIGH, HIDDEN_HIGH)
        layers = (self.hidden1, self.hidden2, self.output)
        layer_sizes = layer_shapes(self)
        for layer, shapes in zip(layers, layer_sizes, strict=True):
            outputs = sum(rows for rows, _ in shapes)
            if len(layer.weight) != sum(rows * seen for rows, seen in shapes) or layer.shift.shape != (outputs,):
                raise CorruptError("the entropy model's weights do not fit its groups")
            if layer.bias.shape not in ((1, outputs), (ANCHORS, outputs)):
                raise CorruptError("the entropy model's biases do not fit its groups")
        for layer, matrices, largest in zip(layers, layer_matrices(self), inputs, strict=True):
            bias_O = np.abs(layer.bias.astype(np.int64)).max(axis=0)
            sums = np.concatenate([magnitudes(matrix) for matrix in matrices]) * largest + bias_O
            require_exact(sums, layer.shift, "the entropy model")


def layer_shapes(prior: MaskedPrior) -> list[list[tuple[int, int]]]:
    """For each of the three layers and each group: (outputs, inputs seen)."""
    symbols, units = prior.group_symbols.astype(int), prior.group_units.astype(int)
    symbols_before = np.cumsum(symbols) - symbols
    units_up_to = np.cumsum(units)
    return [
        list(zip(units.tolist(), symbols_before.tolist(), strict=True)),
        list(zip(units.tolist(), units_up_to.tolist(), strict=True)),
        list(zip((OUTPUTS * symbols).tolist(), units_up_to.tolist(), strict=True)),
    ]


def layer_matrices(prior: MaskedPrior) -> list[list[NDArray[np.int8]]]:
    """For each of the three layers and each group its matrix (outputs, inputs seen)."""
    layers = (prior.hidden1, prior.hidden2, prior.output)
    matrices: list[list[NDArray[np.int8]]] = []
    for layer, shapes in zip(layers, layer_shapes(prior), strict=True):
        ends = np.cumsum([outputs * seen for outputs, seen in shapes]).tolist()
        parts = np.split(layer.weight, ends[:-1])
        matrices.append([part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)])
    return matrices


class MaskedEvaluator(PriorEvaluator):
    """A masked MLP made ready to run."""

    def __init__(self, prior: MaskedPrior) -> None:
        super().__init__(prior)
        self.masked = prior
        self.weights = [
            [np.ascontiguousarray(matrix.T.astype(np.float32)) for matrix in matrices]
            for matrices in layer_matrices(prior)
        ]

    def start(self, images: int, quality: int) -> PriorPass:
        """A pass over some images, all at one quality."""
        return _MaskedPass(self, images, quality)


class _MaskedPass(PriorPass):
    """All symbols and units of some images, as far as they are known."""

    def __init__(self, evaluator: MaskedEvaluator, images: int, quality: int) -> None:
        super().__init__(evaluator, quality)
        prior = evaluator.masked
        self._evaluator, self._masked = evaluator, prior
        self._symbols_ND = np.zeros((images, len(prior.order)), np.float32)
        units = int(prior.group_units.sum())
        self._hidden1_NU = np.empty((images, units), np.float32)
        self._hidden2_NU = np.empty((images, units), np.float32)
        self._biases = [
            bias_at(layer.bias, quality).astype(np.float32) for layer in (prior.hidden1, prior.hidden2, prior.output)
        ]
        self._symbols_seen = self._units_seen = self._outputs_seen = 0

    def mixture(self, group: int) -> Mixture:
        """The distributions of a group's symbols, n = N * symbols of the group, image by image."""
        units_stop = self._compute_units(group)
        outputs = slice(self._outputs_seen, self._outputs_seen + OUTPUTS * int(self._masked.group_symbols[group]))
        sums = self._hidden2_NU[:, :units_stop] @ self._evaluator.weights[2][group]
        sums += self._biases[2][outputs]
        values = output_values(sums, self._masked.output.shift[outputs])
        return self._evaluator.to_mixture(values, group, self._quality)

    def skip(self, group: int) -> None:
        """Pass over a group whose symbols are all 0, instead of `mixture` and `reveal`."""
        self._compute_units(group)
        self._advance(group)

    def _compute_units(self, group: int) -> int:
        """Both layers' hidden units of a group; gives where they end."""
        weights, prior = self._evaluator.weights, self._masked
        units = slice(self._units_seen, self._units_seen + int(prior.group_units[group]))
        sums = self._symbols_ND[:, : self._symbols_seen] @ weights[0][group]
        sums += self._biases[0][units]
        self._hidden1_NU[:, units] = hidden_units(sums, prior.hidden1.shift[units])
        sums = self._hidden1_NU[:, : units.stop] @ weights[1][group]
        sums += self._biases[1][units]
        self._hidden2_NU[:, units] = hidden_units(sums, prior.hidden2.shift[units])
        return units.stop

    def reveal(self, group: int, symbols_Ng: NDArray[np.integer]) -> None:
        """Tell the pass a group's symbols (N, symbols of the group), before the next group."""
        size = int(self._masked.group_symbols[group])
        self._symbols_ND[:, self._symbols_seen : self._symbols_seen + size] = self.dequantized(group, symbols_Ng)
        self._advance(group)

    def _advance(self, group: int) -> None:
        self._symbols_seen += int(self._masked.group_symbols[group])
        self._units_seen += int(self._masked.group_units[group])
        self._outputs_seen += OUTPUTS * int(self._masked.group_symbols[group])
