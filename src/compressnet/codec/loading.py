"""A codec ready to run: which file, which backend, how many threads."""

from __future__ import annotations

from compressnet.codec.bundle import Bundle
from compressnet.codec.codec import BACKENDS, BackendName, Codec
from compressnet.codec.shipped import DEFAULT_CODEC, PathLike, find_codec, read_bundle
from compressnet.errors import InputError
from compressnet.limits import DEFAULT_LIMITS, Limits
from compressnet.native.backend import NativeBackend
from compressnet.native.library import available_core, find_core
from compressnet.networks.numpy import NumpyBackend
from compressnet.networks.program import Backend
from compressnet.threads import default_threads


def make_backend(name: BackendName | None, threads: int) -> Backend:
    """The backend of a name; by default `native`, or `numpy` in an install without the core.

    Raises InputError for a name that there is not, and for `native` without the core.
    """
    if name is None:
        core = available_core()
        return NumpyBackend() if core is None else NativeBackend(core, threads)
    if name == "native":
        return NativeBackend(find_core(), threads)
    if name == "numpy":
        return NumpyBackend()
    if name == "onnx":
        from compressnet.networks.onnx import OnnxBackend

        return OnnxBackend(threads)
    raise InputError(f"backend {name!r}: there are {', '.join(BACKENDS)}")


def make_codec(
    bundle: Bundle,
    backend: BackendName | None,
    threads: int | None,
    source: str,
    limits: Limits = DEFAULT_LIMITS,
) -> Codec:
    """A codec of a bundle; `source` names it in errors. Raises InputError."""
    threads = default_threads() if threads is None else threads
    if threads < 1:
        raise InputError(f"{threads} threads: at least 1 is needed")
    return Codec(bundle, make_backend(backend, threads), threads, source, limits)


def load(
    codec: PathLike = DEFAULT_CODEC,
    backend: BackendName | None = None,
    threads: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Codec:
    """A codec by the name of a shipped one (`mnist`), by path or by URL.

    backend: `native` (the compiled core, the default where the install has it), `numpy` (the
    definition, and the default elsewhere) or `onnx` (ONNX Runtime); they give the same bytes and
    pixels. threads: how many to use, by default all processors. limits: of what
    trying a network and coding an image of any size may take. Raises CodecNotFoundError,
    FormatError or CorruptError for a bad file, InputError for a backend that is not there. Where
    this machine does not reproduce the probe of a network exactly, what first uses that network
    raises CodecRefusedError.
    """
    return make_codec(read_bundle(codec), backend, threads, str(find_codec(codec)), limits)
