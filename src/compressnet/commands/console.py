"""How commands speak: errors and exit codes, progress, what goes to which stream."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from compressnet.errors import CodecError, CompressnetError, FormatError

if TYPE_CHECKING:
    from rich.progress import Progress

FAILED, USAGE, CORRUPT, NO_CODEC, INTERRUPTED = 1, 2, 3, 4, 130
errors_console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False)
console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
F = TypeVar("F", bound=Callable[..., Any])


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
    with make_progress(quiet=quiet) as progress:
        task = progress.add_task(description, total=total)
        yield lambda done: progress.update(task, completed=done)


def make_progress(*, quiet: bool) -> Progress:
    """Bars on stderr, where that is a terminal."""
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


@contextlib.contextmanager
def status_line(*, quiet: bool) -> Generator[Callable[[str], None]]:
    """A spinner on stderr where that is a terminal; gives what takes the step that comes next."""
    if quiet or not errors_console.is_terminal:
        yield lambda _: None
        return
    with errors_console.status("load") as status:
        yield status.update
