"""The tree shows its plan: packages name their modules, and no module is long."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "compressnet"
PACKAGES = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
LINES_LIMIT = 300
METHOD_WORDS = re.compile(r"is_lossless|lossless_network|write_lossless")


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_a_package_names_all_its_modules(package: Path) -> None:
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in package.glob("*/__init__.py")}
    missing = [name for name in sorted(modules | packages) if f"`{name}`" not in said]
    assert not missing, f"{name_of(package)}/__init__.py does not say what these are: {missing}"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_is_read_in_one_sitting(module: Path) -> None:
    lines = module.read_text().count("\n")
    assert lines <= LINES_LIMIT, f"{name_of(module)} has {lines} lines; split it by idea"


def test_no_method_is_asked_for_by_name_where_archives_are_written_and_packed() -> None:
    found = [
        f"{name_of(path)}: {line.strip()}"
        for path in MODULES
        if path.relative_to(PACKAGE).parts[0] in ("archive", "packing")
        for line in path.read_text().splitlines()
        if METHOD_WORDS.search(line)
    ]
    assert not found
