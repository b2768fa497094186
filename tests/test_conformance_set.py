"""The manifest of tests/conformance: every file is there, and reading it gives what it says.

Every backend and every variant of the core reads all of them; so does the decoder that was written
from docs/FORMAT.md alone, but for what is learned.
"""

from __future__ import annotations

import functools
import hashlib
import json

import pytest

from backends import BACKENDS, CORES
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.shipped import shipped_codecs
from compressnet.native.library import CPU_VARIABLE
from conformance_set.manifest import SET
from conformance_set.outcome import MANIFEST, READ, Outcome, codec_for, outcome_of, pixels_of
from conftest import CONFORMANCE
from reference_decoder import decode_archive

ENTRIES: dict[str, Outcome] = json.loads((CONFORMANCE / MANIFEST).read_text())
FILES = [name for name in ENTRIES if name.endswith(READ)]
WAYS = [("native", core, 1) for core in CORES] + [(backend, None, 2) for backend in BACKENDS]
"""Backend, variant of the core, and threads."""


@functools.cache
def codec_of(name: str | None, backend: BackendName, core: str | None, threads: int) -> Codec | None:
    return codec_for(CONFORMANCE, name, backend, threads)


def test_the_manifest_lists_every_file_as_it_is() -> None:
    paths = (path for path in CONFORMANCE.rglob("*") if path.is_file() and path.name != MANIFEST)
    found = {path.relative_to(CONFORMANCE).as_posix(): path.read_bytes() for path in paths}
    assert {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} == {
        name: entry["sha256"] for name, entry in ENTRIES.items()
    }
    assert sum(len(data) for name, data in found.items() if name.startswith(f"{SET}/")) < 1 << 18
    assert len(FILES) >= 60


@pytest.mark.filterwarnings("ignore::compressnet.errors.SlowerWarning")
@pytest.mark.parametrize(("backend", "core", "threads"), WAYS)
@pytest.mark.parametrize("name", FILES)
def test_every_file_gives_what_the_manifest_says(
    name: str, backend: BackendName, core: str | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if core is not None:
        monkeypatch.setenv(CPU_VARIABLE, core)
    if backend == "onnx" and is_learned(name):
        pytest.skip("what is learned is not run by ONNX; numpy covers it")
    entry = ENTRIES[name]
    codec = codec_of(entry.get("codec"), backend, core, threads)
    known = {key: value for key, value in entry.items() if key not in ("sha256", "codec")}
    assert outcome_of(CONFORMANCE / name, codec, backend, threads) == known


@functools.cache
def codec_files() -> tuple[bytes, ...]:
    paths = [*CONFORMANCE.glob("*.codec"), *shipped_codecs().values()]
    return tuple(path.read_bytes() for path in paths)


def is_learned(name: str) -> bool:
    return b"PRIM" in (CONFORMANCE / name).read_bytes()


def read_by_the_page() -> list[str]:
    """Small archives without a primer, which tests/reference_adaptive.py decodes.

    tests/codec/test_difference.py decodes one whose codec is a difference.
    """
    read = [name for name in FILES if name.startswith(f"{SET}/") and name.endswith(".cnet")]
    return [name for name in read if "error" not in ENTRIES[name] and not is_learned(name) and "difference" not in name]


@pytest.mark.parametrize("name", read_by_the_page())
def test_the_decoder_of_the_page_gives_the_same_pixels(name: str) -> None:
    archive = decode_archive((CONFORMANCE / name).read_bytes(), codec_files())
    assert pixels_of(archive.images) == ENTRIES[name]["pixels"]
    columns = [archive.labels, archive.names, archive.class_names]
    known = ENTRIES[name]["columns"]
    assert known == (None if columns == [None] * 3 else hashlib.sha256(json.dumps(columns).encode()).hexdigest())
