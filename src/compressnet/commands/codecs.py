"""Commands on codecs: train and export."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compressnet.commands.shared import (
    INTERRUPTED,
    USAGE,
    ForceOption,
    InputArgument,
    QualityOption,
    QuietOption,
    ThreadsOption,
    console,
    fail,
    guarded,
    make_progress,
    open_input,
    require_target_free,
)

if TYPE_CHECKING:
    from rich.progress import TaskID

    from compressnet.training.train import Progress as TrainingProgress


class DeviceChoice(str, Enum):
    """What trains the networks."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


@guarded
def train(
    source: InputArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="NAME.codec", help="The codec to write.")],
    epochs: Annotated[float | None, typer.Option(min=0.001, help="Length of the training.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.001, help="Length of the training; 30 if neither is given.")
    ] = None,
    quality_range: Annotated[str, typer.Option(metavar="LO:HI", help="Qualities to train for.")] = "0:99",
    holdout: Annotated[int | None, typer.Option(min=0, help="Images at the end that are not trained on.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.")] = 0,
    device: Annotated[DeviceChoice, typer.Option(help="What trains.")] = DeviceChoice.auto,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside the output.")] = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = None,
) -> None:
    """Train a codec on images like yours."""
    from compressnet.training import import_training

    if epochs is not None and minutes is not None:
        fail("give either --epochs or --minutes", USAGE)
    if output.suffix != ".codec":
        fail(f"{output}: the name of a codec ends in .codec", USAGE)
    require_target_free(output, force=force)
    training = import_training()
    images = open_input(source).load()
    images = images.reshape(*images.shape[:3], -1)
    options = training.Options(
        epochs=epochs,
        minutes=30.0 if epochs is None and minutes is None else minutes,
        qualities=_parse_qualities(quality_range),
        holdout=min(5000, len(images) // 10) if holdout is None else holdout,
        seed=seed,
        device=device.value,
        threads=threads,
    )
    with make_progress(quiet=quiet) as progress:
        tasks: dict[str, TaskID] = {}

        def report(point: TrainingProgress) -> None:
            middle = point.points[len(point.points) // 2]
            text = f"{point.network}, quality {middle[0]}: {middle[1]:.2f} bytes/image, {middle[2]:.2f} dB"
            if point.network not in tasks:
                tasks[point.network] = progress.add_task(point.network, total=1000)
            progress.update(tasks[point.network], completed=round(1000 * point.share), description=text)

        try:
            bundle = training.train(images, output, options, resume=resume, report=report)
        except training.TrainingInterrupted as error:
            fail(f"interrupted; the training so far is in {error}, --resume goes on from there", INTERRUPTED)
    if not quiet:
        console.print(f"{output}: {output.stat().st_size} bytes, identity {bundle.identity.hex()}")


def _parse_qualities(text: str) -> tuple[int, int]:
    """`LO:HI`, both included."""
    try:
        low, high = (int(part) for part in text.split(":"))
    except ValueError:
        fail(f"--quality-range {text}: give two numbers, such as 20:60", USAGE)
    if not 0 <= low <= high <= 99:
        fail(f"--quality-range {text}: qualities go from 0 to 99, the lower one first", USAGE)
    return low, high


@guarded
def export(
    codec: Annotated[str, typer.Argument(metavar="CODEC", help="A shipped codec's name, or a .codec file.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write into.")],
    quality: QualityOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write encoder.onnx, decoder.onnx and autoencoder.onnx."""
    from compressnet import api
    from compressnet.export import export as export_models

    bundle = api.read_bundle(codec)
    for path in export_models(bundle, output, bundle.default_quality if quality is None else quality):
        if not quiet:
            console.print(str(path))
