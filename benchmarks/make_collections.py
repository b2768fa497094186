"""Make the collections of docs/BENCHMARKS.md, as folders of PNG files, from Debian's packages.

    python benchmarks/make_collections.py FOLDER [--packages DIR] [--only NAME ...]

Each collection is there twice: FOLDER/NAME/whole, and FOLDER/NAME/300, which are 300 pictures of
it drawn with a fixed seed. Packages are downloaded by `apt-get download` and unpacked by dpkg-deb
into DIR, by default FOLDER/packages, a folder for each; what is there already is used. Pictures
equal to one before them are left out, so that no codec gains from finding them. Emoji need the
package fonttools.
"""

from __future__ import annotations

import argparse
import importlib
import io
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from compressnet.images import open_collection

DRAWN = 300
SEED = 300
PHOTO_SIDES_PX = (32, 48, 64)
DEEP_SIDE_PX = 32
GLYPH_PX = 24
EMOJI_PX = 32
LUMA = np.array([19595, 38470, 7471])
"""Weights of red, green and blue in grey, in 65536ths, as Pillow has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One collection."""

    name: str
    title: str
    package: str | None
    """Debian's; None for what this package ships."""
    pictures: Callable[[Path], Iterator[Image.Image]]
    """Gives its pictures, from the folder of the unpacked package."""


def unpacked(package: str, packages: Path) -> Path:
    """The folder of a package, which is downloaded where it is not there yet."""
    folder = packages / package
    if not folder.is_dir():
        packages.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=packages) as downloads:
            Path(downloads).chmod(0o777)  # apt downloads as a user of its own
            subprocess.run(["apt-get", "download", package], cwd=downloads, check=True)
            (deb,) = Path(downloads).glob("*.deb")
            half = Path(downloads) / "unpacked"
            subprocess.run(["dpkg-deb", "-x", deb, half], check=True)
            half.rename(folder)
    return folder


def files_under(folder: Path, pattern: str) -> list[Path]:
    """Files in the order of their paths, without links."""
    found = (path for path in folder.glob(pattern) if path.is_file() and not path.is_symlink())
    return sorted(found, key=lambda path: path.as_posix())


def plain(picture: Image.Image) -> Image.Image:
    """A picture in L, LA, RGB or RGBA: palettes are resolved, transparent ones with alpha."""
    transparent = "transparency" in picture.info
    if picture.mode in ("1", "L"):
        return picture.convert("LA" if transparent else "L")
    if picture.mode in ("RGB", "P"):
        return picture.convert(
            "RGBA" if transparent or "A" in (picture.palette.mode if picture.palette else "") else "RGB"
        )
    return picture if picture.mode in ("LA", "RGBA") else picture.convert("RGBA")


def small_files(pattern: str, side_px: int) -> Callable[[Path], Iterator[Image.Image]]:
    """The PNG files whose sides are no longer than this."""

    def pictures(folder: Path) -> Iterator[Image.Image]:
        for path in files_under(folder, pattern):
            with Image.open(path) as picture:
                if max(picture.size) <= side_px:
                    yield plain(picture)

    return pictures


def emoji(folder: Path) -> Iterator[Image.Image]:
    """The bitmaps of the font, 136x128, cut to a square and scaled."""
    fonts: Any = importlib.import_module("fontTools.ttLib")
    (path,) = files_under(folder, "usr/share/fonts/**/NotoColorEmoji.ttf")
    strike = fonts.TTFont(path)["CBDT"].strikeData[0]
    for name in sorted(strike):
        with Image.open(io.BytesIO(strike[name].imageData)) as picture:
            square = min(picture.size)
            left, top = (picture.width - square) // 2, (picture.height - square) // 2
            cut = picture.convert("RGBA").crop((left, top, left + square, top + square))
            yield cut.resize((EMOJI_PX, EMOJI_PX), Image.Resampling.LANCZOS)


def hanzi(folder: Path) -> Iterator[Image.Image]:
    """The 3755 common hanzi of GB 2312, in its order, white on black."""
    (path,) = files_under(folder, "usr/share/fonts/**/wqy-microhei.ttc")
    font = ImageFont.truetype(path, GLYPH_PX)
    for row in range(16, 56):
        for cell in range(1, 95 if row < 55 else 90):
            picture = Image.new("L", (GLYPH_PX, GLYPH_PX))
            middle = GLYPH_PX / 2
            character = bytes([row + 0xA0, cell + 0xA0]).decode("gb2312")
            ImageDraw.Draw(picture).text((middle, middle), character, fill=255, font=font, anchor="mm")
            yield picture


def photographs(folder: Path) -> Iterator[Image.Image]:
    """A quarter of each side, cut into tiles of one side for each photograph."""
    for i, path in enumerate(files_under(folder, "usr/share/backgrounds/mate/nature/*.jpg")):
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB").reduce(4))
        yield from tiles(pixels, PHOTO_SIDES_PX[i % len(PHOTO_SIDES_PX)])


def deep_patches(folder: Path) -> Iterator[Image.Image]:
    """Grey of the same photographs, the mean of 4x4 pixels in 16 bits, cut into tiles."""
    for path in files_under(folder, "usr/share/backgrounds/mate/nature/*.jpg"):
        with Image.open(path) as picture:
            grey = np.asarray(picture.convert("RGB")).astype(np.int64) @ LUMA
        height, width = (side // 4 * 4 for side in grey.shape)
        sums = grey[:height, :width].reshape(height // 4, 4, width // 4, 4).sum(axis=(1, 3))
        yield from tiles((sums * 65535 // (16 * 255 * 65536)).astype(np.uint16), DEEP_SIDE_PX)


def tiles(pixels: np.ndarray, side_px: int) -> Iterator[Image.Image]:
    """All whole tiles of a picture, row by row."""
    height, width = pixels.shape[:2]
    for top in range(0, height - side_px + 1, side_px):
        for left in range(0, width - side_px + 1, side_px):
            yield Image.fromarray(np.ascontiguousarray(pixels[top : top + side_px, left : left + side_px]))


def digits(_folder: Path) -> Iterator[Image.Image]:
    """MNIST's test images."""
    yield from map(Image.fromarray, open_collection("mnist").load())


COLLECTIONS = (
    Made(
        name="silk",
        title="flat icons, 16 px (famfamfam-silk)",
        package="famfamfam-silk",
        pictures=small_files("usr/share/icons/silk/16x16/*.png", 16),
    ),
    Made(
        name="tango",
        title="icon theme, to 64 px (tango-icon-theme)",
        package="tango-icon-theme",
        pictures=small_files("usr/share/icons/Tango/**/*.png", 64),
    ),
    Made(
        name="mate",
        title="detailed icon theme, to 64 px (mate-icon-theme)",
        package="mate-icon-theme",
        pictures=small_files("usr/share/icons/**/*.png", 64),
    ),
    Made(
        name="sprites",
        title="game units, to 80 px (wesnoth-1.16-data)",
        package="wesnoth-1.16-data",
        pictures=small_files("usr/share/games/wesnoth/1.16/data/core/images/units/**/*.png", 80),
    ),
    Made(
        name="emoji",
        title="emoji scaled to 32 px (fonts-noto-color-emoji)",
        package="fonts-noto-color-emoji",
        pictures=emoji,
    ),
    Made(name="hanzi", title="hanzi, 24 px (fonts-wqy-microhei)", package="fonts-wqy-microhei", pictures=hanzi),
    Made(
        name="photos",
        title="photographs cut to 32, 48 and 64 px (mate-backgrounds)",
        package="mate-backgrounds",
        pictures=photographs,
    ),
    Made(name="mnist", title="MNIST's test images (this package)", package=None, pictures=digits),
    Made(
        name="deep",
        title="grey patches of 16 bits, 32 px (mate-backgrounds)",
        package="mate-backgrounds",
        pictures=deep_patches,
    ),
)


def distinct(pictures: Iterator[Image.Image]) -> Iterator[Image.Image]:
    """Without those that are equal to one before them."""
    seen: set[tuple[str, tuple[int, int], bytes]] = set()
    for picture in pictures:
        key = (picture.mode, picture.size, picture.tobytes())
        if key not in seen:
            seen.add(key)
            yield picture


def write(made: Made, folder: Path, packages: Path) -> int:
    """Write both forms of a collection; how many pictures there are in all."""
    source = Path() if made.package is None else unpacked(made.package, packages)
    pictures = list(distinct(made.pictures(source)))
    drawn = set(random.Random(SEED).sample(range(len(pictures)), DRAWN))
    for form in ("whole", str(DRAWN)):
        (folder / made.name / form).mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures):
        picture.save(folder / made.name / "whole" / f"{i:05}.png")
        if i in drawn:
            picture.save(folder / made.name / str(DRAWN) / f"{i:05}.png")
    return len(pictures)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make collections."""
    parser = argparse.ArgumentParser(description="Collections of small pictures from Debian's packages.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--packages", type=Path, help="where packages are unpacked; FOLDER/packages by default")
    parser.add_argument("--only", nargs="+", choices=[made.name for made in COLLECTIONS])
    chosen = parser.parse_args(arguments)
    for made in COLLECTIONS:
        if chosen.only is None or made.name in chosen.only:
            count = write(made, chosen.folder, chosen.packages or chosen.folder / "packages")
            print(f"{made.name}: {count} pictures, {made.title}")


if __name__ == "__main__":
    main()
