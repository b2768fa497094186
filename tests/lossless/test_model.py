"""Pixel models as data: what is refused, and frequencies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compressnet.coding.softmax import exp_table, frequencies
from compressnet.errors import CorruptError
from compressnet.lossless.model import PixelModel, PlaneModel, taps
from compressnet.lossless.proof import prove_pixels
from pixel_models import make_pixel_model

ONE = 1 << 24


def with_plane(model: PixelModel, **changes: Any) -> PixelModel:
    """The model with its last plane changed."""
    return replace(model, planes=(*model.planes[:-1], replace(model.planes[-1], **changes)))


def layer_changes(plane: PlaneModel) -> list[tuple[str, dict[str, Any]]]:
    first, flag, low1 = plane.layers[0], plane.flag, plane.low1
    heavy = replace(first, weight=np.full_like(first.weight, 127), bias=first.bias + (1 << 24))
    return [
        ("leaves the range", {"layers": (heavy, *plane.layers[1:])}),
        ("leaves the range", {"flag": replace(flag, shift=np.full_like(flag.shift, 21))}),
        ("layer has weights of shape", {"layers": (replace(first, weight=first.weight[:, 1:]), *plane.layers[1:])}),
        ("layer has weights of shape", {"low1": replace(low1, bias=low1.bias[:1])}),
        ("has 16 outputs", {"flag": plane.high}),
        ("has 1 outputs", {"high": plane.flag}),
        ("no layers", {"layers": ()}),
    ]


def plane_changes(plane: PlaneModel) -> list[tuple[str, dict[str, Any]]]:
    later = np.array([(0, 0, 0)], np.int8)
    return [
        ("background 256", {"background": 256}),
        ("come later", {"near": later}),
        ("come later", {"far": np.array([(0, -1, 1)], np.int8)}),
        ("row 1", {"near": np.array([(1, 0, 0)], np.int8)}),
        ("columns -9 to 0", {"far": np.array([(-1, -9, 0)], np.int8)}),
        ("columns 2 to 1", {"far": np.array([(-1, 2, 1)], np.int8)}),
        ("template has the shape", {"across": np.zeros((1, 2), np.int8)}),
        ("sees nothing", {"far": np.zeros((0, 3), np.int8)}),
        ("tables have other shapes", {"near_table": plane.near_table[:256]}),
        ("more than 32 columns", {"far_table": np.zeros((257, 33), np.int8)}),
        ("table of other planes", {"across_table": plane.across_table[:0]}),
        ("sums have other shapes", {"seen_bias": plane.seen_bias[:1]}),
        ("sums leave their range", {"seen_bias": np.full_like(plane.seen_bias, 1 << 23)}),
        ("sums leave their range", {"seen_shift": np.full_like(plane.seen_shift, -128)}),
        ("quiet pixels is out of range", {"quiet": np.zeros_like(plane.quiet)}),
        ("quiet pixels is out of range", {"quiet": np.full_like(plane.quiet, ONE)}),
        ("quiet pixels is out of range", {"quiet": plane.quiet[:, :1]}),
        ("positions do not fit", {"row": plane.row[1:]}),
        *layer_changes(plane),
    ]


MODEL = make_pixel_model(2, (5, 4))


@pytest.mark.parametrize(("words", "changes"), plane_changes(MODEL.planes[-1]))
def test_what_is_refused(words: str, changes: dict[str, Any]) -> None:
    prove_pixels(MODEL)
    with pytest.raises(CorruptError, match=words):
        prove_pixels(with_plane(MODEL, **changes))


def test_models_as_a_whole() -> None:
    for words, model in (
        ("for 3 channels has 2 planes", replace(MODEL, channels=3)),
        ("beyond the limits", replace(MODEL, size=(5, 5000))),
        ("no probe", replace(MODEL, probe=MODEL.probe[:31])),
    ):
        with pytest.raises(CorruptError, match=words):
            prove_pixels(model)


def test_fits() -> None:
    assert MODEL.fits((5, 4, 2))
    assert not MODEL.fits((4, 5, 2))
    assert not MODEL.fits((5, 4, 1))
    any_size = make_pixel_model(1)
    assert any_size.fits((256, 256, 1))
    assert not any_size.fits((256, 257, 1))


def test_frequencies() -> None:
    rng = np.random.default_rng(0)
    for alphabet in (2, 16):
        for spread in (0, 1, 40, 2047):
            logits = rng.integers(-spread, spread + 1, (alphabet, 200)).astype(np.float32)
            found = frequencies(logits)
            assert found.min() >= 16
            assert (found.sum(axis=0) == ONE).all()
            expected = np.exp(logits / 64) / np.exp(logits / 64).sum(axis=0)
            assert np.abs(found / ONE - expected).max() < 2e-5
    assert frequencies(np.zeros((2, 1), np.float32)).ravel().tolist() == [ONE // 2, ONE // 2]


def test_no_exponential_is_near_where_its_rounding_turns() -> None:
    values = 2**20 * np.exp(np.arange(1024) / -64)
    assert np.abs(values % 1 - 0.5).min() > 1e-4
    assert exp_table()[[0, 64, 1023]].tolist() == [1048576, 385750, 0]


def test_taps_go_row_by_row() -> None:
    assert taps(((-1, 0, 1), (0, -2, -1))) == [(-1, 0), (-1, 1), (0, -2), (0, -1)]
