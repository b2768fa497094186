"""The structures that Python fills are those of compressnet.h."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest

from compressnet.native import structures
from compressnet.native.library import INTERFACE
from compressnet.native.models import ALIGNMENT
from compressnet.networks.program import OPS

HEADER = (Path(__file__).parents[2] / "libcompressnet/include/compressnet.h").read_text(encoding="utf-8")
NAMES = ("Node", "Program", "Dense", "Slice", "PriorModel", "Plane", "PixelModel", "AdaptiveSettings", "Picture")


def c_name(name: str) -> str:
    return "cn" + re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def fields_in_header(name: str) -> list[tuple[str, str, int]]:
    """Name, type and count of each field; the type of a pointer is *."""
    body = re.search(rf"typedef struct {name} {{(.*?)}} {name};", HEADER, re.DOTALL)
    assert body
    fields = []
    for declaration in re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL).split(";")[:-1]:
        kind, names = re.fullmatch(r"\s*(?:const )?(\w+) (.*)", declaration, re.DOTALL).groups()
        for field in names.split(","):
            pointer, called, count = re.fullmatch(r"\s*(\*?)(\w+)(?:\[(\d+)\])?", field).groups()
            fields.append((called, pointer or kind, int(count or 1)))
    return fields


def fields_in_python(name: str) -> list[tuple[str, str, int]]:
    kinds = {
        ctypes.c_void_p: "*",
        ctypes.c_int32: "int32_t",
        ctypes.c_uint32: "uint32_t",
        structures.CnDense: "cn_dense",
    }
    fields = []
    for called, kind in getattr(structures, f"Cn{name}")._fields_:
        element, count = (kind._type_, kind._length_) if issubclass(kind, ctypes.Array) else (kind, 1)
        fields.append((called, kinds[element], count))
    return fields


@pytest.mark.parametrize("name", NAMES)
def test_fields_are_those_of_the_header(name: str) -> None:
    assert fields_in_python(name) == fields_in_header(c_name(name))


def test_ops_and_numbers_are_those_of_the_header() -> None:
    body = re.search(r"enum cn_op {(.*?)}", HEADER, re.DOTALL)
    assert body
    ops = {name.lower(): int(number) for name, number in re.findall(r"CN_(\w+) = (\d+)", body[1])}
    assert ops == {op: number for number, op in enumerate(OPS)}
    assert f"#define CN_INTERFACE {INTERFACE} " in HEADER
    assert f"#define CN_ALIGNMENT {ALIGNMENT} " in HEADER
