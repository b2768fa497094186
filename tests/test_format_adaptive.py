"""docs/FORMAT.md, "Adaptive payload", against compressnet, by way of a decoder written from that
page alone."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference_adaptive
from adaptive_pictures import ALL, CONTENTS, any_settings, make_picture, pictures
from backends import CORES
from compressnet.adaptive.definition import AdaptiveModel
from compressnet.adaptive.model import AdaptiveCoderModel, AdaptiveSettings, Picture, PictureShape
from compressnet.adaptive.primer import levels_of, values_of_levels
from compressnet.adaptive.tables import tables
from compressnet.native.adaptive import NativeAdaptiveModel
from compressnet.native.library import find_core
from reference_adaptive import Model, Settings, Size

PIXELS = 4096


def model_of(settings: AdaptiveSettings) -> AdaptiveCoderModel:
    return NativeAdaptiveModel(find_core(), settings, PIXELS) if CORES else AdaptiveModel(settings)


def reference_of(settings: AdaptiveSettings) -> Model:
    return Model(Settings(settings.table_bits, settings.flags, settings.bytes, settings.histograms))


def size_of(shape: PictureShape) -> Size:
    return Size(shape.height, shape.width, shape.channels, shape.deep)


def check(settings: AdaptiveSettings, learned: list[Picture], alone: list[Picture], payload: bytes | None) -> None:
    """Both decode alike what was written, or any payload."""
    model, reference = model_of(settings), reference_of(settings)
    written, _ = model.learn_write(learned)
    if payload is not None:
        model = model_of(settings)
        learned = model.learn_read(payload, [picture.shape for picture in learned])
    found = reference.learned(written if payload is None else payload, [size_of(picture.shape) for picture in learned])
    assert found == [picture.values_HWB.tobytes() for picture in learned]
    for picture in alone:
        given = model.write(picture) if payload is None else payload
        assert reference.alone(given, size_of(picture.shape)) == model.read(given, picture.shape).values_HWB.tobytes()


def test_the_reference_stands_alone() -> None:
    tree = ast.parse(Path(reference_adaptive.__file__).read_text())
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert not any(str(name).startswith("compressnet") for name in imported)


def test_tables() -> None:
    made = tables()
    assert made.squash.tolist() == reference_adaptive.SQUASH
    assert made.stretch.tolist() == reference_adaptive.STRETCH
    assert made.logarithm.tolist() == reference_adaptive.LOGARITHM


@pytest.mark.parametrize("error", [0, 1, 2, 8, 16, 99, 100])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_levels(error: int, with_alpha: bool) -> None:
    every = np.arange(256, dtype=np.uint8)[:, None]
    values = values_of_levels(every, error, with_alpha=with_alpha)
    assert values[:, 0].tolist() == [reference_adaptive.value_of_level(k, error, alpha=with_alpha) for k in range(256)]
    decoded = values_of_levels(levels_of(every, error, with_alpha=with_alpha), error, with_alpha=with_alpha)
    assert np.abs(decoded.astype(int) - every).max() <= error
    again = levels_of(decoded, error, with_alpha=with_alpha)
    assert np.array_equal(values_of_levels(again, error, with_alpha=with_alpha), decoded)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize(("channels", "deep"), [(1, False), (2, True), (3, False), (4, True)])
def test_kinds_of_images(content: str, channels: int, deep: bool) -> None:
    shape = PictureShape(height=7, width=6, channels=channels, deep=deep)
    check(ALL, [make_picture(shape, content, seed) for seed in (1, 2, 1)], [make_picture(shape, content, 3)], None)


@settings(max_examples=15, deadline=None)
@given(
    settings=any_settings(),
    learned=st.lists(pictures(7), max_size=3),
    alone=st.lists(pictures(7), max_size=1),
    payload=st.none() | st.binary(max_size=99),
)
def test_any_images(
    settings: AdaptiveSettings, learned: list[Picture], alone: list[Picture], payload: bytes | None
) -> None:
    check(settings, learned, alone, payload)
