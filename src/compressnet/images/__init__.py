"""Collections of images, in and out: arrays, IDX, folders, ZIP, tar, WebDataset and Parquet.

    collection = open_collection("photos.zip")
    for images in collection.batches():  # uint8 (n,H,W) or (n,H,W,C), some thousand images at a time
        ...
    write_collection(Path("photos.tar"), collection.batches(), count=collection.count, names=collection.names)

Reading and writing are streamed; no step holds all images. Output goes to a temporary file or folder beside its
target and takes its place at the end. What a module reads it also writes, and both stand in it.
"""

from __future__ import annotations

from compressnet.images.collection import Collection, Images, evenly_spread, survey
from compressnet.images.formats.npy import write_npy
from compressnet.images.labels import read_labels
from compressnet.images.opening import collection_from_bytes, open_collection, sample
from compressnet.images.writing import require_free, write_collection

__all__ = [
    "Collection",
    "Images",
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
