"""All variants of the core, on all machines that can be had here, give the same results."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path
from typing import Any

import pytest

from core_source import SOURCE, need, run_tool

pytestmark = pytest.mark.slow

MODELS = 500
"""How many pseudo-random models the digest is over."""


def digests(printed: str) -> dict[str, str]:
    """The digest of each variant, from lines `name digest`."""
    return dict(line.split() for line in printed.splitlines())


def compile_selftest(folder: Path, compiler: str, variants: dict[str, list[str]], *flags: str) -> Path:
    """The self-test with these variants and the flags of each, without warnings."""
    common = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{SOURCE / 'include'}", *flags]
    objects = [folder / f"{name}.o" for name in variants]
    for (name, own), path in zip(variants.items(), objects, strict=True):
        run_tool(*common, *own, f"-DCN_VARIANT_{name.upper()}", "-c", SOURCE / "src/core.c", "-o", path)
    has = [f"-DCN_HAS_{name.upper()}" for name in variants]
    program = folder / "selftest"
    run_tool(*common, *has, SOURCE / "src/dispatch.c", SOURCE / "tests/selftest.c", *objects, "-o", program)
    return program


def builder() -> Any:
    spec = importlib.util.spec_from_file_location("build_core", SOURCE / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VARIANTS: dict[str, dict[str, list[str]]] = builder().VARIANTS
ALL = {name: [] for variants in VARIANTS.values() for name in variants}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the plain variant; all others must give the same."""
    need("gcc")
    program = compile_selftest(tmp_path_factory.mktemp("plain"), "gcc", {"plain": []})
    (digest,) = digests(run_tool(program, str(MODELS))).values()
    assert int(digest, 16), "results of the core contradict each other"
    return digest


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_this_machine(expected: str, compiler: str, tmp_path: Path) -> None:
    need(compiler)
    variants = VARIANTS.get(platform.machine().lower().replace("amd64", "x86_64"))
    if variants is None:
        pytest.skip(f"no variants for {platform.machine()}")
    printed = digests(run_tool(compile_selftest(tmp_path, compiler, variants), str(MODELS)))
    assert printed, "this CPU runs none of its variants"
    assert set(printed.values()) == {expected}


def test_layouts_of_all_machines(expected: str, tmp_path: Path) -> None:
    need("gcc")
    flags = ["-DCN_EMULATE", "-Wno-psabi", "-Wno-unused-function"]
    printed = digests(run_tool(compile_selftest(tmp_path, "gcc", ALL, *flags), str(MODELS)))
    assert printed == dict.fromkeys(ALL, expected)


def test_aarch64(expected: str, tmp_path: Path) -> None:
    need("aarch64-linux-gnu-gcc", "qemu-aarch64")
    variants = VARIANTS["aarch64"]
    program = compile_selftest(tmp_path, "aarch64-linux-gnu-gcc", variants, "-static")
    assert digests(run_tool("qemu-aarch64", program, str(MODELS))) == dict.fromkeys(variants, expected)


def test_webassembly(expected: str, tmp_path: Path) -> None:
    need("bash", "clang", "wasm-ld", "node")
    module = tmp_path / "selftest.wasm"
    run_tool("bash", SOURCE / "wasm.sh", module, SOURCE / "tests/selftest.c")
    assert digests(run_tool("node", SOURCE / "tests/selftest.mjs", module, str(MODELS))) == {"simd128": expected}
