"""The files of a collection that is written as pictures: PNGs, and what gives all else back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from compressnet.images.account import Ledger
from compressnet.images.formats.pictures.pictures import encode_png
from compressnet.images.kinds import Pictures
from compressnet.images.labels import LABELS_FILE, csv_of_labels
from compressnet.images.manifest import NAMES_FILE, csv_of_names
from compressnet.images.member_labels import CLASS_SUFFIX, CLASSES_FILE, classes_of_folders, sample_key
from compressnet.images.names import order_of_path


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFiles:
    """Images with their names and labels, as files of relative names.

    There is a PNG for each image, and after these `labels.csv`, `classes.txt` and `names.csv`,
    each where it is needed to read back what was written.
    """

    batches: Iterable[Pictures]
    files: Sequence[str]
    """One for each image, as `names.written_names` gives them."""
    names: Sequence[str] | None = None
    """The images' own."""
    labels: NDArray[Any] | None = None
    """Integers or texts."""
    class_names: Sequence[str] | None = None
    """What integer labels 0, 1, 2 and so on stand for."""
    is_sorted: bool = False
    """Whether who reads the files sorts them."""

    def each(self, *, webdataset: bool = False) -> Iterator[tuple[str, bytes]]:
        """Name and bytes of each file.

        webdataset: integer labels are in `KEY.cls`, which follows `KEY.png`, unless a name has a
        dot before its ending, which WebDataset would cut off.
        """
        keys = [file.removesuffix(".png") for file in self.files]
        integers = self.labels is not None and self.labels.dtype.kind in "iu"
        beside = webdataset and integers and all(sample_key(key) == key for key in keys)
        images = (image for batch in self.batches for image in batch)
        for i, (file, image) in enumerate(zip(self.files, images, strict=True)):
            yield file, encode_png(image)
            if beside and self.labels is not None:
                yield keys[i] + CLASS_SUFFIX, str(int(self.labels[i])).encode()
        if self.labels is not None and not beside:
            yield LABELS_FILE, csv_of_labels(self.files, self.labels)
        if integers and self.class_names is not None:
            yield CLASSES_FILE, "".join(f"{name}\n" for name in self.class_names).encode()
        if self.names is not None and self._needs_names():
            yield NAMES_FILE, csv_of_names(self.files, self.names)

    def _needs_names(self) -> bool:
        """Whether the files alone would be read as other names, in another order, or labelled."""
        if list(self.files) != list(self.names or ()):
            return True
        if self.is_sorted and sorted(self.files, key=order_of_path) != list(self.files):
            return True
        return self.labels is None and classes_of_folders(self.files, Ledger())[0] is not None
