"""Programs in the compiled core: what NumPy gives, in every variant that this machine runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backends import CORES
from compressnet.errors import SlowerWarning
from compressnet.native.backend import NativeBackend
from compressnet.native.library import find_core
from compressnet.native.networks import NativeProgram, compile_program
from compressnet.networks.numpy import NumpyBackend
from compressnet.networks.onnx import OnnxBackend
from compressnet.networks.program import Node, Program
from compressnet.networks.proof import prove
from random_programs import random_batch, random_program

pytestmark = pytest.mark.skipif(not CORES, reason="no compiled core")


def native(core: str, program: Program, shape: tuple[int, ...], threads: int = 1) -> NativeProgram:
    runner = compile_program(find_core(core), program, shape, threads)
    assert runner is not None
    return runner


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 32), images=st.integers(0, 5), quality=st.integers(0, 99))
@example(seed=94757, images=1, quality=2)  # a gain that clamps to values outside of its bound
def test_random_programs_give_what_numpy_gives(seed: int, images: int, quality: int) -> None:
    rng = np.random.default_rng(seed)
    program, shape = random_program(rng)
    batch = random_batch(rng, program, images)
    numpy = NumpyBackend().compile(program, shape)
    for dtype in (np.uint8, np.int8, np.int16, np.int32):
        expected = numpy(batch, quality, dtype)
        for core in CORES:
            found = native(core, program, shape)(batch, quality, dtype)
            assert found.dtype == dtype
            assert np.array_equal(found, expected)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1 << 32), quality=st.integers(0, 99))
def test_random_programs_give_what_onnx_gives(seed: int, quality: int) -> None:
    rng = np.random.default_rng(seed)
    program, shape = random_program(rng)
    batch = random_batch(rng, program, 3)
    expected = OnnxBackend(1).compile(program, shape)(batch, quality, np.int32)
    assert np.array_equal(native(CORES[0], program, shape)(batch, quality, np.int32), expected)


def test_inputs_of_any_type_and_order_on_any_threads() -> None:
    rng = np.random.default_rng(3)
    weight = rng.integers(-127, 128, (5, 3, 3, 3)).astype(np.int8)
    arrays = {"weight": weight, "bias": np.zeros((1, 5), np.int32), "shift": np.full(5, 9, np.int8)}
    conv = Node(op="conv", inputs=("x",), output="y", attributes={"stride": 1, "padding": 1}, arrays=arrays)
    program, shape = Program(nodes=(conv,), input_range=(0, 255), input_shape=(3, 8, 9)), (5, 8, 9)
    prove(program, shape)
    batch = rng.integers(0, 256, (300, 8, 9, 3), dtype=np.uint8)
    expected = NumpyBackend().compile(program, shape)(batch, 0, np.int16)
    for threads in (1, 2, 3):
        runner = native(CORES[0], program, shape, threads)
        for values in (batch, batch.astype(np.int64), batch[::-1][::-1], np.asfortranarray(batch)):
            assert np.array_equal(runner(values, 0, np.int16), expected)


def test_numpy_runs_what_the_core_cannot() -> None:
    arrays = {
        "weight": np.ones((1, 1, 1, 1), np.int8),
        "bias": np.zeros((1, 1), np.int32),
        "shift": np.zeros(1, np.int8),
    }
    attributes = {"stride": 1000, "padding": 1100}
    conv = Node(op="conv", inputs=("x",), output="y", attributes=attributes, arrays=arrays)
    program = Program(nodes=(conv,), input_range=(0, 255), input_shape=(1, 1, 1))
    prove(program, (1, 3, 3))
    assert compile_program(find_core(), program, (1, 3, 3), 1) is None
    backend = NativeBackend(find_core(), 1)
    with pytest.warns(SlowerWarning, match=r"^the network from 1x1x1 to 3x3x1 is beyond the compiled core; NumPy runs"):
        run = backend.compile(program, (1, 3, 3))
    assert backend.left_to_numpy == ["the network from 1x1x1 to 3x3x1"]
    assert run(np.full((1, 1, 1, 1), 9, np.uint8), 0, np.int16).ravel().tolist() == [0] * 9
