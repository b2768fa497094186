"""Compiles the core for wheels and editable installs, which do without it where that fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

LOAD = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).cn_interface()"


class CoreBuildHook(BuildHookInterface[Any]):
    """Adds the core to a wheel, or to the source tree where the install is editable.

    A wheel gets it from a temporary folder, so that it never holds what was compiled before.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, try and add it; `COMPRESSNET_NO_CORE=1` leaves it out."""
        self.folder = tempfile.TemporaryDirectory()
        native = Path(self.root, "src/compressnet/native")
        if version == "editable":
            for old in native.glob("_compressnet.*"):
                old.unlink()
        if os.environ.get("COMPRESSNET_NO_CORE", "0") not in ("", "0"):
            return
        fault = self._run(Path(self.root, "libcompressnet/build.py"), "--output", self.folder.name)
        library = next(Path(self.folder.name).iterdir(), None)
        # It might be for another machine than this Python's.
        if not fault and library:
            fault = self._run("-c", LOAD, library)
        if fault or not library:
            self.app.display_warning(f"no compiled core, compressnet is slower without it: {fault}")
        elif version == "editable":
            shutil.copy(library, native)
        else:
            build_data["force_include"][str(library)] = f"compressnet/native/{library.name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{self._platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the temporary folder."""
        self.folder.cleanup()

    @staticmethod
    def _run(*arguments: str | Path) -> str:
        """Run Python; what went wrong, in one line, or nothing."""
        command = [sys.executable, *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        said = result.stderr.strip() or f"exit code {result.returncode}"
        return said.splitlines()[-1] if result.returncode else ""

    @staticmethod
    def _platform() -> str:
        """The tag of this machine, not of older systems whose C library might do as well."""
        return next(tag for tag in platform_tags() if not tag.startswith(("manylinux", "musllinux")))
