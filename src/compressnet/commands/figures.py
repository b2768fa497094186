"""Commands that measure: evaluate, bench and demo."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compressnet.commands.console import (
    FAILED,
    USAGE,
    console,
    errors_console,
    fail,
    guarded,
    make_progress,
    status_line,
)
from compressnet.commands.inputs import ConvertOption, InputArgument, SkipBadOption, open_input
from compressnet.commands.options import (
    BackendOption,
    CodecOption,
    EffortOption,
    ExactAlphaOption,
    JsonOption,
    LimitOption,
    MaxMseOption,
    QualityOption,
    QuietOption,
    TargetBytesOption,
    TargetPsnrOption,
    ThreadsOption,
    backend_name,
    local_path,
    parse_target,
    reach,
)
from compressnet.commands.tables import make_table, print_evaluation, print_lossless, print_mixed, print_rates

if TYPE_CHECKING:
    from compressnet.bench.evaluate import Evaluation
    from compressnet.bench.mixed import Mixed
    from compressnet.bench.sets import ImageSets
    from compressnet.codec.codec import Codec


@guarded
def evaluate(
    source: InputArgument = "mnist",
    codec: CodecOption = "mnist",
    quality: QualityOption = None,
    target_psnr: TargetPsnrOption = None,
    target_bytes: TargetBytesOption = None,
    max_mse: MaxMseOption = None,
    effort: EffortOption = 1,
    limit: LimitOption = None,
    convert: ConvertOption = False,
    skip_bad: SkipBadOption = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", parser=local_path, help="Write a page as well.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Measure a codec on images: four ways through it (one at quality 100), and bytes on disk.

    Images of any sizes and modes; those that it has no network for are in the archive alone.
    """
    from dataclasses import replace

    from compressnet import api
    from compressnet.archive.writing.settings import BLOCK_IMAGES
    from compressnet.bench.evaluate import evaluate as measure
    from compressnet.bench.sets import ImageSets

    target = parse_target(quality, target_psnr, target_bytes, max_mse)
    collection = open_input(source, convert=convert, skip_bad=skip_bad)
    images = ImageSets.of(collection.arrays(limit))
    account = replace(collection.account, labels="", names="")
    loaded = api.load(codec, backend_name(backend), threads)
    if target is not None:
        quality = reach(target, loaded, images.sets, effort, BLOCK_IMAGES, quiet=quiet, embed_codec=False)
    with status_line(quiet=quiet) as tell:
        result = measure(
            images.in_order(), loaded, quality=quality, effort=effort, backend=backend_name(backend), report=tell
        )
        if report is not None:
            _write_report(report, result, images, loaded, source)
    says_account = result.kinds > 1 or convert or skip_bad
    if as_json:
        told = {"account": account.as_json()} if says_account else {}
        print(json.dumps(result.as_json() | told))
    elif not quiet:
        print_evaluation(result)
        for line in account.lines() if says_account else []:
            console.print(line)
    if result.is_lossless and not result.perfect:
        fail("pixels came back from the archive that are not those of the images", FAILED)
    if effort == 1 and not result.identical:
        fail("the four ways through the codec gave different pixels", FAILED)


def _write_report(path: Path, result: Evaluation, images: ImageSets, codec: Codec, source: str) -> None:
    from compressnet.bench.measure import inspect
    from compressnet.bench.report import render_evaluation
    from compressnet.files import atomic_write

    inspected = inspect(images, codec, result.quality, result.effort)
    atomic_write(path, render_evaluation(result, inspected, source).encode())


@guarded
def bench(
    source: InputArgument,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", parser=local_path, help="The folder to write into.")
    ] = None,
    codec: Annotated[
        str | None, typer.Option("--codec", help="A shipped codec's name, or a .codec file; mnist, but for --lossless.")
    ] = None,
    quality: Annotated[
        int | None, typer.Option(metavar="100", help="100: only what loses nothing; by default, curves as well.")
    ] = None,
    lossless: Annotated[
        bool,
        typer.Option("--lossless", help="Only what loses nothing, on images of any sizes, modes and depths together."),
    ] = False,
    exact_alpha: ExactAlphaOption = False,
    limit: LimitOption = None,
    rivals: Annotated[str | None, typer.Option(metavar="A,B,...", help="Only these; by default all.")] = None,
    efforts: Annotated[str, typer.Option(metavar="E,F,...", help="Efforts of compressnet.")] = "1,5,9",
    psnr_range: Annotated[str | None, typer.Option(metavar="LO:HI", help="Interval of the BD-rates, in dB.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = None,
) -> None:
    """Compare compressnet with other codecs: curves, BD-rates, lossless figures and times."""
    from compressnet import api

    chosen_rivals = None if rivals is None else rivals.split(",")
    if lossless:
        loaded = None if codec is None else api.load(codec, threads=threads)
        result = _measure_mixed(source, loaded, chosen_rivals, limit, exact_alpha=exact_alpha, quiet=quiet)
        _tell_mixed(result, output, as_json=as_json, quiet=quiet)
        return
    if output is None:
        fail("bench needs -o DIR, but for --lossless", USAGE)
    if exact_alpha:
        fail("--exact-alpha goes with --lossless", USAGE)
    from compressnet.bench.measure import run_bench, run_lossless
    from compressnet.bench.report import write_bench
    from compressnet.coding.coder import LOSSLESS_QUALITY

    if quality not in (None, LOSSLESS_QUALITY):
        fail(f"--quality {quality}: give 100, for lossless codecs alone; without it, curves show all qualities", USAGE)
    try:
        chosen_efforts = [int(effort) for effort in efforts.split(",")]
    except ValueError:
        fail(f"--efforts {efforts}: give numbers from 1 to 9, such as 1,9", USAGE)
    interval = None if psnr_range is None else _parse_interval(psnr_range)
    images = open_input(source).load(limit, "bench takes one size and mode; 'evaluate' and 'bench --lossless' take any")
    loaded = api.load("mnist" if codec is None else codec, threads=threads)
    with make_progress(quiet=quiet) as progress:
        task = progress.add_task("bench", total=None)

        def tell(done: int, total: int, name: str) -> None:
            progress.update(task, completed=done, total=total, description=name)

        if quality is None:
            result = run_bench(images, source, loaded, rivals=chosen_rivals, efforts=chosen_efforts, report=tell)
        else:
            result = run_lossless(images, source, loaded, rivals=chosen_rivals, report=tell)
    document = write_bench(result, output, interval)
    if as_json:
        print(json.dumps(document))
    elif not quiet:
        if quality is None:
            print_rates(document)
        print_lossless(result)
        for failure in result.failures:
            errors_console.print(f"compressnet: {failure.codec}, {failure.mode} failed: {failure.error}")
        curves = ", rate-distortion.png, rate-distortion.svg and " if quality is None else " and "
        console.print(f"wrote bench.json{curves}report.html into {output}")


def _measure_mixed(
    source: str, codec: Codec | None, rivals: Sequence[str] | None, limit: int | None, *, exact_alpha: bool, quiet: bool
) -> Mixed:
    """Every lossless rival on images of any sizes, and compressnet with a codec or without."""
    from compressnet.bench.mixed import own_rows, run_mixed
    from compressnet.bench.points import COMPRESSNET
    from compressnet.bench.rivals.lossless.family import lossless_rivals
    from compressnet.bench.rivals.lossless.stacks import make_stacks

    chosen = lossless_rivals(rivals)
    stacks = make_stacks(open_input(source, deep=True).batches(), hidden_colour=exact_alpha, limit=limit)
    with status_line(quiet=quiet) as tell:
        tell(COMPRESSNET)
        own = own_rows(stacks, codec, exact_alpha=exact_alpha)
        return run_mixed(stacks, source, chosen, own, lambda done, total, title: tell(f"{title} ({done}/{total})"))


def _tell_mixed(result: Mixed, output: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Print a table or JSON, and write lossless.json where a folder is given."""
    from compressnet.files import atomic_write

    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        atomic_write(output / "lossless.json", (json.dumps(result.as_json(), indent=1) + "\n").encode())
    if as_json:
        print(json.dumps(result.as_json()))
    elif not quiet:
        print_mixed(result)
        if output is not None:
            console.print(f"wrote lossless.json into {output}")


def _parse_interval(text: str) -> tuple[float, float]:
    """`LO:HI` in dB."""
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        fail(f"--psnr-range {text}: give two numbers, such as 24:32", USAGE)
    return low, high


@guarded
def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", parser=local_path, help="Where to write.")
    ] = Path(),
    quiet: QuietOption = False,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Pack MNIST's 10,000 test images, read them back, and show the figures."""
    from compressnet import api
    from compressnet.bench.demo import SINGLE_IMAGE, run_demo

    with status_line(quiet=quiet) as report:
        result = run_demo(api.load("mnist", backend_name(backend), threads), output, report)
    if quiet:
        return
    images = result.evaluation.images
    table = make_table(f"MNIST's {images} test images")
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
