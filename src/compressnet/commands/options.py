"""What the commands share: consoles, options, exit codes, errors as one line, progress.

Exit codes: 0 fine, 1 failed, 2 usage, 3 corrupt archive or codec, 4 wrong or missing codec, 130
interrupted. Figures go to stdout, progress and errors to stderr.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compressnet.commands.console import USAGE, errors_console, fail, status_line

if TYPE_CHECKING:
    from compressnet.archive.archive import Archive
    from compressnet.codec.codec import BackendName, Codec
    from compressnet.limits import Limits
    from compressnet.packing.targets import Target

STREAM = "-"
_NUMBER = re.compile(r"(\d{1,15}(?:\.\d{1,9})?(?:e\d{1,2})?)([kMGT]?)")
_UNITS = {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
CodecOption = Annotated[str, typer.Option("--codec", help="A shipped codec's name, or a .codec file.")]
ChosenCodecOption = Annotated[
    str | None,
    typer.Option(
        "--codec",
        help="A shipped codec's name, or a .codec file; by default what takes the fewest bytes on a sample, of the "
        "shipped codecs and what is learned from the images themselves.",
    ),
]
LosslessOption = Annotated[bool, typer.Option("--lossless", help="Every value as it was: quality 100.")]
SolidOption = Annotated[
    bool,
    typer.Option("--solid", help="Without a codec: one stream of all, the smallest, from which none is read alone."),
]
ChosenEffortOption = Annotated[
    int | None,
    typer.Option(
        "--effort",
        min=1,
        max=9,
        help="How long to search for cheaper symbols, by default 1; without a codec how much is learned, by default 5.",
    ),
]
QualityOption = Annotated[
    int | None,
    typer.Option("--quality", min=0, max=100, help="0 to 99, or 100 for no loss; by default the codec's own."),
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
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="Threads; by default all processors.")]
ForceOption = Annotated[bool, typer.Option("-f", "--force", help="Overwrite what is there.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")]
MaxErrorOption = Annotated[
    int | None,
    typer.Option(
        "--max-error",
        min=0,
        max=255,
        metavar="E",
        help="Largest error of any value. 0: lossless; quality 100, if no --quality is given and the codec has that.",
    ),
]
MinPsnrOption = Annotated[
    float | None, typer.Option("--min-psnr", min=0, metavar="DB", help="Every image has this PSNR.")
]
ExactAlphaOption = Annotated[bool, typer.Option("--exact-alpha", help="Keep the colour under alpha 0.")]
BlockImagesOption = Annotated[int, typer.Option("--block-images", min=1, max=65536, help="Images of a block, at most.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of all randomness.")]
ReadingCodecOption = Annotated[str | None, typer.Option("--codec", help="The codec, where the archive lacks it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]
LimitsOption = Annotated[
    str | None,
    typer.Option(
        "--limits",
        metavar="memory=M,work=W",
        help="What opening, and reading one image, may take, such as memory=2G,work=1e12: bytes, and steps, of which "
        "a processor does some 4e10 a second. By default 300M and 4e10, for files that you do not trust.",
    ),
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first images.")]
AdviseOption = Annotated[bool, typer.Option("--advise/--no-advise", help="Compare with general codecs at the end.")]


class BackendChoice(str, Enum):
    """What runs the networks."""

    native = "native"
    onnx = "onnx"
    numpy = "numpy"


BackendOption = Annotated[
    BackendChoice | None,
    typer.Option("--backend", help="What runs the networks: by default native, or numpy without a compiled core."),
]


def backend_name(backend: BackendChoice | None) -> BackendName | None:
    """What the library calls a backend."""
    return None if backend is None else backend.value


def local_path(text: str) -> Path:
    """A path of this machine, for what is written step by step, as `parser` of an option."""
    from compressnet.remote import Url, located

    path = located(text)
    if isinstance(path, Url):
        raise typer.BadParameter(f"{text}: has to be on this machine; give a path, and copy the result")
    return path


def require_target_free(path: str | Path, *, force: bool) -> None:
    """Raises InputError where the target exists and `force` is not set."""
    from compressnet.images import require_free

    require_free(path, overwrite=force)


def parse_limits(text: str | None) -> Limits:
    """`memory=2G,work=1e12`: both limits, or one and the other's default."""
    from compressnet.limits import DEFAULT_LIMITS

    given = dict[str, int]()
    for part in [] if text is None else text.split(","):
        name, _, number = part.partition("=")
        found = _NUMBER.fullmatch(number)
        if found is None or name not in ("memory", "work") or name in given:
            fail(f"--limits {text}: give memory=BYTES, work=STEPS or both, such as memory=2G,work=1e12", USAGE)
        given[name] = int(float(found[1]) * _UNITS[found[2]])
    return replace(DEFAULT_LIMITS, **given)


def open_archive(
    source: str, codec: str | None, backend: BackendChoice | None, threads: int | None, limits: str | None = None
) -> Archive:
    """The archive of ARCHIVE, - being standard input. Raises CompressnetError."""
    from compressnet.archive import opening
    from compressnet.container.container import Container
    from compressnet.container.sources import BytesSource

    if source == STREAM:
        container = Container(BytesSource(sys.stdin.buffer.read(), "standard input"), parse_limits(limits))
        return opening.open_container(container, codec, backend_name(backend), threads)
    return opening.open(source, codec, backend_name(backend), threads, parse_limits(limits))


def parse_selection(text: str, images: int) -> list[int]:
    """`A:B,C,...` as numbers, each part as Python slices and indexes."""
    chosen: list[int] = []
    for part in text.split(","):
        try:
            numbers = [int(number) if number.strip() else None for number in part.split(":")]
            if len(numbers) == 1 and numbers[0] is not None:
                chosen.append(range(images)[numbers[0]])
            else:
                chosen += range(images)[slice(*numbers)]
        except (ValueError, TypeError):
            fail(f"--select {text}: give numbers and ranges, such as 3,10:20,-1", USAGE)
        except IndexError:
            fail(f"--select {text}: {part} is not among the {images} images", USAGE)
    return chosen


def parse_target(
    quality: int | None, target_psnr: float | None, target_bytes: float | None, max_mse: float | None
) -> Target | None:
    """The one target that was given, or none."""
    from compressnet.packing.targets import Target

    if sum(value is not None for value in (quality, target_psnr, target_bytes, max_mse)) > 1:
        fail("give one of --quality, --target-psnr, --target-bytes and --max-mse", USAGE)
    if target_psnr is not None and not 0 <= target_psnr < math.inf:
        fail(f"--target-psnr {target_psnr:g}: give a number of dB from 0 on", USAGE)
    if target_bytes is not None and not 0 < target_bytes < math.inf:
        fail(f"--target-bytes {target_bytes:g}: give a number above 0", USAGE)
    if max_mse is not None and not 0 <= max_mse <= 1:
        fail(f"--max-mse {max_mse:g}: give a number from 0 to 1", USAGE)
    if target_psnr is not None:
        return Target(measure="psnr", value=target_psnr)
    if target_bytes is not None:
        return Target(measure="bytes", value=target_bytes)
    return None if max_mse is None else Target(measure="mse", value=max_mse)


def reach(
    target: Target,
    codec: Codec,
    images: Any,
    effort: int,
    block_images: int,
    *,
    quiet: bool,
    embed_codec: bool | None = None,
    collection_images: int | None = None,
) -> int:
    """The quality for a target.

    Says so on stderr where it is missed by more than the tolerance.
    """
    from compressnet.packing.targets import find_quality

    with status_line(quiet=quiet) as report:
        report("look for the quality")
        reached = find_quality(
            codec,
            images,
            target,
            effort=effort,
            block_images=block_images,
            embed_codec=embed_codec,
            collection_images=collection_images,
        )
    missed = reached.misses(target)
    if missed and not quiet:
        errors_console.print(f"compressnet: {missed}")
    return reached.quality


class PresetChoice(str, Enum):
    """How long to train."""

    fast = "fast"
    balanced = "balanced"
    best = "best"


PresetOption = Annotated[
    PresetChoice, typer.Option(help="How long to train: about 3, 20 or 120 minutes on two processors.")
]
