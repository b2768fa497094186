"""Collections of images, in and out: IDX (gzipped or not), .npy, .npz, and folders of image files.

A collection is read as arrays uint8 (n,H,W) or (n,H,W,C), some thousand images at a time. Output goes to a temporary
file or folder beside its target and takes its place at the end.
"""

from __future__ import annotations

import gzip
import importlib.resources
import io
import math
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.files import atomic_open
from compressnet.limits import IMAGES_LIMIT, SIDE_LIMIT_PX

Images = NDArray[np.uint8]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
BATCH_IMAGES = 2048
IDX_UINT8 = 0x08
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4"}
_NPY_MAGIC = b"\x93NUMPY"
_GZIP_MAGIC = b"\x1f\x8b"
_UNREADABLE = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, KeyError)


@dataclass(frozen=True, slots=True)
class Collection:
    """Images that can be read from the start, any number of times."""

    name: str
    count: int
    batches: Callable[[], Iterator[Images]]
    """Arrays uint8 (n,H,W) or (n,H,W,C), in order."""
    names: Sequence[str] | None = None

    def load(self, limit: int | None = None) -> Images:
        """All images, or the first `limit`, as one array (N,H,W[,C]). Raises InputError where sizes differ."""
        parts: list[Images] = []
        wanted = self.count if limit is None else min(limit, self.count)
        for batch in self.batches():
            if parts and batch.shape[1:] != parts[0].shape[1:]:
                raise InputError(f"{self.name}: images of two sizes, {parts[0].shape[1:]} and {batch.shape[1:]}")
            parts.append(batch[: wanted - sum(map(len, parts))])
            if limit is not None and sum(map(len, parts)) == wanted:
                break
        return np.concatenate(parts)

    def sample(self, count: int) -> Images:
        """Up to `count` images, evenly spread over the collection, as one array. Raises InputError."""
        positions = evenly_spread(self.count, count)
        parts: list[Images] = []
        start = 0
        for batch in self.batches():
            chosen = positions[(positions >= start) & (positions < start + len(batch))]
            parts.append(batch[chosen - start])
            start += len(batch)
        return np.concatenate(parts)


def evenly_spread(total: int, count: int) -> NDArray[np.int64]:
    """Up to `count` positions among `total`, first and last included, rising."""
    return np.unique(np.linspace(0, total - 1, count).astype(np.int64))


def sample(name: str) -> Path:
    """A file of the samples that ship with the package."""
    return Path(str(importlib.resources.files("compressnet") / "samples" / name))


def open_collection(source: str | os.PathLike[str]) -> Collection:
    """The images at a path; `mnist` is the 10,000 test images of MNIST that ship with the package.

    Raises InputError, naming the file, for what cannot be read or holds no uint8 images.
    """
    if str(source) == "mnist":
        path = sample("mnist-t10k-images-idx3-ubyte.gz")
        return _idx_collection("mnist", lambda: gzip.open(path, "rb"))
    path = Path(source)
    if path.is_dir():
        return _folder_collection(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    with _reading(str(path)), path.open("rb") as stream:
        magic = stream.read(6)
    if magic == _NPY_MAGIC:
        with _reading(str(path)):
            return _array_collection(str(path), np.load(path, mmap_mode="r", allow_pickle=False))
    if magic[:4] == b"PK\x03\x04":
        return _array_collection(str(path), _npz_array(path))
    if magic[:2] == _GZIP_MAGIC:
        return _idx_collection(str(path), lambda: gzip.open(path, "rb"))
    if magic[:2] == b"\0\0":
        return _idx_collection(str(path), lambda: path.open("rb"))
    raise InputError(f"{path}: not a collection of images; IDX, .npy, .npz and folders of image files can be read")


def collection_from_bytes(data: bytes, name: str) -> Collection:
    """An IDX or .npy file in memory, as it comes from a pipe. Raises InputError."""
    if data[:2] == _GZIP_MAGIC:
        with _reading(name):
            data = gzip.decompress(data)
    if data[:6] == _NPY_MAGIC:
        with _reading(name):
            return _array_collection(name, np.load(io.BytesIO(data), allow_pickle=False))
    return _idx_collection(name, lambda: io.BytesIO(data))


def read_labels(path: Path) -> NDArray[Any]:
    """Labels from an IDX or .npy file, or one per line of a text file: integers where all are, else texts.

    Raises InputError.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with _reading(str(path)):
        data = path.read_bytes()
        if data[:2] == _GZIP_MAGIC:
            data = gzip.decompress(data)
        if data[:6] == _NPY_MAGIC:
            return np.load(io.BytesIO(data), allow_pickle=False)
        if data[:2] == b"\0\0":
            stream = io.BytesIO(data)
            shape, dtype = _idx_header(stream, str(path))
            return np.frombuffer(stream.read(), dtype).reshape(shape).astype(np.int64)
        lines = data.decode("utf-8").splitlines()
    try:
        return np.array([int(line) for line in lines], np.int64)
    except ValueError:
        return np.array(lines, np.str_)


@contextmanager
def _reading(name: str) -> Generator[None]:
    """Turn what reading can go wrong with into an InputError that names the file."""
    try:
        yield
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{name}: cannot be read ({error}); is the file damaged or cut off?") from error


def _check_images(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raises InputError for arrays that are no uint8 images."""
    if dtype != np.uint8:
        raise InputError(f"{name}: values of type {dtype}; images have to be uint8, so scale them to 0..255 first")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] > 4):
        raise InputError(f"{name}: an array of shape {shape} is no collection of images (N,H,W) or (N,H,W,C)")
    if shape[0] == 0:
        raise InputError(f"{name}: holds no images")
    if 0 in shape or max(shape[1:3]) > SIDE_LIMIT_PX or shape[0] > IMAGES_LIMIT:
        raise InputError(f"{name}: images of {shape[1]}x{shape[2]} pixels are beyond the limits")


def _array_collection(name: str, array: NDArray[Any]) -> Collection:
    _check_images(name, array.shape, array.dtype)

    def batches() -> Iterator[Images]:
        for i in range(0, len(array), BATCH_IMAGES):
            yield np.ascontiguousarray(array[i : i + BATCH_IMAGES])

    return Collection(name, len(array), batches)


def _npz_array(path: Path) -> NDArray[Any]:
    """The images of an .npz: its only array, or the one called `images`."""
    with _reading(str(path)), path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        names = arrays.files
        chosen = "images" if "images" in names else names[0] if len(names) == 1 else None
        if chosen is None:
            raise InputError(f"{path}: has the arrays {', '.join(names)}; call the one with the images 'images'")
        return arrays[chosen]


def _idx_header(stream: BinaryIO, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an IDX file, from its first bytes (the format of MNIST's files)."""
    magic = stream.read(4)
    if len(magic) != 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES or not 1 <= magic[3] <= 4:
        raise InputError(f"{name}: not an IDX file")
    sizes = stream.read(4 * magic[3])
    if len(sizes) != 4 * magic[3]:
        raise InputError(f"{name}: cut off within its header")
    return tuple(np.frombuffer(sizes, ">u4").astype(int).tolist()), np.dtype(_IDX_TYPES[magic[2]])


def _idx_collection(name: str, open_stream: Callable[[], Any]) -> Collection:
    with _reading(name), open_stream() as stream:
        shape, dtype = _idx_header(cast("BinaryIO", stream), name)
    _check_images(name, shape, dtype)
    image_bytes = math.prod(shape[1:])

    def batches() -> Iterator[Images]:
        with _reading(name), open_stream() as stream:
            _idx_header(stream, name)
            for i in range(0, shape[0], BATCH_IMAGES):
                count = min(BATCH_IMAGES, shape[0] - i)
                data = stream.read(count * image_bytes)
                if len(data) != count * image_bytes:
                    raise InputError(
                        f"{name}: cut off; {shape[0]} images promised, {i + len(data) // image_bytes} there"
                    )
                yield np.frombuffer(data, np.uint8).reshape(count, *shape[1:])
            if stream.read(1):
                raise InputError(f"{name}: has more bytes than its {shape[0]} images take")

    return Collection(name, shape[0], batches)


def _folder_collection(path: Path) -> Collection:
    """All image files in a folder and below, in the order of their names."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    strange = [file for file in files if file.suffix.lower() not in PICTURE_SUFFIXES]
    if strange:
        raise InputError(f"{strange[0]}: not an image file ({', '.join(PICTURE_SUFFIXES)}); move it out of the folder")
    if not files:
        raise InputError(f"{path}: an empty folder; there are no images in it")

    def batches() -> Iterator[Images]:
        first = _read_picture(files[0])
        for i in range(0, len(files), BATCH_IMAGES):
            pictures = [_read_picture(file) for file in files[i : i + BATCH_IMAGES]]
            for file, picture in zip(files[i : i + BATCH_IMAGES], pictures, strict=True):
                if picture.shape != first.shape:
                    raise InputError(
                        f"{file}: {_shape_text(picture)}, but {files[0]} is {_shape_text(first)}; "
                        "a collection takes one size and mode so far"
                    )
            yield np.stack(pictures)

    return Collection(str(path), len(files), batches)


def _shape_text(picture: Images) -> str:
    channels = picture.shape[2] if picture.ndim == 3 else 1
    return f"{picture.shape[1]}x{picture.shape[0]} pixels with {channels} channel{'s' * (channels > 1)}"


def _read_picture(file: Path) -> Images:
    """One image file as (H,W) or (H,W,C). Raises InputError."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            mode = picture.mode
            if mode.startswith(("I", "F")):
                raise InputError(f"{file}: 16-bit or floating-point pixels (mode {mode}); convert it to 8 bits first")
            if max(picture.size) > SIDE_LIMIT_PX:
                raise InputError(f"{file}: {picture.size[0]}x{picture.size[1]} pixels are beyond the limit")
            if mode == "1":
                picture = picture.convert("L")
            elif mode not in ("L", "LA", "RGB", "RGBA"):
                picture = picture.convert("RGBA" if "transparency" in picture.info or mode == "PA" else "RGB")
            return np.asarray(picture)
    except UnidentifiedImageError as error:
        raise InputError(f"{file}: not a picture, though it is named like one") from error
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: cannot be read as a picture ({error})") from error


def write_collection(
    target: Path, batches: Iterable[Images], shape: tuple[int, ...], labels: NDArray[Any] | None, *, overwrite: bool
) -> None:
    """Write arrays (n,H,W[,C]) of `shape` in all, in the format of the target's ending.

    `.npy`; `.npz` (with `labels`); `*-ubyte` and `*-ubyte.gz`, IDX; anything else is a folder of PNG files.
    Raises InputError where the target exists and `overwrite` is not set, or cannot be written.
    """
    require_free(target, overwrite=overwrite)
    if len(shape) == 1 and target.name.endswith((".npy", ".npz", "-ubyte", "-ubyte.gz")):
        raise InputError(f"{target}: images of several sizes do not go into one array; write a folder")
    try:
        if target.name.endswith(".npz"):
            images = np.concatenate(list(batches))
            with atomic_open(target) as stream:
                if labels is None:
                    np.savez_compressed(stream, images=images)
                else:
                    np.savez_compressed(stream, images=images, labels=labels)
        elif target.name.endswith((".npy", "-ubyte", "-ubyte.gz")):
            with atomic_open(target) as stream:
                _write_arrays(stream, target.name, batches, shape)
        else:
            _write_folder(target, batches, shape[0])
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from error


def require_free(target: Path, *, overwrite: bool) -> None:
    """Raises InputError where the target exists and may not be overwritten."""
    taken = any(target.iterdir()) if target.is_dir() else target.exists()
    if taken and not overwrite:
        raise InputError(f"{target}: exists already; -f overwrites it")


def write_npy(stream: BinaryIO, batches: Iterable[Images], shape: tuple[int, ...]) -> None:
    """A .npy file to a stream, batch by batch. Raises InputError for images of several shapes."""
    if len(shape) == 1:
        raise InputError("images of several sizes do not go into one array; write a folder")
    header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    for batch in batches:
        stream.write(np.ascontiguousarray(batch).tobytes())


def _write_arrays(stream: BinaryIO, name: str, batches: Iterable[Images], shape: tuple[int, ...]) -> None:
    if name.endswith(".npy"):
        write_npy(stream, batches, shape)
        return
    header = bytes([0, 0, IDX_UINT8, len(shape)]) + np.array(shape, ">u4").tobytes()
    if name.endswith(".gz"):
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as zipped:
            for part in _chain_bytes(header, batches):
                zipped.write(part)
    else:
        for part in _chain_bytes(header, batches):
            stream.write(part)


def _chain_bytes(header: bytes, batches: Iterable[Images]) -> Iterator[bytes]:
    yield header
    for batch in batches:
        yield np.ascontiguousarray(batch).tobytes()


def _write_folder(target: Path, batches: Iterable[Images], count: int) -> None:
    """PNG files 00000.png and so on; the folder appears at the end, or its files do where it was there."""
    from PIL import Image

    digits = max(5, len(str(count - 1)))
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.absolute().parent))
    try:
        i = 0
        for batch in batches:
            for image in batch:
                squeezed = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
                Image.fromarray(squeezed).save(temporary / f"{i:0{digits}d}.png")
                i += 1
        temporary.chmod(0o755)
        if target.is_dir():
            for file in sorted(temporary.iterdir()):
                file.replace(target / file.name)
        else:
            temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
