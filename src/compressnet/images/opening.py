"""From a path, or bytes of a pipe, to a collection.

The first bytes tell what a file is, not its name.
"""

from __future__ import annotations

import gzip
import importlib.resources
import io
import os
from pathlib import Path

from compressnet.errors import InputError
from compressnet.images.collection import Collection
from compressnet.images.copied import open_copied
from compressnet.images.formats.arrays.files import array_file_collection, array_stream_collection
from compressnet.images.formats.arrays.npy import NPY_MAGIC
from compressnet.images.formats.parquet.parquet import PARQUET_MAGIC, PARQUET_SUFFIX, parquet_collection
from compressnet.images.formats.pictures.folders import files_below, folder_collection, picture_collection
from compressnet.images.formats.pictures.sniffing import is_named_like_a_picture, may_be_a_picture
from compressnet.images.formats.pictures.tars import is_tar, tar_collection
from compressnet.images.formats.pictures.zips import ZIP_MAGICS, zip_collection
from compressnet.images.formats.shards import shards_collection
from compressnet.images.names import is_hidden
from compressnet.images.packers import MAGIC_BYTES, open_unpacked, require_unpacked
from compressnet.images.reading import AS_IT_IS, Reading
from compressnet.images.untrusted import as_binary, gunzipped, input_errors
from compressnet.remote import Url, located

_READABLE = "pictures, a folder, .zip or .tar of them, .parquet, IDX, .npy and .npz can be read"


def sample(name: str) -> Path:
    """A file of the samples that ship with the package."""
    return Path(str(importlib.resources.files("compressnet") / "shipped" / "samples" / name))


def open_collection(source: str | os.PathLike[str], reading: Reading = AS_IT_IS) -> Collection:
    """The images at a path or URL; `mnist` is the test images of MNIST that ship with the package.

    What is at a URL is copied to a temporary folder, which the account says.

    Raises InputError, naming the file, for what cannot be read or holds no images as `reading`
    takes them, MissingExtraError.
    """
    if str(source) == "mnist" and Path("mnist").exists():
        raise InputError("mnist: the sample that ships, and something here by this name; give ./mnist for the latter")
    if str(source) == "mnist":
        path = sample("mnist-t10k-images-idx3-ubyte.gz")
        return array_stream_collection("mnist", lambda: as_binary(gzip.open(path, "rb")), reading)
    path = located(source)
    if isinstance(path, Url):
        return open_copied(path, reading, open_collection)
    if path.is_dir():
        return _open_folder(path, reading)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    with input_errors(str(path)), path.open("rb") as stream:
        head = stream.read(MAGIC_BYTES)
    require_unpacked(head, str(path))
    plain = head[:4]
    if plain in ZIP_MAGICS:
        return zip_collection(path, reading)
    if plain == PARQUET_MAGIC:
        return parquet_collection(str(path), [path], reading)
    with input_errors(str(path)), open_unpacked(path) as stream:
        header = stream.read(512)
    if is_tar(header):
        return tar_collection(path, reading)
    if may_be_a_picture(path.name, header):
        return picture_collection(path, reading)
    if header.startswith((NPY_MAGIC, b"\0\0")) or not header.startswith(plain):
        return array_file_collection(path, reading)
    raise InputError(f"{path}: not a collection of images; {_READABLE}")


def _open_folder(folder: Path, reading: Reading) -> Collection:
    """Pictures, or files of many images each in the order of their names.

    Raises InputError, MissingExtraError.
    """
    paths, ledger = files_below(folder)
    seen = [path for path in paths if not is_hidden(path)]
    if not any(map(is_named_like_a_picture, seen)):
        return shards_collection(folder, paths, reading) or folder_collection(folder, paths, ledger, reading)
    tables = [path for path in seen if path.lower().endswith(PARQUET_SUFFIX)]
    if tables:
        raise InputError(f"{folder}: has both pictures and {min(tables)}; give one of them, or separate them")
    return folder_collection(folder, paths, ledger, reading)


def collection_from_bytes(data: bytes, name: str, reading: Reading = AS_IT_IS) -> Collection:
    """An IDX or .npy file in memory, gzipped or not, as it comes from a pipe.

    Raises InputError.
    """
    plain = gunzipped(data, name)
    require_unpacked(plain, name)
    return array_stream_collection(name, lambda: io.BytesIO(plain), reading)
