"""Evaluate a codec on images: four ways through it, which have to agree.

Every byte is counted on disk.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compressnet import api
from compressnet.archive.embedding import CodecEntries
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.export import make_models, network_at
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.images.alpha import clear_hidden, fill_hidden
from compressnet.images.kinds import Images, eight_bits, kind_of
from compressnet.images.metrics import Quality, Spread, compare, psnr_spread
from compressnet.lossy.network import Network
from compressnet.native.backend import NativeBackend
from compressnet.networks.onnx import run_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way through the codec, and what came out of it."""

    path: str
    quality: Quality
    pixels_sha256: str
    """SHA-256 of all decoded pixels, image by image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of a codec on a collection."""

    images: int
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

    def as_json(self) -> dict[str, Any]:
        """The document that `evaluate --json` prints."""
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


def _row(path: str, images: Images, decoded: Images, rows: list[Row]) -> Row:
    """A way's figures; where its pixels are those of an earlier row, so are its figures."""
    digest = hashlib.sha256(np.ascontiguousarray(decoded).tobytes()).hexdigest()
    known = [row.quality for row in rows if row.pixels_sha256 == digest]
    return Row(path=path, quality=known[0] if known else compare(images, decoded), pixels_sha256=digest)


def evaluate(
    images: Images,
    codec: Codec,
    *,
    quality: int | None = None,
    effort: int = 1,
    backend: BackendName | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Code images (N,H,W) or (N,H,W,C) in four ways.

    `report` is told what comes next. Raises InputError.

    `autoencoder`, `encoder+decoder`: the library's models; `onnx`: the exported files, run by ONNX
    Runtime alone; `archive`: a file written to a temporary folder and read back. At quality 100,
    which has no symbols, `archive` is the only way.
    """
    quality = codec.default_quality if quality is None else quality
    rows: list[Row] = []
    modelled = images
    if quality != LOSSLESS_QUALITY:
        if images.ndim == 4:
            images = clear_hidden(images)
        rows, modelled = _ways_without_archive(images, codec, quality, report)
    report("archive")
    with tempfile.TemporaryDirectory(prefix="compressnet-") as folder:
        path = Path(folder) / "evaluate.cnet"
        written = api.compress(images, path, codec, quality=quality, effort=effort, embed_codec=False)
        with api.open(path, codec=codec, backend=backend, threads=codec.threads) as archive:
            decoded = eight_bits(archive.array())
            rows.append(_row("archive", images, decoded, rows))
            ideal_bytes = archive.ideal_bytes()
            with_symbols_N = archive.with_symbols()
        archive_bytes = path.stat().st_size
    assert archive_bytes == written.archive_bytes
    lossless_images = 0 if quality == LOSSLESS_QUALITY else int((~with_symbols_N).sum())
    modelled = np.where(with_symbols_N[(...,) + (None,) * (images.ndim - 1)], modelled, images)
    return Evaluation(
        images=len(images),
        codec=codec.name,
        quality=quality,
        effort=effort,
        archive_bytes=archive_bytes,
        ideal_bytes_per_image=ideal_bytes / len(images),
        codec_bytes=_embedded_bytes(codec, {quality, LOSSLESS_QUALITY} if lossless_images else {quality}),
        rows=rows,
        spread=psnr_spread(images, decoded),
        perfect=np.array_equal(images, decoded),
        lossless_images=lossless_images,
        expected=np.array_equal(modelled, decoded),
        backend=codec.backend.name,
        left_to_numpy=codec.backend.left_to_numpy if isinstance(codec.backend, NativeBackend) else [],
    )


def _embedded_bytes(codec: Codec, qualities: set[int]) -> int:
    """What the parts that code at some qualities take where they are embedded."""
    parts = (codec.bundle.part_at(quality) for quality in qualities)
    entries = CodecEntries(codec, embed=True)
    embedded = [entries.entry(part.method).embedded for part in parts if part is not None]
    return sum(len(data) for data in embedded if data is not None)


def _ways_without_archive(
    images: Images, codec: Codec, quality: int, report: Callable[[str], None]
) -> tuple[list[Row], Images]:
    """The figures of three ways, and the pixels of the first.

    The ways are the models as one, as two, and exported.
    """
    kind = kind_of(images)
    rows: list[Row] = []
    report("autoencoder")
    modelled = codec.autoencoder(images, quality)
    rows.append(_row("autoencoder", images, modelled, rows))
    report("encoder+decoder")
    symbols = codec.encoder(images, quality)
    decoded = codec.decoder(symbols, quality, kind).reshape(images.shape)
    rows.append(_row("encoder+decoder", images, decoded, rows))
    report("onnx")
    network = network_at(codec.bundle, quality, kind)
    assert isinstance(network, Network)
    models = make_models(codec.bundle, quality, network)
    filled_NHWC = fill_hidden(images.reshape(len(images), *kind))
    given = filled_NHWC[..., 0] if kind[2] == 1 else filled_NHWC
    decoded = run_model(models.decoder, run_model(models.encoder, given, codec.threads), codec.threads)
    rows.append(_row("onnx", images, clear_hidden(decoded.reshape(filled_NHWC.shape)).reshape(images.shape), rows))
    return rows, modelled
