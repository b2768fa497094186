"""What a collection takes in a general picture codec at a given PSNR.

On a few images, at a quick setting, every variant of the codec is brought to the PSNR by bisection over its quality.
The best variant is then measured on all images, at its slow setting, from that quality on. Where no quality comes
within 0.1 dB, the bytes are interpolated between two neighbours. A lossless mosaic counts wherever it is smaller, and
alone where nothing may be lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compressnet.bench.rivals.mosaics import SAMPLE_PX, Group, Measured, PictureCodec, make_groups, measure, sampled
from compressnet.bench.rivals.rival import Setting, setting_text
from compressnet.errors import InputError, MissingExtraError
from compressnet.images.kinds import Images

TOLERANCE_DB = 0.1
TRIAL_PX = 1 << 18
"""Variants are tried on images of about so many pixels."""
LOSSLESS_MARGIN = 1.5
"""A lossless mosaic gains by more images: on the trial's few, it may be larger by this and still be measured."""
_FIRST_STEP = 16
_PERFECT_DB = 100.0
"""Stands for a PSNR without error where qualities are interpolated."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The smallest mosaics of a codec that have a PSNR."""

    name: str
    total_bytes: int
    """Of the whole collection."""
    psnr: float | None
    """In dB; None where the pixels are those of the originals."""
    setting: str
    interpolated: bool
    """Whether no setting gives this PSNR, so that the bytes lie between those of the two that are named."""
    measured_share: float
    """How much of the images was measured; the bytes are scaled from those."""

    @property
    def note(self) -> str:
        """Where the figures come from."""
        how = f"interpolated between {self.setting}" if self.interpolated else self.setting
        return how if self.measured_share == 1 else f"{how}; scaled from {self.measured_share:.0%} of the images"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """Bytes at a PSNR, between two qualities or at one."""

    below: int
    above: int
    total_bytes: float
    psnr: float


def mosaic_at(
    images_by_shape: Sequence[Images],
    codec: PictureCodec,
    psnr_db: float,
    *,
    sample_px: int = SAMPLE_PX,
    report: Report = lambda _: None,
) -> Matched | None:
    """The smallest mosaics of images (N,H,W[,C]), one array a shape, with `psnr_db`; None where the codec has none.

    Collections of more than `sample_px` pixels are measured on a sample. Raises InputError, MissingExtraError.
    """
    return match_groups(make_groups(images_by_shape), codec, psnr_db, sample_px=sample_px, report=report)


def match_groups(
    groups: Sequence[Group],
    codec: PictureCodec,
    psnr_db: float | None,
    *,
    sample_px: int = SAMPLE_PX,
    report: Report = lambda _: None,
) -> Matched | None:
    """As `mosaic_at`, of images that were made ready for it; without loss where `psnr_db` is None."""
    if psnr_db is not None:
        require_psnr(psnr_db)
    if (missing := codec.missing()) is not None:
        raise MissingExtraError(missing)
    few, chosen = sampled(groups, TRIAL_PX), sampled(groups, sample_px)
    variant = None if psnr_db is None else _best_variant(few, codec, psnr_db, report)
    candidates: list[tuple[_Point, Setting, bool]] = []  # the last says whether it is lossless
    if psnr_db is not None and variant is not None and codec.qualities is not None:
        setting = {**codec.slow, **variant[0]}
        at = _measured_once(chosen, codec, setting, report)
        point = _approach(at, psnr_db, codec.qualities, guess=variant[1].above, step=2)
        if point is not None:
            candidates.append((point, setting, False))
    if codec.lossless_quick is not None and codec.lossless_slow is not None:
        report(f"{codec.name}, lossless")
        pays = variant is None or not candidates
        if not pays and variant is not None:
            trial = measure(few, codec, codec.lossless_quick)
            pays = trial.total_bytes < LOSSLESS_MARGIN * variant[1].total_bytes
        if pays:
            found = measure(chosen, codec, codec.lossless_slow)
            point = _Point(below=0, above=0, total_bytes=found.total_bytes, psnr=found.psnr)
            candidates.append((point, codec.lossless_slow, True))
    if not candidates:
        return None
    point, setting, lossless = min(candidates, key=lambda candidate: candidate[0].total_bytes)
    total = sum(len(group.images_NHWC) for group in groups)
    return Matched(
        name=codec.name,
        total_bytes=round(point.total_bytes),
        psnr=None if math.isinf(point.psnr) else point.psnr,
        setting=setting_text(setting) if lossless else f"{_qualities(point)}, {setting_text(setting)}",
        interpolated=point.below != point.above,
        measured_share=sum(len(group.images_NHWC) for group in chosen) / total,
    )


def require_psnr(psnr_db: float) -> None:
    """Raises InputError unless a PSNR can be matched."""
    if not 0 < psnr_db < _PERFECT_DB:
        raise InputError(f"a PSNR of {psnr_db:g} dB cannot be matched; give one between 0 and 100, such as 30")


def _best_variant(
    few: Sequence[Group], codec: PictureCodec, psnr_db: float, report: Report
) -> tuple[Setting, _Point] | None:
    """The variant with the fewest bytes at this PSNR on a few images; None where none gets there."""
    if codec.qualities is None:
        return None
    best: tuple[Setting, _Point] | None = None
    failure: Exception | None = None
    guess, tried = sum(codec.qualities) // 2, 0
    for variant in codec.variants(max(group.images_NHWC.shape[3] for group in few)):
        at = _measured_once(few, codec, {**codec.quick, **variant}, report)
        try:
            point = _approach(at, psnr_db, codec.qualities, guess=guess, step=_FIRST_STEP)
        except (OSError, ValueError, RuntimeError) as error:  # an encoder that does not know this variant
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


def _measured_once(
    groups: Sequence[Group], codec: PictureCodec, setting: Setting, report: Report
) -> Callable[[int], Measured]:
    known: dict[int, Measured] = {}

    def at(quality: int) -> Measured:
        if quality not in known:
            report(f"{codec.name}, quality {quality}, {setting_text(setting)}")
            known[quality] = measure(groups, codec, {"quality": quality, **setting})
        return known[quality]

    return at


def _approach(
    at: Callable[[int], Measured], psnr_db: float, qualities: tuple[int, int], *, guess: int, step: int
) -> _Point | None:
    """Bytes at a PSNR, from the quality that gives it or the two around it; None where the highest stays below.

    The lowest quality counts where even that is better. Steps double until the PSNR lies between two qualities.
    """
    low, high = qualities
    below: int | None = None
    above: int | None = None
    quality = guess
    while True:
        found = at(quality)
        if abs(found.psnr - psnr_db) <= TOLERANCE_DB or (quality == low and found.psnr > psnr_db):
            return _Point(below=quality, above=quality, total_bytes=found.total_bytes, psnr=found.psnr)
        if found.psnr < psnr_db:
            below = quality
        else:
            above = quality
        if below is not None and above is not None:
            if above - below <= 1:
                return _between(at, below, above, psnr_db)
            share = _share(at(below), at(above), psnr_db)
            quality = min(max(round(below + share * (above - below)), below + 1), above - 1)
            continue
        if below == high:
            return None
        quality = max(low, quality - step) if below is None else min(high, quality + step)
        step *= 2


def _share(below: Measured, above: Measured, psnr_db: float) -> float:
    return (psnr_db - below.psnr) / (min(above.psnr, _PERFECT_DB) - below.psnr)


def _between(at: Callable[[int], Measured], below: int, above: int, psnr_db: float) -> _Point:
    """Interpolated in the logarithm of the bytes; a cheaper better quality counts as it is."""
    worse, better = at(below), at(above)
    if better.total_bytes <= worse.total_bytes:
        return _Point(below=above, above=above, total_bytes=better.total_bytes, psnr=better.psnr)
    growth = math.log(better.total_bytes / worse.total_bytes)
    total_bytes = worse.total_bytes * math.exp(growth * _share(worse, better, psnr_db))
    return _Point(below=below, above=above, total_bytes=total_bytes, psnr=psnr_db)


def _qualities(point: _Point) -> str:
    return f"quality {point.above}" if point.below == point.above else f"qualities {point.below} and {point.above}"
