"""Integer networks: every op against Python integers, and the proof that refuses what float32
would round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.errors import CorruptError
from compressnet.networks.numpy import NumpyBackend, bias_at, planes_of, requantize, run_node
from compressnet.networks.program import QUALITIES, Node, Op, Program
from compressnet.networks.proof import EXACT_BELOW, prove


def int8(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int8)


def requantized(total: int, shift: int, leaky: bool, low: int, high: int) -> int:
    """docs/FORMAT.md, "Networks", in integers."""
    shift += 3 if leaky and total < 0 else 0
    value = (total + (1 << (shift - 1))) >> shift if shift > 0 else total << -shift
    return min(max(value, low), high)


def dense_node(weight: np.ndarray, bias: np.ndarray, shift: int = 6, **changes: object) -> Node:
    arrays = {
        "weight": weight,
        "bias": bias.astype(np.int32),
        "shift": np.full(len(weight), shift, np.int8),
    }
    return Node(op="dense", inputs=("x",), output="y", arrays=arrays, **changes)


def run(nodes: list[Node], x: np.ndarray, quality: int = 0) -> np.ndarray:
    program = Program(nodes=tuple(nodes), input_range=(int(x.min()), int(x.max())), input_shape=x.shape[1:])
    registers = {"x": np.zeros((1, *program.input_shape), np.float32)}
    for node in nodes:
        registers[node.output] = run_node(node, [registers[name] for name in node.inputs], 0)
    shape = registers["y"].shape[1:]
    prove(program, shape)
    return planes_of(NumpyBackend().compile(program, shape)(np.moveaxis(x, 1, -1), quality, np.int32))


@settings(max_examples=300, deadline=None)
@given(
    total=st.integers(-EXACT_BELOW + 1, EXACT_BELOW - 1),
    shift=st.integers(-20, 20),
    leaky=st.booleans(),
    low=st.integers(-2047, 0),
    high=st.integers(0, 2047),
)
def test_requantize_is_the_integer_rule(total: int, shift: int, leaky: bool, low: int, high: int) -> None:
    sums = np.array([total], np.float32)
    got = requantize(sums, np.array([shift], np.int8), "leaky" if leaky else "linear", low, high)
    assert got[0] == requantized(total, shift, leaky, low, high)


@pytest.mark.parametrize("leaky", [False, True])
@pytest.mark.parametrize("shift", [-3, 0, 1, 2, 3, 19, 20])
def test_requantize_is_exact_at_the_edges_of_float32(shift: int, leaky: bool) -> None:
    largest = EXACT_BELOW - 1
    totals = [*range(-largest, -largest + 200), *range(-100, 100), *range(largest - 200, largest + 1)]
    got = requantize(
        np.array(totals, np.float32), np.array([shift], np.int8), "leaky" if leaky else "linear", -(1 << 23), 1 << 23
    )
    assert got.tolist() == [requantized(total, shift, leaky, -(1 << 23), 1 << 23) for total in totals]


def test_bias_at_is_linear_between_anchors_and_rounds_half_up() -> None:
    rows = np.zeros((12, 2), np.int32)
    rows[1] = [9, -5]
    assert bias_at(rows, 0).tolist() == [0, 0]
    assert [bias_at(rows, quality)[0] for quality in range(10)] == list(range(10))
    assert bias_at(rows, 9).tolist() == [9, -5]
    for quality in range(10):
        assert bias_at(rows, quality)[1] == (2 * -5 * quality + 9) // 18
    assert bias_at(rows[:1], 57).tolist() == [0, 0]


def test_dense_and_conv_are_integer_sums() -> None:
    x = np.random.default_rng(1).integers(0, 256, (3, 2, 5, 6))
    weight, bias = int8(4, 60), np.arange(4)[None]
    got = run([dense_node(weight, bias, low=-2047, high=2047)], x)
    sums = x.reshape(3, -1) @ weight.T.astype(np.int64) + bias
    assert got.tolist() == [[requantized(int(s), 6, False, -2047, 2047) for s in row] for row in sums]

    kernel = int8(3, 2, 3, 3, seed=2)
    arrays = {"weight": kernel, "bias": np.array([[5, -5, 0]], np.int32), "shift": np.array([4, 5, 6], np.int8)}
    conv = Node(
        op="conv",
        inputs=("x",),
        output="y",
        attributes={"stride": 2, "padding": 1},
        activation="leaky",
        low=-32,
        high=223,
        arrays=arrays,
    )
    got = run([conv], x)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    assert got.shape == (3, 3, 3, 3)
    for n, o, row, column in np.ndindex(got.shape):
        field = padded[n, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        total = int((field * kernel[o].astype(np.int64)).sum()) + (5, -5, 0)[o]
        assert got[n, o, row, column] == requantized(total, 4 + o, True, -32, 223)


def test_add_clamps_and_leaks() -> None:
    x = np.array([[[-100, 100, -4, 3]]]).reshape(1, 4)
    double = Node(op="add", inputs=("x", "x"), output="y", activation="leaky", low=-16, high=120)
    assert run([double], x).tolist() == [[-16, 120, -1, 6]]


def test_gain_scales_by_segment_and_quality_and_clamps_to_its_bound() -> None:
    table = np.ones((QUALITIES, 2), np.int16)
    table[7] = [64, 32]
    bound = np.full((QUALITIES, 2), 100, np.int16)
    bound[7] = [3, 100]
    arrays = {"table": table, "bound": bound, "repeats": np.array([1, 2], np.int32), "shift": np.array([5], np.int8)}
    node = Node(op="gain", inputs=("x",), output="y", arrays=arrays)
    x = np.array([[1, 5, -6], [9, -9, 0]])
    assert run([node], x, quality=7).tolist() == [[2, 5, -6], [3, -9, 0]]


def test_shuffle_undoes_unshuffle_and_orders_channels_as_the_format_says() -> None:
    x = np.arange(2 * 4 * 6).reshape(1, 2, 4, 6)
    unshuffle = Node(op="unshuffle", inputs=("x",), output="a", attributes={"factor": 2, "channels": 2})
    shuffle = Node(op="shuffle", inputs=("a",), output="y", attributes={"factor": 2})
    assert np.array_equal(run([unshuffle, shuffle], x), x)
    patches = run([Node(op="unshuffle", inputs=("x",), output="y", attributes={"factor": 2, "channels": 2})], x)
    assert patches[0, 1 * 4 + 1 * 2 + 0, 1, 2] == x[0, 1, 2 * 1 + 1, 2 * 2 + 0]


def test_crop_and_extend_change_the_sides() -> None:
    x = np.random.default_rng(3).integers(0, 256, (2, 3, 9, 14))
    extend = Node(op="extend", inputs=("x",), output="a", attributes={"rows": 3, "columns": 2})
    crop = Node(op="crop", inputs=("a",), output="y", attributes={"height": 9, "width": 14})
    extended = run([replace(extend, output="y")], x)
    assert extended.shape == (2, 3, 12, 16)
    for row, column in np.ndindex(12, 16):
        assert np.array_equal(extended[:, :, row, column], x[:, :, min(row, 8), min(column, 13)])
    assert np.array_equal(run([extend, crop], x), x)
    smaller = run([replace(crop, inputs=("x",), attributes={"height": 4, "width": 1})], x)
    assert np.array_equal(smaller, x[:, :, :4, :1])


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("crop", {"height": 10, "width": 14}),
        ("crop", {"height": 9, "width": 15}),
        ("crop", {"height": 0, "width": 14}),
        ("extend", {"rows": 24, "columns": 0}),
        ("extend", {"rows": 0, "columns": 19}),
    ],
)
def test_prove_refuses_sides_that_cannot_be(op: Op, attributes: dict[str, int]) -> None:
    node = Node(op=op, inputs=("x",), output="y", attributes=attributes)
    program = Program(nodes=(node,), input_range=(0, 255), input_shape=(3, 9, 14))
    with pytest.raises(CorruptError, match=rf"'y' \({op}\) does not fit its input of shape \(3, 9, 14\)"):
        prove(program, (3, 9, 14))


def test_slice_concat_and_reshape_move_values() -> None:
    x = np.arange(12).reshape(1, 12)
    nodes = [
        Node(op="slice", inputs=("x",), output="tail", attributes={"start": 4, "stop": 12}),
        Node(op="slice", inputs=("x",), output="head", attributes={"start": 0, "stop": 4}),
        Node(op="concat", inputs=("tail", "head"), output="all"),
        Node(op="reshape", inputs=("all",), output="y", attributes={"channels": 3, "height": 2, "width": 2}),
    ]
    assert run(nodes, x).ravel().tolist() == [*range(4, 12), *range(4)]


def test_prove_refuses_sums_that_float32_could_round() -> None:
    fits = dense_node(np.full((1, 518), 127, np.int8), np.array([[0]]))
    prove(Program(nodes=(fits,), input_range=(0, 255), input_shape=(518,)), (1,))
    wide = dense_node(np.full((1, 519), 127, np.int8), np.array([[0]]))
    with pytest.raises(CorruptError, match="'y' can reach 16807815; float32 is exact below 16777216"):
        prove(Program(nodes=(wide,), input_range=(0, 255), input_shape=(519,)), (1,))
    biased = dense_node(np.full((1, 518), 127, np.int8), np.array([[5000]]))
    with pytest.raises(CorruptError, match="float32 is exact below"):
        prove(Program(nodes=(biased,), input_range=(0, 255), input_shape=(518,)), (1,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shift": 21}, "shift beyond"),
        ({"low": 5, "high": 4}, "clamps to"),
        ({"low": -(1 << 23) - 1}, "clamps to"),
        ({"inputs": ("z",)}, "reads z before it is written"),
        ({"inputs": ()}, "has no input"),
        ({"output": "x"}, "writes a register twice"),
        ({"weight": np.ones((2, 3), np.int8)}, "does not fit its input"),
        ({"bias": np.zeros((3, 2))}, "does not fit its input"),
    ],
)
def test_prove_refuses_nodes_out_of_bounds(changes: dict[str, object], message: str) -> None:
    settings_of_node = {"weight": np.ones((2, 4), np.int8), "bias": np.zeros((1, 2)), "shift": 6, "inputs": ("x",)}
    chosen = settings_of_node | changes
    node = Node(
        op="dense",
        inputs=chosen["inputs"],
        output=chosen.get("output", "y"),
        low=chosen.get("low", -128),
        high=chosen.get("high", 127),
        arrays={
            "weight": chosen["weight"],
            "bias": chosen["bias"].astype(np.int32),
            "shift": np.full(2, chosen["shift"], np.int8),
        },
    )
    with pytest.raises(CorruptError, match=message):
        prove(Program(nodes=(node,), input_range=(0, 255), input_shape=(4,)), (2,))


def test_prove_gives_the_range_of_the_output() -> None:
    node = dense_node(np.ones((2, 4), np.int8), np.zeros((1, 2)), low=-7, high=9)
    assert prove(Program(nodes=(node,), input_range=(0, 255), input_shape=(4,)), (2,)) == (-7, 9)
    with pytest.raises(CorruptError, match=r"shape \(2,\), not \(3,\)"):
        prove(Program(nodes=(node,), input_range=(0, 255), input_shape=(4,)), (3,))
