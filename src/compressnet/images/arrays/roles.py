"""Which arrays are images and which are their labels, by the names of arrays and files.

    role_of("train-images-idx3-ubyte.gz") == ("images", (("train",),))
    role_of("train-labels.idx1-ubyte") == ("labels", (("train",),))
    role_of("y_train") == ("labels", (("train",),))

What is left of a name without its role tells which labels belong to which images.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from compressnet.errors import InputError
from compressnet.images.arrays.layouts import may_be_images

Role = Literal["images", "labels", ""]
Rest = tuple[tuple[str, ...], ...]
"""What a name has besides its role: the words of each part of a path."""

IMAGE_WORDS = ("images", "image", "imgs", "img", "x", "data")
LABEL_WORDS = ("labels", "label", "y", "targets", "target")
"""The first of these goes before the others."""
CLASS_NAMES = ("class_names", "label_names")
NAMES = "names"
_SPLITS = {
    word: place
    for place, words in enumerate(("train training", "val valid validation dev", "test testing"))
    for word in words.split()
}
_WHOLE: Rest = ((),)
_ENDING = re.compile(r"(\.npy)?(\.(gz|xz|bz2))?$")
_IDX_ENDING = re.compile(r"[-._]?(idx\d*)?[-._]ubyte$")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")


def role_of(name: str) -> tuple[Role, Rest]:
    """What an array or file of this name holds, and the words that tell which.

    A name that speaks of both holds labels: `image_labels`.
    """
    parts = [_words(part) for part in name.split("/")]
    words = {word for part in parts for word in part}
    rest = tuple(tuple(word for word in part if word not in (*IMAGE_WORDS, *LABEL_WORDS)) for part in parts)
    if words.intersection(LABEL_WORDS):
        return "labels", rest
    return ("images" if words.intersection(IMAGE_WORDS) else ""), rest


def _words(part: str) -> list[str]:
    stem = _IDX_ENDING.sub("", _ENDING.sub("", part))
    return [word.lower() for word in _WORD.findall(stem)]


def labels_of(images: Iterable[str], names: Iterable[str]) -> dict[str, list[str]]:
    """For each name of images those among `names` that are its labels, the best first."""
    by_rest: dict[Rest, list[str]] = {}
    for name in names:
        role, rest = role_of(name)
        if role == "labels":
            by_rest.setdefault(rest, []).append(name)
    return {image: sorted(by_rest.get(role_of(image)[1], ()), key=_precedence) for image in images}


def whole_labels(names: Iterable[str]) -> list[str]:
    """Those among `names` that are labels of everything, such as `y`; the best first."""
    return sorted((name for name in names if role_of(name) == ("labels", _WHOLE)), key=_precedence)


def _precedence(name: str) -> int:
    words = {word for part in name.split("/") for word in _words(part)}
    return next(place for place, word in enumerate(LABEL_WORDS) if word in words)


def choose_images(source: str, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The arrays with the images, in the order in which they are read.

    That is `images`; or those that are named as images of splits, such as `x_train` and `x_test`,
    or `train_images` and so on; or the one that is named as images are, such as `X` or `data`; or
    the only one that has the shape of images.

    shapes: of the arrays of numbers. Raises InputError where several, or none, could be it.
    """
    if "images" in shapes:
        return ["images"]
    others = [key for key in shapes if role_of(key)[0] != "labels"]
    shaped = [key for key in others if may_be_images(shapes[key])]
    named = [key for key in shaped if role_of(key)[0] == "images"]
    found = named or [key for key in shaped if len(shapes[key]) > 2] or shaped
    if len(found) == 1 or (named and _are_splits(named)):
        return sorted(found, key=lambda key: _split_of(key) or 0)
    if found:
        raise InputError(
            f"{source}: the images could be {_listed(found, shapes)}; "
            "call the one with the images 'images', or save it alone"
        )
    if len(others) == 1:  # what is wrong with it is said by who reads it
        return others
    there = _listed(list(shapes), shapes) or "no arrays of numbers"
    raise InputError(f"{source}: has {there}, and none has the shape of images, (N,H,W) or (N,H,W,C)")


def _split_of(key: str) -> int | None:
    words = {word for part in role_of(key)[1] for word in part}
    return next((_SPLITS[word] for word in words if word in _SPLITS), None)


def _are_splits(keys: list[str]) -> bool:
    """Whether names are those of different splits."""
    return all(_split_of(key) is not None for key in keys) and len({role_of(key)[1] for key in keys}) == len(keys)


def _listed(keys: list[str], shapes: Mapping[str, tuple[int, ...]]) -> str:
    shown = [f"{key} ({','.join(map(str, shapes[key]))})" for key in keys[:8]]
    return ", ".join(shown) + (", ..." if len(keys) > len(shown) else "")
