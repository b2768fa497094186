"""Labels and names beside a file that takes images alone, .npy or IDX.

`a.npy` has them in `a.npy.labels.npy`, `a.npy.names.npy` and `a.npy.class_names.npy`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.files import open_target
from compressnet.images.account import Ledger, merged
from compressnet.images.arrays.labels import change_to_labels, labels_from_array, texts_from_array
from compressnet.images.collection import Collection
from compressnet.images.formats.arrays.common import names_from_array
from compressnet.images.formats.arrays.npy import read_npy, write_array
from compressnet.images.labels import are_texts, string_array
from compressnet.images.reading import Reading
from compressnet.images.untrusted import input_errors

LABELS, NAMES, CLASS_NAMES = ".labels.npy", ".names.npy", ".class_names.npy"
"""What is put after the whole name of the file."""
_ALL = (LABELS, NAMES, CLASS_NAMES)


def is_beside(path: str, paths: set[str]) -> bool:
    """Whether a file belongs to another one of `paths`."""
    return any(path.endswith(ending) and path.removesuffix(ending) in paths for ending in _ALL)


def names_beside(name: str) -> list[str]:
    """What is called so may be there beside a file of images of a name."""
    return [name + ending for ending in _ALL]


def _path(target: Path, ending: str) -> Path:
    return target.with_name(target.name + ending)


def with_files_beside(collection: Collection, path: Path, reading: Reading) -> Collection:
    """The images of a file with the labels and names beside it.

    Raises InputError where these are not one for each image.
    """
    ledger = Ledger()
    labels, labels_text = None, "none: not wanted"
    if reading.labels:
        labels, labels_text = _read_labels(path, collection.count, ledger)
    class_names = _read_texts(path, CLASS_NAMES) if reading.labels else None
    names_file = _path(path, NAMES)
    names = None
    if names_file.is_file():
        names = names_from_array(_read(names_file), collection.count, str(names_file), ledger)
    names_text = names_file.name if names is not None else "none"
    account = merged([collection.account, ledger.account(labels=labels_text, names=names_text)])
    return replace(collection, labels=labels, names=names, class_names=class_names, account=account)


def _read(path: Path) -> NDArray[Any]:
    with input_errors(str(path)), path.open("rb") as stream:
        return read_npy(stream, str(path))


def _read_labels(path: Path, count: int, ledger: Ledger) -> tuple[NDArray[Any] | None, str]:
    """Labels beside a file, and where they come from."""
    file = _path(path, LABELS)
    if not file.is_file():
        return None, f"none: no {file.name} beside it"
    array = _read(file)
    labels = labels_from_array(array)
    if isinstance(labels, str) or len(labels) != count:
        why = labels if isinstance(labels, str) else f"holds {len(labels)} labels"
        raise InputError(f"{file}: {why}; there has to be one for each of {count} images: mend it, or move it away")
    if change := change_to_labels(array):
        ledger.change(change, file.name)
    return labels, file.name


def _read_texts(path: Path, ending: str) -> list[str] | None:
    file = _path(path, ending)
    if not file.is_file():
        return None
    texts = texts_from_array(_read(file))
    if isinstance(texts, str):
        raise InputError(f"{file}: {texts}; mend it, or move it away")
    return texts


@contextmanager
def files_beside(
    target: Path,
    *,
    labels: NDArray[Any] | None,
    names: Sequence[str] | None,
    class_names: Sequence[str] | None,
) -> Generator[list[Path]]:
    """Write what there is beside a target that the block writes; all appears when the block ends.

    What else was there of such files is removed. Gives the paths of those that are written. Raises
    InputError.
    """

    def stored(text: Sequence[str], ending: str) -> NDArray[Any]:
        return string_array(text, str(_path(target, ending)), "texts")

    texts = {NAMES: names, CLASS_NAMES: class_names}
    arrays: Mapping[str, NDArray[Any] | None] = {
        LABELS: labels if labels is None or not are_texts(labels) else stored(labels.tolist(), LABELS),
        **{ending: None if text is None else stored(text, ending) for ending, text in texts.items()},
    }
    written = {_path(target, ending): array for ending, array in arrays.items() if array is not None}
    with ExitStack() as stack:
        for path, array in written.items():
            write_array(stack.enter_context(open_target(path)), array)
        yield list(written)
    for path in map(target.with_name, names_beside(target.name)):
        if path not in written:
            with input_errors(str(path)):
                path.unlink(missing_ok=True)
