"""Types of values: 8 bits, 16 where they are wanted, and what can be made 8 bits sensibly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.kinds import Images, Pictures
from compressnet.images.reading import Reading

_MAX_8, _MAX_16 = 255, 65535
_STEP = _MAX_16 // _MAX_8
"""What a step of 8 bits is in values of 16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What becomes of values of one type."""

    apply: Callable[[NDArray[Any]], Pictures]
    note: str = ""
    """What is to be said of it, where values change."""


def type_text(dtype: np.dtype[Any]) -> str:
    """A type as messages show it, without the order of its bytes: `uint16`."""
    return dtype.name if dtype.kind in "buifc" else str(dtype)


def require_type(where: str, dtype: np.dtype[Any], reading: Reading) -> None:
    """Raises InputError, which names the ways out, for values that are not taken.

    where: what has them, up to their type: `a.npy: values of type`.
    """
    said = f"{where} {type_text(dtype)}"
    if dtype == np.uint8 or (dtype.kind in "buif" and reading.convert):
        return
    if dtype.kind not in "buif":
        raise InputError(f"{said}; images have to be uint8")
    if dtype.kind == "u" and dtype.itemsize == 2:
        if not reading.deep:
            raise InputError(f"{said}: --quality 100 keeps them without loss, --convert makes 8 bits of them")
        return
    raise InputError(f"{said}; images have to be uint8, --convert makes 8 bits of what is within 0..1 or 0..255")


def depth_of(where: str, dtype: np.dtype[Any], blocks: Iterable[NDArray[Any]], reading: Reading) -> Depth:
    """What becomes of the values of all `blocks`, which are read only if that depends on them.

    where: as of `require_type`. Raises InputError for values that no 8 bits can be made of.
    """
    require_type(where, dtype, reading)
    if dtype == np.uint8:
        return Depth(apply=_as_they_are)
    if not reading.convert:
        return Depth(apply=lambda values: values.astype(np.uint16, copy=False))
    name = type_text(dtype)
    if dtype.kind == "b":
        return Depth(apply=_from_bool, note="bool values taken as 0 and 255")
    least, most, are_whole = _range_of(where, dtype, blocks)
    if dtype.kind == "f" and least >= 0 and most <= 1:
        return Depth(apply=_from_unit, note=f"{name} values within 0..1 taken as 0..255, rounded")
    if least >= 0 and most <= _MAX_8 and are_whole:
        return Depth(apply=_as_they_are, note=f"{name} values within 0..255 taken as 8 bits")
    if dtype.kind == "u" and dtype.itemsize == 2:
        return Depth(apply=_from_16, note="uint16 values within 0..65535 taken as 0..255, rounded")
    taken = "0..1, or whole ones within 0..255" if dtype.kind == "f" else "0..255"
    fractions = "" if are_whole or least < 0 or most > _MAX_8 else " that are not whole"
    raise InputError(
        f"{where} {name} from {least:g} to {most:g}{fractions}; --convert takes values within {taken}: scale them first"
    )


def _range_of(where: str, dtype: np.dtype[Any], blocks: Iterable[NDArray[Any]]) -> tuple[float, float, bool]:
    """The least and the largest value, and whether all are whole. Raises InputError."""
    least, most, are_whole = float("inf"), float("-inf"), True
    for block in blocks:
        if dtype.kind == "f":
            if not np.isfinite(block).all():
                raise InputError(f"{where} {type_text(dtype)}, some of which are NaN or infinite; set them first")
            are_whole = are_whole and bool((block == np.trunc(block)).all())
        least, most = min(least, float(block.min())), max(most, float(block.max()))
    return least, most, are_whole


def _as_they_are(values: NDArray[Any]) -> Images:
    return values.astype(np.uint8, copy=False)


def _from_bool(values: NDArray[Any]) -> Images:
    return values.astype(np.uint8) * np.uint8(_MAX_8)


def _from_unit(values: NDArray[Any]) -> Images:
    return np.rint(values.astype(np.float64) * _MAX_8).astype(np.uint8)


def _from_16(values: NDArray[Any]) -> Images:
    return ((values.astype(np.uint32) + _STEP // 2) // _STEP).astype(np.uint8)
