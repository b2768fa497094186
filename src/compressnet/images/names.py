"""Names of images: relative paths with `/`.

They are read from anywhere, but written only where they are safe.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from compressnet.errors import InputError

_SUFFIXES = """
    .png .apng .jpg .jpeg .jpe .jfif .mpo .webp .bmp .dib .gif .tif .tiff .avif .avifs .ico .icns .cur
    .jp2 .j2k .jpc .jpf .jpx .j2c .pbm .pgm .ppm .pnm .pfm .tga .icb .vda .vst .pcx .dcx .sgi .rgb .rgba
    .bw .ras .qoi .dds .psd .xbm .xpm .msp
"""
PICTURE_SUFFIXES = tuple(_SUFFIXES.split())
"""Endings of pictures; what is written has `.png` in their place."""
COMPONENT_BYTES_LIMIT = 255
"""What file systems take as the name of one file or folder."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_RESERVED = re.compile(r'[\x00-\x1f\x7f\ud800-\udfff<>:"|?*]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.IGNORECASE)


_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir"})
"""What macOS puts into ZIP files, and a NAS beside pictures: copies that nobody chose."""


def ending_of(path: str) -> str:
    """What a file's name has from its last dot on, in lower case; empty for a name without one."""
    stem, dot, ending = path.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def is_hidden(path: str) -> bool:
    """Whether a tidy path begins with a dot in any part, or lies in a folder of the system."""
    return any(part.startswith(".") or part in _SYSTEM_FOLDERS for part in path.split("/"))


def tidy_path(raw: str) -> str:
    r"""A path as it stands in a file, relative and with `/`; it is used as a name only.

    Backslashes become `/`; a root or drive, `.` and empty parts go; bytes that are no UTF-8 and
    control characters become `_`, as names are lines of text.
    """
    path = re.sub(r"^[A-Za-z]:(?=/)", "", raw.replace("\\", "/"))
    return _CONTROL.sub("_", "/".join(part for part in path.split("/") if part not in ("", ".")))


def is_renamed(raw: str, tidy: str) -> bool:
    """Whether a tidy path is more than the path as it stands, relative to where it stands."""
    return raw.removeprefix("./").replace("//", "/") != tidy


def leads_out(path: str) -> bool:
    """Whether a tidy path has `..` in it."""
    return ".." in path.split("/")


def order_of_path(path: str) -> list[str]:
    """What paths are sorted by: a folder's files stand together."""
    return path.split("/")


def written_names(names: Sequence[str] | None, count: int, target: str) -> list[str]:
    """The names of PNG files for images of these names, in order and all different.

    Images without names get `00000.png` and so on.

    Names that need no change stay. Of others, a picture's ending becomes `.png`; a name that is
    taken already, in upper or lower case or as a folder, gets `-1`, `-2` and so on; characters
    that some system reserves become `_`. Raises InputError for a name that leads out of the
    target, or that is too long for a file.
    """
    if names is None:
        digits = max(5, len(str(count - 1)))
        return [f"{i:0{digits}d}.png" for i in range(count)]
    if len(names) != count:
        raise InputError(f"{target}: {len(names)} names for {count} images; there has to be one for each image")
    stems = [_safe_stem(name, target) for name in names]
    taken = {folder.casefold() for folder in _folders(stems)}
    kept: set[int] = set()
    for i, (name, stem) in enumerate(zip(names, stems, strict=True)):
        if f"{stem}.png" == name and name.casefold() not in taken:  # such names are not to change
            kept.add(i)
            taken.add(name.casefold())
    next_number: dict[str, int] = {}
    written: list[str] = []
    for i, stem in enumerate(stems):
        chosen, key = stem, stem.casefold()
        if i not in kept:
            number = next_number.get(key, 0)  # so that a thousand equal names take a thousand steps
            chosen = f"{stem}-{number}" if number else stem
            while f"{chosen}.png".casefold() in taken:
                number += 1
                chosen = f"{stem}-{number}"
            next_number[key] = number + 1
            taken.add(f"{chosen}.png".casefold())
        written.append(f"{chosen}.png")
        if any(len(part.encode()) > COMPONENT_BYTES_LIMIT for part in written[-1].split("/")):
            raise InputError(f"{target}: the name {stem[:40]}... is too long for a file; write .npz, which takes any")
    return written


def _safe_stem(name: str, target: str) -> str:
    """A name without its picture's ending, of characters that every system takes.

    Raises InputError.
    """
    path = name.replace("\\", "/")
    if path.startswith("/") or ".." in path.split("/"):
        raise InputError(f"{target}: the name {name!r} leads out of the target; write .npz, which takes any name")
    parts = [_RESERVED.sub("_", part) for part in path.split("/") if part not in ("", ".")] or ["_"]
    suffix = next((suffix for suffix in PICTURE_SUFFIXES if parts[-1].lower().endswith(suffix)), "")
    parts[-1] = parts[-1][: len(parts[-1]) - len(suffix)]
    return "/".join(_safe_component(part) for part in parts)


def _safe_component(part: str) -> str:
    """Neither empty nor hidden, no device of Windows, no dot or space at the end."""
    part = re.sub(r"[. ]+$", lambda found: "_" * len(found[0]), part) or "_"
    if part.startswith("."):
        return f"_{part[1:]}"
    if part in _SYSTEM_FOLDERS:  # they are not read again
        return f"_{part}"
    return f"_{part}" if _DEVICE.fullmatch(part) else part


def _folders(paths: Sequence[str]) -> set[str]:
    """All folders that paths lie in."""
    folders: set[str] = set()
    for path in paths:
        while "/" in path:
            path = path.rpartition("/")[0]
            if path in folders:
                break
            folders.add(path)
    return folders
