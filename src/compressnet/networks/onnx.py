"""The ONNX Runtime backend: the integers of `NumpyBackend`, several times faster.

`compressnet.networks.numpy.NumpyBackend` is the definition. Sessions use the CPU execution
provider only, with one intra-op thread each; batches are spread over threads here. Graphs are
built from the codec's weights for one quality and kept for the few last qualities used.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compressnet.errors import CodecRefusedError
from compressnet.networks.graphs import program_model
from compressnet.networks.numpy import batch_of, channels_last, floats_of, set_floats
from compressnet.networks.program import Integer, Program, Runner
from compressnet.threads import Lock, spread

BATCH_IMAGES = 64
"""Images in one run: their activations stay in cache."""
KEPT_QUALITIES = 4


def make_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session that keeps to the arithmetic that the proofs are about."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.set_denormal_as_zero", "0")
    options.add_session_config_entry("mlas.enable_gemm_fastmath_arm64_bfloat16", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _session_of(program: Program, quality: int, output_shape: tuple[int, ...]) -> onnxruntime.InferenceSession:
    """A program at a quality. Raises CodecRefusedError for one that ONNX Runtime does not take."""
    with _refusals():
        return make_session(program_model(program, quality, output_shape))


@contextmanager
def _refusals() -> Generator[None]:
    """Every error within as a CodecRefusedError: these libraries have no base class of theirs."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise CodecRefusedError(f"ONNX Runtime does not take a network of it: {reason}") from error


class ModelRunner:
    """An exported model, ready to run; its first input, and one output, are batches."""

    def __init__(self, model: bytes) -> None:
        self._session = make_session(model)

    def run(self, batch: NDArray[Any], threads: int, others: Mapping[str, NDArray[Any]] | None = None) -> NDArray[Any]:
        """Run it over a batch (N, ...); `others` are its other inputs, the same for all."""
        name = self._session.get_inputs()[0].name

        def run_part(start: int) -> NDArray[Any]:
            given = {name: batch[start : start + BATCH_IMAGES], **(others or {})}
            return cast("NDArray[Any]", self._session.run(None, given)[0])

        return np.concatenate(spread(run_part, range(0, len(batch), BATCH_IMAGES), threads))


class OnnxBackend:
    """Programs run by ONNX Runtime on the CPU."""

    name = "onnx"

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def compile(self, program: Program, output_shape: tuple[int, ...], like: Runner | None = None) -> Runner:
        """Make a proved program ready to run; output_shape is (C,H,W) or (D,)."""
        del like
        sessions: OrderedDict[tuple[int, int], onnxruntime.InferenceSession] = OrderedDict()
        """By process and quality: a session that was in use at a fork may be locked for good."""
        lock = Lock()

        def session_for(quality: int) -> onnxruntime.InferenceSession:
            key = os.getpid(), quality
            with lock:
                if key not in sessions:
                    sessions[key] = _session_of(program, quality, output_shape)
                sessions.move_to_end(key)
                while len(sessions) > KEPT_QUALITIES:
                    sessions.popitem(last=False)
                return sessions[key]

        def run(batch: NDArray[np.integer], quality: int, dtype: type[Integer]) -> NDArray[Integer]:
            session = session_for(quality)
            values = np.empty((len(batch), *channels_last(output_shape)), dtype)

            together = batch_of(program, output_shape, BATCH_IMAGES)

            def run_part(start: int) -> None:
                rows = slice(start, start + together)
                with _refusals():
                    y = cast("NDArray[np.float32]", session.run(["y"], {"x": floats_of(batch[rows])})[0])
                set_floats(values[rows], y)

            spread(run_part, range(0, len(batch), together), self.threads)
            return values

        return run
