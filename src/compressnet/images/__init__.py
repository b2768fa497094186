"""Collections of images, in and out: arrays, IDX, folders, ZIP, tar, WebDataset and Parquet.

    collection = open_collection("photos.zip")
    for images in collection.batches():  # uint8 (n,H,W) or (n,H,W,C), some thousand at a time
        ...
    write_collection(Path("photos.tar"), collection.batches(), names=collection.names)

Reading and writing are streamed; no step holds all images. Output goes to a temporary file or
folder beside its target and takes its place at the end. To be read in this order: `kinds` (what an
array of images is), `alpha`, `forms` (what is coded of an image, and how it is shown), `modes`
(channels that an image can do without), `names`, `manifest` (names that files cannot have),
`pillow` (images as its pictures), `sheets` (many in one picture), `untrusted` (bytes that nobody
vouches for), `packers` (what is unpacked), `reading` (what to do with odd pictures), `account`
(what was done with them), `labels`, `member_labels` (from folders and from files beside pictures),
`arrays` (what arrays mean), `collection`, `joining`, `metrics`, `formats` (a package for each
family), `copied` (from URLs), `label_files`, `opening`, and `writing`. The names below load on
first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compressnet.images.account import Account
    from compressnet.images.collection import Collection, evenly_spread, survey
    from compressnet.images.formats.arrays.npy import write_npy
    from compressnet.images.label_files import read_labels
    from compressnet.images.opening import collection_from_bytes, open_collection, sample
    from compressnet.images.reading import Reading
    from compressnet.images.writing import require_free, write_collection

__all__ = [
    "Account",
    "Collection",
    "Reading",
    "collection_from_bytes",
    "evenly_spread",
    "open_collection",
    "read_labels",
    "require_free",
    "sample",
    "survey",
    "write_collection",
    "write_npy",
]

_HOMES = {
    "Account": "account",
    "Collection": "collection",
    "collection_from_bytes": "opening",
    "evenly_spread": "collection",
    "open_collection": "opening",
    "Reading": "reading",
    "read_labels": "label_files",
    "require_free": "writing",
    "sample": "opening",
    "survey": "collection",
    "write_collection": "writing",
    "write_npy": "formats.arrays.npy",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
