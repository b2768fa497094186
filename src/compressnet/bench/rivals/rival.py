"""What a rival is: a codec in one way of coding a collection, and what comes of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from compressnet.images.kinds import Images

Mode = Literal["single", "mosaic", "dictionary", "stream"]
"""A file for each image, all images as one picture, each image with a dictionary that all share,
or the pixels of all images as one stream.
"""
Setting = dict[str, Any]
"""Options of an encoder, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A collection that a rival has coded: its bytes in all, and how to get its images back."""

    total_bytes: int
    decode: Callable[[], Images]
    """Gives the images (N,H,W,C)."""


Encode = Callable[[Images, Setting], Coded]
"""Codes images (N,H,W,C) at a setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A codec in one mode, with the settings that the benchmark measures."""

    name: str
    mode: Mode
    lossless: bool
    settings: tuple[Setting, ...]
    encode: Encode
    needs: str | None = None
    """A module of the extra `bench` that has to be installed for it."""


def can_import(module: str | None) -> bool:
    """Import what a codec needs, which may register it with Pillow; whether it is there."""
    if module is not None:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            return False
    return True


def setting_text(setting: Setting) -> str:
    """`speed 4, lossless, tune psnr`: what is on is its name alone, what is off is left out."""
    parts: list[str] = []
    for key, value in setting.items():
        if isinstance(value, dict):
            parts.append(setting_text(value))
        elif value is not False:
            parts.append(key if value is True else f"{key} {value}")
    return ", ".join(parts)
