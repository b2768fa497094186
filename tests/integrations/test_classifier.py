"""What the default quality costs a classifier, end to end: archives, DataLoader, training."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")


@pytest.mark.slow
def test_a_classifier_hardly_loses_at_the_default_quality(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.delitem(sys.modules, "classifier", raising=False)
    classifier = importlib.import_module("classifier")
    originals, decoded = classifier.measure("shipped", [None, 46], epochs=2, seeds=1)
    assert originals["points"] > 96
    assert decoded["bytes_per_image"] < 20
    # the figure is taken over all of MNIST; among 2,000 images chance alone moves some
    assert decoded["points"] > originals["points"] - 1
