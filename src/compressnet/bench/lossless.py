"""The benchmark's table of lossless codecs, compressnet at quality 100 among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from compressnet.bench.points import COMPRESSNET, Bench

HEADER = ("codec", "mode", "setting", "images", "bytes/image", "bits/pixel", "encoded/s", "decoded/s")


@dataclass(frozen=True, slots=True, kw_only=True)
class LosslessRow:
    """What one lossless codec takes."""

    name: str
    mode: str
    setting: str
    images: int
    """Codecs with a file for each image are measured on some of them."""
    bytes_per_image: float
    bits_per_pixel: float
    """Of a pixel with all its channels."""
    encode_images_per_s: float
    decode_images_per_s: float

    @property
    def texts(self) -> tuple[str, ...]:
        """What stands under HEADER; /s is images a second."""
        return (
            self.name,
            self.mode,
            self.setting,
            str(self.images),
            f"{self.bytes_per_image:.2f}",
            f"{self.bits_per_pixel:.3f}",
            f"{self.encode_images_per_s:.0f}",
            f"{self.decode_images_per_s:.0f}",
        )

    def as_json(self) -> dict[str, Any]:
        """A row of bench.json."""
        return asdict(self)


def lossless_rows(bench: Bench) -> list[LosslessRow]:
    """The lossless points as a table, the smallest first."""
    height, width = bench.originals.shape[1:3]
    lossless = sorted((point for point in bench.points if point.lossless), key=lambda point: point.bytes_per_image)
    return [
        LosslessRow(
            name=f"{point.codec} lossless" if point.codec == COMPRESSNET else point.codec,
            mode=point.mode,
            setting=point.setting,
            images=point.images,
            bytes_per_image=point.bytes_per_image,
            bits_per_pixel=8 * point.bytes_per_image / (height * width),
            encode_images_per_s=point.images / point.encode_s,
            decode_images_per_s=point.images / point.decode_s,
        )
        for point in lossless
    ]


def best_rows(rows: Sequence[LosslessRow]) -> list[LosslessRow]:
    """The smallest of each codec and mode."""
    best: dict[tuple[str, str], LosslessRow] = {}
    for row in sorted(rows, key=lambda row: row.bytes_per_image):
        best.setdefault((row.name, row.mode), row)
    return list(best.values())
