"""Codecs that come with the package, and codec files by path."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

from compressnet.codec.bundle import Bundle
from compressnet.codec.file import from_bytes
from compressnet.errors import CodecNotFoundError, CorruptError, InputError
from compressnet.limits import CODEC_BYTES_LIMIT
from compressnet.remote import Url, located

PathLike = str | os.PathLike[str]
DEFAULT_CODEC = "mnist"
GENERAL_CODEC = "any"
"""The codec for images of any size and at any quality."""
BASES = (GENERAL_CODEC, "photo")
"""Codecs for images of any size, which others may begin from."""
_VERSIONED = re.compile(r"(.+)-(\d+)\.codec")


def shipped_codecs() -> dict[str, Path]:
    """Codecs that come with the package, by name.

    They are `mnist-1` and so on, and each name without its number stands for its newest version.
    """
    folder = Path(__file__).parents[1] / "shipped" / "codecs"
    versions = {path.stem: path for path in sorted(folder.glob("*.codec"))}
    newest: dict[str, tuple[int, Path]] = {}
    for path in versions.values():
        match = _VERSIONED.fullmatch(path.name)
        if match:
            newest[match[1]] = max(newest.get(match[1], (0, path)), (int(match[2]), path))
    return versions | {name: path for name, (_, path) in newest.items()}


def find_codec(codec: PathLike) -> Path | Url:
    """The file of a shipped codec's name, a path or a URL. Raises CodecNotFoundError."""
    shipped = shipped_codecs()
    if str(codec) in shipped:
        return shipped[str(codec)]
    path = located(codec)
    if isinstance(path, Url) or path.is_file():
        return path
    raise CodecNotFoundError(f"{codec}: no such codec; it is neither a file nor one of {', '.join(sorted(shipped))}")


@functools.lru_cache(maxsize=8)
def _read_bundle(path: Path, modified_ns: int) -> Bundle:
    """A parsed codec file; `modified_ns` makes a changed file a new one."""
    del modified_ns
    return from_bytes(path.read_bytes(), str(path))


def read_bundle(codec: PathLike) -> Bundle:
    """The codec of a shipped codec's name, a path or a URL, as data.

    Raises CodecNotFoundError, FormatError, InputError, MissingExtraError.
    """
    path = find_codec(codec)
    if isinstance(path, Url):
        _require_bounded(path.file_bytes(), path)
        return from_bytes(path.read_bytes(), str(path))
    try:
        status = path.stat()
        _require_bounded(status.st_size, path)
        return _read_bundle(path, status.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _require_bounded(file_bytes: int, path: Path | Url) -> None:
    if file_bytes > CODEC_BYTES_LIMIT:
        raise CorruptError(f"{path}: {file_bytes} bytes, beyond the limit of {CODEC_BYTES_LIMIT} for a codec")


def shipped_name(identity: bytes, likely: str) -> str | None:
    """The name of the shipped codec that has a part of an identity; None where none has it.

    likely: what the codec is probably called, so that no other has to be read.
    """
    names = sorted(shipped_codecs(), key=lambda name: name != likely)
    return next((name for name in names if read_bundle(name).only(identity) is not None), None)


def shipped_bundle(identity: bytes, likely: str) -> Bundle | None:
    """The part of a shipped codec that has an identity, as a codec of its own.

    likely: as for `shipped_name`.
    """
    name = shipped_name(identity, likely)
    return None if name is None else read_bundle(name).only(identity)
