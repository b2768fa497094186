"""What archives that are put together have in common: codecs, labels, names and classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.coder import ADAPTIVE, WITHOUT_CODEC
from compressnet.container.columns import Labels, as_labels
from compressnet.container.container import Container
from compressnet.container.entries import CodecEntry
from compressnet.errors import CodecError, InputError
from compressnet.images.kinds import count_text
from compressnet.images.labels import are_texts

LEARNED = WITHOUT_CODEC | {ADAPTIVE}
"""Methods of blocks that go with those of any other codec."""


def require_same_codec(parts: Sequence[Container]) -> None:
    """Raises CodecError where an archive was made with another codec than one before.

    Archives of one codec may use different parts of it, but no two of one method. What was learned
    from a collection goes along with its blocks, however many there are.
    """
    if len({frozenset(entry.identity for entry in part.codecs) for part in parts if part.codecs}) <= 1:
        return
    known: dict[int, tuple[CodecEntry, str]] = {}
    for part in parts:
        blocks = (part.read_block(number) for number in range(len(part.blocks)))
        used = {block.method: part.codecs[block.codec] for block in blocks if block.method not in LEARNED}
        for method, entry in used.items():
            first, name = known.setdefault(method, (entry, part.name))
            if first.identity != entry.identity:
                raise CodecError(
                    f"{part.name}: made with another codec than {name} ({first.name} and {entry.name}); "
                    "decompress it and compress its images with the same codec first"
                )


def joined_labels(parts: Sequence[tuple[str, Labels | None]]) -> Labels | None:
    """All labels one after the other.

    Integers that follow texts become texts, in plain decimal writing. Raises InputError where some
    are missing, or texts follow integers.
    """
    present = [labels for _, labels in parts if labels is not None]
    if not present:
        return None
    without = [name for name, labels in parts if labels is None]
    if without:
        raise InputError(f"{without[0]}: has no labels, others have; give labels to all of them or to none")
    text = [are_texts(labels) for labels in present]
    if any(text) and not text[0]:
        raise InputError("some labels are integers and some are texts, which cannot follow them; put the texts first")
    if text[0]:
        return as_labels([str(label) for labels in present for label in labels.tolist()])
    return as_labels(np.concatenate(present))


def joined_names(parts: Sequence[tuple[list[str] | None, int]]) -> list[str] | None:
    """All names one after the other, of parts of so many images.

    Images without any are named by their numbers.
    """
    if all(names is None for names, _ in parts):
        return None
    joined: list[str] = []
    for names, images in parts:
        joined += [str(len(joined) + i) for i in range(images)] if names is None else names
    return joined


def changes_of(labels: Sequence[Labels | None], names: Sequence[tuple[list[str] | None, int]]) -> list[str]:
    """What becomes of the labels and names of some parts when they are joined, a line each."""
    lines: list[str] = []
    if len({are_texts(found) for found in labels if found is not None}) > 1:
        lines.append("labels that are integers became texts, as the first ones are")
    unnamed = sum(images for found, images in names if found is None)
    if unnamed and any(found is not None for found, _ in names):
        lines.append(f"{count_text(unnamed)} without a name named by number, as others have names")
    return lines


def joined_classes(
    parts: Sequence[tuple[str, Labels | None, Sequence[str] | None]],
) -> tuple[list[Labels | None], list[str] | None]:
    """The labels of each part, numbered alike, and the names of all classes.

    parts: what each is called, its labels, and the names of its classes. Those of the first keep
    their numbers; names that are new follow. Raises InputError where some parts have names and
    others none, and where a label has no name that could tell which class it is.
    """
    if all(class_names is None for _, _, class_names in parts):
        return [labels for _, labels, _ in parts], None
    joined: dict[str, int] = {}
    for name, _, class_names in parts:
        if class_names is None:
            raise InputError(
                f"{name}: its classes have no names, others have; give names of classes to all of them or to none"
            )
        for class_name in class_names:
            joined.setdefault(class_name, len(joined))
    renumbered: list[Labels | None] = []
    for name, labels, class_names in parts:
        assert class_names is not None
        numbers = np.array([joined[class_name] for class_name in class_names], np.int64)
        is_same = np.array_equal(numbers, np.arange(len(joined)))
        renumbered.append(labels if labels is None or is_same else _renumbered(name, labels, numbers))
    return renumbered, list(joined)


def _renumbered(name: str, labels: NDArray[Any], numbers: NDArray[np.int64]) -> Labels:
    """Labels by the new numbers of their classes; negative ones, which stand for none, stay."""
    highest = int(labels.max(initial=-1))
    if highest >= len(numbers):
        raise InputError(f"{name}: label {highest} is beyond its {len(numbers)} named classes; name all classes")
    return np.where(labels < 0, labels, numbers[labels])
