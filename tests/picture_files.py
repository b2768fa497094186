"""What the tests of collections share: images of mixed sizes and modes, and files packed by
hand."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from compressnet.errors import InputError
from compressnet.images import Collection, open_collection

Files = list[tuple[str, bytes]]

SHAPES = st.tuples(st.integers(8, 24), st.integers(8, 24), st.sampled_from([0, 2, 3, 4])).map(
    lambda sides: sides[:2] if sides[2] == 0 else sides
)


@st.composite
def mixed_images(draw: st.DrawFn) -> list[np.ndarray]:
    """One to twelve noisy images of a few shapes, L, LA, RGB and RGBA."""
    shapes = draw(st.lists(SHAPES, min_size=1, max_size=3))
    chosen = draw(st.lists(st.sampled_from(shapes), min_size=1, max_size=12))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    return [rng.integers(0, 256, shape, np.uint8) for shape in chosen]


def singles(collection: Collection) -> list[np.ndarray]:
    """All images, one by one."""
    return [image for batch in collection.batches() for image in batch]


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


def png(image: np.ndarray) -> bytes:
    return picture(Image.fromarray(image), "png")


def picture(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=form, **options)
    return stream.getvalue()


def grey(value: int, height: int = 8, width: int = 8) -> bytes:
    """A PNG of one grey value."""
    return png(np.full((height, width), value, np.uint8))


def put_folder(path: Path, files: Files) -> None:
    for name, data in files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)


def put_zip(path: Path, files: Files) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)


def put_tar(path: Path, files: Files, mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


PACKERS: dict[str, Callable[[Path, Files], None]] = {"folder": put_folder, "a.zip": put_zip, "a.tar": put_tar}
"""How files come together, by a target's name."""


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Cuts bytes off, or changes some of them."""
    cut = draw(st.none() | st.floats(0, 0.999))
    changes = draw(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=4))

    def apply(data: bytes) -> bytes:
        if cut is not None:
            return data[: int(cut * len(data))]
        damaged = bytearray(data)
        for place, value in changes:
            damaged[int(place * len(data))] = value
        return bytes(damaged)

    return apply


def images_or_one_error(path: Path) -> Iterator[np.ndarray]:
    """What a damaged file gives: images of 8 bits, or an InputError that names it."""
    try:
        found = singles(open_collection(path))
    except InputError as error:
        assert str(error).startswith(str(path))  # noqa: PT017
        return
    for image in found:
        assert image.dtype == np.uint8
        yield image


_IDX_TYPES = {"|u1": 8, "|i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx(array: np.ndarray) -> bytes:
    """An IDX file of an array of one of its types."""
    head = bytes([0, 0, _IDX_TYPES[array.dtype.str], array.ndim])
    return head + np.array(array.shape, ">u4").tobytes() + array.tobytes()
