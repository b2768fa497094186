"""Train the lossless part of a codec.

gathered images -> a training with a checkpoint -> frozen pixel models -> NAME.codec
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch

from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.codec.file import to_bytes
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.errors import InputError
from compressnet.files import atomic_write
from compressnet.training.common.gather import Gathered
from compressnet.training.common.options import Options, Report, logged
from compressnet.training.freeze.lossless import check_pixels, freeze_pixels
from compressnet.training.lossless.design import pixel_design
from compressnet.training.lossless.loop import PixelTrainer


def train_lossless(
    gathered: Gathered,
    output: Path,
    options: Options,
    preset: str,
    *,
    beside: Bundle | None = None,
    resume: bool = False,
    report: Report = lambda _: None,
) -> Bundle:
    """Train a pixel model for each number of channels, and write the codec to `output`.

    If all images of a number of channels have one size, the model knows positions, and is for that
    size alone; otherwise it is for any. preset: `fast`, `balanced` or `best`. beside: a codec
    whose lossy part the new one takes over. Training runs on the CPU.

    Raises InputError. On Ctrl-C it writes a checkpoint and raises TrainingInterrupted; `resume`
    goes on from it.
    """
    if options.device == "cuda":
        raise InputError("pixel models are trained on the CPU; leave --device out")
    options.require_length()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    options = replace(options, holdout=min(options.holdout, gathered.distinct // 2))
    values = sum(images.size for images in gathered.sets)
    largest_px = max(images.shape[1] * images.shape[2] for images in gathered.sets)
    design = pixel_design(preset, values, largest_px)
    trainer = PixelTrainer(gathered.sets, output, options, design)
    if resume:
        trainer.load_checkpoint()
    trainer.run(logged(output, report))
    models = tuple(freeze_pixels(family, channels) for channels, family in trainer.families.items())
    for model in models:
        held = next(part for part in trainer.held if part.planes_NCHW.shape[1] == model.channels)
        check_pixels(trainer.families[model.channels], model, held)
    about = {"images": sum(map(len, trainer.sets)), "epochs": {"pixels": round(trainer.epochs, 2)}}
    bundle = make_bundle(
        () if beside is None else beside.networks,
        models,
        name=output.name.removesuffix(".codec"),
        default_quality=LOSSLESS_QUALITY if beside is None or not beside.networks else beside.default_quality,
        about=json.dumps(about if beside is None else {"lossless": about, "lossy": beside.about}),
    )
    atomic_write(output, to_bytes(bundle))
    trainer.checkpoint.unlink(missing_ok=True)
    return bundle
