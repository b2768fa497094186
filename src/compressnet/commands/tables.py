"""What commands print for people: tables and advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compressnet.commands.console import console

if TYPE_CHECKING:
    from rich.table import Table

    from compressnet.bench.evaluate import Evaluation
    from compressnet.bench.mixed import Mixed
    from compressnet.bench.points import Bench
    from compressnet.packing.advice import Advice


def make_table(title: str | None = None) -> Table:
    """An empty table."""
    from rich.table import Table

    return Table(title=title)


def tell_advice(advice: Advice) -> None:
    """A table, and a sentence."""
    table = make_table()
    for column in ("", "bytes", "bytes/image", "PSNR dB", ""):
        table.add_column(column, justify="left" if not column else "right")
    for row in advice.rows:
        psnr = "lossless" if row.psnr is None else f"{row.psnr:.2f}"
        table.add_row(row.name, str(row.total_bytes), f"{row.total_bytes / advice.images:.1f}", psnr, row.note)
    console.print(table)
    for line in (*advice.left_out, advice.sampling):
        if line:
            console.print(line)
    if advice.break_even_images is not None:
        console.print(f"with its codec counted, compressnet is smaller from about {advice.break_even_images} images on")
    console.print(advice.sentence)


def print_evaluation(result: Evaluation) -> None:
    """The figures, for people."""
    table = make_table(
        f"{result.images} images, codec {result.codec}, quality {result.quality}, effort {result.effort}"
    )
    for name in ("path", "MSE", "PSNR", "PSNR, mean", "SSIM", "pixels"):
        table.add_column(name, justify="left" if name in ("path", "pixels") else "right")

    def number(value: float | None, digits: int, unit: str = "") -> str:
        return "-" if value is None else f"{value:.{digits}f}{unit}"

    def decibels(value: float | None) -> str:
        return "no error" if value is None else f"{value:.2f} dB"

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
    if result.is_lossless:
        same = "every pixel came back as it was" if result.perfect else "THE PIXELS DIFFER"
    elif result.identical:
        same = "all four ways gave the same pixels, to the bit"
        if result.lossless_images:
            same += f", but for {result.lossless_images} images that the archive holds without loss, as that is smaller"
    elif result.effort > 1:
        same = "the archive's pixels differ, as its symbols were searched for"
    else:
        same = "THE PIXELS DIFFER"
    console.print(
        f"archive on disk: {result.archive_bytes} bytes, {result.bytes_per_image:.2f} an image "
        f"(ideal code length {result.ideal_bytes_per_image:.2f}); {same}"
    )
    if not result.is_lossless:
        spread = result.spread
        worst = ", ".join(f"{image} ({number(psnr, 2)})" for image, psnr in spread.worst)
        console.print(
            f"image by image, in the archive: at least {decibels(spread.minimum)}, one in a hundred below "
            f"{decibels(spread.percentile_1)}, half below {decibels(spread.median)}; the worst are {worst}"
        )
    amortised = (result.archive_bytes + result.codec_bytes) / result.images
    console.print(
        f"decoding needs the codec: {result.codec_bytes} bytes if embedded, "
        f"{amortised:.2f} bytes an image amortised over {result.images}"
    )
    for line in result.remarks:
        console.print(line)


def print_rates(document: dict[str, Any]) -> None:
    """The BD-rates of bench.json."""
    table = make_table(f"{document['source']}, {document['images']} images: bytes at equal PSNR (BD-rate)")
    for name in ("rival", "compressnet", "BD-rate", "over"):
        table.add_column(name, justify="right" if name == "BD-rate" else "left")
    for row in document["bd_rate"]:
        interval = row["psnr_interval"]
        shown = "-" if row["percent"] is None else f"{row['percent']:+.1f} %"
        over = row["note"] if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f} dB"
        table.add_row(row["rival"], row["curve"], shown, over)
    console.print(table)


def print_lossless(result: Bench) -> None:
    """What loses nothing, each codec and mode at its best setting; report.html has the others."""
    from compressnet.bench.lossless import best_rows, lossless_rows

    table = make_table("lossless, the best setting of each, compressnet's codec not counted")
    for name in ("codec", "mode", "bytes/image", "bits/pixel", "encoded/s", "decoded/s"):
        table.add_column(name, justify="left" if name in ("codec", "mode") else "right")
    for row in best_rows(lossless_rows(result)):
        name, mode, _setting, _images, *figures = row.texts
        table.add_row(name, mode, *figures)
    if table.row_count:
        console.print(table)


def print_mixed(result: Mixed) -> None:
    """Every lossless rival of a collection of any sizes, and what was left out."""
    from compressnet.bench.mixed import MIXED_HEADER

    exact = all(row.fault is None for row in result.rows)
    every = "every value came back" if exact else "what is not exact stands last"
    table = make_table(f"{result.source}: {result.images} images, {result.raw_bytes} bytes of values; {every}")
    for name in MIXED_HEADER:
        table.add_column(name, justify="left" if name in ("codec", "layout", "alone") else "right")
    for row in result.rows:
        table.add_row(*row.texts)
    console.print(table)
    for line in result.remarks:
        console.print(line)
