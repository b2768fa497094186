"""What reading a file of the set gives: figures that the manifest records, and tests compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import compressnet
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.loading import load, make_codec
from compressnet.codec.packed import unpack_bundle
from compressnet.errors import CompressnetError

MANIFEST = "manifest.json"
READ = (".cnet", ".codec", ".packed", ".block")
"""Endings of files that are read; others hold what is known of these."""
Outcome = dict[str, Any]


def outcome_of(path: Path, codec: Codec | None, backend: BackendName | None, threads: int = 1) -> Outcome:
    """What reading a file gives, or the class of the error and what was done then.

    codec: what archives and blocks that have none of their own are read with.
    """
    step = ["open"]
    try:
        if path.suffix == ".cnet":
            return _archive(path, codec, backend, threads, step)
        if path.suffix == ".block":
            assert codec is not None
            return {"images": pixels_of(codec.decompress(path.read_bytes()))}
        if path.suffix == ".packed":
            bundle = unpack_bundle(path.read_bytes(), path.name)
            read = make_codec(bundle, backend, threads, path.name)
        else:
            read = load(path, backend, threads)
        return {"identities": [part.identity.hex() for part in read.bundle.parts], "coded": read.coded}
    except CompressnetError as error:
        is_named = path.suffix == ".block" or path.stem in str(error)
        return {"error": type(error).__name__, "while": step[0]} | ({} if is_named else {"unnamed": str(error)})


def _archive(path: Path, codec: Codec | None, backend: BackendName | None, threads: int, step: list[str]) -> Outcome:
    with compressnet.open(path, codec, backend, threads) as archive:
        step[0] = "read images"
        found: Outcome = {"images": len(archive), "pixels": pixels_of(archive)}
        step[0] = "check"
        archive.check()
        step[0] = "read symbols"
        found["symbols"] = None
        if len(archive) and (coded := np.flatnonzero(archive.with_symbols())).size:
            found["symbols"] = digest(archive.read_symbols(coded[i : i + 1]).astype("<i4") for i in range(len(coded)))
        step[0] = "read columns"
        labels = None if archive.labels is None else archive.labels.tolist()
        columns = [labels, archive.names, archive.class_names]
        found["columns"] = None if columns == [None] * 3 else hashlib.sha256(json.dumps(columns).encode()).hexdigest()
        return found


def pixels_of(images: Iterable[np.ndarray]) -> str:
    """SHA-256 over the shapes and values of images, those of 16 bits little-endian."""
    return digest(image.astype("<u2" if image.dtype == np.uint16 else np.uint8) for image in images)


def digest(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 over `dtype shape`, a line, and the values of each array."""
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(f"{array.dtype.str} {'x'.join(map(str, array.shape))}\n".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()


def codec_for(folder: Path, name: str | None, backend: BackendName | None, threads: int = 1) -> Codec | None:
    """The codec of a manifest's entry: a file of the folder."""
    return None if name is None else load(folder / f"{name}.codec", backend, threads)


def entry_of(folder: Path, file: str, codec: str | None) -> Outcome:
    """What the manifest says of a file."""
    path = folder / file
    entry: Outcome = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if path.suffix not in READ:
        return entry
    if codec is not None:
        entry["codec"] = codec
    return entry | outcome_of(path, codec_for(folder, codec, None), None)
