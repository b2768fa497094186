"""Backends: the same integers, to the last bit, with any number of threads and any batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from backends import BACKENDS
from compressnet.networks.numpy import NumpyBackend
from compressnet.networks.onnx import OnnxBackend
from compressnet.networks.program import Node, Program
from compressnet.networks.proof import prove

OTHERS = [backend for backend in BACKENDS if backend != "numpy"]


@pytest.mark.parametrize("quality", [0, 45, 99])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("backend", OTHERS)
def test_all_give_what_numpy_gives(
    tiny_path: Path, tiny_arrays: dict[str, np.ndarray], quality: int, threads: int, backend: str
) -> None:
    images = tiny_arrays["images"]
    generator = np.random.default_rng(quality)
    hard = np.concatenate([images] * 4 + [generator.integers(0, 256, images.shape, dtype=np.uint8)])
    other = compressnet.load(tiny_path, backend=backend, threads=threads)
    numpy = compressnet.load(tiny_path, backend="numpy", threads=threads)
    symbols = numpy.encoder(hard, quality)
    assert np.array_equal(other.encoder(hard, quality), symbols)
    assert np.array_equal(other.decoder(symbols, quality), numpy.decoder(symbols, quality))
    assert other.compress(hard, quality) == numpy.compress(hard, quality)


@pytest.mark.parametrize("backend", OTHERS)
def test_shipped_codec_is_the_same_in_all(mnist: np.ndarray, backend: str) -> None:
    numpy, other = (compressnet.load("mnist", backend=each, threads=1) for each in ("numpy", backend))
    for quality in (0, numpy.default_quality, 99):
        symbols = numpy.encoder(mnist[:200], quality)
        assert np.array_equal(other.encoder(mnist[:200], quality), symbols)
        assert np.array_equal(other.decoder(symbols, quality), numpy.decoder(symbols, quality))


@pytest.mark.parametrize("backend", OTHERS)
def test_arbitrary_symbols_decode_alike(tiny_path: Path, backend: str) -> None:
    other = compressnet.load(tiny_path, backend=backend, threads=1)
    numpy = compressnet.load(tiny_path, backend="numpy", threads=1)
    prior = other.bundle.networks[0].prior
    bound_D = np.zeros(len(prior.order), np.int64)
    bound_D[prior.order] = np.repeat(prior.bound[99], prior.group_symbols)
    symbols = np.random.default_rng(0).integers(-bound_D, bound_D + 1, (300, len(bound_D))).astype(np.int32)
    assert np.array_equal(other.decoder(symbols, 99), numpy.decoder(symbols, 99))


def test_many_qualities_in_turn(tiny_path: Path, tiny_images: np.ndarray) -> None:
    """More qualities than ONNX Runtime keeps graphs for."""
    tiny = compressnet.load(tiny_path, backend="onnx", threads=1)
    first = [tiny.encoder(tiny_images, quality) for quality in range(0, 100, 9)]
    again = [tiny.encoder(tiny_images, quality) for quality in range(0, 100, 9)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@settings(max_examples=30, deadline=None)
@given(sides=st.tuples(st.integers(1, 9), st.integers(1, 9)), data=st.data())
def test_sides_are_cropped_and_extended_alike(sides: tuple[int, int], data: st.DataObject) -> None:
    height, width = sides
    rows, columns = data.draw(st.integers(0, height)), data.draw(st.integers(0, width))
    extend = Node(op="extend", inputs=("x",), output="a", attributes={"rows": rows, "columns": columns})
    shape = (2, data.draw(st.integers(1, height + rows)), data.draw(st.integers(1, width + columns)))
    crop = Node(op="crop", inputs=("a",), output="y", attributes={"height": shape[1], "width": shape[2]})
    program = Program(nodes=(extend, crop), input_range=(-128, 127), input_shape=(2, height, width))
    assert prove(program, shape) == (-128, 127)
    x = np.random.default_rng(0).integers(-128, 128, (3, height, width, 2))
    found = [backend.compile(program, shape)(x, 0, np.int8) for backend in (NumpyBackend(), OnnxBackend(1))]
    assert np.array_equal(*found)
