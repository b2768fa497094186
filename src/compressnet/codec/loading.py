"""A codec ready to run: which file, which backend, how many threads."""

from __future__ import annotations

from typing import Literal

from compressnet.codec.bundle import Bundle
from compressnet.codec.codec import Codec
from compressnet.codec.shipped import DEFAULT_CODEC, PathLike, find_codec, read_bundle
from compressnet.errors import InputError
from compressnet.networks.numpy import NumpyBackend
from compressnet.networks.program import Backend
from compressnet.threads import default_threads

BackendName = Literal["onnx", "numpy"]


def make_backend(name: str, threads: int) -> Backend:
    """The backend of a name. Raises InputError for any other than `onnx` and `numpy`."""
    if name == "numpy":
        return NumpyBackend()
    if name == "onnx":
        from compressnet.networks.onnx import OnnxBackend

        return OnnxBackend(threads)
    raise InputError(f"backend {name!r}: there are 'onnx' and 'numpy'")


def make_codec(bundle: Bundle, backend: str, threads: int | None, source: str) -> Codec:
    """A codec of a bundle; `source` names it in errors. Raises InputError."""
    threads = default_threads() if threads is None else threads
    if threads < 1:
        raise InputError(f"{threads} threads: at least 1 is needed")
    return Codec(bundle, make_backend(backend, threads), threads, source)


def load(codec: PathLike = DEFAULT_CODEC, backend: BackendName = "onnx", threads: int | None = None) -> Codec:
    """A codec by the name of a shipped one (`mnist`) or by path.

    backend: `onnx` (fast) or `numpy` (the definition); they give the same symbols and pixels.
    threads: how many to use, by default all processors. Raises CodecNotFoundError, FormatError or
    CorruptError for a bad file. Where this machine does not reproduce the probe of a network
    exactly, what first uses that network raises CodecRefusedError.
    """
    return make_codec(read_bundle(codec), backend, threads, str(find_codec(codec)))
