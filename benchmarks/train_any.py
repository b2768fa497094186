"""Train the codecs for images of any size: `any`, and `photo` for photographs.

    python benchmarks/train_any.py IMAGES.npz -o first.codec --minutes 95 --batch 8
    python benchmarks/train_any.py IMAGES.npz -o any-1.codec --minutes M --after CHECKPOINT
    python benchmarks/train_any.py IMAGES.npz -o photo-1.codec --minutes M --photographs \
        --after CHECKPOINT

IMAGES.npz is that of benchmarks/collect_any.py. A later training begins from a checkpoint that an
earlier one left beside its codec, and sees photographs and low qualities more often, as these are
what the codecs are used for. The network of `photo` has tiles of twice the side: it begins as that
of `any` on images of half their size. A training that was interrupted goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from compressnet.codec.bundle import make_bundle
from compressnet.codec.file import to_bytes
from compressnet.images.alpha import fill_hidden
from compressnet.images.kinds import Images, Kind
from compressnet.networks.program import ANCHORS
from compressnet.training.common.options import Options, Progress
from compressnet.training.join import frozen_family
from compressnet.training.lossy.design import Design
from compressnet.training.lossy.loop import Trainer
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.widths import Widths

HALVED = ("16x16x4", "24x24x4")
"""Kinds of small icons, of which every second image is trained on."""
LARGE_GREY_PX = 48
"""Grey images of this side and more are photographs and textures; others are letters."""
ANY = Design(
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
        pyramid=True,
        deep_blocks=2,
    ),
    qualities=(0, 99),
    log_lambda=(math.log(3.0), 7.2, 0.0),
    origin=0,
    learning_rate=6e-4,
    begins_as_transform=True,
)
PHOTO = replace(ANY, name="photo", widths=replace(ANY.widths, patch_px=4), qualities=(0, 74))
HALF_SIZE_ANCHORS = 2
"""An image of half the size at a quality is like the whole one two anchors below: a quarter of the
pixels weigh as much at four times the lambda."""


@dataclass(frozen=True, slots=True)
class Diet:
    """What a later training sees."""

    low: int
    low_share: float
    """The share of images that have a quality below `low`; others have any below `high`."""
    high: int
    colour: float
    large_grey: float
    others: float
    """How much more often images are drawn."""

    def weight(self, kind: Kind) -> float:
        """Of a kind of images."""
        if kind[2] == 3:
            return self.colour
        return self.large_grey if kind[2] == 1 and kind[0] >= LARGE_GREY_PX else self.others


ANY_DIET = Diet(low=66, low_share=0.85, high=100, colour=4.0, large_grey=1.5, others=0.5)
PHOTO_DIET = Diet(low=45, low_share=0.85, high=75, colour=4.0, large_grey=0.8, others=0.08)


class Later(Trainer):
    """A later training: more photographs, which are turned and mirrored, at lower qualities."""

    def __init__(
        self, sets: list[Images], output: Path, options: Options, design: Design, diet: Diet, before: Path
    ) -> None:
        """before: the checkpoint of an earlier training, of `any`."""
        design = replace(design, learning_rate=4e-4, begins_as_transform=False)
        super().__init__(sets, output, options, design, Model(sets[0].shape[1:], design.widths, design.lambdas()))
        self._diet = diet
        saved = torch.load(before, weights_only=True)
        state: dict[str, Tensor] = saved["average"]
        if design.widths.patch_px > ANY.widths.patch_px:
            state = enlarged(state, self.model, design.widths.channels)
        for model in (self.model, self.average):
            model.load_state_dict(state)
            if state is saved["average"]:
                model.choose_exponents(saved["exponents"])
        self._chances *= torch.tensor([diet.weight(part.kind) for part in self.parts])

    def _batch(self) -> tuple[int, Tensor, Tensor]:
        number = int(torch.multinomial(self._chances, 1, generator=self.generator))
        part = self.parts[number]
        x = part.draw(self.generator)
        if part.kind[2] == 3 or part.kind[0] >= LARGE_GREY_PX:
            turn = int(torch.randint(8, (1,), generator=self.generator))
            x = x.flip([axis for axis, bit in ((3, 1), (2, 2)) if turn & bit])
            x = (x.transpose(2, 3) if turn & 4 else x).contiguous()
        is_low = float(torch.rand(1, generator=self.generator)) < self._diet.low_share
        highest = self._diet.low if is_low else self._diet.high
        return number, x, torch.randint(highest, (len(x),), generator=self.generator)


def enlarged(state: dict[str, Tensor], model: Model, channels: int) -> dict[str, Tensor]:
    """Weights for patches of half the side: the model sees means of 2x2 pixels, and gives such.

    state: those of the smaller model; model: the larger one; channels: of its pixels.
    """
    own = model.state_dict()
    lower = torch.arange(ANCHORS).add(HALF_SIZE_ANCHORS).clamp(max=ANCHORS - 1)
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(("fine0.weight", "grid_straight.weight")) and name.startswith("g_a"):
            tensor = repeated(tensor, 1, channels) / 4
        elif name.endswith(("pixels.weight", "tiles.weight")):
            tensor = repeated(tensor, 0, channels)
        elif name.endswith(("pixels.bias", "tiles.bias")):
            tensor = repeated(tensor, 1, channels)
        if isinstance(tensor, Tensor) and tensor.ndim == 2 and len(tensor) == ANCHORS and "layer3" not in name:
            tensor = tensor[lower]
        has_size = name in ("prior.order", "prior.known", "prior.lattice", "gains.repeats")
        found[name] = own[name] if has_size else tensor
    return found


def repeated(weight: Tensor, axis: int, channels: int) -> Tensor:
    """Weights of pixels (channel, y, x) along an axis, each for 2x2 pixels."""
    values = weight.movedim(axis, 0)
    side, others = math.isqrt(len(values) // channels), values.shape[1:]
    spread = values.reshape(channels, side, 1, side, 1, *others).expand(channels, side, 2, side, 2, *others)
    return spread.reshape(4 * len(values), *others).movedim(0, axis).contiguous()


def main() -> None:
    """Train a codec and write it; goes on from a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--photographs", action="store_true")
    parser.add_argument("--after", type=Path, metavar="CHECKPOINT")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with np.load(given.images) as arrays:
        sets = [fill_hidden(arrays[kind][:: 2 if kind in HALVED else 1]) for kind in arrays.files]
    options = Options(minutes=given.minutes, holdout=2600, batch=given.batch, checkpoint_minutes=3)
    design, diet = (PHOTO, PHOTO_DIET) if given.photographs else (ANY, ANY_DIET)
    if given.after is None:
        model = Model(sets[0].shape[1:], design.widths, design.lambdas())
        trainer = Trainer(sets, given.output, options, design, model)
    else:
        trainer = Later(sets, given.output, options, design, diet, given.after)
    trainer.load_checkpoint()

    def report(progress: Progress) -> None:
        points = ", ".join(f"{p.bytes_per_image:.1f} bytes at {p.psnr:.2f} dB" for p in progress.points)
        print(f"{progress.share:.1%} step {progress.step}, loss {progress.loss:.1f}: {points}", flush=True)

    trainer.run(report)
    about = json.dumps({"images": sum(len(part.train_images) for part in trainer.parts), "steps": trainer.step})
    quality = 25 if given.photographs else 70
    bundle = make_bundle((frozen_family(trainer),), name=given.output.stem, default_quality=quality, about=about)
    given.output.write_bytes(to_bytes(bundle))


if __name__ == "__main__":
    main()
