"""compress, decompress, compress: the same images, labels and names, and the same archive."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet import api
from compressnet.archive.writing.settings import Settings
from compressnet.images import Collection, open_collection, write_collection
from compressnet.images.collection import in_batches

PARTS = st.sampled_from(["a", "b", "cat", "01", "1", "x.y", "ä", "漢", "con", ".h"])
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
ENDINGS = st.sampled_from([".png", ".jpg", "", ".v1.png"])
TEXTS = st.sampled_from(["0", "1", "01", "1_1", "", "cat", "ä", "a,b", ".", "-1", "1.0"])
PICTURES = ["out", *(pytest.param(ending, marks=pytest.mark.slow) for ending in ("out.zip", "out.tar", "out.parquet"))]
ARRAYS = ["out.npy", *(pytest.param(ending, marks=pytest.mark.slow) for ending in ("out.npz", "out-ubyte"))]


@st.composite
def collections(draw: st.DrawFn, *, mixed: bool, deep: bool) -> Collection:
    """One to six images, with names and labels or without."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    count = draw(st.integers(1, 6))
    shapes = [(3, 4), (5, 5, 3), (2, 6, 4), (4, 3, 2)]
    dtypes = [np.uint8, np.uint16] if deep else [np.uint8]
    kinds = draw(st.lists(st.tuples(st.sampled_from(shapes), st.sampled_from(dtypes)), min_size=count, max_size=count))
    kinds = kinds if mixed else [kinds[0]] * count
    images = [rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True) for shape, dtype in kinds]
    names = draw(st.none() | st.lists(st.builds(str.__add__, NAMES, ENDINGS), min_size=count, max_size=count))
    whole = st.lists(st.integers(-2, 300), min_size=count, max_size=count)
    labels = draw(st.none() | whole | st.lists(TEXTS, min_size=count, max_size=count))
    return Collection(
        name="drawn",
        count=count,
        batches=lambda: in_batches(images),
        names=names,
        labels=None if labels is None else np.array(labels),
    )


def packed(collection: Collection) -> bytes:
    """The archive of a collection at quality 100, without a codec."""
    stream = io.BytesIO()
    options = Settings(quality=100, threads=1)
    api.write(
        collection.batches(),
        stream,
        None,
        options,
        labels=collection.labels,
        names=collection.names,
        class_names=collection.class_names,
    )
    return stream.getvalue()


def unpacked(data: bytes, target: Path) -> Collection:
    """An archive's images in a file or folder, opened again."""
    with compressnet.open(data) as archive:
        write_collection(
            target,
            archive.batches(),
            count=len(archive),
            names=archive.names,
            labels=archive.labels,
            class_names=archive.class_names,
        )
    return open_collection(target)


def check(collection: Collection, ending: str) -> None:
    """From a source in one format, to an archive, to the same format, to an archive."""
    with tempfile.TemporaryDirectory() as folder:
        first = unpacked(packed(collection), Path(folder) / f"1{ending}")
        archive = packed(first)
        second = unpacked(archive, Path(folder) / f"2{ending}")
        assert packed(second) == archive
        assert second.names == first.names
        assert second.account.is_complete
        if collection.names is not None:
            assert first.names == collection.names
        if collection.labels is None or first.labels is None:
            assert collection.labels is first.labels
        else:
            assert (first.labels == collection.labels).all()


@pytest.mark.parametrize("ending", PICTURES)
@settings(max_examples=200, deadline=None)
@given(collection=collections(mixed=True, deep=True))
def test_pictures(ending: str, collection: Collection) -> None:
    check(collection, ending)


@pytest.mark.parametrize("ending", ARRAYS)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_arrays(ending: str, data: st.DataObject) -> None:
    check(data.draw(collections(mixed=False, deep=ending != "out-ubyte")), ending)
