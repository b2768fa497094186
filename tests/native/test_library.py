"""Which library and which of its variants is used, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

import compressnet
from backends import CORES
from compressnet.errors import InputError
from compressnet.native.library import core_name, find_core
from run_commands import run

needs_core = pytest.mark.skipif(not CORES, reason="no compiled core")


@needs_core
def test_the_best_variant_is_the_default() -> None:
    assert find_core().name == core_name() == CORES[0]
    assert compressnet.load("mnist").backend.name == "native"


@needs_core
@pytest.mark.parametrize("name", CORES)
def test_a_variant_can_be_forced(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESSNET_CPU", name)
    assert core_name() == find_core().name == name
    assert run("--version").stdout.splitlines()[1] == f"core: native, {name}"


@needs_core
def test_a_forced_variant_that_is_not_there_is_an_error_of_every_backend_but_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMPRESSNET_CPU", "mmx")
    for backend in (None, "native"):
        with pytest.raises(InputError, match=f"the variant mmx is not in the .* runs: {' '.join(CORES)}$"):
            compressnet.load("mnist", backend)
    assert compressnet.load("mnist", "numpy").backend.name == "numpy"


@pytest.mark.parametrize("content", [None, b"not a library"])
def test_a_library_that_cannot_be_used_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "core.so"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("COMPRESSNET_LIBRARY", str(path))
    for backend in (None, "native"):
        with pytest.raises(InputError, match=r"core\.so: cannot be loaded as the compiled core"):
            compressnet.load("mnist", backend)
    result = run("verify", "a.cnet", "--backend", "native", code=1)
    assert result.stderr.count("\n") == 1


def test_unknown_backends_are_refused() -> None:
    with pytest.raises(InputError, match="backend 'cuda': there are native, onnx, numpy"):
        compressnet.load("mnist", "cuda")
