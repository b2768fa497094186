"""The library's verbs: `load` a codec, `compress` images into an archive, `open` one. Chooses the backend."""

from __future__ import annotations

import functools
import importlib.resources
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.archive import Archive
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.outcome import Written
from compressnet.archive.writing.router import Settings, write_archive
from compressnet.codec import bundle as bundles
from compressnet.codec.codec import Codec, check_effort
from compressnet.codec.packed import pack_bundle, unpack_bundle
from compressnet.container.columns import as_labels, as_names
from compressnet.container.container import CodecEntry, Container
from compressnet.container.sources import BytesSource, FileSource
from compressnet.errors import CodecError, CodecNotFoundError, CorruptError, InputError
from compressnet.files import writing
from compressnet.limits import CODEC_BYTES_LIMIT
from compressnet.lossy.coder import Images
from compressnet.lossy.search.search import Gradient
from compressnet.networks.program import Backend, NumpyBackend
from compressnet.wire import LOSSLESS_QUALITY, STORED_QUALITY

BackendName = Literal["onnx", "numpy"]
PathLike = str | os.PathLike[str]
DEFAULT_CODEC = "mnist"
BLOCK_IMAGES = 256
_VERSIONED = re.compile(r"(.+)-(\d+)\.codec")


def make_backend(name: str, threads: int) -> Backend:
    """The backend of a name. Raises InputError for any other than `onnx` and `numpy`."""
    if name == "numpy":
        return NumpyBackend()
    if name == "onnx":
        from compressnet.networks.onnx import OnnxBackend

        return OnnxBackend(threads)
    raise InputError(f"backend {name!r}: there are 'onnx' and 'numpy'")


def default_threads() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shipped_codecs() -> dict[str, Path]:
    """Codecs that come with the package: `mnist-1` and so on, and each name alone for its newest version."""
    folder = Path(str(importlib.resources.files("compressnet") / "shipped" / "codecs"))
    versions = {path.stem: path for path in sorted(folder.glob("*.codec"))}
    newest: dict[str, tuple[int, Path]] = {}
    for path in versions.values():
        match = _VERSIONED.fullmatch(path.name)
        if match:
            newest[match[1]] = max(newest.get(match[1], (0, path)), (int(match[2]), path))
    return versions | {name: path for name, (_, path) in newest.items()}


def find_codec(codec: PathLike) -> Path:
    """The file of a shipped codec's name or of a path. Raises CodecNotFoundError."""
    shipped = shipped_codecs()
    if str(codec) in shipped:
        return shipped[str(codec)]
    path = Path(codec)
    if path.is_file():
        return path
    raise CodecNotFoundError(f"{codec}: no such codec; it is neither a file nor one of {', '.join(sorted(shipped))}")


@functools.lru_cache(maxsize=8)
def _read_bundle(path: Path, modified_ns: int) -> bundles.Bundle:
    """A parsed codec file; `modified_ns` makes a changed file a new one."""
    del modified_ns
    return bundles.from_bytes(path.read_bytes(), str(path))


def read_bundle(codec: PathLike) -> bundles.Bundle:
    """The codec of a shipped codec's name or of a path, as data. Raises CodecNotFoundError, FormatError."""
    path = find_codec(codec)
    try:
        status = path.stat()
        if status.st_size > CODEC_BYTES_LIMIT:
            raise CorruptError(f"{path}: {status.st_size} bytes, beyond the limit of {CODEC_BYTES_LIMIT} for a codec")
        return _read_bundle(path, status.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _make_codec(bundle: bundles.Bundle, backend: str, threads: int | None, source: str) -> Codec:
    threads = default_threads() if threads is None else threads
    if threads < 1:
        raise InputError(f"{threads} threads: at least 1 is needed")
    return Codec(bundle, make_backend(backend, threads), threads, source, _make_gradient)


def _make_gradient(network: bundles.Network, quality: int) -> Gradient:
    from compressnet.networks.onnx import OnnxGradient

    return OnnxGradient(network, quality)


def load(codec: PathLike = DEFAULT_CODEC, backend: BackendName = "onnx", threads: int | None = None) -> Codec:
    """A codec by the name of a shipped one (`mnist`) or by path.

    backend: `onnx` (fast) or `numpy` (the definition); they give the same symbols and pixels.
    threads: how many to use, by default all processors.
    Raises CodecNotFoundError, FormatError or CorruptError for a bad file, CodecRefusedError where the codec's probe
    is not reproduced exactly on this machine.
    """
    return _make_codec(read_bundle(codec), backend, threads, str(find_codec(codec)))


def compress(
    images: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    path: PathLike | BinaryIO,
    codec: PathLike | Codec = DEFAULT_CODEC,
    quality: int | None = None,
    effort: int = 1,
    block_images: int = BLOCK_IMAGES,
    labels: Any = None,
    embed_codec: bool | None = None,
    *,
    names: Sequence[str] | None = None,
    max_error: int | None = None,
    min_psnr: float | None = None,
    exact_alpha: bool = False,
    store_unknown: bool = False,
    backend: BackendName = "onnx",
    threads: int | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write images into an archive. Equal ones are written once; those that the codec has no network for are stored.

    images: uint8 (N,H,W) or (N,H,W,C), or an iterable of such arrays, of any shapes, or of single images (H,W).
    path: a path, which is replaced at the end and only if all went well; or a binary stream, such as a pipe.
    codec: a name, a path or a loaded `Codec`. quality: 0 to 99, or 100 without loss; by default the codec's own.
    labels: integers or texts, one for each image. names: texts, likewise.
    max_error: the largest error of any channel of any pixel; 0 is quality 100, where no quality is given and the codec
    has it. min_psnr: the lowest PSNR of any image, in dB. Images that
    miss them are coded at a higher quality, or stored.
    exact_alpha: whether colour under alpha 0 is kept; a `max_error` implies it.
    store_unknown: whether images are stored also where the codec has a network for none of them; else an InputError.
    embed_codec: whether the archive carries what decoding needs; by default if the codec did not come with the package.
    Raises InputError, CodecError; then no archive is there, or still the old one.
    """
    check_effort(effort)
    if not isinstance(codec, Codec):
        codec = load(codec, backend, threads)
    quality = chosen_quality(codec, quality, max_error)
    entry = codec_entry(codec, embed_codec, quality)
    settings = Settings(
        quality=quality,
        effort=effort,
        block_images=block_images,
        bounds=Bounds(max_error=max_error, min_psnr=min_psnr, exact_alpha=exact_alpha),
        store_unknown=store_unknown,
    )
    chosen_labels = None if labels is None else as_labels(labels)
    chosen_names = None if names is None else as_names(names)
    arrays = [images] if isinstance(images, np.ndarray) else map(_as_batch, images)

    def write(stream: BinaryIO) -> Written:
        return write_archive(
            stream,
            arrays,
            codec,
            entry,
            settings,
            labels=chosen_labels,
            names=chosen_names,
            report=report,
        )

    return _written_to(path, write)


def store(
    images: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    path: PathLike | BinaryIO,
    block_images: int = BLOCK_IMAGES,
    labels: Any = None,
    *,
    names: Sequence[str] | None = None,
    max_error: int | None = None,
    min_psnr: float | None = None,
    exact_alpha: bool = False,
    threads: int | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write images into an archive without any codec: as they are, or within bounds. Otherwise as `compress`.

    Colour under alpha 0 is kept with `exact_alpha` or `max_error` only. Raises InputError.
    """
    settings = Settings(
        quality=STORED_QUALITY,
        effort=1,
        block_images=block_images,
        bounds=Bounds(max_error=max_error, min_psnr=min_psnr, exact_alpha=exact_alpha),
        store_unknown=True,
        threads=default_threads() if threads is None else threads,
    )
    chosen_labels = None if labels is None else as_labels(labels)
    chosen_names = None if names is None else as_names(names)
    arrays = [images] if isinstance(images, np.ndarray) else map(_as_batch, images)

    def write(stream: BinaryIO) -> Written:
        return write_archive(
            stream, arrays, None, None, settings, labels=chosen_labels, names=chosen_names, report=report
        )

    return _written_to(path, write)


def _written_to(path: PathLike | BinaryIO, write: Callable[[BinaryIO], Written]) -> Written:
    if not isinstance(path, (str, os.PathLike)):
        return write(path)
    with writing(Path(path)) as stream:
        return write(stream)


def chosen_quality(codec: Codec, quality: int | None, max_error: int | None = None) -> int:
    """The quality where one or none is asked for: the codec's own, or 100 where no value may change and it has that."""
    if quality is not None:
        return quality
    return LOSSLESS_QUALITY if max_error == 0 and codec.bundle.pixels else codec.default_quality


def codec_entry(codec: Codec, embed: bool | None, quality: int) -> CodecEntry:
    """What an archive says of the part of its codec that a quality needs.

    Embedded by default if the codec did not come with the package. Raises InputError where there is no such part.
    """
    bundle = codec.bundle
    identity = bundle.lossless_identity if quality == LOSSLESS_QUALITY else bundle.lossy_identity
    part = None if identity is None else bundle.part(identity)
    if identity is None or part is None:
        raise InputError(
            f"quality {quality}: the codec {codec.name} "
            + (
                "has no lossless part; train one with 'compressnet train --lossless'"
                if quality == LOSSLESS_QUALITY
                else "is lossless, its only quality is 100"
            )
        )
    if embed is None:
        embed = _shipped_bundle(identity) is None
    return CodecEntry(identity=identity, name=codec.name, embedded=pack_bundle(part) if embed else None)


def _as_batch(array: NDArray[np.uint8]) -> Images:
    return array[None] if array.ndim == 2 else array


def open(  # noqa: A001 - the library's name for it, as in gzip.open
    path: PathLike | bytes,
    codec: PathLike | Codec | None = None,
    backend: BackendName = "onnx",
    threads: int | None = None,
) -> Archive:
    """Open an archive by path, or from bytes.

    codec: a name or a path, for an archive that neither embeds its codec nor uses one that ships with the package.
    Raises FormatError for what is no archive, CorruptError for a damaged one, CodecNotFoundError where a codec is not
    at hand, CodecError where the codec given is another one.
    """
    if isinstance(path, bytes):
        source, reopen = BytesSource(path, "<bytes>"), None
    else:
        source = FileSource(Path(path))
        kept = codec.source if isinstance(codec, Codec) else codec
        reopen = functools.partial(open, Path(path).absolute(), kept, backend, threads)
    return open_container(Container(source), codec, backend, threads, reopen)


def open_container(
    container: Container,
    codec: PathLike | Codec | None,
    backend: BackendName,
    threads: int | None,
    reopen: Callable[[], Archive] | None = None,
) -> Archive:
    """An archive from its container; closes it where a codec is missing."""

    def resolve(entry: CodecEntry) -> Codec:
        return resolve_codec(entry, codec, container.name, backend, threads)

    try:
        return Archive(container, resolve, reopen)
    except BaseException:
        container.close()
        raise


def resolve_codec(
    entry: CodecEntry, codec: PathLike | Codec | None, name: str, backend: BackendName, threads: int | None
) -> Codec:
    """The part of a codec that an archive's entry names: of the one given, else the embedded one, else a shipped one.

    name: the archive's, for errors. Raises CodecError, CodecNotFoundError, CorruptError.
    """
    if codec is not None:
        given = codec if isinstance(codec, Codec) else load(codec, backend, threads)
        part = given.part(entry.identity)
        if part is None:
            raise CodecError(
                f"{name}: needs the codec {entry.name} of identity {entry.identity.hex()}, "
                f"but {given.source} has {given.identity}"
            )
        return part
    if entry.embedded is not None:
        read = unpack_bundle if entry.packed else bundles.from_bytes
        bundle = read(entry.embedded, f"{name}: embedded codec")
        if bundle.part(entry.identity) is not bundle:
            raise CorruptError(f"{name}: the embedded codec does not have the identity {entry.identity.hex()} alone")
        return _make_codec(bundle, backend, threads, f"{name}: embedded codec")
    bundle = _shipped_bundle(entry.identity)
    if bundle is None:
        raise CodecNotFoundError(
            f"{name}: needs the codec {entry.name} of identity {entry.identity.hex()}, which is neither embedded nor "
            "shipped with compressnet; pass its file with --codec (codec= in Python)"
        )
    return _make_codec(bundle, backend, threads, f"shipped codec {bundle.name}")


def _shipped_bundle(identity: bytes) -> bundles.Bundle | None:
    """The part of a shipped codec that has an identity."""
    for path in set(shipped_codecs().values()):
        part = read_bundle(path).part(identity)
        if part is not None:
            return part
    return None


def read_stdin() -> bytes:
    """All of standard input."""
    return sys.stdin.buffer.read()
