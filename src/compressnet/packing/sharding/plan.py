"""What a set of archives is to be made of: inputs, the ranges of their images, and the recipe.

The cut depends on inputs and options alone, and a shard's name on all that its bytes depend on. So
a second run of the same command finds what is there.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.settings import Settings
from compressnet.errors import InputError
from compressnet.images.account import Account, Note, merged
from compressnet.images.modes import Tight

SHARD_IMAGES = 100_000
"""Images of a shard, at most."""
SHARD_NAME = re.compile(r"shard-\d{6,}-[0-9a-f]{12}\.cnet")
CODEC_NAME = "shared.codec"
"""The trained codec of a set, with its encoder; reading the set does without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """An input, as its first look tells."""

    source: str
    images: int
    seekable: bool
    """Whether a range of its images is read without reading those before."""
    labels: str | None
    """`integers`, `texts`, or None."""
    class_names: tuple[str, ...] | None
    names: bool
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What shards have besides images: what all inputs have."""

    labels: str | None
    class_names: tuple[str, ...] | None
    names: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How shards are written, all alike."""

    settings: Settings
    codec: str | None
    """The name of a shipped codec, or `CODEC_NAME` in the folder; None without a trained one."""
    identities: tuple[str, ...]
    """Of the codec's parts, in hex."""
    primer: str | None
    """The identity of the primer in the folder's shared file, in hex."""
    backend: str | None

    def as_json(self) -> dict[str, Any]:
        """For `from_json`."""
        settings = asdict(self.settings) | {"shared": sorted(one.hex() for one in self.settings.shared)}
        return asdict(self) | {"settings": settings, "identities": list(self.identities)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Recipe:
        """What `as_json` gave."""
        settings: dict[str, Any] = dict(document["settings"])
        settings["bounds"] = Bounds(**settings["bounds"])
        settings["tight"] = Tight(**settings["tight"])
        settings["shared"] = frozenset(map(bytes.fromhex, settings["shared"]))
        known: dict[str, Any] = {"settings": Settings(**settings), "identities": tuple(document["identities"])}
        return cls(**(document | known))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """An archive that is to be written: a range of an input's images."""

    source: str
    start: int
    stop: int
    file: str = ""
    sha256: str | None = None
    """Of its file, as an earlier manifest has it; a file that differs is written anew."""

    @property
    def images(self) -> int:
        """How many it holds."""
        return self.stop - self.start


def cut(surveys: Sequence[Survey], shard_images: int) -> list[Shard]:
    """The ranges of all inputs, in order, of up to so many images each.

    Those of one input are as long as one another, give or take an image.
    """
    shards: list[Shard] = []
    for survey in surveys:
        parts = -(-survey.images // shard_images)
        bounds = [survey.images * part // parts for part in range(parts + 1)]
        shards += [Shard(source=survey.source, start=a, stop=b) for a, b in itertools.pairwise(bounds)]
    return shards


def named(shards: Sequence[Shard], recipe: Recipe, columns: Columns) -> list[Shard]:
    """The shards with the names of their files. Threads, which change no byte, are left out."""
    alike = recipe.as_json()
    alike["settings"]["threads"] = None
    common = json.dumps([alike, asdict(columns)], sort_keys=True)
    found: list[Shard] = []
    for number, shard in enumerate(shards):
        said = json.dumps([common, shard.source, shard.start, shard.stop])
        digest = hashlib.sha256(said.encode()).hexdigest()[:12]
        found.append(replace(shard, file=f"shard-{number:06d}-{digest}.cnet"))
    return found


def common_columns(surveys: Sequence[Survey]) -> tuple[Columns, Account]:
    """What all inputs have besides images, and the account of all of them."""
    labels, names = {survey.labels for survey in surveys}, {survey.names for survey in surveys}
    classes = {survey.class_names for survey in surveys}
    columns = Columns(
        labels=next(iter(labels)) if len(labels) == 1 else None,
        names=names == {True},
        class_names=next(iter(classes)) if len(classes) == 1 and len(labels) == 1 else None,
    )
    dropped: list[Note] = []
    for what, lost in (
        ("labels, as others have none or of another type", columns.labels is None and len(labels) > 1),
        ("names, as others have none", not columns.names and len(names) > 1),
        ("class names, as others have none or different ones", columns.class_names is None and len(classes) > 1),
    ):
        if lost:
            dropped.append(Note(what=what, names=tuple(survey.source for survey in surveys)))
    account = merged([*(survey.account for survey in surveys), Account(dropped=tuple(dropped))])
    if columns.labels is None and len(labels) > 1:
        account = replace(account, labels="none: some inputs have none, or of another type")
    if not columns.names and len(names) > 1:
        account = replace(account, names="none: some inputs have none")
    return columns, account


def require_different(inputs: Sequence[str]) -> None:
    """Raises InputError for no inputs, and for one that is given twice."""
    if not inputs:
        raise InputError("there are no inputs; give files, folders or arrays of images")
    twice = next((source for source in inputs if inputs.count(source) > 1), None)
    if twice is not None:
        raise InputError(f"{twice}: is given twice; give every input once")
