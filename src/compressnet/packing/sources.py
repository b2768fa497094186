"""INPUT of any kind: what `compressnet.images` reads, and Zarr arrays by their library."""

from __future__ import annotations

from pathlib import Path

from compressnet.images import Collection, Reading, open_collection

_ZARR_FILES = ("zarr.json", ".zarray", ".zgroup")


def open_source(source: str, reading: Reading) -> Collection:
    """The images at a path. Raises InputError, MissingExtraError."""
    if any((Path(source) / name).is_file() for name in _ZARR_FILES):
        from compressnet.integrations.zarr import zarr_collection

        return zarr_collection(source, reading)
    return open_collection(source, reading)
