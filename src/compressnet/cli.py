"""The command line: arguments in, one library call, figures out. No logic that the library lacks.

Exit codes: 0 fine, 1 failed, 2 usage, 3 corrupt archive or codec, 4 wrong or missing codec, 130 interrupted.
Figures go to stdout, progress and errors to stderr.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections.abc import Callable, Generator, Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

import compressnet
from compressnet.errors import CodecError, CompressnetError, FormatError, InputError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from compressnet.archive import Archive
    from compressnet.bench.evaluate import Evaluation
    from compressnet.codec import Codec
    from compressnet.targets import Target
    from compressnet.training.train import Progress as TrainingProgress

FAILED, USAGE, CORRUPT, NO_CODEC, INTERRUPTED = 1, 2, 3, 4, 130
STREAM = "-"

app = typer.Typer(
    help="A neural codec for collections of small images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
errors_console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False)
console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
F = TypeVar("F", bound=Callable[..., Any])


class BackendChoice(str, Enum):
    """What runs the networks."""

    onnx = "onnx"
    numpy = "numpy"


class DeviceChoice(str, Enum):
    """What trains the networks."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


CodecOption = Annotated[str, typer.Option("--codec", help="A shipped codec's name, or a .codec file.")]
QualityOption = Annotated[
    int | None, typer.Option("--quality", min=0, max=100, help="0 to 99, higher is better; by default the codec's own.")
]
TargetPsnrOption = Annotated[
    float | None, typer.Option("--target-psnr", metavar="DB", help="The quality that comes nearest to this PSNR.")
]
TargetBytesOption = Annotated[
    float | None, typer.Option("--target-bytes", metavar="B", help="... to so many bytes an image.")
]
MaxMseOption = Annotated[
    float | None, typer.Option("--max-mse", metavar="M", help="The lowest quality with at most this error, 0 to 1.")
]
EffortOption = Annotated[int, typer.Option("--effort", min=1, max=9, help="How long to search for cheaper symbols.")]
BackendOption = Annotated[BackendChoice, typer.Option("--backend", help="What runs the networks.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="Threads; by default all processors.")]
ForceOption = Annotated[bool, typer.Option("-f", "--force", help="Overwrite what is there.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]
InputArgument = Annotated[
    str, typer.Argument(metavar="INPUT", help="IDX(.gz), .npy, .npz, a folder of images, or 'mnist'.")
]


def fail(message: str, code: int) -> NoReturn:
    """Print one line on stderr and leave."""
    errors_console.print(f"compressnet: {message}")
    raise typer.Exit(code)


def guarded(command: F) -> F:
    """Turn errors into one line and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except FormatError as error:
            fail(str(error), CORRUPT)
        except CodecError as error:
            fail(str(error), NO_CODEC)
        except CompressnetError as error:
            fail(str(error), FAILED)
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            fail(f"{where}{error.strerror or error}", FAILED)
        except MemoryError:
            fail("out of memory; try fewer --threads or a smaller --block-images", FAILED)
        except KeyboardInterrupt:
            fail("interrupted", INTERRUPTED)

    return run  # pyright: ignore[reportReturnType]


@contextlib.contextmanager
def progress_bar(description: str, total: int | None, *, quiet: bool) -> Generator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal; gives what takes the number done so far."""
    with _progress(quiet=quiet) as progress:
        task = progress.add_task(description, total=total)
        yield lambda done: progress.update(task, completed=done)


def _progress(*, quiet: bool) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors_console,
        transient=True,
        disable=quiet or not errors_console.is_terminal,
    )


def _print_version(value: bool) -> None:
    if value:
        console.print(f"compressnet {compressnet.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A neural codec for collections of small images."""


def _require_free(path: Path, *, force: bool) -> None:
    from compressnet.images import require_free

    require_free(path, overwrite=force)


def _open_input(source: str) -> Any:
    from compressnet.api import read_stdin
    from compressnet.images import collection_from_bytes, open_collection

    return collection_from_bytes(read_stdin(), "standard input") if source == STREAM else open_collection(source)


def _open_archive(source: str, codec: str | None, backend: BackendChoice, threads: int | None) -> Archive:
    from compressnet import api
    from compressnet.container import BytesSource, Container

    if source == STREAM:
        container = Container(BytesSource(api.read_stdin(), "standard input"))
        return api.open_container(container, codec, backend.value, threads)
    return api.open(source, codec, backend.value, threads)


@app.command()
@guarded
def compress(
    source: InputArgument,
    output: Annotated[str, typer.Option("-o", "--output", metavar="OUT.cnet", help="The archive; - for stdout.")],
    codec: CodecOption = "mnist",
    quality: QualityOption = None,
    target_psnr: TargetPsnrOption = None,
    target_bytes: TargetBytesOption = None,
    max_mse: MaxMseOption = None,
    effort: EffortOption = 1,
    block_images: Annotated[int, typer.Option(min=1, max=65536, help="Images coded as one unit.")] = 256,
    embed_codec: Annotated[
        bool | None,
        typer.Option("--embed-codec/--no-embed-codec", help="Carry the decoder; by default if it is not shipped."),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="IDX, .npy, or one label a line.")] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    backend: BackendOption = BackendChoice.onnx,
    threads: ThreadsOption = None,
) -> None:
    """Compress images into an archive."""
    from compressnet import api
    from compressnet.images import read_labels
    from compressnet.targets import sample_sizes

    target = _parse_target(quality, target_psnr, target_bytes, max_mse)
    if output != STREAM:
        _require_free(Path(output), force=force)
    chosen_labels = None if labels is None else read_labels(labels)
    collection = _open_input(source)
    loaded = api.load(codec, backend.value, threads)
    if target is not None:
        sample = collection.sample(sample_sizes(effort)[1])
        quality = _reach(target, loaded, sample, effort, block_images, quiet=quiet)
    with progress_bar("compress", collection.count, quiet=quiet) as report:
        written = api.compress(
            collection.batches(),
            sys.stdout.buffer if output == STREAM else Path(output),
            loaded,
            quality=quality,
            effort=effort,
            block_images=block_images,
            labels=chosen_labels,
            embed_codec=embed_codec,
            report=report,
        )
    if not quiet and output != STREAM:
        per_image = written.archive_bytes / written.images
        shown = loaded.default_quality if quality is None else quality
        console.print(
            f"{output}: {written.images} images, {written.archive_bytes} bytes, {per_image:.2f} an image, "
            f"quality {shown}"
        )


def _parse_target(
    quality: int | None, target_psnr: float | None, target_bytes: float | None, max_mse: float | None
) -> Target | None:
    """The one target that was given, or none."""
    from compressnet.targets import Target

    if sum(value is not None for value in (quality, target_psnr, target_bytes, max_mse)) > 1:
        fail("give one of --quality, --target-psnr, --target-bytes and --max-mse", USAGE)
    if target_psnr is not None:
        return Target(measure="psnr", value=target_psnr)
    if target_bytes is not None:
        return Target(measure="bytes", value=target_bytes)
    return None if max_mse is None else Target(measure="mse", value=max_mse)


def _reach(target: Target, codec: Codec, images: Any, effort: int, block_images: int, *, quiet: bool) -> int:
    """The quality for a target; says so on stderr where it is missed by more than the tolerance."""
    from compressnet.targets import find_quality

    with errors_status(quiet=quiet) as report:
        report("look for the quality")
        reached = find_quality(codec, images, target, effort=effort, block_images=block_images)
    missed = reached.misses(target)
    if missed and not quiet:
        errors_console.print(f"compressnet: {missed}")
    return reached.quality


def _parse_select(text: str | None, images: int) -> slice:
    """`A:B` as Python slices it. Raises InputError where that selects nothing."""
    if text is None:
        return slice(0, images)
    try:
        first, last = (int(part) if part else None for part in text.split(":"))
    except ValueError:
        fail(f"--select {text}: give a range such as 100:200, 100: or :200", USAGE)
    start, stop, _ = slice(first, last).indices(images)
    if start >= stop:
        raise InputError(f"--select {text}: selects none of the {images} images")
    return slice(start, stop)


@app.command()
@guarded
def decompress(
    source: Annotated[str, typer.Argument(metavar="ARCHIVE", help="An archive; - for stdin.")],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help=".npy, .npz, *-ubyte(.gz), else a folder of PNGs; - for .npy on stdout.",
        ),
    ],
    select: Annotated[str | None, typer.Option(metavar="A:B", help="Only images A to B-1.")] = None,
    codec: Annotated[str | None, typer.Option(help="The codec, where the archive lacks it.")] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    backend: BackendOption = BackendChoice.onnx,
    threads: ThreadsOption = None,
) -> None:
    """Decompress an archive into images."""
    from compressnet.images import write_collection, write_npy

    if output != STREAM:
        _require_free(Path(output), force=force)
    with _open_archive(source, codec, backend, threads) as archive:
        chosen = _parse_select(select, len(archive))
        shape = (chosen.stop - chosen.start, *archive.shape[1:])
        labels = archive.labels
        with progress_bar("decompress", shape[0], quiet=quiet) as report:
            batches = _selected(archive, chosen, report)
            if output == STREAM:
                write_npy(sys.stdout.buffer, batches, shape)
                return
            labels = None if labels is None else labels[chosen]
            write_collection(Path(output), batches, shape, labels, overwrite=force)
    if not quiet:
        console.print(f"{output}: {shape[0]} images")


def _selected(archive: Archive, chosen: slice, report: Callable[[int], None]) -> Iterator[Any]:
    """The chosen images as arrays, some thousand at a time."""
    step = 4096
    for start in range(chosen.start, chosen.stop, step):
        stop = min(start + step, chosen.stop)
        yield archive[start:stop]
        report(stop - chosen.start)


@app.command()
@guarded
def evaluate(
    source: InputArgument = "mnist",
    codec: CodecOption = "mnist",
    quality: QualityOption = None,
    target_psnr: TargetPsnrOption = None,
    target_bytes: TargetBytesOption = None,
    max_mse: MaxMseOption = None,
    effort: EffortOption = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first images.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    backend: BackendOption = BackendChoice.onnx,
    threads: ThreadsOption = None,
) -> None:
    """Measure a codec on images: four ways through it, and the bytes on disk."""
    from compressnet import api
    from compressnet.bench.evaluate import evaluate as measure

    target = _parse_target(quality, target_psnr, target_bytes, max_mse)
    images = _open_input(source).load(limit)
    loaded = api.load(codec, backend.value, threads)
    if target is not None:
        quality = _reach(target, loaded, images, effort, api.BLOCK_IMAGES, quiet=quiet)
    with errors_status(quiet=quiet) as report:
        result = measure(images, loaded, quality=quality, effort=effort, backend=backend.value, report=report)
    if as_json:
        print(json.dumps(result.as_json()))
    elif not quiet:
        print_evaluation(result)
    if effort == 1 and not result.identical:
        fail("the four ways through the codec gave different pixels", FAILED)


@contextlib.contextmanager
def errors_status(*, quiet: bool) -> Generator[Callable[[str], None]]:
    """A spinner on stderr where that is a terminal; gives what takes the step that comes next."""
    if quiet or not errors_console.is_terminal:
        yield lambda _: None
        return
    with errors_console.status("load") as status:
        yield status.update


def print_evaluation(result: Evaluation) -> None:
    """The figures, for people."""
    table = Table(
        title=f"{result.images} images, codec {result.codec}, quality {result.quality}, effort {result.effort}"
    )
    for name in ("path", "MSE", "PSNR", "PSNR, mean", "SSIM", "pixels"):
        table.add_column(name, justify="left" if name in ("path", "pixels") else "right")

    def number(value: float | None, digits: int, unit: str = "") -> str:
        return "-" if value is None else f"{value:.{digits}f}{unit}"

    for row in result.rows:
        q = row.quality
        table.add_row(
            row.path,
            number(q.mse, 6),
            number(q.psnr, 2, " dB"),
            number(q.psnr_mean, 2, " dB"),
            number(q.ssim, 4),
            row.pixels_sha256[:12],
        )
    console.print(table)
    same = "all four ways gave the same pixels, to the bit" if result.identical else "THE PIXELS DIFFER"
    console.print(
        f"archive on disk: {result.archive_bytes} bytes, {result.bytes_per_image:.2f} an image "
        f"(ideal code length {result.ideal_bytes_per_image:.2f}); {same}"
    )
    amortised = (result.archive_bytes + result.codec_bytes) / result.images
    console.print(
        f"decoding needs the codec: {result.codec_bytes} bytes if embedded, "
        f"{amortised:.2f} bytes an image amortised over {result.images}"
    )


@app.command()
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
    _require_free(output, force=force)
    training = import_training()
    images = _open_input(source).load()
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
    with _progress(quiet=quiet) as progress:
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


@app.command()
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


@app.command()
@guarded
def info(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An archive, a .codec file or a shipped codec's name.")],
    as_json: JsonOption = False,
) -> None:
    """Describe an archive or a codec."""
    from compressnet.describe import describe

    document = describe(file)
    if as_json:
        print(json.dumps(document))
        return
    for key, value in document.items():
        console.print(f"{key}: {value}")


@app.command()
@guarded
def verify(
    source: Annotated[str, typer.Argument(metavar="ARCHIVE", help="An archive; - for stdin.")],
    codec: Annotated[str | None, typer.Option(help="The codec, where the archive lacks it.")] = None,
    quiet: QuietOption = False,
    backend: BackendOption = BackendChoice.onnx,
    threads: ThreadsOption = None,
) -> None:
    """Check every checksum of an archive and decode every block."""
    with _open_archive(source, codec, backend, threads) as archive:
        with progress_bar("verify", len(archive), quiet=quiet) as report:
            archive.check(report)
        if not quiet:
            console.print(f"{source}: {len(archive)} images, all well")


@app.command()
@guarded
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where to write.")] = Path(),
    quiet: QuietOption = False,
    backend: BackendOption = BackendChoice.onnx,
    threads: ThreadsOption = None,
) -> None:
    """Pack MNIST's 10,000 test images, read them back, and show the figures."""
    from compressnet import api
    from compressnet.bench.demo import SINGLE_IMAGE, run_demo

    with errors_status(quiet=quiet) as report:
        result = run_demo(api.load("mnist", backend.value, threads), output, report)
    if quiet:
        return
    images = result.evaluation.images
    table = Table(title=f"MNIST's {images} test images")
    table.add_column("as")
    table.add_column("bytes", justify="right")
    table.add_column("bytes an image", justify="right")
    for name, total in (
        ("raw pixels", result.raw_bytes),
        ("gzip -9", result.gzip_bytes),
        (f"{result.archive.name}, with labels", result.archive_bytes),
        ("the same without labels", result.evaluation.archive_bytes),
    ):
        table.add_row(name, str(total), f"{total / images:.2f}")
    console.print(table)
    console.print(f"image {SINGLE_IMAGE} read back on its own: a {result.single_label}")
    print_evaluation(result.evaluation)
    console.print(f"wrote {result.archive} and {result.picture}")


def run() -> None:
    """The entry point: a closed pipe ends the program quietly."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(FAILED) from None


if __name__ == "__main__":
    run()
