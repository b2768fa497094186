"""Whether compressnet is worth it for a collection.

    archive and codec, in bytes  ->  the same images in other codecs at the same PSNR  ->  Advice

Rivals are measured on a sample where the collection is large or the time is limited; the advice
says on how many images, and what it left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from compressnet.bench.points import COMPRESSNET
from compressnet.bench.rivals.budget import Budget, Clock, OutOfTimeError, start_budget
from compressnet.bench.rivals.catalogue import MATCHED_CODECS
from compressnet.bench.rivals.groups import (
    SAMPLE_PX,
    Group,
    count_images,
    make_groups,
    measure,
    sample_in_time,
    sampled,
)
from compressnet.bench.rivals.lossless.streams import BYTE_CODECS, ByteCodec
from compressnet.bench.rivals.matched import TRIAL_PX, match_groups, require_psnr
from compressnet.bench.rivals.pictures import PictureCodec
from compressnet.bench.rivals.rival import can_import
from compressnet.bench.rivals.streams import XZ, ZSTD
from compressnet.errors import InputError
from compressnet.images.kinds import Images

TIE = 0.01
"""A difference under this share of the bytes does not count: then the general codec is simpler."""
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceRow:
    """What the collection takes in one way."""

    name: str
    total_bytes: int
    psnr: float | None
    """In dB; None where the pixels are those of the originals."""
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a collection takes in compressnet and otherwise, and what to do."""

    images: int
    """Of the collection."""
    psnr: float | None
    """In dB: what compressnet gives, and what lossy rivals were brought to; None without loss."""
    payload_bytes: int
    """compressnet's, without its codec."""
    codec_bytes: int
    rows: tuple[AdviceRow, ...]
    """compressnet's first."""
    left_out: tuple[str, ...]
    """What was not measured, and why."""
    packed_images: int
    """What compressnet was measured on."""
    sampled_images: int
    """What the rivals were measured on; where they differ, the fewest."""
    sampling: str
    """The same in words; empty where all images were measured."""
    best_rival: str
    break_even_images: int | None
    """From so many such images on, compressnet with its codec is smaller than the best rival.

    None if it never is.
    """
    use_compressnet: bool
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The document that `advise --json` prints."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """A rival's row, and how many images it was measured on."""

    row: AdviceRow
    images: int


def advise(
    images_by_shape: Sequence[Images],
    *,
    psnr_db: float | None,
    payload_bytes: int,
    codec_bytes: int,
    codecs: Sequence[PictureCodec] = MATCHED_CODECS,
    sample_px: int = SAMPLE_PX,
    scale: float = 1.0,
    packed_images: int | None = None,
    deep_images: int = 0,
    budget_s: float | None = None,
    clock: Clock = time.monotonic,
    report: Report = lambda _: None,
) -> Advice:
    """Compare images (N,H,W[,C]), one array for each shape, with what they take in other codecs.

    payload_bytes, psnr_db: what the collection takes in compressnet, and the PSNR that it has
    then; None where nothing was lost, and then rivals may lose nothing either.
    codec_bytes: of the codec; 0 for one that the user has anyway.
    scale: images of the collection for one of these, where these are a sample.
    packed_images: how many of the collection compressnet was measured on, if not on all.
    deep_images: how many others have 16 bits; neither these nor their bytes count here.
    sample_px: rivals are measured on about so many pixels.
    budget_s: about how long that may take, by `clock`; None: no limit. With less time the sample
    is smaller, and rivals that time does not suffice for are left out and named. The byte codec,
    the quickest, is always measured.
    report: is told what comes next.
    Rivals that are not installed, or fail, are left out and named. Raises InputError.
    """
    if psnr_db is not None:
        require_psnr(psnr_db)
    if payload_bytes <= 0 or codec_bytes < 0:
        raise InputError(f"{payload_bytes} bytes of payload and {codec_bytes} of codec; give what the archive takes")
    budget = start_budget(budget_s, clock)
    groups = make_groups(images_by_shape, scale)
    images = round(sum(map(len, images_by_shape)) * scale)
    byte_codecs = BYTE_CODECS if psnr_db is None else ()
    stream, remark = _measure_stream(groups, sample_px, budget.share(len(codecs) + len(byte_codecs) + 1), report)
    others = [codec for codec in byte_codecs if codec.name != stream.row.name]
    found = _measure_byte_codecs(groups, others, sample_px, budget.share(len(codecs) + 1), report)
    found += _measure_pictures(groups, codecs, psnr_db, sample_px, budget, report)
    measured = [stream, *(one for one in found if isinstance(one, _Measured))]
    raw_bytes = sum(group.values for group in groups)
    raw = AdviceRow(name="raw pixels", total_bytes=raw_bytes, psnr=None, note="every value a byte")
    rivals = [raw, *(one.row for one in measured)]
    best = min(rivals, key=lambda row: row.total_bytes)
    own = AdviceRow(
        name=COMPRESSNET,
        total_bytes=payload_bytes + codec_bytes,
        psnr=psnr_db,
        note=f"{payload_bytes:,} bytes of images and {codec_bytes:,} of codec" if codec_bytes else "",
    )
    needed = _break_even_images(images, payload_bytes, codec_bytes, best.total_bytes)
    packed = images if packed_images is None else packed_images
    return Advice(
        images=images,
        psnr=psnr_db,
        payload_bytes=payload_bytes,
        codec_bytes=codec_bytes,
        rows=(own, *rivals),
        left_out=(*_deep_remark(deep_images), *remark, *(one for one in found if isinstance(one, str))),
        packed_images=packed,
        sampled_images=min(one.images for one in measured),
        sampling=_sampling(images, packed, sorted(one.images for one in measured)),
        best_rival=best.name,
        break_even_images=needed,
        use_compressnet=own.total_bytes <= (1 - TIE) * best.total_bytes,
        sentence=_sentence(own, best, needed),
    )


def _deep_remark(images: int) -> list[str]:
    return [f"{images:,} images of 16 bits are not compared: rivals are measured on 8 bits"] if images else []


def _measure_stream(
    groups: Sequence[Group], sample_px: int, budget: Budget, report: Report
) -> tuple[_Measured, list[str]]:
    """All pixels of a shape as one stream: zstd, or xz and a remark that zstd is not there."""
    name, rival = "zstd -19", ZSTD
    remark: list[str] = []
    if not can_import(rival.needs):
        remark.append("zstd is not measured: pip install 'compressnet[bench]'; xz is, in its place")
        name, rival = "xz -9e", XZ
    report(name)
    encode, setting = rival.encode, rival.settings[0]
    few = sampled(groups, TRIAL_PX)
    chosen = sample_in_time(groups, sample_px, few, lambda: measure(few, encode, setting), 1, budget)
    total_bytes = round(measure(chosen, encode, setting).total_bytes)
    row = AdviceRow(name=name, total_bytes=total_bytes, psnr=None, note="all pixels as one stream")
    return _Measured(row=row, images=count_images(chosen)), remark


def _measure_byte_codecs(
    groups: Sequence[Group], codecs: Sequence[ByteCodec], sample_px: int, budget: Budget, report: Report
) -> list[_Measured | str]:
    """What each byte codec takes at its slowest, or why it is left out."""
    found: list[_Measured | str] = []
    few = sampled(groups, TRIAL_PX)
    for left, codec in zip(range(len(codecs), 0, -1), codecs, strict=True):
        if (missing := codec.missing()) is not None or budget.left_s() == 0:
            found.append(missing or f"{codec.name} is not measured: there was no time left for it")
            continue
        report(codec.name)
        try_few = partial(measure, few, codec.encode, {})
        chosen = sample_in_time(groups, sample_px, few, try_few, 1, budget.share(left))
        total_bytes = round(measure(chosen, codec.encode, {}).total_bytes)
        row = AdviceRow(name=codec.name, total_bytes=total_bytes, psnr=None, note="all pixels as one stream")
        found.append(_Measured(row=row, images=count_images(chosen)))
    return found


def _measure_pictures(
    groups: Sequence[Group],
    codecs: Sequence[PictureCodec],
    psnr_db: float | None,
    sample_px: int,
    budget: Budget,
    report: Report,
) -> list[_Measured | str]:
    """What each picture codec takes, or why it is left out.

    The last one, the quickest, is measured first: what it leaves of its time is for the others.
    """
    found: list[_Measured | str] = []
    for left, codec in zip(range(len(codecs), 0, -1), reversed(codecs), strict=True):
        found.append(_measure_picture(groups, codec, psnr_db, sample_px, budget.share(left), report))
    return found[::-1]


def _measure_picture(
    groups: Sequence[Group],
    codec: PictureCodec,
    psnr_db: float | None,
    sample_px: int,
    budget: Budget,
    report: Report,
) -> _Measured | str:
    if (missing := codec.missing()) is not None:
        return missing
    try:
        matched = match_groups(groups, codec, psnr_db, sample_px=sample_px, budget=budget, report=report)
    except OutOfTimeError as error:
        return f"{codec.title} is not measured: {error}"
    except Exception as error:  # a rival's failure is a result, whatever it raises
        return f"{codec.title} failed: {error!r}"
    if matched is None:
        lacks = "has nothing lossless" if psnr_db is None else f"does not reach {psnr_db:.1f} dB"
        return f"{codec.title} {lacks}"
    row = AdviceRow(name=codec.title, total_bytes=matched.total_bytes, psnr=matched.psnr, note=matched.note)
    return _Measured(row=row, images=matched.measured_images)


def _sampling(images: int, packed: int, measured: Sequence[int]) -> str:
    """How many images were measured, in words; empty for all."""
    few, many = measured[0], measured[-1]
    counts = f"{few:,}" if few == many else f"{few:,} to {many:,}"
    if packed < images:
        return f"{COMPRESSNET} was measured on {packed:,} of {images:,} images, its rivals on {counts}"
    return f"rivals were measured on {counts} of {images:,} images" if few < images else ""


def _break_even_images(images: int, payload_bytes: int, codec_bytes: int, rival_bytes: int) -> int | None:
    saved_per_image = (rival_bytes - payload_bytes) / images
    return None if saved_per_image <= 0 else math.floor(codec_bytes / saved_per_image) + 1


def _sentence(own: AdviceRow, best: AdviceRow, needed: int | None) -> str:
    share = own.total_bytes / best.total_bytes - 1
    counted = ", the codec among them," if own.note else ""
    figures = f"{own.total_bytes:,} bytes{counted} and {best.name} {best.total_bytes:,}"
    kept = "without loss" if best.psnr is None else f"at {best.psnr:.1f} dB"
    later = (
        "compressnet would not pay with more images either"
        if needed is None
        else f"compressnet would pay from about {_rounded(needed):,} images on"
    )
    if abs(share) < TIE:
        return f"A tie, so use {best.name}: compressnet takes {figures} {kept}."
    if share < 0:
        return f"Use compressnet: it takes {figures} {kept}, so it saves {-share:.0%}."
    return f"Use {best.name} instead: compressnet takes {figures} {kept}; {later}."


def _rounded(images: int) -> int:
    """Upwards, to two digits: more would pretend to know."""
    unit = 10 ** max(0, len(str(images)) - 2)
    return -(-images // unit) * unit
