"""What is reported of an archive that was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.writing.distinct import DistinctImages
from compressnet.images.kinds import count_text
from compressnet.images.metrics import WORST_IMAGES, psnr_of_mse

NO_NETWORK = "no network for "
"""What the reason begins with where the codec codes no images of a size; the size follows."""
SIZES_NAMED = 3
"""Sizes without a network that a line each is spent on; more of them share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstImage:
    """An image that lost much, and how it was written."""

    image: int
    psnr: float
    quality: int | None
    """None where it was stored."""
    step: int | None
    """Of a stored image: the step of its values, 1 where it is stored as it is."""

    @property
    def way(self) -> str:
        """How it was written, in words."""
        return f"quality {self.quality}" if self.quality is not None else f"stored in steps of {self.step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written.

    Equal images count once in `stored`, `raised`, `lossless`, `grey` and `opaque`.
    """

    images: int
    archive_bytes: int
    duplicates: int = 0
    """Images that are equal to an earlier one."""
    stored: int = 0
    """Images that were stored, without the codec."""
    raised: int = 0
    """Images at a higher quality than was asked for, to meet the bounds."""
    lossless: int = 0
    """Images that take no more bytes without loss than otherwise, and so are coded that way."""
    lossless_checked: bool = False
    """Whether all images were read back before the archive took its place, and every value was as
    it was given."""
    hidden_cleared: int = 0
    """Images, equal ones included, that lost the colour under alpha 0."""
    grey: int = 0
    """Images in 3 or 4 channels of which red, green and blue are equal, and were coded once."""
    opaque: int = 0
    """Images with alpha that is opaque throughout, and was not coded."""
    learned: int = 0
    """Images that were coded without the codec that was given, learned from themselves."""
    learned_reasons: dict[str, int] = field(default_factory=dict)
    """Why, and how many for each reason."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why images were stored, and how many for each reason."""
    worst: list[WorstImage] = field(default_factory=list)
    """Where there are bounds, the images with the lowest PSNR, the worst first; none that came
    back perfect."""

    changed: list[str] = field(default_factory=list)
    """What became of labels and names where archives were put together, a line each."""

    def as_json(self) -> dict[str, Any]:
        """The document that `compress --json` prints."""
        return asdict(self)

    def remarks(self, names: Sequence[str] | None = None) -> list[str]:
        """What a user should know besides the bytes.

        That is what was stored and why, and the worst images.
        """
        lines = list(self.changed)
        if self.duplicates:
            lines.append(f"{count_text(self.duplicates)} equal to an earlier one: no bytes for them")
        if self.raised:
            lines.append(f"{count_text(self.raised)} at a higher quality, to meet the bounds")
        if self.lossless:
            lines.append(f"{count_text(self.lossless)} without loss, as that takes no more bytes for them")
        if self.grey:
            lines.append(f"{count_text(self.grey)} of grey saved in 3 or 4 channels: coded as grey, shown as before")
        if self.opaque:
            lines.append(f"{count_text(self.opaque)} with alpha that is opaque: coded without it, shown with it")
        lines += remarks_of(self.learned_reasons, "coded without the codec, learned from themselves")
        lines += remarks_of(self.reasons, "stored")
        if self.hidden_cleared:
            cleared = count_text(self.hidden_cleared)
            lines.append(f"{cleared} lost the colour under alpha 0, which nobody sees; --exact-alpha keeps it")
        if self.lossless_checked:
            lines.append(f"without loss: all {self.images} images were read back, and every value is as it was")
        for worst in self.worst:
            name = str(worst.image) if names is None else names[worst.image]
            lines.append(f"  {worst.psnr:.2f} dB  {name} ({worst.way})")
        if self.worst:
            lines.insert(-len(self.worst), "the worst images:")
        return lines


def together(parts: Sequence[tuple[int, Written]]) -> Written:
    """What was written of archives that are one set, each with the number of its first image."""

    def total(name: str) -> int:
        return sum(getattr(written, name) for _, written in parts)

    def merged(name: str) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for _, written in parts:
            counts.update(getattr(written, name))
        return dict(counts)

    worst = [replace(one, image=first + one.image) for first, written in parts for one in written.worst]
    counts: dict[str, Any] = {field.name: total(field.name) for field in fields(Written) if field.type == "int"}
    return Written(
        **counts,
        lossless_checked=bool(parts) and all(written.lossless_checked for _, written in parts),
        learned_reasons=merged("learned_reasons"),
        reasons=merged("reasons"),
        worst=sorted(worst, key=lambda one: (one.psnr, one.image))[:WORST_IMAGES],
    )


def remarks_of(reasons: dict[str, int], what: str) -> list[str]:
    """A line for each reason that something was done; many sizes without a network share one."""
    unfit = {reason: count for reason, count in reasons.items() if reason.startswith(NO_NETWORK)}
    lines = [f"{count_text(count)} {what}: {reason}" for reason, count in reasons.items() if reason not in unfit]
    if len(unfit) <= SIZES_NAMED:
        return lines + [f"{count_text(count)} {what}: {reason}" for reason, count in unfit.items()]
    named = ", ".join(reason.removeprefix(NO_NETWORK) for reason in list(unfit)[:SIZES_NAMED])
    return [*lines, f"{sum(unfit.values())} images of {len(unfit)} sizes {what}: {NO_NETWORK}{named} and others"]


class Outcome:
    """What a writer notes while it writes."""

    def __init__(self) -> None:
        self.raised = self.lossless = self.hidden_cleared = self.grey = self.opaque = 0
        self._reasons: dict[str, int] = {}
        self._learned: dict[str, int] = {}
        self._worst: list[tuple[float, int, int | None, int | None]] = []

    def stored(self, reason: str, images: int) -> None:
        """Images are stored for a reason."""
        if images:
            self._reasons[reason] = self._reasons.get(reason, 0) + images

    def learned(self, reason: str, images: int) -> None:
        """Images are coded without the codec that was given, for a reason."""
        if images:
            self._learned[reason] = self._learned.get(reason, 0) + images

    def remember(
        self,
        mse_N: NDArray[np.float64],
        numbers: NDArray[np.int64],
        quality: int | None = None,
        step: int | None = None,
    ) -> None:
        """Keep the worst images, by their numbers; at a quality, or stored in a step."""
        worst = np.argsort(-mse_N, kind="stable")[:WORST_IMAGES]
        found = [(float(mse_N[i]), int(numbers[i]), quality, step) for i in worst if mse_N[i] > 0]
        self._worst = sorted([*self._worst, *found], key=lambda one: (-one[0], one[1]))[:WORST_IMAGES]

    def written(self, distinct: DistinctImages, archive_bytes: int) -> Written:
        """All of it, with the images that have these numbers."""
        return Written(
            images=distinct.images,
            archive_bytes=archive_bytes,
            duplicates=distinct.images - distinct.distinct,
            stored=sum(self._reasons.values()),
            raised=self.raised,
            lossless=self.lossless,
            hidden_cleared=self.hidden_cleared,
            grey=self.grey,
            opaque=self.opaque,
            learned=sum(self._learned.values()),
            learned_reasons=self._learned,
            reasons=self._reasons,
            worst=[
                WorstImage(image=distinct.first_image(number), psnr=psnr_of_mse(mse), quality=quality, step=step)
                for mse, number, quality, step in self._worst
            ],
        )
