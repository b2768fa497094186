"""Writes what fuzzing begins with: python tests/fuzz/seeds.py FOLDER.

Archives and codecs are those of the conformance set; of pictures, one of each format is made.
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from compressnet.wire import Reader
from conftest import CONFORMANCE

LARGEST_BYTES = 8192
ENDINGS = ("", ".png", ".npy", ".npz", ".zip", ".tar", ".parquet", ".idx3-ubyte.gz", ".gif", ".tif", ".webp")
"""What a file of pictures is called; its first byte says which of them."""


def pictures() -> Iterator[tuple[str, bytes]]:
    """A file of each format, by its ending."""
    grey, colour = np.arange(12, dtype=np.uint8).reshape(3, 4), np.zeros((3, 4, 4), np.uint8)

    def saved(image: np.ndarray, form: str) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, form)
        return stream.getvalue()

    for form, ending in (
        ("png", ".png"),
        ("gif", ".gif"),
        ("tiff", ".tif"),
        ("webp", ".webp"),
        ("bmp", ""),
        ("ppm", ""),
    ):
        for image in (grey, colour[..., :3]):
            yield ending, saved(image, form)
    yield ".png", saved(grey.astype(np.uint16) * 999, "png")
    yield ".tif", saved(grey.astype(np.float32), "tiff")
    arrays = io.BytesIO(), io.BytesIO()
    np.save(arrays[0], grey[None])
    np.savez_compressed(arrays[1], train_images=grey[None], train_labels=np.array([3]))
    yield ".npy", arrays[0].getvalue()
    yield ".npz", arrays[1].getvalue()
    yield "", bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 4]) + grey.tobytes()
    members = [
        ("a/0.png", saved(grey, "png")),
        ("a/1.png", saved(colour, "png")),
        ("labels.csv", b"file,label\na/0.png,1\n"),
    ]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    yield ".zip", packed.getvalue()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in members[:1]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    yield ".tar", packed.getvalue()


def seeds() -> Iterator[tuple[str, bytes]]:
    """The target and the bytes of each."""
    for path in sorted(CONFORMANCE.rglob("*")):
        if path.suffix == ".cnet" and path.stat().st_size <= LARGEST_BYTES:
            yield "archive", path.read_bytes()
        if path.suffix == ".codec":
            yield "codec", path.read_bytes()
        if path.suffix == ".packed" and path.parent == CONFORMANCE:
            reader = Reader(path.read_bytes(), str(path))
            document = zlib.decompress(reader.take(reader.varint(1 << 30)))
            yield "packed", document + b"\0" + reader.take(reader.left)
    for ending, data in pictures():
        yield "pictures", bytes([ENDINGS.index(ending)]) + data


def main(folder: Path) -> None:
    """Write each seed into the folder of its target."""
    for number, (target, data) in enumerate(seeds()):
        (folder / target).mkdir(parents=True, exist_ok=True)
        (folder / target / f"seed-{number}").write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
