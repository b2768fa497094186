"""Make the general codec `any`: its training images from Debian's packages, then its training.

    python benchmarks/make_any.py collect IMAGES.npz --packages DIR
    python benchmarks/make_any.py train IMAGES.npz -o first.codec --minutes M [--threads N]
    python benchmarks/make_any.py train IMAGES.npz -o any-1.codec --minutes M --after CHECKPOINT

The second training begins from the checkpoint that the first one leaves, and sees photographs and
low qualities more often, as these are what the codec is used for. DIR has a folder for each
package of PACKAGES, unpacked by dpkg-deb; others are left out. Whatever the codec is measured on
has to come from other packages. A training that was interrupted goes on from its checkpoint,
beside the codec.
"""

from __future__ import annotations

import argparse
import json
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from compressnet.codec.bundle import make_bundle
from compressnet.codec.file import to_bytes
from compressnet.images.alpha import fill_hidden
from compressnet.images.kinds import Images, Kind
from compressnet.training.common.options import Options, Progress
from compressnet.training.join import frozen_family
from compressnet.training.lossy.design import Design
from compressnet.training.lossy.loop import Trainer
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.widths import Widths

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
LOW_QUALITIES, LOW_SHARE = 66, 0.85
"""In the second training, the share of images that have a quality below this; others have any."""
HALVED = ("16x16x4", "24x24x4")
"""Kinds of small icons, of which every second image is trained on."""

DESIGN = Design(
    name="any",
    widths=Widths(
        vector=0,
        linear=True,
        channels=4,
        positions=False,
        fine=24,
        coarse=48,
        deep=112,
        grid=96,
        slices=6,
        hidden_slice=72,
        deep_blocks=2,
    ),
    qualities=(0, 99),
    log_lambda=(math.log(3.0), 7.2, 0.0),
    origin=0,
    learning_rate=6e-4,
    begins_as_transform=True,
)


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


class Second(Trainer):
    """The second training: smaller batches of more photographs, which are turned and mirrored."""

    def __init__(self, sets: list[Images], output: Path, options: Options, first: Path) -> None:
        """first: the checkpoint of the first training."""
        design = replace(DESIGN, name="second", learning_rate=4e-4, begins_as_transform=False)
        super().__init__(sets, output, options, design, Model(sets[0].shape[1:], design.widths, design.lambdas()))
        before = torch.load(first, weights_only=True)
        for model in (self.model, self.average):
            model.load_state_dict(before["average"])
            model.choose_exponents(before["exponents"])
        self._chances *= torch.tensor([self._weight(part.kind) for part in self.parts])

    @staticmethod
    def _weight(kind: Kind) -> float:
        """How much more often images of a kind are drawn."""
        if kind[2] == 3:
            return 4.0
        return 1.5 if kind[2] == 1 and kind[0] >= 48 else 0.5

    def _batch(self) -> tuple[int, torch.Tensor, torch.Tensor]:
        number = int(torch.multinomial(self._chances, 1, generator=self.generator))
        part = self.parts[number]
        x = part.draw(self.generator)
        if part.kind[2] == 3 or part.kind[0] >= 48:
            turn = int(torch.randint(8, (1,), generator=self.generator))
            x = x.flip([axis for axis, bit in ((3, 1), (2, 2)) if turn & bit])
            x = (x.transpose(2, 3) if turn & 4 else x).contiguous()
        is_low = float(torch.rand(1, generator=self.generator)) < LOW_SHARE
        highest = LOW_QUALITIES if is_low else 100
        return number, x, torch.randint(highest, (len(x),), generator=self.generator)


def train(images: Path, output: Path, minutes: float, threads: int, after: Path | None) -> None:
    """Train the codec and write it; goes on from a checkpoint."""
    torch.set_num_threads(threads)
    with np.load(images) as arrays:
        sets = [fill_hidden(arrays[kind][:: 2 if kind in HALVED else 1]) for kind in arrays.files]
    options = Options(minutes=minutes, holdout=2600, batch=8 if after is None else 4, checkpoint_minutes=3)
    if after is None:
        trainer = Trainer(sets, output, options, DESIGN, Model(sets[0].shape[1:], DESIGN.widths, DESIGN.lambdas()))
    else:
        trainer = Second(sets, output, options, after)
    trainer.load_checkpoint()

    def report(progress: Progress) -> None:
        points = ", ".join(f"{p.bytes_per_image:.1f} bytes at {p.psnr:.2f} dB" for p in progress.points)
        print(f"{progress.share:.1%} step {progress.step}, loss {progress.loss:.1f}: {points}", flush=True)

    trainer.run(report)
    about = json.dumps({"images": sum(len(part.train_images) for part in trainer.parts), "steps": trainer.step})
    bundle = make_bundle((frozen_family(trainer),), name="any-1", default_quality=70, about=about)
    output.write_bytes(to_bytes(bundle))


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect")
    collecting.add_argument("images", type=Path)
    collecting.add_argument("--packages", type=Path, required=True)
    training = commands.add_parser("train")
    training.add_argument("images", type=Path)
    training.add_argument("-o", "--output", type=Path, required=True)
    training.add_argument("--minutes", type=float, required=True)
    training.add_argument("--threads", type=int, default=1)
    training.add_argument("--after", type=Path, metavar="CHECKPOINT")
    given = parser.parse_args()
    if given.command == "collect":
        collect(given.packages, given.images)
    else:
        train(given.images, given.output, given.minutes, given.threads, given.after)


if __name__ == "__main__":
    main()
