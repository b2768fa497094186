"""How a collection is laid out for codecs: files, mosaics, one stream of pixels, or one tar.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Sequence

import numpy as np

from compressnet.bench.rivals.lossless.formats import PictureFormat
from compressnet.bench.rivals.lossless.rival import CodedStacks
from compressnet.bench.rivals.lossless.stacks import Stack, Stacks
from compressnet.bench.rivals.lossless.streams import ByteCodec
from compressnet.bench.rivals.pictures import mosaic, unmosaic
from compressnet.images.kinds import Pictures


def encode_files(stacks: Stacks, picture_format: PictureFormat) -> CodedStacks:
    """A file for each image."""
    files = _files_of(stacks, picture_format)
    return CodedStacks(
        total_bytes=sum(len(file) for part in files for file in part),
        decode=lambda: _from_files(stacks, files, picture_format),
    )


def _files_of(stacks: Stacks, picture_format: PictureFormat) -> list[list[bytes]]:
    return [[picture_format.save(image) for image in part.images_NHWC] for part in stacks.parts]


def _from_files(stacks: Stacks, files: Sequence[Sequence[bytes]], picture_format: PictureFormat) -> list[Pictures]:
    arrays: list[Pictures] = []
    for part, saved in zip(stacks.parts, files, strict=True):
        channels, dtype = part.images_NHWC.shape[3], part.images_NHWC.dtype
        arrays.append(np.stack([picture_format.read(file, channels, dtype) for file in saved]))
    return arrays


def encode_mosaics(stacks: Stacks, picture_format: PictureFormat) -> CodedStacks:
    """A mosaic for each size, mode and depth; several where a format's sides are too short."""
    runs = [_runs(part, picture_format.side_px) for part in stacks.parts]
    files = [[picture_format.save(mosaic(run)) for run in part] for part in runs]

    def decode() -> list[Pictures]:
        return [
            np.concatenate(
                [
                    unmosaic(picture_format.read(file, run.shape[3], run.dtype), run.shape)
                    for file, run in zip(saved, part, strict=True)
                ]
            )
            for saved, part in zip(files, runs, strict=True)
        ]

    return CodedStacks(total_bytes=sum(len(file) for part in files for file in part), decode=decode)


def _runs(part: Stack, side_px: int | None) -> list[Pictures]:
    """The images in as many mosaics as a longest side asks for."""
    images_NHWC = part.images_NHWC
    if side_px is None:
        return [images_NHWC]
    # A mosaic is at most a tile longer than a square of its pixels.
    height, width = images_NHWC.shape[1:3]
    most = max(1, (side_px - max(height, width)) ** 2 // (height * width))
    return [images_NHWC[start : start + most] for start in range(0, len(images_NHWC), most)]


def encode_pixels(stacks: Stacks, codec: ByteCodec) -> CodedStacks:
    """All values as one stream, those of 16 bits with the low byte first."""
    data = codec.compress(b"".join(_little(part.images_NHWC).tobytes() for part in stacks.parts))

    def decode() -> list[Pictures]:
        values = codec.decompress(data)
        arrays: list[Pictures] = []
        start = 0
        for part in stacks.parts:
            end = start + part.images_NHWC.nbytes
            little = np.frombuffer(values[start:end], part.images_NHWC.dtype.newbyteorder("<"))
            arrays.append(little.astype(part.images_NHWC.dtype).reshape(part.images_NHWC.shape))
            start = end
        return arrays

    return CodedStacks(total_bytes=len(data), decode=decode)


def _little(images: Pictures) -> Pictures:
    return images.astype(images.dtype.newbyteorder("<"), copy=False)


def encode_raw_tar(stacks: Stacks, codec: ByteCodec) -> CodedStacks:
    """A tar of PAM files (`netpbm`), which hold values as they are."""
    files = [[_pam(image) for image in part.images_NHWC] for part in stacks.parts]
    data = codec.compress(_tar(files, "pam"))

    def decode() -> list[Pictures]:
        return [
            np.stack([_from_pam(file, part) for file in saved])
            for part, saved in zip(stacks.parts, _untar(codec.decompress(data), stacks), strict=True)
        ]

    return CodedStacks(total_bytes=len(data), decode=decode)


def _pam(image_HWC: Pictures) -> bytes:
    """An image as a PAM file, those of 16 bits with the high byte first."""
    height, width, channels = image_HWC.shape
    kind = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}[channels]
    largest = np.iinfo(image_HWC.dtype).max
    header = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {channels}\nMAXVAL {largest}\nTUPLTYPE {kind}\nENDHDR\n"
    return header.encode() + image_HWC.astype(image_HWC.dtype.newbyteorder(">")).tobytes()


def _from_pam(data: bytes, part: Stack) -> Pictures:
    images = part.images_NHWC
    values = data[data.index(b"ENDHDR\n") + len(b"ENDHDR\n") :]
    return np.frombuffer(values, images.dtype.newbyteorder(">")).astype(images.dtype).reshape(images.shape[1:])


class PngTar:
    """A tar of PNG files, which is made once for all byte codecs that get it."""

    def __init__(self, picture_format: PictureFormat) -> None:
        self._format = picture_format
        self._made: tuple[Stacks, bytes, float] | None = None

    def encode(self, stacks: Stacks, codec: ByteCodec) -> CodedStacks:
        """Code the tar."""
        tar, seconds = self._tar_of(stacks)
        data = codec.compress(tar)

        def decode() -> list[Pictures]:
            return _from_files(stacks, _untar(codec.decompress(data), stacks), self._format)

        return CodedStacks(total_bytes=len(data), decode=decode, earlier_s=seconds)

    def _tar_of(self, stacks: Stacks) -> tuple[bytes, float]:
        """The tar, and the seconds that it took, if that was before."""
        if self._made is not None and self._made[0] is stacks:
            return self._made[1:]
        start = time.perf_counter()
        tar = _tar(_files_of(stacks, self._format), "png")
        self._made = (stacks, tar, time.perf_counter() - start)
        return tar, 0.0


def _tar(files: Sequence[Sequence[bytes]], ending: str) -> bytes:
    """Files in one tar, size after size, with numbers for names."""
    stream = io.BytesIO()
    number = 0
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for part in files:
            for file in part:
                member = tarfile.TarInfo(f"{number}.{ending}")
                member.size = len(file)
                tar.addfile(member, io.BytesIO(file))
                number += 1
    return stream.getvalue()


def _untar(data: bytes, stacks: Stacks) -> list[list[bytes]]:
    """The files of each part."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        opened = [tar.extractfile(member) for member in tar.getmembers()]
        files = iter([b"" if file is None else file.read() for file in opened])
    return [[next(files) for _ in part.places_N] for part in stacks.parts]
