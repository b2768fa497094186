"""Collect the training images of the codecs `any` and `photo` from Debian's packages.

    python benchmarks/collect_any.py IMAGES.npz --packages DIR

DIR has a folder for each package of PACKAGES, unpacked by dpkg-deb; others are left out. Whatever
the codecs are measured on has to come from other packages. benchmarks/train_any.py trains them.
"""

from __future__ import annotations

import argparse
import math
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from compressnet.images.kinds import Images

ICONS = (
    "elementary-xfce-icon-theme",
    "faenza-icon-theme",
    "gnome-icon-theme",
    "adwaita-icon-theme",
    "lxde-icon-theme",
    "moka-icon-theme",
    "oxygen-icon-theme",
    "paper-icon-theme",
    "faba-icon-theme",
    "famfamfam-flag-png",
)
GAMES = ("supertux-data", "flare-game", "freedroidrpg-data")
PHOTOGRAPHS = (
    "gnome-backgrounds",
    "plasma-workspace-wallpapers",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "ukui-wallpapers",
    "sway-backgrounds",
)
FONTS = ("fonts-dejavu-core", "fonts-dejavu-extra", "fonts-liberation")
PACKAGES = (*ICONS, *GAMES, *PHOTOGRAPHS, *FONTS)

SIDES_PX = (16, 24, 32, 48, 64)
ICONS_OF_PACKAGE, TILES_OF_PACKAGE, PHOTOGRAPHS_OF_PACKAGE = 4000, 5000, 60
TEXTURES, GLYPHS_OF_FONT = 1500, 60
FEWEST_OF_KIND = 200


def files_of(packages: Path, name: str, suffixes: tuple[str, ...], rng: np.random.Generator) -> list[Path]:
    """The files of a package that end so, shuffled."""
    every = sorted((packages / name).rglob("*"))
    found = [path for path in every if path.suffix.lower() in suffixes and path.is_file() and not path.is_symlink()]
    return [found[i] for i in rng.permutation(len(found))]


def opened(path: Path, mode: str) -> Image.Image | None:
    """A picture in a mode; None where it cannot be read."""
    try:
        return Image.open(path).convert(mode)
    except (OSError, ValueError):
        return None


def icon(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A square of one of the sides: as it is, padded, or scaled down."""
    side = next((side for side in SIDES_PX if side >= max(image.size)), 0)
    if not side:
        side = int(rng.choice(SIDES_PX))
        image = image.convert("RGBa")
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        image = image.convert("RGBA")
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def tiles(image: Image.Image, rng: np.random.Generator) -> Iterator[Image.Image]:
    """Squares of a sheet of sprites or a background, some of them halved in size."""
    for _ in range(3 if max(image.size) < 600 else 8):
        side, factor = int(rng.choice((32, 48, 64))), int(rng.choice((1, 1, 2)))
        cut = side * factor
        if min(image.size) < cut:
            continue
        x, y = (int(rng.integers(0, length - cut + 1)) for length in image.size)
        tile = image.crop((x, y, x + cut, y + cut))
        if factor > 1:
            tile = tile.convert("RGBa").resize((side, side), Image.Resampling.BOX).convert("RGBA")
        if (np.asarray(tile)[..., 3] > 0).mean() >= 0.15:
            yield tile


def cuttings(image: Image.Image, count: int, rng: np.random.Generator) -> Iterator[Image.Image]:
    """Parts of a photograph, from its own scale up to nearly all of it; some of them grey."""
    image.thumbnail((2400, 2400), Image.Resampling.LANCZOS)
    shorter = min(image.size)
    for _ in range(count):
        side = int(rng.choice((32, 48, 64, 64)))
        cut = int(min(shorter, side * np.exp(rng.uniform(0.5, np.log(shorter / side)))))
        x, y = (int(rng.integers(0, length - cut + 1)) for length in image.size)
        part = image.resize((side, side), Image.Resampling.LANCZOS, box=(x, y, x + cut, y + cut), reducing_gap=3)
        yield part.convert("L") if rng.random() < 0.12 else part


def glyphs(path: Path, rng: np.random.Generator) -> Iterator[Image.Image]:
    """Letters of a font in five sizes, some of them dark on light."""
    letters = [chr(i) for i in (*range(33, 127), *range(161, 600), *range(0x391, 0x3CA), *range(0x410, 0x450))]
    for side, height_px in ((16, 12), (24, 19), (24, 20), (32, 26), (48, 40)):
        font = ImageFont.truetype(str(path), height_px)
        for letter in rng.choice(letters, GLYPHS_OF_FONT, replace=False).tolist():
            if unicodedata.category(letter)[0] not in "LNPS":
                continue
            image = Image.new("L", (side, side))
            ImageDraw.Draw(image).text((side / 2, side / 2), letter, fill=255, font=font, anchor="mm")
            yield image.point(lambda value: 255 - value) if rng.random() < 0.3 else image


def texture(rng: np.random.Generator) -> Image.Image:
    """Soft blobs with grain, as measurements look."""
    side = int(rng.choice((32, 48, 64)))
    noise = Image.fromarray(rng.integers(0, 256, (side + 32, side + 32)).astype(np.uint8))
    soft = np.asarray(noise.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 6))), np.float64)[16:-16, 16:-16]
    soft = (soft - soft.mean()) / (soft.std() + 1e-3) * rng.uniform(8, 50) + rng.uniform(40, 200)
    soft = np.maximum(soft, rng.uniform(0, 60)) if rng.random() < 0.5 else soft
    soft += rng.normal(size=soft.shape) * rng.choice((0, 1, 3, 8))
    return Image.fromarray(np.clip(soft, 0, 255).astype(np.uint8))


def every_image(packages: Path, rng: np.random.Generator) -> Iterator[Image.Image]:
    """All training images, package by package."""
    for name in ICONS:
        for path in files_of(packages, name, (".png",), rng)[:ICONS_OF_PACKAGE]:
            if (image := opened(path, "RGBA")) is not None:
                yield icon(image, rng)
    for name in GAMES:
        made = 0
        for path in files_of(packages, name, (".png",), rng):
            if made < TILES_OF_PACKAGE and (image := opened(path, "RGBA")) is not None:
                found = [icon(image, rng)] if max(image.size) <= max(SIDES_PX) else list(tiles(image, rng))
                made += len(found)
                yield from found
    for name in PHOTOGRAPHS:
        count = 120 if name == "plasma-workspace-wallpapers" else 260
        for path in files_of(packages, name, (".jpg", ".jpeg", ".png", ".webp"), rng)[:PHOTOGRAPHS_OF_PACKAGE]:
            if (image := opened(path, "RGB")) is not None and min(image.size) >= 400:
                yield from cuttings(image, count, rng)
    for name in FONTS:
        for path in files_of(packages, name, (".ttf",), rng):
            yield from glyphs(path, rng)
    for _ in range(TEXTURES):
        yield texture(rng)


def collect(packages: Path, output: Path) -> None:
    """Write the training images: an array (n,H,W,C) for each kind, equal images once."""
    rng = np.random.default_rng(7)
    found: dict[tuple[int, ...], dict[bytes, Images]] = {}
    for picture in every_image(packages, rng):
        image = np.asarray(picture)
        image = image[..., None] if image.ndim == 2 else image
        if image.shape[2] == 4 and (image[..., 3] == 255).all():
            image = image[..., :3]
        if np.std(image, axis=(0, 1)).max() >= 1:
            found.setdefault(image.shape, {})[image.tobytes()] = np.ascontiguousarray(image)
    ranked = sorted(found.items(), key=lambda item: -len(item[1]) * math.prod(item[0]))
    sets = {
        "x".join(map(str, kind)): np.stack(list(images.values()))[rng.permutation(len(images))]
        for kind, images in ranked
        if len(images) >= FEWEST_OF_KIND
    }
    for kind, images in sets.items():
        print(f"{len(images)} images of {kind}")
    np.savez(output, **sets)  # pyright: ignore[reportArgumentType]


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--packages", type=Path, required=True)
    given = parser.parse_args()
    collect(given.packages, given.images)


if __name__ == "__main__":
    main()
