"""Several collections read one after the other as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.images.account import NAMED, Ledger, merged
from compressnet.images.collection import Collection
from compressnet.images.kinds import Pictures


def joined(source: str, parts: Sequence[Collection], ledger: Ledger) -> Collection:
    """The images of all parts, in order.

    There are labels and names where all parts have them, and labels are either integers or texts;
    what is dropped for that is said in the account, which has the notes of the ledger as well.
    """
    labels, labels_text = _labels(parts, ledger)
    names: list[str] | None = [name for part in parts for name in part.names or ()]
    with_names = [part.name for part in parts if part.names is not None]
    names_text = listed([part.account.names for part in parts])
    if len(with_names) < len(parts):
        names = None
        names_text = next(part.account.names for part in parts if part.names is None)
        for name in with_names:
            ledger.drop("names, as others have none", name)
    class_names = _class_names(parts, ledger)
    account = merged([*(part.account for part in parts), ledger.account(labels="", names="")])
    return Collection(
        name=source,
        count=sum(part.count for part in parts),
        batches=lambda: (batch for part in parts for batch in part.batches()),
        span=_span(parts),
        names=names,
        labels=labels,
        class_names=class_names,
        account=replace(account, labels=labels_text, names=names_text),
    )


def _span(parts: Sequence[Collection]) -> Callable[[int, int], Iterator[Pictures]] | None:
    """As in `Collection`; None where no part needs it, or one does not have it."""
    if any(part.span is None for part in parts):
        return None

    def span(start: int, stop: int) -> Iterator[Pictures]:
        first = 0
        for part in parts:
            own = max(start - first, 0), min(stop - first, part.count)
            if own[0] < own[1]:
                yield from part.between(*own)
            first += part.count

    return span


def listed(texts: Sequence[str]) -> str:
    """Different texts, the first ones."""
    different = list(dict.fromkeys(text for text in texts if text))
    return ", ".join(different[:NAMED]) + (", ..." if len(different) > NAMED else "")


def _labels(parts: Sequence[Collection], ledger: Ledger) -> tuple[NDArray[Any] | None, str]:
    """The labels of all parts, and where they come from."""
    found = [part.labels for part in parts if part.labels is not None]
    with_labels = [part.name for part in parts if part.labels is not None]
    if len(found) < len(parts):
        for name in with_labels:
            ledger.drop("labels, as others have none", name)
        return None, next(part.account.labels for part in parts if part.labels is None)
    if len({labels.dtype.kind for labels in found}) > 1:
        for name in with_labels:
            ledger.drop("labels, as some are integers and others texts", name)
        return None, "none: some are integers and others texts"
    return np.concatenate(found), listed([part.account.labels for part in parts])


def _class_names(parts: Sequence[Collection], ledger: Ledger) -> Sequence[str] | None:
    """What integer labels stand for in all parts."""
    first = parts[0].class_names
    if all(part.class_names == first for part in parts):
        return first
    for part in parts:
        if part.class_names is not None:
            ledger.drop("class names, as others have none or different ones", part.name)
    return None
