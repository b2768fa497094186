"""How commands speak: errors and exit codes, progress, what goes to which stream."""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import warnings
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

from compressnet.errors import CodecError, CompressnetError, FormatError, SlowerWarning

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

FAILED, USAGE, CORRUPT, NO_CODEC, INTERRUPTED = 1, 2, 3, 4, 130
F = TypeVar("F", bound=Callable[..., Any])


class Speaker:
    """What commands say on a standard stream: lines of text, and tables, for which rich loads."""

    def __init__(self, *, stderr: bool) -> None:
        self._stderr = stderr

    def print(self, shown: str | Table) -> None:
        """A text as it is, or a table."""
        if isinstance(shown, str):
            print(shown, file=sys.stderr if self._stderr else sys.stdout, flush=True)
        else:
            self.rich.print(shown)

    @property
    def is_terminal(self) -> bool:
        """Whether somebody is looking."""
        return (sys.stderr if self._stderr else sys.stdout).isatty()

    @functools.cached_property
    def rich(self) -> Console:
        """What shows tables and progress."""
        from rich.console import Console

        return Console(stderr=self._stderr, highlight=False, soft_wrap=True, emoji=False, markup=False)


errors_console, console = Speaker(stderr=True), Speaker(stderr=False)


def fail(message: str, code: int) -> NoReturn:
    """Print one line on stderr and leave."""
    errors_console.print(f"compressnet: {shown(message)}")
    raise typer.Exit(code)


def shown(text: str) -> str:
    """A text from a file, with what is not printable escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _tell_warning(message: Warning | str, *_: object, **__: object) -> None:
    errors_console.print(f"compressnet: {message}")


def _hush_readers() -> None:
    """Our one line says what is wrong with a TIFF; what tifffile logs would be more lines."""
    logger = logging.getLogger("tifffile")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def guarded(command: F) -> F:
    """Turn errors into one line and an exit code, warnings into a line, or none where quiet."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        _hush_readers()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore" if kwargs.get("quiet") else "default", SlowerWarning)
                warnings.showwarning = _tell_warning
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
    if quiet or not errors_console.is_terminal:
        yield lambda _: None
        return
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
        console=errors_console.rich,
        transient=True,
        disable=quiet or not errors_console.is_terminal,
    )


@contextlib.contextmanager
def status_line(*, quiet: bool) -> Generator[Callable[[str], None]]:
    """A spinner on stderr where that is a terminal; gives what takes the step that comes next."""
    if quiet or not errors_console.is_terminal:
        yield lambda _: None
        return
    with errors_console.rich.status("load") as status:
        yield status.update
