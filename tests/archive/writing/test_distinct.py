"""Equal images are found, whatever arrays they come in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressnet.archive.writing.distinct import DistinctImages, digests_of


@given(values=st.lists(st.integers(0, 5)), cuts=st.lists(st.integers(0, 20)))
def test_numbers_follow_first_appearance(values: list[int], cuts: list[int]) -> None:
    images = np.array(values, np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)
    found = DistinctImages()
    new = [found.add(digests_of(part)) for part in np.split(images, sorted(min(cut, len(images)) for cut in cuts))]
    first = list(dict.fromkeys(values))
    assert found.images == len(values)
    assert found.distinct == len(first)
    assert found.of_image.tolist() == [first.index(value) for value in values]
    assert [found.first_image(i) for i in range(len(first))] == [values.index(value) for value in first]
    assert np.concatenate([numbers for _, numbers in new]).tolist() == list(range(len(first)))


def test_type_counts() -> None:
    zeros = [digests_of(np.zeros((1, 2, width), dtype))[0] for dtype, width in ((np.uint8, 4), (np.uint16, 2))]
    assert zeros[0] != zeros[1]
    assert zeros[1] != digests_of(np.zeros((1, 2, 2), np.uint8))[0]


def test_shape_counts() -> None:
    found = DistinctImages()
    for shape in ((1, 2, 3), (1, 3, 2), (1, 2, 3, 1), (1, 2, 3)):
        found.add(digests_of(np.zeros(shape, np.uint8)))
    assert found.of_image.tolist() == [0, 1, 2, 0]
