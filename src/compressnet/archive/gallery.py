"""An archive to look at: contact sheets, and what notebooks show."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any, Protocol

from compressnet.container.container import Container
from compressnet.errors import CompressnetError, InputError
from compressnet.images.kinds import count_text, size_text
from compressnet.images.sheets import draw_sheet, png_of

SHOWN = 60
"""Images that a sheet shows where none are chosen, and a notebook at most."""
SHEET_LIMIT = 2000
NOTEBOOK_BYTES = 1 << 18
"""Of the picture that a notebook gets; fewer images are shown where these would take more."""


class Shown(Protocol):
    """What is asked of an archive."""

    @property
    def container(self) -> Container:
        """The file's structure."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,H,W) or (N,H,W,C), or (N,)."""
        ...

    @property
    def is_mixed(self) -> bool:
        """Whether its images have several shapes or types."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, index: list[int], /) -> Any: ...


def contact_sheet(archive: Shown, positions: Sequence[int] | None = None) -> bytes:
    """Images of an archive in one picture, a PNG file, with their names or numbers, and labels.

    positions: from 0 to N-1, up to 2,000; by default the first 60. Raises InputError for more, and
    for none; CorruptError.
    """
    chosen = range(min(SHOWN, len(archive))) if positions is None else positions
    if not 1 <= len(chosen) <= SHEET_LIMIT:
        raise InputError(f"{count_text(len(chosen))} for a contact sheet; choose 1 to {SHEET_LIMIT} (--select)")
    return png_of(draw_sheet(list(archive[list(chosen)]), _captions(archive, chosen)))


def html_of(archive: Shown) -> str:
    """Figures, a contact sheet of the first images, and their names and labels, as HTML.

    The sheet is within, and takes 256 KiB at most. What cannot be read is said instead.
    """
    total_bytes = archive.container.source.total_bytes
    shape = f"{count_text(len(archive))} of several sizes" if archive.is_mixed else size_text(archive.shape)
    each = f"{total_bytes / len(archive):,.1f} bytes an image" if len(archive) else "no images"
    head = f"<b>{html.escape(archive.container.name)}</b><br>{shape}; {total_bytes:,} bytes, {each}"
    try:
        return f"<div>{head}{_shown(archive)}</div>"
    except CompressnetError as error:
        return f"<div>{head}<br>{html.escape(str(error))}</div>"


def _shown(archive: Shown) -> str:
    """The sheet of as many of the first images as fit, and a line for each."""
    count, sheet = min(SHOWN, len(archive)), b""
    while count and not sheet:
        sheet = contact_sheet(archive, range(count))
        if len(sheet) > NOTEBOOK_BYTES:
            count, sheet = count // 2, b""
    if not sheet:
        return ""
    lines = "".join(
        f"<li value={i}>{html.escape(', '.join(caption))}</li>"
        for i, caption in enumerate(_captions(archive, range(count), in_full=True))
    )
    return (
        f'<br><img alt="{count_text(count)}" src="data:image/png;base64,{base64.b64encode(sheet).decode()}">'
        f"<details><summary>the first {count} of {count_text(len(archive))}</summary><ol>{lines}</ol></details>"
    )


def _captions(archive: Shown, positions: Sequence[int], *, in_full: bool = False) -> list[list[str]]:
    """For each image its name, or its number, and its label where there are some.

    in_full: whether names are whole, with their folders.
    """
    container = archive.container
    names, labels, class_names = container.read_names(), container.read_labels(), container.read_class_names()
    captions: list[list[str]] = []
    for position in positions:
        name = str(position) if names is None else names[position]
        caption = [name if in_full else name.rpartition("/")[2]]
        if labels is not None:
            label = labels[position].item()
            is_named = class_names is not None and isinstance(label, int) and 0 <= label < len(class_names)
            caption.append(class_names[label] if is_named and class_names is not None else str(label))
        captions.append(caption)
    return captions
