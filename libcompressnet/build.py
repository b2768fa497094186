"""Compiles the core: `python libcompressnet/build.py --output DIR`.

core.c is compiled once for each variant of CPU and dispatch.c once, all into one shared library,
which chooses among its variants when it runs. Needs Python alone, and gcc or clang.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
FLAGS = ["-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra", f"-I{HERE / 'include'}"]
AVX2 = ["-mavx2", "-mbmi", "-mbmi2", "-mlzcnt"]
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]
VARIANTS = {
    "x86_64": {
        "sse2": [],
        "avx2": AVX2,
        "avxvnni": [*AVX2, "-mavxvnni"],
        "avx512vnni": [*AVX2, *AVX512, "-mavx512vnni"],
    },
    "aarch64": {"neon": [], "neondot": ["-march=armv8.2-a+dotprod"]},
}
"""The variants of each architecture with their flags; every other architecture has `plain`."""
EMULATED = {name: [] for variants in [*VARIANTS.values(), {"plain": []}] for name in variants}
SUFFIXES = (".so", ".dylib", ".dll")


class BuildError(Exception):
    """There is no library; the message says why, with what the compiler said."""


class Built(NamedTuple):
    """A library, its variants, and those that the compiler could not compile."""

    library: Path
    variants: list[str]
    left_out: list[str]


class Compiler(NamedTuple):
    """A command line to begin with, and what it compiles for, such as x86_64-linux-gnu."""

    command: list[str]
    target: str

    @property
    def architecture(self) -> str:
        """The first part of the target, by one name on all systems."""
        name = self.target.partition("-")[0]
        return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)

    @property
    def suffix(self) -> str:
        """What names of shared libraries end with on the target."""
        if "windows" in self.target or "mingw" in self.target:
            return ".dll"
        return ".dylib" if any(name in self.target for name in ("apple", "darwin", "macos")) else ".so"

    def run(self, arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run it; all that it says is in `stdout`."""
        command = [*self.command, *map(str, arguments)]
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
        )


def find_compiler(given: str | None = None) -> Compiler:
    """`given` or $CC, either of which may have arguments, or else what PATH has.

    Raises BuildError where there is none, or one that is neither gcc nor clang.
    """
    given = given or os.environ.get("CC", "")
    known = ("clang", "gcc") if os.name == "nt" else ("cc", "gcc", "clang")
    if given:
        command = [given] if shutil.which(given) else shlex.split(given)
    else:
        command = [name for name in known if shutil.which(name)][:1]
    if not command:
        raise BuildError(f"there is no C compiler: neither $CC nor {', '.join(known)}")
    if not shutil.which(command[0]):
        raise BuildError(f"there is no C compiler {command[0]}")
    result = Compiler(command, "").run(["-dumpmachine"])
    if result.returncode:
        raise BuildError(f"{result.stdout}{shlex.join(command)} does not work as gcc or clang do")
    return Compiler(command, result.stdout.strip())


def build(
    output: Path,
    *,
    compiler: str | None = None,
    variants: Sequence[str] = (),
    sanitize: str = "",
    defines: Sequence[str] = (),
    emulate: bool = False,
    werror: bool = False,
) -> Built:
    """Compile the core into the folder `output`, in place of any library that is there.

    variants: these alone; by default all of the architecture that the compiler can compile.
    sanitize: what -fsanitize gets. emulate: the variants of every architecture, in plain C.
    Raises BuildError.
    """
    output.mkdir(parents=True, exist_ok=True)
    for suffix in SUFFIXES:
        (output / f"_compressnet{suffix}").unlink(missing_ok=True)
    found = find_compiler(compiler)
    own = EMULATED if emulate else VARIANTS.get(found.architecture, {})
    known = {**own, "plain": []}
    names = list(variants or own or known)
    if unknown := set(names) - set(known):
        raise BuildError(f"{found.architecture} has no variant {', '.join(sorted(unknown))}, but {', '.join(known)}")

    shared = [f"-fsanitize={sanitize}", "-fno-sanitize-recover=all", "-g"] if sanitize else []
    # With sanitizers, gcc takes seconds at -O1, but minutes at -O3.
    flags = [*FLAGS, "-O1" if sanitize else "-O3", *shared, *(f"-D{define}" for define in defines)]
    if found.suffix != ".dll":
        flags.append("-fPIC")
    if emulate:
        # Vectors wider than the CPU's, and tests of the CPU that nothing asks for.
        flags += ["-DCN_EMULATE", "-Wno-psabi", "-Wno-unused-function"]
    if werror:
        flags.append("-Werror")
    library = output / f"_compressnet{found.suffix}"
    with tempfile.TemporaryDirectory() as folder:
        compiled = _compile(found, Path(folder), {name: known[name] for name in names}, flags, bool(variants) or werror)
        objects = [*compiled.values(), Path(folder, "dispatch.o")]
        has = [f"-DCN_HAS_{name.upper()}" for name in compiled]
        _must(found.run([*flags, *has, "-c", HERE / "src/dispatch.c", "-o", objects[-1]]), "dispatch.c")
        # Linked here, as linkers for Windows put files of their own beside the library.
        linked = Path(folder, library.name)
        _must(found.run([*shared, "-shared", "-o", linked, *objects]), library.name)
        shutil.copy(linked, library)
    return Built(library, list(compiled), [name for name in names if name not in compiled])


def _compile(
    compiler: Compiler, folder: Path, variants: dict[str, list[str]], flags: list[str], strict: bool
) -> dict[str, Path]:
    """The object of each variant that could be compiled.

    A variant with flags of its own may be missing, but if `strict`, only where the compiler does
    not know them: an old one may know the flags and not the instructions.
    """

    def compile_one(name: str) -> subprocess.CompletedProcess[str]:
        variant = [*variants[name], f"-DCN_VARIANT_{name.upper()}"]
        return compiler.run([*flags, *variant, "-c", HERE / "src/core.c", "-o", folder / f"{name}.o"])

    empty = folder / "empty.c"
    empty.touch()
    compiled: dict[str, Path] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, result in zip(variants, pool.map(compile_one, variants), strict=True):
            probe = [*variants[name], "-c", empty, "-o", folder / "empty.o"]
            if result.returncode and variants[name] and not (strict and compiler.run(probe).returncode == 0):
                continue
            _must(result, f"core.c for {name}")
            compiled[name] = folder / f"{name}.o"
    return compiled


def _must(result: subprocess.CompletedProcess[str], what: str) -> None:
    """Pass warnings on; raise BuildError where it failed."""
    if result.returncode:
        raise BuildError(f"{result.stdout}the compiler cannot make {what}")
    sys.stderr.write(result.stdout)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compiles the core of compressnet into a shared library.")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the library goes")
    parser.add_argument("--compiler", metavar="CC", help="gcc or clang, with arguments if need be (default: $CC)")
    parser.add_argument("--variants", nargs="+", default=[], metavar="NAME", help="compile these alone, such as plain")
    parser.add_argument("--sanitize", default="", metavar="LIST", help="such as address,undefined")
    parser.add_argument("--define", action="append", default=[], metavar="X", help="a macro; may be repeated")
    parser.add_argument("--emulate", action="store_true", help="the variants of all CPUs, in plain C, for tests")
    parser.add_argument("--werror", action="store_true", help="warnings are errors")
    options = parser.parse_args()
    try:
        built = build(
            options.output,
            compiler=options.compiler,
            variants=options.variants,
            sanitize=options.sanitize,
            defines=options.define,
            emulate=options.emulate,
            werror=options.werror,
        )
    except BuildError as error:
        sys.exit(f"{error}")
    left_out = f"; left out: {' '.join(built.left_out)}" if built.left_out else ""
    print(f"{built.library}: {' '.join(built.variants)}{left_out}")


if __name__ == "__main__":
    main()
