"""The demo: MNIST's test images into one file and back, with the figures and a picture."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from compressnet import api
from compressnet.bench.evaluate import Evaluation, evaluate
from compressnet.codec.codec import Codec
from compressnet.errors import CompressnetError
from compressnet.files import atomic_open
from compressnet.images import open_collection, read_labels, sample
from compressnet.images.kinds import Images, eight_bits

ARCHIVE_NAME = "mnist-test.cnet"
PICTURE_NAME = "demo.png"
SINGLE_IMAGE = 7
SHOWN_IMAGES = 16
_SCALE = 3
_GAP_PX = 6
_TITLE_PX = 40
_LABEL_PX = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo measured and wrote."""

    archive: Path
    picture: Path
    raw_bytes: int
    gzip_bytes: int
    archive_bytes: int
    """With labels."""
    single_label: int
    evaluation: Evaluation


def run_demo(codec: Codec, folder: Path, report: Callable[[str], None] = lambda _: None) -> DemoResult:
    """Pack, read one image, unpack all, evaluate and draw; writes two files into `folder`.

    Raises InputError.
    """
    images = open_collection("mnist").load()
    labels = read_labels(sample("mnist-t10k-labels-idx1-ubyte.gz"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ARCHIVE_NAME
    report("pack")
    written = api.compress(images, path, codec, labels=labels)
    report("read")
    with api.open(path, codec=codec) as archive:
        single = archive[SINGLE_IMAGE]
        decoded = eight_bits(archive.array())
        kept = archive.labels
        same_labels = kept is not None and np.array_equal(kept, labels)
        if not np.array_equal(single, decoded[SINGLE_IMAGE]) or not same_labels:
            raise CompressnetError(f"{path}: an image read alone differs from the same image read with all others")
    evaluation = evaluate(images, codec, report=report)
    picture = folder / PICTURE_NAME
    psnr = evaluation.rows[-1].quality.psnr
    title = f"above: originals; below: from the archive, {evaluation.bytes_per_image:.1f} bytes an image, {psnr:.2f} dB"
    with atomic_open(picture) as stream:
        draw_pairs(images[:SHOWN_IMAGES], decoded[:SHOWN_IMAGES], title).save(stream, format="png")
    return DemoResult(
        archive=path,
        picture=picture,
        raw_bytes=images.nbytes,
        gzip_bytes=len(gzip.compress(images.tobytes(), 9, mtime=0)),
        archive_bytes=written.archive_bytes,
        single_label=int(labels[SINGLE_IMAGE]),
        evaluation=evaluation,
    )


def draw_pairs(originals: Images, decoded: Images, title: str) -> Image.Image:
    """A row of grey originals (N,H,W) above a row of decoded ones, enlarged, under a title."""
    count, height, width = originals.shape
    cell_width, cell_height = width * _SCALE + _GAP_PX, height * _SCALE + _GAP_PX
    canvas = Image.new("L", (_LABEL_PX + count * cell_width, _TITLE_PX + 2 * cell_height), 255)
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(16)
    pen.text((_GAP_PX, _GAP_PX), f"MNIST test images; {title}", fill=0, font=font)
    for row, (name, images) in enumerate((("original", originals), ("decoded", decoded))):
        top = _TITLE_PX + row * cell_height
        pen.text((_GAP_PX, top + height * _SCALE // 2 - 8), name, fill=0, font=font)
        for i, image in enumerate(images):
            enlarged = Image.fromarray(image).resize((width * _SCALE, height * _SCALE), Image.Resampling.NEAREST)
            canvas.paste(enlarged, (_LABEL_PX + i * cell_width, top))
    return canvas
