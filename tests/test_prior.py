"""The entropy model: step by step it gives what one full pass would, each distribution from earlier groups alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compressnet.bundle import Bundle
from compressnet.codec import Codec
from compressnet.errors import CorruptError
from compressnet.exact import bias_at
from compressnet.prior import Prior, PriorEvaluator, dequantize, layer_shapes, prove_prior
from compressnet.tables import frequency_weights


def full_matrix(weight: np.ndarray, shapes: list[tuple[int, int]], columns: int) -> np.ndarray:
    """A masked layer's weights as one matrix (O,I) with zeros, int64."""
    matrix = np.zeros((sum(rows for rows, _ in shapes), columns), np.int64)
    row = start = 0
    for rows, seen in shapes:
        matrix[row : row + rows, :seen] = weight[start : start + rows * seen].reshape(rows, seen)
        row, start = row + rows, start + rows * seen
    return matrix


def full_pass(prior: Prior, symbols_ND: np.ndarray, quality: int) -> np.ndarray:
    """All outputs (N,O) by three dense int64 layers over all symbols at once."""

    def requantize(sums: np.ndarray, shift: np.ndarray, low: int, high: int, slope: int) -> np.ndarray:
        shift = shift.astype(np.int64) + np.where(sums < 0, slope, 0)
        rounded = np.where(shift > 0, (sums + (1 << np.maximum(shift - 1, 0))) >> np.maximum(shift, 0), 0)
        return np.clip(np.where(shift > 0, rounded, sums << np.maximum(-shift, 0)), low, high)

    x = dequantize(prior, symbols_ND, quality).astype(np.int64)[:, prior.order]
    layers = (prior.hidden1, prior.hidden2, prior.output)
    limits = ((-32, 223, 3), (-32, 223, 3), (-2047, 2047, 0))
    for layer, shapes, (low, high, slope) in zip(layers, layer_shapes(prior), limits, strict=True):
        sums = x @ full_matrix(layer.weight, shapes, x.shape[1]).T + bias_at(layer.bias, quality)
        x = requantize(sums, layer.shift, low, high, slope)
    return x


@pytest.mark.parametrize("quality", [0, 40, 99])
def test_step_by_step_is_one_full_pass(tiny_bundle: Bundle, tiny_arrays: dict[str, np.ndarray], quality: int) -> None:
    prior, symbols = tiny_bundle.networks[0].prior, tiny_arrays["symbols"]
    outputs = full_pass(prior, symbols, quality)
    state = PriorEvaluator(prior).start(len(symbols), quality)
    segments = np.repeat(np.arange(len(prior.dequantize.arrays["repeats"])), prior.dequantize.arrays["repeats"])
    first_output = first_symbol = 0
    for group, size in enumerate(prior.group_symbols):
        columns = prior.order[first_symbol : first_symbol + size]
        kinds = outputs[:, first_output : first_output + 5 * size].reshape(len(symbols), 5, size)
        gains = prior.inverse_gain[quality][segments[columns]].astype(np.int64)
        mixture = state.mixture(group)
        for mean, kind in zip(mixture.means, (0, 2), strict=True):
            expected = np.clip((kinds[:, kind] * gains + 256) >> 9, -4096, 4096)
            assert np.array_equal(mean, expected.ravel())
        offsets = prior.scale_offset[quality][segments[columns]].astype(np.int64)
        for scale, kind in zip(mixture.scales, (1, 3), strict=True):
            expected = np.clip(np.clip(kinds[:, kind], -64, 63) + offsets + 40, 0, 80)
            assert np.array_equal(scale, expected.ravel())
        assert np.array_equal(mixture.weight, prior.tables.weight[np.clip(kinds[:, 4], -128, 127) + 128].ravel())
        state.reveal(group, symbols[:, columns])
        first_output, first_symbol = first_output + 5 * size, first_symbol + size


def test_distributions_depend_on_earlier_groups_alone(tiny: Codec, tiny_arrays: dict[str, np.ndarray]) -> None:
    prior = tiny.bundle.networks[0].prior
    evaluator, symbols = PriorEvaluator(prior), tiny_arrays["symbols"][:4]
    changed_group = len(evaluator.groups) // 2
    changed = symbols.copy()
    changed[:, evaluator.groups[changed_group]] += 5

    def distributions(symbols_ND: np.ndarray) -> list[np.ndarray]:
        state = evaluator.start(len(symbols_ND), 60)
        found = []
        for group, columns in enumerate(evaluator.groups):
            found.append(frequency_weights(prior.tables, state.mixture(group), 20))
            state.reveal(group, symbols_ND[:, columns])
        return found

    same = [np.array_equal(a, b) for a, b in zip(distributions(symbols), distributions(changed), strict=True)]
    assert all(same[: changed_group + 1])
    assert not all(same[changed_group + 1 :])


def test_images_do_not_influence_each_other(tiny: Codec, tiny_arrays: dict[str, np.ndarray]) -> None:
    network, symbols = tiny._networks[0], tiny_arrays["symbols"]
    together = network.ideal_bits(symbols, 60)
    alone = sum(network.ideal_bits(symbols[i : i + 1], 60) for i in range(len(symbols)))
    assert together == pytest.approx(alone)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("order", lambda order: np.zeros_like(order), "not a permutation"),
        ("group_units", lambda units: np.zeros_like(units), "empty group"),
        ("bound", lambda bound: np.full_like(bound, 128), r"not within \+-127"),
        ("bound", lambda bound: np.full_like(bound, -1), r"not within \+-127"),
        ("inverse_gain", lambda gain: np.full_like(gain, 8197), "gains are out of range"),
        ("inverse_gain", lambda gain: np.zeros_like(gain), "gains are out of range"),
    ],
)
def test_entropy_models_out_of_bounds_are_refused(tiny_bundle: Bundle, name: str, value: object, message: str) -> None:
    prior = tiny_bundle.networks[0].prior
    prove_prior(prior, len(prior.order))
    with pytest.raises(CorruptError, match=message):
        prove_prior(replace(prior, **{name: value(getattr(prior, name))}), len(prior.order))


def test_layers_out_of_bounds_are_refused(tiny_bundle: Bundle) -> None:
    prior = tiny_bundle.networks[0].prior
    layer = prior.hidden2
    for changes, message in (
        ({"weight": layer.weight[:-1]}, "weights do not fit"),
        ({"bias": layer.bias[:, :-1]}, "biases do not fit"),
        ({"bias": np.full_like(layer.bias, 1 << 24)}, "leaves the range"),
        ({"shift": np.full_like(layer.shift, 21)}, "leaves the range"),
    ):
        with pytest.raises(CorruptError, match=message):
            prove_prior(replace(prior, hidden2=replace(layer, **changes)), len(prior.order))
