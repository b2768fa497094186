"""Archives as Hugging Face's datasets, and datasets as archives.

    dataset = to_dataset("train.cnet")
    from_dataset(dataset, "again.cnet")

Names, labels, names of classes and splits are kept.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np

import compressnet
from compressnet.archive.archive import READ_IMAGES, Archive
from compressnet.archive.writing.outcome import Written
from compressnet.codec.codec import Codec
from compressnet.codec.shipped import PathLike
from compressnet.errors import InputError, PictureError
from compressnet.files import version_of
from compressnet.images.account import Ledger
from compressnet.images.collection import Collection
from compressnet.images.formats.pictures.members import Member, rows_collection
from compressnet.images.formats.pictures.pictures import encode_png
from compressnet.images.pillow import mode_of
from compressnet.images.reading import AS_IT_IS
from compressnet.integrations.hosts import missing_host
from compressnet.remote import Url, located

try:
    from datasets import (
        ClassLabel,
        Dataset,
        DatasetDict,
        Features,
        Image,
        IterableDataset,
        IterableDatasetDict,
        Value,
    )
except ModuleNotFoundError as error:
    raise missing_host("Hugging Face's datasets", "datasets") from error

IMAGE, LABEL, NAME = "image", "label", "name"
SUFFIX = ".cnet"
Source = PathLike | Archive


def to_dataset(
    source: Source | Mapping[str, Source], split: str = "train", *, streaming: bool = False
) -> Dataset | DatasetDict | IterableDataset | IterableDatasetDict:
    """An archive as a dataset with the columns `image`, `label` and `name`, as far as it has them.

    Labels with names of classes are a ClassLabel. source: an archive, open or by path; or several
    by split, also as a folder of files such as `train.cnet`, which give a DatasetDict. split: what
    the dataset of one archive is called. streaming: whether images are decoded when they are asked
    for; else all of them go to datasets' cache, as PNG. Raises what `compressnet.open` raises, and
    InputError for colour of 16 bits, which datasets would cut to 8, and for an archive in memory.
    """
    if isinstance(source, Mapping):
        found: dict[Any, Any] = {name: to_dataset(one, name, streaming=streaming) for name, one in source.items()}
        return IterableDatasetDict(found) if streaming else DatasetDict(found)
    if not isinstance(source, Archive):
        path = located(source)
        if isinstance(path, Path) and path.is_dir():
            return to_dataset(_archives_in(path), streaming=streaming)
        with compressnet.open(source) as archive:
            return _dataset_of(archive, split, streaming=streaming)
    return _dataset_of(source, split, streaming=streaming)


def _archives_in(folder: Path) -> dict[str, Source]:
    found: dict[str, Source] = {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}
    if not found:
        raise InputError(f"{folder}: holds no file that ends in {SUFFIX}")
    return found


def _dataset_of(archive: Archive, split: str, *, streaming: bool) -> Dataset | IterableDataset:
    for form in archive.container.kinds:
        mode_of(form.shape, form.dtype)
    try:
        reopen, _ = archive.__reduce__()
    except TypeError as error:
        raise InputError(f"{archive.name}: an archive in memory; write it to a file first") from error
    starts = range(0, len(archive), READ_IMAGES)
    options: dict[str, Any] = {
        "features": _features_of(archive),
        "split": split,
        "gen_kwargs": {
            "reopen": reopen,
            "parts": [(start, min(start + READ_IMAGES, len(archive))) for start in starts],
            # the cache goes by these arguments, and a file may change
            "stamp": version_of(located(archive.name)),
        },
    }
    return IterableDataset.from_generator(_rows, **options) if streaming else Dataset.from_generator(_rows, **options)


def _features_of(archive: Archive) -> Features:
    features = Features({IMAGE: Image()})
    labels, class_names = archive.labels, archive.class_names
    if labels is not None:
        is_text = labels.dtype.kind == "U"
        features[LABEL] = Value("string" if is_text else "int64")
        if not is_text and class_names is not None and -1 <= labels.min() <= labels.max() < len(class_names):
            features[LABEL] = ClassLabel(names=class_names)
    if archive.names is not None:
        features[NAME] = Value("string")
    return features


def _rows(
    reopen: Callable[[], Archive], parts: Sequence[tuple[int, int]], stamp: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    """The rows of some images; parts: the first image of each run, and the one after its last."""
    del stamp
    with reopen() as archive:
        labels, names = archive.labels, archive.names
        for start, stop in parts:
            images = (image for batch in archive.batches(chosen=slice(start, stop)) for image in batch)
            for position, image in enumerate(images, start):
                # datasets would read a file that is called like the path
                row: dict[str, Any] = {IMAGE: {"bytes": encode_png(image), "path": None}}
                if labels is not None:
                    row[LABEL] = labels[position].item()
                if names is not None:
                    row[NAME] = names[position]
                yield row


@overload
def from_dataset(
    dataset: Dataset | IterableDataset,
    path: PathLike,
    codec: PathLike | Codec | None = None,
    quality: int | None = None,
    *,
    max_error: int | None = None,
    effort: int | None = None,
) -> Written: ...
@overload
def from_dataset(
    dataset: DatasetDict | IterableDatasetDict,
    path: PathLike,
    codec: PathLike | Codec | None = None,
    quality: int | None = None,
    *,
    max_error: int | None = None,
    effort: int | None = None,
) -> dict[str, Written]: ...
def from_dataset(
    dataset: Dataset | IterableDataset | DatasetDict | IterableDatasetDict,
    path: PathLike,
    codec: PathLike | Codec | None = None,
    quality: int | None = None,
    *,
    max_error: int | None = None,
    effort: int | None = None,
) -> Written | dict[str, Written]:
    """Write a dataset as an archive, and a DatasetDict as a folder with one for each split.

    It needs one column of images; one ClassLabel, or a column `label` of integers or texts, gives
    the labels, and a column `name` the names. Rows are streamed: images are gone through twice,
    and none is held. codec, quality, max_error, effort: as for `compressnet.compress`; by default
    nothing is lost. Gives what was written, of a DatasetDict by split; `changed` says what was
    read otherwise than it stands, and where labels and names come from. Raises InputError, also
    for other columns, which an archive does not keep.
    """
    if isinstance(dataset, (Dataset, IterableDataset)):
        return _write(dataset, path, codec, quality, max_error=max_error, effort=effort)
    folder = located(path)
    if isinstance(folder, Url):
        raise InputError(f"{folder}: folders are not written to URLs; write each split to a URL of its own")
    folder.mkdir(parents=True, exist_ok=True)
    return {
        str(name): _write(part, folder / f"{name}{SUFFIX}", codec, quality, max_error=max_error, effort=effort)
        for name, part in dataset.items()
    }


def _write(
    dataset: Dataset | IterableDataset,
    path: PathLike,
    codec: PathLike | Codec | None,
    quality: int | None,
    *,
    max_error: int | None,
    effort: int | None,
) -> Written:
    collection = _collection_of(dataset, located(path).name)
    written = compressnet.compress(
        collection.batches(),
        path,
        codec,
        quality,
        effort,
        labels=collection.labels,
        names=collection.names,
        class_names=collection.class_names,
        max_error=max_error,
    )
    return replace(written, changed=[*written.changed, *collection.account.lines()])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Which column is what."""

    image: str
    label: str | None
    name: str | None
    class_names: list[str] | None

    @classmethod
    def of(cls, features: Features | None, what: str) -> _Columns:
        """Raises InputError for features that an archive does not keep."""
        if features is None:
            raise InputError(f"{what}: a stream that does not say its features; cast it to some (dataset.cast)")
        images = [name for name, feature in features.items() if isinstance(feature, Image)]
        classes = [name for name, feature in features.items() if isinstance(feature, ClassLabel)]
        label = classes[0] if classes else LABEL if LABEL in features else None
        name = NAME if NAME in features else None
        others = [column for column in features if column not in (*images[:1], label, name)]
        if not images or others:
            fault = f"columns that no archive keeps: {', '.join(others)}" if images else "no column of images"
            raise InputError(
                f"{what}: {fault}; an archive has one image a row, one label and one name: leave the "
                "others out (dataset.remove_columns)"
            )
        class_names = features[classes[0]].names if classes else None
        return cls(image=images[0], label=label, name=name, class_names=class_names)


def _collection_of(dataset: Dataset | IterableDataset, what: str) -> Collection:
    """The rows of a dataset as a collection of pictures."""
    columns = _Columns.of(dataset.features, what)
    rows: Any = dataset.with_format(None).cast_column(columns.image, Image(decode=False))
    noted = [column for column in (columns.label, columns.name) if column is not None]
    values: dict[str, list[Any]] = {column: [] for column in noted}
    for row in rows.select_columns(noted) if noted else ():
        for column in noted:
            if row[column] is None:
                raise InputError(f"{what}: row {len(values[column])} has no {column}; leave out the row or the column")
            values[column].append(row[column])

    def members() -> Iterator[Member]:
        for number, row in enumerate(rows.select_columns([columns.image])):
            yield _member(row[columns.image], f"{what}: row {number}")

    return rows_collection(
        what,
        members,
        AS_IT_IS,
        Ledger(),
        names=None if columns.name is None else values[columns.name],
        labels=None if columns.label is None else np.asarray(values[columns.label]),
        class_names=columns.class_names,
        said=tuple(f"from column {column}" if column else "none" for column in (columns.label, columns.name)),  # pyright: ignore[reportArgumentType]
    )


def _member(value: dict[str, Any] | None, where: str) -> Member:
    """A row's picture: its bytes, or else its file."""
    data, path = (None, None) if value is None else (value["bytes"], value["path"])

    def opened() -> io.BytesIO:
        if data is not None:
            return io.BytesIO(data)
        if path is None:
            raise PictureError(f"{where}: holds no picture", "no picture")
        return io.BytesIO(Path(path).read_bytes())

    return Member(path=path or "", where=where, file_bytes=len(data or b""), open=opened)
