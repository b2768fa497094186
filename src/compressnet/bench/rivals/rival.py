"""What a rival is: a codec in a way of coding a collection, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from compressnet.images.kinds import Images

Mode = Literal["single", "mosaic", "dictionary", "stream"]
"""A file for each image, all images as one picture, each image with a shared dictionary, all pixels as one stream."""
Setting = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A collection that a rival has coded: its bytes in all, and how to get the images (N,H,W,C) back."""

    total_bytes: int
    decode: Callable[[], Images]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A codec at several settings; `encode` codes images (N,H,W,C)."""

    name: str
    mode: Mode
    lossless: bool
    settings: tuple[Setting, ...]
    encode: Callable[[Images, Setting], Coded]


def setting_text(setting: Setting) -> str:
    """`speed 4, subsampling 4:4:4, tune psnr`: what is on as its name alone, what is off left out."""
    parts: list[str] = []
    for key, value in setting.items():
        if isinstance(value, dict):
            parts.append(setting_text(value))
        elif value is not False:
            parts.append(key if value is True else f"{key} {value}")
    return ", ".join(parts)
