"""Writing collections: the format goes by the target's ending."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.files import open_target
from compressnet.images.formats.arrays.beside import files_beside, names_beside
from compressnet.images.formats.arrays.idx import write_idx, write_idx_gzip
from compressnet.images.formats.arrays.npy import write_npy
from compressnet.images.formats.arrays.npz import write_npz
from compressnet.images.formats.parquet.columns import ORIGINAL_NAME
from compressnet.images.formats.parquet.parquet import PARQUET_SUFFIX, import_pyarrow, write_parquet
from compressnet.images.formats.pictures.folders import write_folder
from compressnet.images.formats.pictures.tars import write_tar
from compressnet.images.formats.pictures.written import WrittenFiles
from compressnet.images.formats.pictures.zips import write_zip
from compressnet.images.kinds import Pictures
from compressnet.images.manifest import NAMES_FILE
from compressnet.images.names import PICTURE_SUFFIXES, written_names
from compressnet.remote import Url, located, staged

_PACKED_SUFFIXES = (".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".gz", ".xz", ".bz2", ".rar", ".7z")

_FILE_SUFFIXES = (".npy", "-ubyte", "-ubyte.gz", ".npz", ".zip", ".tar", PARQUET_SUFFIX)


def write_collection(
    target: str | os.PathLike[str] | Url,
    batches: Iterable[Pictures],
    *,
    count: int,
    names: Sequence[str] | None = None,
    labels: NDArray[Any] | None = None,
    class_names: Sequence[str] | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Write `count` images, arrays (n,H,W[,C]), to a target, whole or not at all.

    The format goes by the target's ending. `.npy`; `.npz`, with arrays `labels`, `names` and
    `class_names`; `*-ubyte` and `*-ubyte.gz`, IDX: these take images of one shape. Beside .npy and
    IDX, labels and names go into files of their own (`formats.beside`); those from before that
    have no counterpart now are removed. Images of any shapes go into PNG files: `.zip`; `.tar`, a
    WebDataset where labels are integers; `.parquet`, as Hugging Face's data sets; any other name
    is a folder, to which the files are added if it exists. PNGs have the images' names with the
    ending `.png` (`names.written_names`), and `labels.csv` beside them; `names.csv` has the names
    of images whose files had to be named otherwise.

    Gives a line for each thing that a user may not expect: files beside the target, and names that
    differ.

    Raises InputError where the target exists and `overwrite` is not set, cannot be written, cannot
    take these images or names, or where there are not `count` images, names and labels;
    MissingExtraError.
    """
    target = located(target)
    require_free(target, overwrite=overwrite)
    require_writable_ending(target)
    if isinstance(target, Url):
        with staged(target) as local:
            remarks = write_collection(local, batches, count=count, names=names, labels=labels, class_names=class_names)
            written = {path.name for path in local.parent.iterdir()}
        for name in names_beside(target.name) if _is_array(target) else []:
            if name not in written:
                target.with_name(name).unlink(missing_ok=True)
        return [remark.replace(str(local), str(target)) for remark in remarks]
    for what, values in (("names", names), ("labels", labels)):
        if values is not None and len(values) != count:
            raise InputError(f"{target}: {len(values)} {what} for {count} images; there has to be one for each image")
    ending, name = target.name.lower(), str(target)
    images = _counted(batches, count, name)
    if _is_array(target):
        write = write_npy if ending.endswith(".npy") else write_idx if ending.endswith("-ubyte") else write_idx_gzip
        with (
            files_beside(target, labels=labels, names=names, class_names=class_names) as further,
            open_target(target) as stream,
        ):
            write(stream, images, count, name)
        return [f"{path}: beside it, as {target.name} holds images alone" for path in further]
    if ending.endswith(".npz"):
        with open_target(target) as stream:
            write_npz(stream, images, count, name, names=names, labels=labels, class_names=class_names)
    else:
        files = written_names(names, count, name)
        written = WrittenFiles(batches=images, files=files, names=names, labels=labels, class_names=class_names)
        _write_pictures(target, written)
        differ = 0 if names is None else sum(file != own for file, own in zip(files, names, strict=True))
        where = f"column {ORIGINAL_NAME}" if ending.endswith(PARQUET_SUFFIX) else NAMES_FILE
        if differ:
            return [f"{differ:,} images have other names than their files; {where} has them"]
    return []


def _is_array(target: Path | Url) -> bool:
    """Whether a target takes images alone, and has its labels and names beside it."""
    return target.name.lower().endswith((".npy", "-ubyte", "-ubyte.gz"))


def _write_pictures(target: Path, written: WrittenFiles) -> None:
    ending = target.suffix.lower()
    if ending == ".zip":
        with open_target(target) as stream:
            write_zip(stream, written.each())
    elif ending == ".tar":
        with open_target(target) as stream:
            write_tar(stream, written)
    elif ending == PARQUET_SUFFIX:
        import_pyarrow()
        with open_target(target) as stream:
            differ = written.names is not None and list(written.files) != list(written.names)
            write_parquet(
                stream,
                written.batches,
                None if written.names is None else written.files,
                written.labels,
                class_names=written.class_names,
                original_names=written.names if differ else None,
            )
    else:
        try:
            write_folder(target, replace(written, is_sorted=True).each())
        except OSError as error:
            raise InputError(f"{target}: cannot be written ({error.strerror or error})") from error


def require_free(target: str | os.PathLike[str] | Url, *, overwrite: bool) -> None:
    """Raises InputError where the target exists, or what goes beside it, unless `overwrite`."""
    target = located(target)
    if overwrite:
        return
    is_taken = any(target.iterdir()) if isinstance(target, Path) and target.is_dir() else target.exists()
    others = names_beside(target.name) if _is_array(target) else []
    others = [path for path in map(target.with_name, others) if path.exists()]
    taken = [target, *others] if is_taken else others
    if taken:
        raise InputError(f"{taken[0]}: exists already; -f overwrites it")


def require_writable_ending(target: Path | Url) -> None:
    """Raises InputError for the ending of a file if nothing here writes such files.

    No folder should have such an ending either. A folder at a URL would not be there whole or not
    at all.
    """
    ending = target.name.lower()
    if isinstance(target, Url) and not ending.endswith(_FILE_SUFFIXES):
        raise InputError(f"{target}: folders are not written to URLs, as a part of one might stay; give .zip or .tar")
    if ending.endswith((*_PACKED_SUFFIXES, *PICTURE_SUFFIXES)) and not ending.endswith("-ubyte.gz"):
        raise InputError(f"{target}: not written in this format; give .zip, .tar, .parquet, .npz, .npy or a folder")


def _counted(batches: Iterable[Pictures], count: int, name: str) -> Iterator[Pictures]:
    """The same arrays. Raises InputError where they are not `count` images in all."""
    seen = 0
    for batch in batches:
        seen += len(batch)
        if seen > count:
            break
        yield batch
    if seen != count:
        raise InputError(f"{name}: {'more than' if seen > count else 'only'} {min(seen, count)} images of {count} came")
