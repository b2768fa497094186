"""Every error that compressnet raises on purpose, and its one warning.

    CompressnetError                  the root: `except CompressnetError` catches all of ours
    ├── InputError (ValueError)       images, labels or arguments that cannot be used
    │   └── PictureError              a single picture that cannot be taken
    ├── FormatError (ValueError)      bytes that are no archive, block or codec of ours
    │   └── CorruptError              ours, but damaged: a checksum, length or limit is off
    │       └── BeyondLimitsError     reading it would take more memory or work than is allowed
    ├── CodecError                    the codec is not the one that the data needs
    │   ├── CodecNotFoundError        no codec of that name or identity at hand
    │   └── CodecRefusedError         it loads, but a backend does not reproduce its probe
    ├── MissingExtraError             an optional dependency is not installed
    ├── EngineError                   workers or a scheduler of other processes are gone
    └── DefectError                   compressnet's check of its own work failed: a bug of ours

    SlowerWarning (UserWarning)       something works as it should, but slower than it could

The exit codes of the command line follow the tree: FormatError is 3, CodecError 4, and InputError
and all others 1; the warning is a line on stderr. Every message names the thing, the fault and the
way out.
"""


class CompressnetError(Exception):
    """The root of all errors that compressnet raises on purpose."""


class InputError(CompressnetError, ValueError):
    """Images, labels or arguments that cannot be used."""


class PictureError(InputError):
    """A single picture that cannot be taken; `why` says so in few words, alike for all like it."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


class FormatError(CompressnetError, ValueError):
    """Bytes that are no archive, block or codec of compressnet."""


class CorruptError(FormatError):
    """An archive, block or codec that is damaged or cut off."""


class BeyondLimitsError(CorruptError):
    """What would take more memory or work than `Limits` allow: damaged, made to hurt, or large."""


class CodecError(CompressnetError):
    """The codec is not the one that the data needs."""


class CodecNotFoundError(CodecError):
    """No codec of that name or identity is at hand."""


class CodecRefusedError(CodecError):
    """A backend that does not reproduce the codec's probe."""


class MissingExtraError(CompressnetError, ImportError):
    """An optional dependency that is not installed."""


class EngineError(CompressnetError):
    """Processes that do the work, or the scheduler that leads them, are gone."""


class DefectError(CompressnetError):
    """A check of compressnet's own work that failed: neither the input nor a file is at fault."""

    def __str__(self) -> str:
        return f"{super().__str__()}; this is a bug of compressnet, please report it"


class SlowerWarning(UserWarning):
    """Something that works as it should, but slower than it could."""
