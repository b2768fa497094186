"""Contact sheets: many images in one picture, each with a caption."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from compressnet.images.kinds import Pictures
from compressnet.images.pillow import as_picture

THUMBNAIL_PX = 64
"""The side within which an image is shown."""
COLUMNS = 10
_GAP_PX = 8
_LINE_PX = 13
_FONT_PX = 11
_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_CHEQUERS = (235, 205)
"""Grey behind what is transparent."""


def draw_sheet(images: Iterable[Pictures], captions: Sequence[Sequence[str]]) -> Image.Image:
    """Images (H,W) or (H,W,C) in rows of ten, each above the lines of its caption.

    captions: as many as images, each of equally many lines; what is too long is cut. Small images
    are enlarged by whole numbers, large ones are reduced, and of 16 bits the high 8 are shown.
    """
    lines = max((len(caption) for caption in captions), default=0)
    width, height = THUMBNAIL_PX + _GAP_PX, THUMBNAIL_PX + _GAP_PX + lines * _LINE_PX
    columns = max(1, min(COLUMNS, len(captions)))
    rows = -(-len(captions) // columns)
    sheet = Image.new("RGB", (columns * width + _GAP_PX, rows * height + _GAP_PX), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_PX)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(number, columns)
        left, top = column * width + _GAP_PX, row * height + _GAP_PX
        shown = _thumbnail(image)
        at = (left + (THUMBNAIL_PX - shown.width) // 2, top + (THUMBNAIL_PX - shown.height) // 2)
        sheet.paste(shown, at)
        for i, text in enumerate(caption):
            pen.text((left, top + THUMBNAIL_PX + 1 + i * _LINE_PX), _fitting(text, font), _INK, font)
    return sheet


def png_of(sheet: Image.Image) -> bytes:
    """A sheet as a PNG file."""
    stream = io.BytesIO()
    sheet.save(stream, format="png", optimize=True)
    return stream.getvalue()


def _thumbnail(image: Pictures) -> Image.Image:
    """An image as it is shown, RGB, on chequers where it is transparent."""
    picture = as_picture((image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image)
    side = max(picture.size)
    if side > THUMBNAIL_PX:
        picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    elif (times := THUMBNAIL_PX // side) > 1:
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    if not picture.mode.endswith("A"):
        return picture.convert("RGB")
    y, x = np.mgrid[: picture.height, : picture.width] // 8 % 2
    ground = as_picture(np.where(x == y, *_CHEQUERS).astype(np.uint8)).convert("RGBA")
    return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The end of a text that fits below an image, as names differ at their ends."""
    if font.getlength(text) <= THUMBNAIL_PX:
        return text
    text = text[-THUMBNAIL_PX:]
    while len(text) > 1 and font.getlength(f"…{text}") > THUMBNAIL_PX:
        text = text[1:]
    return f"…{text}"
