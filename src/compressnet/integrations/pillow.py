"""Archives as pictures of many frames: importing this registers `.cnet` with Pillow.

    import compressnet.integrations.pillow

    with Image.open("icons.cnet") as archive:
        archive.seek(7)
        archive.show()

`save` takes one picture, and with `save_all=True` all frames of it and of `append_images`. Without
further options nothing is lost. `quality=` (0 to 99), `max_error=` and `min_psnr=` say how much
may be; these, `codec=`, `effort=`, `labels=`, `names=` and `class_names=` are those of
`compressnet.compress`. Labels and names come from the frames' `info`, unless they are given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import IO, Any, BinaryIO, cast

import numpy as np
from PIL import Image, ImageFile

from compressnet.api import AUTO, compress
from compressnet.archive.archive import Archive
from compressnet.archive.opening import open_container
from compressnet.container.container import SIGNATURE, Container
from compressnet.container.sources import StreamSource
from compressnet.errors import CompressnetError, InputError
from compressnet.images.kinds import Pictures
from compressnet.images.pillow import as_image, as_picture, mode_of

FORMAT = "CNET"
_LOSSES = ("quality", "max_error", "min_psnr")


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


class CompressnetImageFile(ImageFile.ImageFile):
    """An archive; each image is a frame, of its own size and mode.

    `info` has the frame's `name` and `label` and all `class_names`, where the archive has them.
    What is damaged raises OSError, as does colour of 16 bits, for which Pillow has no mode.
    """

    format = FORMAT
    format_description = "compressnet archive"
    n_frames = 1
    is_animated = False
    _close_exclusive_fp_after_loading = False
    # what is pickled or copied has its pixels, and no archive
    _archive: Archive | None = None
    _frame = 0
    _loaded = -1

    def _open(self) -> None:
        assert self.fp is not None
        name = os.fsdecode(self.filename) or "<stream>"
        try:
            container = Container(StreamSource(cast("BinaryIO", self.fp), name))
            self._archive = archive = open_container(container, None, None, None)
            self._labels, self._names, self._class_names = archive.labels, archive.names, archive.class_names
        except CompressnetError as error:
            raise OSError(str(error)) from error
        self.n_frames, self.is_animated = len(archive), len(archive) > 1
        self._show(0)

    def seek(self, frame: int) -> None:
        """Go to an image by its number. Raises EOFError where there is none."""
        if self._seek_check(frame):
            self._show(frame)

    def tell(self) -> int:
        """The number of the image that is shown."""
        return self._frame

    def _show(self, frame: int) -> None:
        """What is known of a frame without decoding it."""
        assert self._archive is not None
        container = self._archive.container
        try:
            block = container.blocks_of(container.places_of(np.array([frame])))
            form = container.kinds[int(container.kinds_of(block)[0])]
            self._mode = mode_of(form.shape, form.dtype)
        except CompressnetError as error:
            raise OSError(f"{container.name}: image {frame}: {error}") from error
        self._size, self._frame = (form.shape[1], form.shape[0]), frame
        if self._names is not None:
            self.info["name"] = self._names[frame]
        if self._labels is not None:
            self.info["label"] = self._labels[frame].item()
        if self._class_names is not None:
            self.info["class_names"] = self._class_names

    def load(self) -> Any:
        """Decode the frame that is shown. Raises OSError for a damaged block."""
        if self._archive is not None and self._loaded != self._frame:
            try:
                self.im = as_picture(self._archive[self._frame]).im
            except CompressnetError as error:
                raise OSError(str(error)) from error
            self._loaded = self._frame
        return super().load()

    def verify(self) -> None:
        """Compare the checksums of all blocks. Raises OSError for the first damaged one."""
        if self._archive is not None:
            try:
                for number in range(len(self._archive.container.blocks)):
                    self._archive.container.read_block(number)
            except CompressnetError as error:
                raise OSError(str(error)) from error
        super().verify()


def _save(picture: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    """The frame that is shown, as an archive of one image."""
    del filename
    _write([picture], _Frames([picture], all_frames=False), stream, picture.encoderinfo)


def _save_all(picture: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    """All frames of a picture and of `append_images`."""
    del filename
    pictures = [picture, *picture.encoderinfo.get("append_images", ())]
    _write(pictures, _Frames(pictures, all_frames=True), stream, picture.encoderinfo)


class _Frames:
    """Goes through frames of pictures, any number of times; they then show what they did."""

    def __init__(self, pictures: Sequence[Image.Image], *, all_frames: bool) -> None:
        self._pictures, self._all = pictures, all_frames

    def __iter__(self) -> Iterator[Image.Image]:
        for picture in self._pictures:
            if not self._all:
                yield picture
                continue
            before = picture.tell()
            try:
                for frame in range(getattr(picture, "n_frames", 1)):
                    picture.seek(frame)
                    yield picture
            finally:
                picture.seek(before)

    def images(self) -> Iterator[Pictures]:
        """Each frame as an array (1,H,W[,C])."""
        for picture in self:
            try:
                yield as_image(picture)[None]
            except InputError as error:
                raise OSError(f"cannot write mode {picture.mode} as {FORMAT}: {error}") from error

    def noted(self, key: str) -> list[Any] | None:
        """What each frame's info has under a key; None where none has it. Raises InputError."""
        found = [frame.info.get(key) for frame in self]
        known = [value for value in found if value is not None]
        if known and len(known) < len(found):
            raise InputError(f"{len(known)} of {len(found)} pictures have a {key}; give {key}s= for all, or None")
        return known or None


def _write(pictures: Sequence[Image.Image], frames: _Frames, stream: IO[bytes], given: dict[str, Any]) -> None:
    """Write an archive with the options that were given."""
    lossless = given.get("lossless", all(given.get(name) is None for name in _LOSSES))
    compress(
        frames.images(),
        cast("BinaryIO", stream),
        given.get("codec", None if lossless else AUTO),
        given.get("quality"),
        given.get("effort"),
        lossless=lossless,
        max_error=given.get("max_error"),
        min_psnr=given.get("min_psnr"),
        labels=given["labels"] if "labels" in given else frames.noted("label"),
        names=given["names"] if "names" in given else frames.noted("name"),
        class_names=given["class_names"] if "class_names" in given else pictures[0].info.get("class_names"),
    )


Image.register_open(FORMAT, CompressnetImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_save_all(FORMAT, _save_all)
Image.register_extension(FORMAT, ".cnet")
Image.register_mime(FORMAT, "application/x-compressnet")
