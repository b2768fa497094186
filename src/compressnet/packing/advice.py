"""Whether compressnet is worth it for a collection: its bytes, the codec's among them, beside what others take."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from compressnet.bench.rivals.catalogue import RIVALS
from compressnet.bench.rivals.matched import match_groups, require_psnr
from compressnet.bench.rivals.mosaics import PICTURE_CODECS, SAMPLE_PX, Group, PictureCodec, make_groups, sampled
from compressnet.errors import InputError
from compressnet.images.kinds import Images

COMPRESSNET = "compressnet"
TIE = 0.01
"""Under this share of the bytes, a difference does not count: the general codec is the simpler choice then."""


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
    psnr: float | None
    """In dB: what compressnet gives, and what lossy rivals were brought to; None without loss."""
    payload_bytes: int
    """compressnet's, without its codec."""
    codec_bytes: int
    rows: tuple[AdviceRow, ...]
    """compressnet's first."""
    left_out: tuple[str, ...]
    """What was not measured, and why."""
    best_rival: str
    break_even_images: int | None
    """From so many images like these, compressnet with its codec is smaller than the best rival; None if never."""
    use_compressnet: bool
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The document that `advise --json` prints."""
        return asdict(self)


def advise(
    images_by_shape: Sequence[Images],
    *,
    psnr_db: float | None,
    payload_bytes: int,
    codec_bytes: int,
    codecs: Sequence[PictureCodec] = PICTURE_CODECS,
    sample_px: int = SAMPLE_PX,
    scale: float = 1.0,
    report: Callable[[str], None] = lambda _: None,
) -> Advice:
    """Compare images (N,H,W[,C]), one array a shape, packed into `payload_bytes` at `psnr_db`, with what others take.

    psnr_db: None where nothing was lost; then rivals may lose nothing either.
    scale: images of the collection for one of these, where they are a sample; bytes are the collection's.
    A codec that the user has anyway counts with 0 `codec_bytes`. `report` is told what comes next. Rivals that are not
    installed, or fail, are left out and named. Raises InputError.
    """
    if psnr_db is not None:
        require_psnr(psnr_db)
    if payload_bytes <= 0 or codec_bytes < 0:
        raise InputError(f"{payload_bytes} bytes of payload and {codec_bytes} of codec; give what the archive takes")
    groups = make_groups(images_by_shape, scale)
    images = round(sum(map(len, images_by_shape)) * scale)
    left_out: list[str] = []
    raw_bytes = sum(group.values for group in groups)
    rivals = [
        AdviceRow(name="raw pixels", total_bytes=raw_bytes, psnr=None, note="every value a byte"),
        _byte_row(sampled(groups, sample_px), left_out, report),
    ]
    for codec in codecs:
        if (missing := codec.missing()) is not None:
            left_out.append(missing)
            continue
        try:
            matched = match_groups(groups, codec, psnr_db, sample_px=sample_px, report=report)
        except Exception as error:  # a rival's failure is a result, whatever it raises
            left_out.append(f"{codec.name} failed: {error!r}")
            continue
        if matched is None:
            left_out.append(
                f"{codec.name} has nothing lossless"
                if psnr_db is None
                else f"{codec.name} does not reach {psnr_db:.1f} dB"
            )
            continue
        rivals.append(AdviceRow(name=codec.name, total_bytes=matched.total_bytes, psnr=matched.psnr, note=matched.note))
    best = min(rivals, key=lambda row: row.total_bytes)
    own = AdviceRow(
        name=COMPRESSNET,
        total_bytes=payload_bytes + codec_bytes,
        psnr=psnr_db,
        note=f"{payload_bytes:,} bytes of images and {codec_bytes:,} of codec" if codec_bytes else "",
    )
    needed = _break_even_images(images, payload_bytes, codec_bytes, best.total_bytes)
    return Advice(
        images=images,
        psnr=psnr_db,
        payload_bytes=payload_bytes,
        codec_bytes=codec_bytes,
        rows=(own, *rivals),
        left_out=tuple(left_out),
        best_rival=best.name,
        break_even_images=needed,
        use_compressnet=own.total_bytes <= (1 - TIE) * best.total_bytes,
        sentence=_sentence(own, best, needed),
    )


def _byte_row(groups: Sequence[Group], left_out: list[str], report: Callable[[str], None]) -> AdviceRow:
    """All pixels as one stream a shape: zstd's, or what the standard library has."""
    name, key = "zstd -19", "zstd"
    try:
        importlib.import_module("zstandard")
    except ModuleNotFoundError:
        left_out.append("zstd is not measured: pip install 'compressnet[bench]'; xz is, in its place")
        name, key = "xz -9e", "xz"
    report(name)
    stream = next(rival for rival in RIVALS[key] if rival.mode == "stream")
    total_bytes = sum(
        stream.encode(group.images_NHWC, stream.settings[0]).total_bytes * group.scale for group in groups
    )
    return AdviceRow(name=name, total_bytes=round(total_bytes), psnr=None, note="all pixels as one stream")


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
