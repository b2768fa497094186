"""The entropy models: step by step each gives what one full pass would, each distribution from
earlier groups alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import compressnet
from compressnet.codec.bundle import Bundle
from compressnet.codec.codec import Codec
from compressnet.codec.file import from_bytes
from compressnet.coding.mixture import frequencies_of, frequency_weights
from compressnet.errors import CorruptError
from compressnet.lossy.context import PHASES, ContextPrior, context_order, phase_masks
from compressnet.lossy.masked import MaskedPrior, layer_matrices
from compressnet.lossy.prior import Prior, dequantize
from compressnet.lossy.sizeless import SizelessNetwork, prove_sizeless
from compressnet.networks.numpy import bias_at
from conftest import CONFORMANCE
from make_conformance import blobs

LEAKY, LINEAR = 3, 0


def tiny_prior(name: str) -> Prior:
    path: Path = CONFORMANCE / f"{name}.codec"
    return from_bytes(path.read_bytes(), str(path)).networks[0].prior


def requantize(sums: np.ndarray, shift: np.ndarray, limits: tuple[int, int], slope: int) -> np.ndarray:
    """In integers, as docs/FORMAT.md has it; slope: by how much more negative sums are shifted."""
    shift = shift.astype(np.int64) + np.where(sums < 0, slope, 0)
    rounded = np.where(shift > 0, (sums + (1 << np.maximum(shift - 1, 0))) >> np.maximum(shift, 0), 0)
    return np.clip(np.where(shift > 0, rounded, sums << np.maximum(-shift, 0)), *limits)


def masked_pass(prior: MaskedPrior, symbols_ND: np.ndarray, quality: int) -> list[np.ndarray]:
    """Each group's outputs (N,5,g) by three dense int64 layers over all symbols at once."""
    x = dequantize(prior, symbols_ND, quality).astype(np.int64)[:, prior.order]
    layers = (prior.hidden1, prior.hidden2, prior.output)
    forms = (((-32, 223), LEAKY), ((-32, 223), LEAKY), ((-2047, 2047), LINEAR))
    for layer, matrices, (limits, slope) in zip(layers, layer_matrices(prior), forms, strict=True):
        full = np.zeros((len(layer.shift), x.shape[1]), np.int64)
        row = 0
        for matrix in matrices:
            full[row : row + len(matrix), : matrix.shape[1]] = matrix
            row += len(matrix)
        x = requantize(x @ full.T + bias_at(layer.bias, quality), layer.shift, limits, slope)
    ends = np.cumsum(5 * prior.group_symbols)[:-1]
    return [part.reshape(len(x), 5, -1) for part in np.split(x, ends, axis=1)]


def context_pass(prior: ContextPrior, symbols_ND: np.ndarray, quality: int) -> list[np.ndarray]:
    """Each group's outputs (N,5,g), each place on its own, from all symbols with the unknown ones
    set to 0."""
    channels, rows, columns = prior.grid.tolist()
    grid = dequantize(prior, symbols_ND, quality).astype(np.int64).reshape(-1, channels, rows, columns)
    known = phase_masks(rows, columns)[0].astype(np.int64)
    found: list[np.ndarray] = []
    end = 0
    for part, size in zip(prior.slices, prior.slice_channels.tolist(), strict=True):
        end += size
        for phase, (first_row, first_column) in enumerate(PHASES):
            seen = grid[:, :end].copy()
            seen[:, end - size :] *= known[phase]
            seen = np.pad(seen, ((0, 0), (0, 0), (1, 1), (1, 1)))
            places = [(y, x) for y in range(first_row, rows, 2) for x in range(first_column, columns, 2)]
            outputs = np.zeros((len(grid), 5, size, len(places)), np.int64)
            for place, (y, x) in enumerate(places):
                window = seen[:, :, y : y + 3, x : x + 3].reshape(len(grid), -1)
                sums = window @ part.weight.reshape(len(part.weight), -1).astype(np.int64).T
                sums += bias_at(part.bias, quality) + part.phase[phase] + part.row[y] + part.column[x]
                h = requantize(sums, part.shift, (-32, 223), LEAKY)
                h = h @ part.hidden.weight.astype(np.int64).T + part.hidden.bias[0]
                h = requantize(h, part.hidden.shift, (-32, 223), LEAKY)
                h = h @ part.output.weight.astype(np.int64).T + part.output.bias[0]
                h = requantize(h, part.output.shift, (-2047, 2047), LINEAR)
                outputs[:, :, :, place] = h.reshape(-1, 5, size)
            found.append(outputs.reshape(len(grid), 5, -1))
    return found


@pytest.mark.parametrize("quality", [0, 40, 99])
def test_step_by_step_is_one_full_pass(tiny_bundle: Bundle, tiny_arrays: dict[str, np.ndarray], quality: int) -> None:
    prior, symbols = tiny_bundle.networks[0].prior, tiny_arrays["symbols"]
    whole = (masked_pass if isinstance(prior, MaskedPrior) else context_pass)(prior, symbols, quality)
    evaluator = prior.evaluator()
    state = evaluator.start(len(symbols), quality)
    segments = np.repeat(np.arange(len(prior.dequantize.arrays["repeats"])), prior.dequantize.arrays["repeats"])
    for group, (columns, kinds) in enumerate(zip(evaluator.groups, whole, strict=True)):
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


def test_distributions_depend_on_earlier_groups_alone(tiny: Codec, tiny_arrays: dict[str, np.ndarray]) -> None:
    prior = tiny.bundle.networks[0].prior
    evaluator, symbols = prior.evaluator(), tiny_arrays["symbols"][:4]
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
    network, symbols = tiny.coder(tiny.kinds[0], 60).runner, tiny_arrays["symbols"]
    together = network.entropy.bits(symbols, 60)
    alone = np.concatenate([network.entropy.bits(symbols[i : i + 1], 60) for i in range(len(symbols))])
    assert together == pytest.approx(alone)


def test_a_frequency_alone_is_that_of_the_whole_alphabet(tiny_bundle: Bundle) -> None:
    prior = tiny_bundle.networks[0].prior
    mixture = prior.evaluator().start(50, 60).mixture(0)
    for bound in (1, 20, 127):
        whole = frequency_weights(prior.tables, mixture, bound) + 1
        for index in (0, bound, 2 * bound):
            alone = frequencies_of(prior.tables, mixture, bound, np.full(len(whole), index))
            assert np.array_equal(alone, whole[:, index])


Change = Callable[[np.ndarray], object]


def changed(prior: Prior, name: str, change: Change) -> Prior:
    return replace(prior, **{name: change(getattr(prior, name))})


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("order", np.zeros_like, "not a permutation"),
        ("bound", lambda bound: np.full_like(bound, 128), r"not within \+-127"),
        ("bound", lambda bound: np.full_like(bound, -1), r"not within \+-127"),
        ("inverse_gain", lambda gain: np.full_like(gain, 8197), "gains are out of range"),
        ("inverse_gain", np.zeros_like, "gains are out of range"),
    ],
)
def test_entropy_models_out_of_bounds_are_refused(tiny_bundle: Bundle, name: str, change: Change, message: str) -> None:
    prior = tiny_bundle.networks[0].prior
    prior.prove(len(prior.order))
    with pytest.raises(CorruptError, match=message):
        changed(prior, name, change).prove(len(prior.order))


def test_masked_layers_out_of_bounds_are_refused() -> None:
    prior = tiny_prior("grey")
    assert isinstance(prior, MaskedPrior)
    with pytest.raises(CorruptError, match="empty group"):
        changed(prior, "group_units", np.zeros_like).prove(len(prior.order))
    layer = prior.hidden2
    for changes, message in (
        ({"weight": layer.weight[:-1]}, "weights do not fit"),
        ({"bias": layer.bias[:, :-1]}, "biases do not fit"),
        ({"bias": np.full_like(layer.bias, 1 << 24)}, "leaves the range"),
        ({"shift": np.full_like(layer.shift, 21)}, "leaves the range"),
    ):
        with pytest.raises(CorruptError, match=message):
            replace(prior, hidden2=replace(layer, **changes)).prove(len(prior.order))


def test_convolutional_layers_out_of_bounds_are_refused() -> None:
    prior = tiny_prior("tiles")
    assert isinstance(prior, ContextPrior)
    part = prior.slices[1]
    for changes, message in (
        ({"weight": part.weight[:, :-1]}, "weights do not fit"),
        ({"phase": part.phase[:3]}, "weights do not fit"),
        ({"row": part.row[:-1]}, "weights do not fit"),
        ({"shift": part.shift[:-1]}, "weights do not fit"),
        ({"hidden": replace(part.hidden, weight=part.hidden.weight[:-1])}, "weights do not fit"),
        ({"output": replace(part.output, bias=part.output.bias[:, 1:])}, "weights do not fit"),
        ({"column": np.full_like(part.column, 1 << 24)}, "leaves the range"),
        ({"shift": np.full_like(part.shift, 21)}, "leaves the range"),
        ({"output": replace(part.output, bias=np.full_like(part.output.bias, 1 << 24))}, "leaves the range"),
    ):
        with pytest.raises(CorruptError, match=message):
            replace(prior, slices=(prior.slices[0], replace(part, **changes))).prove(len(prior.order))


@pytest.mark.parametrize(
    ("grid", "slices", "message"),
    [
        ([3, 0, 3], [1, 2], "empty grid"),
        ([3, 3, 3], [0, 3], "empty grid"),
        ([3, 3, 3], [1, 1], "slices do not fit"),
        ([3, 1, 9], [1, 2], "slices do not fit"),
        ([3, 3], [1, 2], "empty grid"),
    ],
)
def test_grids_that_make_no_sense_are_refused(grid: list[int], slices: list[int], message: str) -> None:
    with pytest.raises(CorruptError, match=message):
        context_order(np.array(grid, np.int32), np.array(slices, np.int32))


@given(grid=st.tuples(st.integers(1, 4), st.integers(2, 40), st.integers(2, 40)), first=st.integers(1, 4))
def test_a_pyramid_orders_every_symbol_from_coarse_to_fine(grid: tuple[int, int, int], first: int) -> None:
    sizes = [min(first, grid[0]), grid[0] - min(first, grid[0])]
    order, group_symbols = context_order(
        np.array(grid, np.int32), np.array([size for size in sizes if size], np.int32), has_pyramid=True
    )
    assert sorted(order.tolist()) == list(range(int(np.prod(grid))))
    assert group_symbols.min() > 0
    own = order[: sizes[0] * grid[1] * grid[2]].reshape(-1)
    rows, columns = own // grid[2] % grid[1], own % grid[2]
    assert (rows[: sizes[0]] == 0).all()
    assert (columns[: sizes[0]] == 0).all()
    distances = np.minimum(_halvings(rows), _halvings(columns))
    assert (np.diff(distances) <= 0).all()


def _halvings(numbers: np.ndarray) -> np.ndarray:
    """How often each can be halved; many times for 0."""
    return np.array([(int(number) & -int(number)).bit_length() - 1 if number else 30 for number in numbers])


@pytest.mark.parametrize("size", [(1, 1), (70, 33), (16, 200)])
def test_the_groups_of_a_pyramid_depend_on_earlier_ones_alone(size: tuple[int, int]) -> None:
    kind = (*size, 4)
    codec = compressnet.load(CONFORMANCE / "any16.codec")
    symbols = codec.encoder(blobs(2, kind, 3), 99)
    prior = codec.coder(kind, 99).runner.network.prior
    evaluator = prior.evaluator()
    groups = evaluator.groups
    for changed_group in (0, 1, len(groups) // 3):
        changed = symbols.copy()
        changed[:, groups[changed_group]] += 40
        states = evaluator.start(2, 99), evaluator.start(2, 99)
        same: list[bool] = []
        for group, columns in enumerate(groups):
            found = [frequency_weights(prior.tables, state.mixture(group), 20) for state in states]
            same.append(np.array_equal(*found))
            for state, each in zip(states, (symbols, changed), strict=True):
                state.reveal(group, each[:, columns])
        assert all(same[: changed_group + 1])
        assert not all(same[changed_group + 1 :])


def test_a_pyramid_out_of_bounds_is_refused() -> None:
    (network,) = compressnet.load(CONFORMANCE / "any16.codec").bundle.networks
    assert isinstance(network, SizelessNetwork)
    pyramid = network.prior.pyramid
    assert pyramid is not None
    for changes, message in (
        ({"weight": pyramid.weight[:, :-1]}, "weights do not fit"),
        ({"phase": pyramid.phase[:12]}, "weights do not fit"),
        ({"phase": np.full_like(pyramid.phase, 1 << 24)}, "leaves the range"),
        ({"output": replace(pyramid.output, bias=pyramid.output.bias[:, 1:])}, "weights do not fit"),
    ):
        prior = replace(network.prior, pyramid=replace(pyramid, **changes))
        with pytest.raises(CorruptError, match=message):
            prove_sizeless(replace(network, prior=prior))
