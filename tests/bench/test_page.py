"""Parts of a page: bars on one scale between round limits, pictures at four times their size."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from compressnet.bench.page import MOST_BINS, bins_of, histogram, pictures, round_step, table


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=50))
def test_every_value_lies_in_its_bin(values: list[int]) -> None:
    edges, counts = bins_of(np.array(values))
    assert 1 <= len(counts) <= MOST_BINS
    assert counts.sum() == len(values)
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        assert count == sum(low <= value < high for value in values)
    steps = set(np.diff(edges).tolist())
    assert len(steps) == 1
    assert re.fullmatch("[125]0*", str(steps.pop()))


@pytest.mark.parametrize(("length", "step"), [(0, 1), (1, 1), (6, 1), (7, 2), (13, 5), (31, 10), (6000, 1000)])
def test_steps_are_round(length: int, step: int) -> None:
    assert round_step(length, 6) == step


def test_bars_begin_at_one_line_and_are_as_long_as_their_counts() -> None:
    drawn = histogram(np.array([100] * 8 + [110] * 4 + [130] * 2), "bytes of a block", "blocks")
    bars = re.findall(r'<rect x="(\d+)" y="\d+" width="([\d.]+)"', drawn)
    assert len({x for x, _ in bars}) == 1
    lengths = [float(width) for _, width in bars]
    assert [round(length / lengths[-1], 2) for length in lengths if length] == [4, 2, 1]
    texts = re.findall(">([^<]+)</text>", drawn)
    assert {"bytes of a block", "number of blocks", "0", "8"} <= set(texts)
    labels = [text for text in texts if " to " in text]
    assert (labels[0], labels[-1]) == ("100 to 105", "130 to 135")


def test_equal_values_are_one_bar() -> None:
    assert histogram(np.array([7, 7]), "bytes", "blocks").count("<rect") == 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_keep_their_pixels_and_are_shown_at_four_times_their_size(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 7, channels), np.uint8)
    shown = pictures(images)
    assert shown.count('width="28" height="20"') == 2
    for image, data in zip(images, re.findall('base64,([^"]+)', shown), strict=True):
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert np.array_equal(np.asarray(picture).reshape(5, 7, channels), image)


def test_numbers_stand_to_the_right_and_texts_to_the_left() -> None:
    shown = table(("name", "bytes", "note"), [("<a>", "12", "fine")], texts=("note",))
    assert '<td>&lt;a&gt;</td><td class="number">12</td><td>fine</td>' in shown
