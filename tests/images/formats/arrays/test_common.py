"""What is written as arrays comes back: images of any shape and type, labels, names."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.images import open_collection, write_collection
from compressnet.images.names import tidy_path

TEXT = st.text(max_size=8).filter(lambda text: not text.endswith("\0"))
LABEL_TEXTS = TEXT | st.sampled_from(["007", "1.0", "1", "..", "ä日", " ", "-0", "True"])
NAMES = TEXT.filter(lambda text: tidy_path(text) == text) | st.sampled_from(["", "a.b.png", "../a", "ä/日.jpg", "0001"])


@st.composite
def batches(draw: st.DrawFn, *, deep: bool) -> list[np.ndarray]:
    """A collection of one shape and type, in some arrays."""
    channels = draw(st.sampled_from([(), (1,), (2,), (3,), (4,)]))
    shape = (draw(st.integers(1, 20)), draw(st.integers(1, 20)), *channels)
    dtype = draw(st.sampled_from([np.uint8, np.uint16] if deep else [np.uint8]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    return [rng.integers(0, np.iinfo(dtype).max + 1, (count, *shape), dtype) for count in counts]


@settings(max_examples=200, deadline=None)
@given(data=st.data(), ending=st.sampled_from(["a.npy", "a.npz", "a-ubyte", "a-ubyte.gz"]))
def test_arrays_come_back(data: st.DataObject, ending: str) -> None:
    parts = data.draw(batches(deep="ubyte" not in ending))
    count = sum(map(len, parts))
    integers = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=count, max_size=count)
    texts = st.lists(LABEL_TEXTS, min_size=count, max_size=count)
    labels = data.draw(
        st.none() | integers.map(lambda values: np.array(values, np.int64)) | texts.map(lambda v: np.array(v, np.str_))
    )
    names = data.draw(st.none() | st.lists(NAMES, min_size=count, max_size=count))
    class_names = data.draw(st.none() | st.lists(TEXT, min_size=1, max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / ending
        write_collection(target, parts, count=count, names=names, labels=labels, class_names=class_names)
        collection = open_collection(target)
        images = np.concatenate(parts)
        assert collection.count == count
        assert collection.load().dtype == images.dtype
        assert np.array_equal(collection.load(), images)
        assert collection.names == names
        assert collection.class_names == class_names
        kept = collection.labels
        assert (kept is None) == (labels is None)
        if kept is not None and labels is not None:
            assert kept.dtype.kind == labels.dtype.kind
            assert kept.tolist() == labels.tolist()
        assert collection.account.is_complete
        assert not collection.account.changed
