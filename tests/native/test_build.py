"""Installs with and without a compiler, and the program that compiles the core."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import compressnet

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "libcompressnet" / "build.py"
VERSION = f"compressnet {compressnet.__version__}\n"
NO_CORE = f"{VERSION}core: none (no compiled core in this install; NumPy runs everything)\n"
X86 = {"sse2", "avx2", "avxvnni", "avx512vnni"}

COMPILERS = [name for name in ("cc", "gcc", "clang") if shutil.which(name)]

needs_compiler = pytest.mark.skipif(not COMPILERS, reason="no C compiler")
needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="no x86-64")


def run(*command: str | Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    unset = {"CC", "COMPRESSNET_NO_CORE", "PYTHONPATH"} - set(environment)
    environment = {name: value for name, value in {**os.environ, **environment}.items() if name not in unset}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert result.returncode == code, result.stdout + result.stderr
    return result


def compile_core(output: Path, *options: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, BUILD, "--output", output, *options, code=code, **environment)


@pytest.fixture(scope="module")
def quick_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH whose `cc` optimises nothing, for what is not about the code that comes out."""
    folder = tmp_path_factory.mktemp("quick")
    make_compiler(folder / "cc", f'exec {shutil.which(COMPILERS[0])} "$@" -O0')
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def make_compiler(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def variants_in(library: Path) -> list[str]:
    core = ctypes.CDLL(str(library))
    core.cn_core_names.restype = ctypes.c_char_p
    return core.cn_core_names().decode().split()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a source distribution holds, and in it a library that somebody compiled long ago."""
    folder = tmp_path_factory.mktemp("source")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    (packed,) = folder.iterdir()
    with tarfile.open(packed) as tar:
        tar.extractall(folder, filter="data")
    tree = folder / packed.name.removesuffix(".tar.gz")
    (tree / "src/compressnet/native/_compressnet.so").write_bytes(b"stale")
    return tree


def build_wheel(source: Path, folder: Path, **environment: str) -> tuple[Path, str]:
    """A wheel, and all that was said."""
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--verbose"]
    result = run(sys.executable, "-m", "pip", "wheel", *options, "-w", folder, source, **environment)
    (wheel,) = folder.iterdir()
    return wheel, result.stdout + result.stderr


class Install:
    """An environment of its own with nothing but this install; the rest comes from the tests' one.

    Its PATH is empty, so that it finds no compiler unless told to.
    """

    def __init__(self, folder: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        self.bin = folder / "bin"
        self.environment = {"PYTHONPATH": sysconfig.get_path("purelib")}

    def install(self, *what: str | Path, **environment: str) -> None:
        options = ["--no-build-isolation", "--no-deps", "--no-index", "--force-reinstall"]
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "install"]
        run(*pip, *options, *what, **{"PATH": "", **self.environment, **environment})

    def python(self, program: str) -> str:
        return run(self.bin / "python", "-c", program, PATH="", **self.environment).stdout.strip()

    def version(self) -> str:
        return run(self.bin / "compressnet", "--version", PATH="", **self.environment).stdout


def libraries(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as packed:
        return [name for name in packed.namelist() if Path(name).suffix in (".so", ".dylib", ".dll")]


@needs_compiler
@pytest.mark.slow
def test_a_wheel_brings_the_core(source: Path, quick_path: str, tmp_path: Path) -> None:
    wheel, _ = build_wheel(source, tmp_path / "wheels", PATH=quick_path)
    system = {"Linux": "linux", "Darwin": "macosx", "Windows": "win"}[platform.system()]
    assert re.fullmatch(rf"compressnet-.*-py3-none-{system}_.*\.whl", wheel.name)
    (library,) = libraries(wheel)
    with zipfile.ZipFile(wheel) as packed:
        packed.extract(library, tmp_path)
    header = (ROOT / "libcompressnet/include/compressnet.h").read_text(encoding="utf-8")
    interface = re.search(r"#define CN_INTERFACE (\d+)", header)
    assert interface
    assert ctypes.CDLL(str(tmp_path / library)).cn_interface() == int(interface[1])

    install = Install(tmp_path / "environment")
    install.install(wheel)
    assert Path(install.python("import compressnet; print(compressnet.__file__)")).is_relative_to(tmp_path)
    name = install.python("from compressnet.native.library import core_name; print(core_name())")
    assert name in variants_in(tmp_path / library)
    assert install.version() == f"{VERSION}core: native, {name}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"PATH": ""}, "there is no C compiler: neither $CC nor "),
        ({"CC": "no-such-compiler"}, "there is no C compiler no-such-compiler"),
        ({"CC": "false"}, "false does not work as gcc or clang do"),
        ({"COMPRESSNET_NO_CORE": "1"}, ""),
    ],
    ids=["no compiler", "wrong CC", "broken CC", "on purpose"],
)
def test_a_wheel_does_without_the_core(environment: dict[str, str], reason: str, source: Path, tmp_path: Path) -> None:
    wheel, said = build_wheel(source, tmp_path / "wheels", **environment)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert libraries(wheel) == []
    warnings = [line for line in said.splitlines() if "no compiled core" in line]
    assert len(warnings) == (1 if reason else 0)
    assert all(reason in line for line in warnings)
    install = Install(tmp_path / "environment")
    install.install(wheel)
    assert install.version() == NO_CORE


@needs_compiler
@pytest.mark.slow
def test_an_editable_install_has_a_new_core_or_none(source: Path, quick_path: str, tmp_path: Path) -> None:
    tree = shutil.copytree(source, tmp_path / "source")
    install = Install(tmp_path / "environment")
    install.install("-e", tree, PATH=quick_path)
    assert "core: native, " in install.version()
    install.install("-e", tree)
    assert install.version() == NO_CORE
    assert not list((tree / "src/compressnet/native").glob("_compressnet.*"))


@needs_compiler
@pytest.mark.slow
def test_a_library_that_this_python_cannot_load_is_left_out(source: Path, quick_path: str, tmp_path: Path) -> None:
    tree = shutil.copytree(source, tmp_path / "source")
    dispatch = tree / "libcompressnet/src/dispatch.c"
    dispatch.write_text(dispatch.read_text().replace("int32_t cn_interface(void) {", "int32_t other(void) {"))
    wheel, said = build_wheel(tree, tmp_path / "wheels", PATH=quick_path)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert said.count("no compiled core") == 1
    assert "cn_interface" in said


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_core_compiles_without_warnings(compiler: str, tmp_path: Path) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    # test_variants compiles what is quick here with optimisation, and without warnings, too.
    quick = make_compiler(tmp_path / "quick", f'exec {compiler} "$@" -O0')
    for command, options in ((compiler, []), (quick, ["--variants", "plain"]), (quick, ["--emulate"])):
        said = compile_core(tmp_path / "out", "--compiler", command, "--werror", *options)
        assert said.stderr == ""
        assert "left out" not in said.stdout


@needs_compiler
def test_what_was_compiled_before_goes(quick_path: str, tmp_path: Path) -> None:
    for suffix in (".so", ".dylib", ".dll"):
        (tmp_path / f"_compressnet{suffix}").write_bytes(b"stale")
    compile_core(tmp_path, "--variants", "plain", PATH=quick_path)
    (library,) = tmp_path.iterdir()
    assert variants_in(library) == ["plain"]
    compile_core(tmp_path, code=1, PATH="")
    assert list(tmp_path.iterdir()) == []


def fake_compiler(folder: Path, condition: str) -> str:
    """A compiler that gives up on what has -mavxvnni, if a condition of the shell's holds."""
    refusal = f'case "$*" in *-mavxvnni*) if {condition}; then echo no >&2; exit 1; fi ;; esac'
    return make_compiler(folder / "compiler", f'{refusal}\nexec cc "$@" -O0 -w')


@needs_compiler
@needs_x86
def test_a_variant_that_the_compiler_does_not_know_is_left_out(tmp_path: Path) -> None:
    compiler = fake_compiler(tmp_path, "true")
    for options in ([], ["--werror"]):
        said = compile_core(tmp_path / "out", *options, CC=compiler)
        assert said.stdout.endswith("; left out: avxvnni\n")
        assert set(variants_in(*(tmp_path / "out").iterdir())) == X86 - {"avxvnni"}


@needs_compiler
@needs_x86
def test_a_variant_that_cannot_be_compiled_is_an_error_only_where_asked_for(tmp_path: Path) -> None:
    compiler = fake_compiler(tmp_path, 'case "$*" in *core.c*) true ;; *) false ;; esac')
    assert "left out: avxvnni" in compile_core(tmp_path / "out", CC=compiler).stdout
    for options in (["--werror"], ["--variants", "sse2", "avxvnni"]):
        said = compile_core(tmp_path / "out", *options, code=1, CC=compiler).stderr
        assert said == "no\nthe compiler cannot make core.c for avxvnni\n"
        assert list((tmp_path / "out").iterdir()) == []


@needs_compiler
def test_the_compiler_may_have_arguments(quick_path: str, tmp_path: Path) -> None:
    options = ["--variants", "plain", "--define", "A=1"]
    said = compile_core(tmp_path, *options, code=1, CC="cc -DA=2 -Werror", PATH=quick_path)
    assert "redefined" in said.stderr


@needs_compiler
def test_unknown_variants_are_refused(tmp_path: Path) -> None:
    assert "has no variant mmx, but " in compile_core(tmp_path, "--variants", "mmx", code=1).stderr
