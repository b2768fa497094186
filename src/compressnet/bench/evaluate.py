"""Evaluate a codec on images of any sizes: four ways through it, which have to agree.

Every byte is counted on disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from compressnet import api
from compressnet.archive.embedding import CodecEntries
from compressnet.archive.writing.outcome import NO_NETWORK, remarks_of
from compressnet.bench.sets import ImageSets
from compressnet.bench.ways import Exported, encoded_and_decoded
from compressnet.codec.codec import BackendName, Codec
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.errors import InputError
from compressnet.files import temporary_folder
from compressnet.images.alpha import clear_hidden
from compressnet.images.kinds import Images, Pictures, count_text, eight_bits, size_text
from compressnet.images.metrics import SSIM_WINDOW_PX, Quality, Spread, psnr_spread
from compressnet.native.backend import NativeBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way through the codec, and what came out of it."""

    path: str
    quality: Quality
    pixels_sha256: str
    """SHA-256 of all decoded pixels, image by image in the collection's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of a codec on a collection."""

    images: int
    kinds: int
    """Sizes and modes of the images."""
    with_ssim: int
    """Images that are large enough for an SSIM."""
    without_network: dict[str, int]
    """How many images of a kind, height first, the codec has no network for.

    They are in the archive alone, not in the other rows.
    """
    codec: str
    quality: int
    effort: int
    archive_bytes: int
    """The archive on disk, the codec not embedded."""
    ideal_bytes_per_image: float
    """-log2 of the frequencies of the symbols: a diagnostic."""
    codec_bytes: int
    """What embedding the codec would add."""
    rows: list[Row]
    spread: Spread
    """PSNR image by image, of the archive's pixels."""
    perfect: bool
    """Whether every value came back from the archive as it was."""
    lossless_images: int
    """Images that the archive holds without loss, as that takes no more bytes."""
    expected: bool
    """Whether the archive gives those as they were, and for all others what the models give."""
    backend: str
    left_to_numpy: list[str]
    """What the compiled core could not run, in words."""

    @property
    def bytes_per_image(self) -> float:
        """Archive on disk over images."""
        return self.archive_bytes / self.images

    @property
    def is_lossless(self) -> bool:
        """Whether it was at quality 100, which has to give every value back."""
        return self.quality == LOSSLESS_QUALITY

    @property
    def identical(self) -> bool:
        """Whether all ways gave the same pixels, to the bit.

        Without loss, whether these are the originals' pixels. Images that the archive holds
        without loss have to come out of it as they went in.
        """
        if self.is_lossless:
            return self.perfect
        return self.expected and len({row.pixels_sha256 for row in self.rows[:-1]}) == 1

    @property
    def remarks(self) -> list[str]:
        """Of images of several sizes and modes: what the figures are over, a line each."""
        if self.kinds == 1:
            return []
        lines = [f"images of {self.kinds} sizes and modes: MSE and PSNR are over all values, SSIM over images"]
        small = self.images - self.with_ssim
        if small and self.with_ssim:
            lines.append(f"SSIM is without {count_text(small)} with a side under {SSIM_WINDOW_PX} pixels")
        reasons = {NO_NETWORK + size: images for size, images in self.without_network.items()}
        return lines + remarks_of(reasons, "in the archive alone, coded without the codec")

    def as_json(self) -> dict[str, Any]:
        """The document that `evaluate --json` prints.

        `kinds`, `images_with_ssim` and `without_network` are there for several kinds alone.
        """
        document = self._figures()
        if self.kinds > 1:
            document["kinds"] = self.kinds
            document["images_with_ssim"] = self.with_ssim
            document["without_network"] = self.without_network
        return document

    def _figures(self) -> dict[str, Any]:
        return {
            "images": self.images,
            "codec": self.codec,
            "quality": self.quality,
            "effort": self.effort,
            "archive_bytes": self.archive_bytes,
            "bytes_per_image": self.bytes_per_image,
            "ideal_bytes_per_image": self.ideal_bytes_per_image,
            "codec_bytes": self.codec_bytes,
            "rows": [
                {
                    "path": row.path,
                    **{key: asdict(row.quality)[key] for key in ("mse", "psnr", "psnr_mean", "ssim")},
                    "pixels_sha256": row.pixels_sha256,
                }
                for row in self.rows
            ],
            "psnr_per_image": {name: asdict(self.spread)[name] for name in ("minimum", "percentile_1", "median")},
            "worst": [{"image": image, "psnr": psnr} for image, psnr in self.spread.worst if psnr is not None],
            "lossless_images": self.lossless_images,
            "backend": self.backend,
            "left_to_numpy": self.left_to_numpy,
        }


def evaluate(
    images: Pictures | Iterable[Pictures],
    codec: Codec,
    *,
    quality: int | None = None,
    effort: int = 1,
    backend: BackendName | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Code images (N,H,W) or (N,H,W,C), or arrays of them of any shapes, in four ways.

    `report` is told what comes next. Raises InputError.

    `autoencoder`, `encoder+decoder`: the library's models; `onnx`: the exported files, run by ONNX
    Runtime alone; `archive`: a file written to a temporary folder and read back. At quality 100,
    which has no symbols, `archive` is the only way; so it is for images that the codec has no
    network for, where it has one for others.
    """
    quality = codec.default_quality if quality is None else quality
    given = ImageSets.of([images] if isinstance(images, np.ndarray) else images)
    rows: list[Row] = []
    reasons = [codec.why_not(kind, quality) for kind in given.kinds]
    fitting = [i for i, reason in enumerate(reasons) if reason is None]
    modelled = list(given.sets)
    if quality != LOSSLESS_QUALITY:
        if not fitting:
            raise InputError(reasons[0])
        given = given.changed(lambda images: clear_hidden(images) if images.ndim == 4 else images)
        rows, decoded = _ways_without_archive(given.only(fitting), codec, quality, report)
        modelled = list(given.sets)
        for i, images_of_one in zip(fitting, decoded, strict=True):
            modelled[i] = images_of_one
    report("archive")
    with temporary_folder() as folder:
        path = folder / "evaluate.cnet"
        written = api.compress(given.in_order(), path, codec, quality=quality, effort=effort, embed_codec=False)
        with api.open(path, codec=codec, backend=backend, threads=codec.threads) as archive:
            decoded = [eight_bits(np.asarray(archive[positions])) for positions in given.positions]
            rows.append(_row("archive", given, decoded, rows))
            ideal_bytes = archive.ideal_bytes()
            with_symbols_N = archive.with_symbols()
        archive_bytes = path.stat().st_size
    assert archive_bytes == written.archive_bytes
    lossless_images = 0
    if quality != LOSSLESS_QUALITY:
        for i in fitting:
            has_symbols_N = with_symbols_N[given.positions[i]]
            chosen = has_symbols_N[(...,) + (None,) * (given.sets[i].ndim - 1)]
            modelled[i] = np.where(chosen, modelled[i], given.sets[i])
            lossless_images += int((~has_symbols_N).sum())
    without_network = Counter[str]()
    for kind, images_of_one, reason in zip(given.kinds, given.sets, reasons, strict=True):
        if reason is not None:
            without_network[size_text(kind)] += len(images_of_one)
    return Evaluation(
        images=given.images,
        kinds=len(set(given.kinds)),
        with_ssim=sum(len(each) for each in given.sets if min(each.shape[1:3]) >= SSIM_WINDOW_PX),
        without_network=dict(without_network),
        codec=codec.name,
        quality=quality,
        effort=effort,
        archive_bytes=archive_bytes,
        ideal_bytes_per_image=ideal_bytes / given.images,
        codec_bytes=_embedded_bytes(codec, {quality, LOSSLESS_QUALITY} if lossless_images else {quality}),
        rows=rows,
        spread=psnr_spread(given.errors(decoded)),
        perfect=all(map(np.array_equal, given.sets, decoded)),
        lossless_images=lossless_images,
        expected=all(map(np.array_equal, modelled, decoded)),
        backend=codec.backend.name,
        left_to_numpy=codec.backend.left_to_numpy if isinstance(codec.backend, NativeBackend) else [],
    )


def _row(path: str, images: ImageSets, decoded: Sequence[Images], rows: list[Row]) -> Row:
    """A way's figures; where its pixels are those of an earlier row, so are its figures."""
    digest = images.pixels_sha256(decoded)
    known = [row.quality for row in rows if row.pixels_sha256 == digest]
    return Row(path=path, quality=known[0] if known else images.quality(decoded), pixels_sha256=digest)


def _embedded_bytes(codec: Codec, qualities: set[int]) -> int:
    """What the parts that code at some qualities take where they are embedded."""
    parts = (codec.bundle.part_at(quality) for quality in qualities)
    entries = CodecEntries(codec, embed=True)
    embedded = [entries.entry(part.method).embedded for part in parts if part is not None]
    return sum(len(data) for data in embedded if data is not None)


def _ways_without_archive(
    images: ImageSets, codec: Codec, quality: int, report: Callable[[str], None]
) -> tuple[list[Row], list[Images]]:
    """The figures of three ways, and the pixels of the first, set by set.

    The ways are the models as one, as two, and exported.
    """
    rows: list[Row] = []
    report("autoencoder")
    modelled = [codec.autoencoder(each, quality) for each in images.sets]
    rows.append(_row("autoencoder", images, modelled, rows))
    report("encoder+decoder")
    decoded = [encoded_and_decoded(each, codec, quality) for each in images.sets]
    rows.append(_row("encoder+decoder", images, decoded, rows))
    report("onnx")
    exported = Exported(codec, quality)
    rows.append(_row("onnx", images, [exported.decoded(each) for each in images.sets], rows))
    return rows, modelled
