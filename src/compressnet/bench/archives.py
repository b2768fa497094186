"""Archives as they are measured: written to disk, read back, and compared with the images."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from compressnet import api
from compressnet.bench.points import COMPRESSNET, SHOWN_IMAGES, Point
from compressnet.codec.codec import Codec
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.errors import CompressnetError
from compressnet.files import temporary_folder
from compressnet.images.alpha import clear_hidden
from compressnet.images.kinds import Images, eight_bits
from compressnet.images.metrics import compare


def measure_archive(images_NHWC: Images, codec: Codec, quality: int, effort: int) -> tuple[Point, Images]:
    """What images (N,H,W,C) take in an archive on disk, and how long that takes.

    With what is read back, (N,H,W,C).
    """
    with temporary_folder() as folder:
        path = folder / "bench.cnet"
        start = time.perf_counter()
        api.compress(images_NHWC, path, codec, quality=quality, effort=effort, embed_codec=False)
        middle = time.perf_counter()
        with api.open(path, codec=codec) as archive:
            decoded_NHWC = eight_bits(archive.array()).reshape(images_NHWC.shape)
        end = time.perf_counter()
        total_bytes = path.stat().st_size
    figures = compare(images_NHWC, decoded_NHWC)
    point = Point(
        codec=COMPRESSNET,
        mode="archive",
        setting=f"quality {quality}",
        lossless=False,
        effort=effort,
        quality=quality,
        images=len(images_NHWC),
        total_bytes=total_bytes,
        mse=figures.mse,
        psnr=figures.psnr,
        ssim=figures.ssim,
        encode_s=middle - start,
        decode_s=end - middle,
        shown=decoded_NHWC[:SHOWN_IMAGES],
    )
    return point, decoded_NHWC


def measure_lossless(images_NHWC: Images, codec: Codec) -> Point:
    """Code without loss by compressnet, on disk and back; colour under alpha 0 does not count.

    Raises CompressnetError where pixels differ, and what `api.compress` raises.
    """
    images_NHWC = clear_hidden(images_NHWC)
    point, decoded_NHWC = measure_archive(images_NHWC, codec, LOSSLESS_QUALITY, 1)
    if not np.array_equal(clear_hidden(decoded_NHWC), images_NHWC):
        raise CompressnetError(
            f"the codec {codec.name} gave other pixels than the originals at quality {LOSSLESS_QUALITY}, "
            "which is lossless; this is a defect of compressnet: please report it"
        )
    return replace(point, lossless=True, effort=None)
