"""What a collection takes in a general picture codec at a given PSNR.

    few images, quick setting  ->  the best variant, and a quality near the PSNR
    all images, slow setting   ->  the quality that has the PSNR, looked for from there on
    all images, lossless       ->  counts where it is smaller, or where nothing may be lost

Where no quality comes within 0.1 dB, the bytes are interpolated between two neighbours. "All
images" are a sample of a large collection, and a smaller one where the time is limited.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compressnet.bench.rivals.approach import PERFECT_DB, AtPsnr, approach
from compressnet.bench.rivals.budget import Budget, start_budget
from compressnet.bench.rivals.groups import (
    SAMPLE_PX,
    Group,
    Taken,
    count_images,
    make_groups,
    measure,
    sample_in_time,
    sampled,
)
from compressnet.bench.rivals.pictures import Matching, PictureCodec
from compressnet.bench.rivals.rival import Setting, setting_text
from compressnet.errors import InputError, MissingExtraError
from compressnet.images.kinds import Images

TRIAL_PX = 1 << 18
"""Variants are tried on images of about so many pixels."""
FIRST_PX = 1 << 14
"""Where the time is limited, a measurement of so many pixels tells how large the trial may be."""
TRIAL_MEASUREMENTS, MATCH_MEASUREMENTS = 5, 4
"""About so many qualities are measured for a variant on trial, and then for the best one."""
LOSSLESS_MARGIN = 1.5
"""A lossless mosaic gains by more images: on the trial's few it may be larger by this factor, and
all images are still measured.
"""
_FIRST_STEP = 16

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The smallest mosaics of a codec that have a PSNR."""

    title: str
    total_bytes: int
    """Of the whole collection."""
    psnr: float | None
    """In dB; None where the pixels are those of the originals."""
    setting: str
    interpolated: bool
    """Whether no setting gives this PSNR, so that the bytes lie between those of two settings."""
    measured_images: int
    measured_share: float
    """How much of the collection's images that is; the bytes are scaled from those."""

    @property
    def note(self) -> str:
        """Where the figures come from."""
        how = f"interpolated between {self.setting}" if self.interpolated else self.setting
        return how if self.measured_share == 1 else f"{how}; scaled from {self.measured_share:.0%} of the images"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A way to have the PSNR, and the images that it was measured on."""

    point: AtPsnr
    setting: str
    groups: Sequence[Group]


def mosaic_at(
    images_by_shape: Sequence[Images],
    codec: PictureCodec,
    psnr_db: float,
    *,
    sample_px: int = SAMPLE_PX,
    report: Report = lambda _: None,
) -> Matched | None:
    """The smallest mosaics of images (N,H,W[,C]), one array for each shape, that have `psnr_db`.

    Collections of more than `sample_px` pixels are measured on a sample. None where the codec does
    not reach the PSNR. Raises InputError, MissingExtraError.
    """
    return match_groups(make_groups(images_by_shape), codec, psnr_db, sample_px=sample_px, report=report)


def match_groups(
    groups: Sequence[Group],
    codec: PictureCodec,
    psnr_db: float | None,
    *,
    sample_px: int = SAMPLE_PX,
    budget: Budget | None = None,
    report: Report = lambda _: None,
) -> Matched | None:
    """As `mosaic_at`, of groups; without loss where `psnr_db` is None.

    A limited budget makes the samples smaller. Raises OutOfTimeError where that is not enough.
    """
    if psnr_db is not None:
        require_psnr(psnr_db)
    if codec.matching is None:
        raise InputError(f"{codec.title} cannot be brought to a PSNR; it is measured at fixed settings only")
    if (missing := codec.missing()) is not None:
        raise MissingExtraError(missing)
    limit = start_budget(None) if budget is None else budget
    limit.check()
    search = _Search(groups, codec, codec.matching, sample_px, limit, report)
    candidates = search.candidates(psnr_db)
    if not candidates:
        return None
    best = min(candidates, key=lambda candidate: candidate.point.total_bytes)
    measured, total = count_images(best.groups), sum(len(group.images_NHWC) * group.scale for group in groups)
    return Matched(
        title=codec.title,
        total_bytes=round(best.point.total_bytes),
        psnr=None if math.isinf(best.point.psnr) else best.point.psnr,
        setting=best.setting,
        interpolated=best.point.below != best.point.above,
        measured_images=measured,
        measured_share=1.0 if measured == round(total) else measured / total,
    )


def require_psnr(psnr_db: float) -> None:
    """Raises InputError unless a PSNR can be matched."""
    if not 0 < psnr_db < PERFECT_DB:
        raise InputError(f"a PSNR of {psnr_db:g} dB cannot be matched; give one between 0 and 100, such as 30")


class _Search:
    """The search for a codec's smallest mosaics, within a budget."""

    def __init__(
        self,
        groups: Sequence[Group],
        codec: PictureCodec,
        matching: Matching,
        sample_px: int,
        budget: Budget,
        report: Report,
    ) -> None:
        self._groups, self._sample_px = groups, sample_px
        self._codec, self._matching = codec, matching
        self._budget, self._report = budget, report
        self._few = self._trial_sample()

    def candidates(self, psnr_db: float | None) -> list[_Candidate]:
        """Lossy mosaics with the PSNR, and a lossless one where it may be smaller: two at most."""
        variant = None if psnr_db is None else self._best_variant(psnr_db)
        lossy = None
        if psnr_db is not None and variant is not None:
            lossy = self._lossy(psnr_db, *variant)
        found = [] if lossy is None else [lossy]
        slow = self._matching.lossless_slow
        if slow is not None:
            self._report(f"{self._codec.title}, lossless")
            if variant is None or lossy is None or self._lossless_may_pay(variant[1]):
                found.append(self._lossless(slow))
        return found

    def _trial_sample(self) -> Sequence[Group]:
        """The few images that variants are tried on."""
        qualities = self._matching.qualities
        if qualities is None:
            return sampled(self._groups, TRIAL_PX)
        first = sampled(self._groups, FIRST_PX)
        variants = self._variants(first)
        at = self._measured_once(first, {**self._matching.quick, **variants[0]})
        return sample_in_time(
            self._groups,
            TRIAL_PX,
            first,
            lambda: at(sum(qualities) // 2),
            TRIAL_MEASUREMENTS * len(variants),
            self._budget.share(2),
        )

    def _variants(self, groups: Sequence[Group]) -> Sequence[Setting]:
        return self._matching.variants(max(group.images_NHWC.shape[3] for group in groups))

    def _best_variant(self, psnr_db: float) -> tuple[Setting, AtPsnr] | None:
        """The variant with the fewest bytes at this PSNR on a few images.

        None where none gets there. Raises what the encoder raises if it does so for all variants.
        """
        qualities = self._matching.qualities
        if qualities is None:
            return None
        best: tuple[Setting, AtPsnr] | None = None
        failure: Exception | None = None
        guess, tried = sum(qualities) // 2, 0
        for variant in self._variants(self._few):
            at = self._measured_once(self._few, {**self._matching.quick, **variant})
            try:
                point = approach(at, psnr_db, qualities, guess=guess, step=_FIRST_STEP)
            except (OSError, ValueError, RuntimeError) as error:  # the encoder lacks this variant
                failure = error
                continue
            tried += 1
            if point is None:
                continue
            guess = point.above
            if best is None or point.total_bytes < best[1].total_bytes:
                best = (variant, point)
        if failure is not None and not tried:
            raise failure
        return best

    def _lossy(self, psnr_db: float, variant: Setting, start: AtPsnr) -> _Candidate | None:
        """The best variant, on all images, from the quality on that the few images had."""
        assert self._matching.qualities is not None
        setting = {**self._matching.slow, **variant}
        at_few = self._measured_once(self._few, setting)
        chosen = sample_in_time(
            self._groups,
            self._sample_px,
            self._few,
            lambda: at_few(start.above),
            MATCH_MEASUREMENTS,
            self._budget if self._matching.lossless_slow is None else self._budget.share(2),
        )
        at = at_few if chosen is self._few else self._measured_once(chosen, setting)
        point = approach(at, psnr_db, self._matching.qualities, guess=start.above, step=2)
        if point is None:
            return None
        return _Candidate(point=point, setting=f"{_qualities(point)}, {setting_text(setting)}", groups=chosen)

    def _lossless_may_pay(self, lossy: AtPsnr) -> bool:
        """Whether on a few images, at the quick setting, a lossless mosaic is not much larger."""
        assert self._matching.lossless_quick is not None
        self._budget.check()
        trial = measure(self._few, self._codec.encode_mosaic, self._matching.lossless_quick)
        return trial.total_bytes < LOSSLESS_MARGIN * lossy.total_bytes

    def _lossless(self, setting: Setting) -> _Candidate:
        """All images, without loss."""
        at_few: list[Taken] = []

        def measured(groups: Sequence[Group]) -> Taken:
            self._budget.check()
            return measure(groups, self._codec.encode_mosaic, setting)

        chosen = sample_in_time(
            self._groups, self._sample_px, self._few, lambda: at_few.append(measured(self._few)), 1, self._budget
        )
        taken = at_few[0] if chosen is self._few and at_few else measured(chosen)
        point = AtPsnr(below=0, above=0, total_bytes=taken.total_bytes, psnr=taken.psnr)
        return _Candidate(point=point, setting=setting_text(setting), groups=chosen)

    def _measured_once(self, groups: Sequence[Group], setting: Setting) -> Callable[[int], Taken]:
        """Measures a setting at a quality; each quality once."""
        known: dict[int, Taken] = {}

        def at(quality: int) -> Taken:
            if quality not in known:
                self._budget.check()
                self._report(f"{self._codec.title}, quality {quality}, {setting_text(setting)}")
                known[quality] = measure(groups, self._codec.encode_mosaic, {"quality": quality, **setting})
            return known[quality]

        return at


def _qualities(point: AtPsnr) -> str:
    return f"quality {point.above}" if point.below == point.above else f"qualities {point.below} and {point.above}"
