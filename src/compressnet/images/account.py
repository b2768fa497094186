"""What became of everything that a collection was read from: nothing is lost in silence.

ledger = Ledger()            # while the source is gone through
ledger.leave_out("no picture", "notes.txt")
account = ledger.account(labels="class folders (cat, dog)", names="as in the source")
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from compressnet.errors import InputError

NAMED = 3
"""Names that are given of each kind of thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing that is to be said of some files, arrays or columns."""

    what: str
    names: tuple[str, ...]

    @property
    def endings(self) -> dict[str, int]:
        """How many names there are of each ending, such as `.txt`; the most frequent first."""
        return dict(Counter(PurePosixPath(name).suffix.lower() for name in self.names).most_common())

    def as_json(self) -> dict[str, Any]:
        """The figures, and the first names."""
        return {
            "what": self.what,
            "count": len(self.names),
            "endings": self.endings,
            "first": list(self.names[:NAMED]),
        }

    def text(self) -> str:
        """The same in words."""
        listed = ", ".join(f"{count} {ending or 'without ending'}" for ending, count in self.endings.items())
        endings = f" ({listed})" if any(self.endings) else ""
        more = ", ..." if len(self.names) > NAMED else ""
        return f"{self.what}{endings}: {', '.join(self.names[:NAMED])}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a collection was made of, and what did not come along."""

    left_out: tuple[Note, ...] = ()
    """Files, arrays and columns that are not in the collection, by reason."""
    skipped: tuple[Note, ...] = ()
    """Broken and unsupported pictures that were left out, as `Reading.skip_bad` says."""
    dropped: tuple[Note, ...] = ()
    """What was not kept of pictures that were taken: a colour profile, or labels."""
    changed: tuple[Note, ...] = ()
    """What was taken otherwise than it stands: turned, of another mode or name."""
    labels: str = ""
    """Where the labels come from, or why there are none."""
    names: str = ""
    """Where the names come from, or why there are none."""
    copied: str = ""
    """What was copied to this machine to be read, and from where."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left out or dropped."""
        return not (self.left_out or self.skipped or self.dropped)

    def require_complete(self, source: str) -> None:
        """Raises InputError where something was left out or dropped."""
        if not self.is_complete:
            raise InputError(f"{source}: --strict: {'; '.join(self._losses())}")

    def lines(self) -> list[str]:
        """A line for each thing that a user should know."""
        changed = [f"{len(note.names):,} changed, {note.text()}" for note in self.changed]
        about = [
            f"{noun}: {text}"
            for noun, text in (("labels", self.labels), ("names", self.names), ("copied", self.copied))
            if text
        ]
        return [*self._losses(), *changed, *about]

    def _losses(self) -> list[str]:
        columns = (("left out", self.left_out), ("skipped", self.skipped), ("dropped", self.dropped))
        return [f"{len(note.names):,} {verb}, {note.text()}" for verb, notes in columns for note in notes]

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        notes = {
            "left_out": self.left_out,
            "skipped": self.skipped,
            "dropped": self.dropped,
            "changed": self.changed,
        }
        lists = {key: [note.as_json() for note in found] for key, found in notes.items()}
        return {**lists, "labels": self.labels, "names": self.names, "copied": self.copied}


@dataclass(slots=True)
class Ledger:
    """Collects an account while a source is gone through."""

    _notes: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def leave_out(self, why: str, name: str) -> None:
        """A file, array or column is not in the collection."""
        self._add("left_out", why, name)

    def skip(self, why: str, name: str) -> None:
        """A broken or unsupported picture is left out."""
        self._add("skipped", why, name)

    def drop(self, what: str, name: str) -> None:
        """Something of what was taken is not kept."""
        self._add("dropped", what, name)

    def change(self, what: str, name: str) -> None:
        """Something was taken otherwise than it stands."""
        self._add("changed", what, name)

    def _add(self, column: str, what: str, name: str) -> None:
        self._notes.setdefault(column, {}).setdefault(what, []).append(name)

    def account(self, *, labels: str, names: str) -> Account:
        """All of it."""
        return Account(
            left_out=self._column("left_out"),
            skipped=self._column("skipped"),
            dropped=self._column("dropped"),
            changed=self._column("changed"),
            labels=labels,
            names=names,
        )

    def _column(self, column: str) -> tuple[Note, ...]:
        found = self._notes.get(column, {})
        return tuple(Note(what=what, names=tuple(names)) for what, names in found.items())


def merged(accounts: Sequence[Account]) -> Account:
    """The account of several sources that are read one after the other."""

    def join(columns: Iterable[tuple[Note, ...]]) -> tuple[Note, ...]:
        names_of: dict[str, list[str]] = {}
        for note in (note for notes in columns for note in notes):
            names_of.setdefault(note.what, []).extend(note.names)
        return tuple(Note(what=what, names=tuple(names)) for what, names in names_of.items())

    return Account(
        left_out=join(account.left_out for account in accounts),
        skipped=join(account.skipped for account in accounts),
        dropped=join(account.dropped for account in accounts),
        changed=join(account.changed for account in accounts),
        labels="; ".join(dict.fromkeys(account.labels for account in accounts if account.labels)),
        names="; ".join(dict.fromkeys(account.names for account in accounts if account.names)),
        copied="; ".join(dict.fromkeys(account.copied for account in accounts if account.copied)),
    )
