"""What is written as pictures and read again has the same images, names, labels and order."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images import open_collection, write_collection
from picture_files import same, singles

SHAPES = st.sampled_from([(3, 4), (5, 5), (3, 4, 2), (2, 6, 3), (1, 1, 4)])
PARTS = st.sampled_from(
    ["a", "b", "cat", "dog", "train", "0", "01", "1.2", "ä", "漢字", "@eaDir", ".x", "con", "a b", "labels"]
)
ENDINGS = st.sampled_from([".png", ".jpg", ".PNG", "", ".gif", ".", ".csv"])
NAMES = st.builds(lambda parts, ending: "/".join(parts) + ending, st.lists(PARTS, min_size=1, max_size=3), ENDINGS)
ANY_NAMES = NAMES | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=8)
TEXTS = st.sampled_from(["0", "1", "01", "1_1", " 1", "", "cat", "ä", 'a"b', "a,b", "-1", "+1", "x\r", "\u2028"])


@st.composite
def collections(draw: st.DrawFn) -> tuple[list[np.ndarray], list[str] | None, np.ndarray | None]:
    """One to six images of a few shapes and depths, with names and labels or without."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    count = draw(st.integers(1, 6))
    images = []
    for _ in range(count):
        dtype = draw(st.sampled_from([np.uint8, np.uint8, np.uint16]))
        images.append(rng.integers(0, np.iinfo(dtype).max, draw(SHAPES), dtype, endpoint=True))
    names = draw(st.none() | st.lists(ANY_NAMES, min_size=count, max_size=count))
    some = st.lists(TEXTS, min_size=count, max_size=count).map(lambda texts: np.array(texts, np.str_))
    whole = st.lists(st.integers(-3, 300), min_size=count, max_size=count).map(
        lambda values: np.array(values, np.int64)
    )
    return images, names, draw(st.none() | some | whole)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["out", "out.zip", "out.tar", "out.parquet"])
@settings(max_examples=200, deadline=None)
@given(collection=collections())
def test_everything_comes_back(
    target: str, collection: tuple[list[np.ndarray], list[str] | None, np.ndarray | None]
) -> None:
    images, names, labels = collection
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / target
        try:
            write_collection(path, [image[None] for image in images], count=len(images), names=names, labels=labels)
        except InputError as error:
            assert "leads out of the target" in str(error)  # noqa: PT017
            return
        found = open_collection(path)
        assert same(singles(found), images)
        assert [image.dtype for image in singles(found)] == [image.dtype for image in images]
        numbers = None if target == "out.parquet" else [f"{i:05d}.png" for i in range(len(images))]
        assert found.names == (names or numbers)
        assert (None if labels is None else labels.tolist()) == (
            None if found.labels is None else found.labels.tolist()
        )
        assert labels is None or found.labels is None or labels.dtype.kind == found.labels.dtype.kind
        assert found.account.is_complete
