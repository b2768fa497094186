"""Symbols as features of scikit-learn."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import compressnet
from compressnet.errors import CodecNotFoundError, InputError
from conftest import CONFORMANCE
from drawings import drawn

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from compressnet.integrations.sklearn import SymbolTransformer

GREY = str(CONFORMANCE / "grey.codec")
"""Codes 8x12."""


@parametrize_with_checks([SymbolTransformer()])
@pytest.mark.filterwarnings("ignore")
def test_it_is_an_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


def test_symbols_are_those_of_the_codec(mnist: np.ndarray) -> None:
    transformer = SymbolTransformer("mnist", quality=10).fit(mnist[:20])
    symbols = transformer.transform(mnist[:20])
    codec = compressnet.load("mnist")
    assert np.array_equal(symbols, codec.encoder(mnist[:20], 10))
    assert np.array_equal(transformer.inverse_transform(symbols), codec.autoencoder(mnist[:20], 10))
    assert transformer.get_feature_names_out()[:2].tolist() == ["symboltransformer0", "symboltransformer1"]
    assert len(transformer.get_feature_names_out()) == symbols.shape[1] == 40


@pytest.mark.parametrize("highest", [1.0, 255.0])
def test_rows_of_floats_are_images_scaled_back(mnist: np.ndarray, highest: float) -> None:
    rows = mnist[:20].reshape(20, -1) * (highest / 255)
    transformer = SymbolTransformer("mnist", quality=40).fit(rows)
    assert transformer.image_shape_ == (28, 28)
    assert transformer.range_ == (0, highest)
    assert np.array_equal(transformer.transform(rows), compressnet.load("mnist").encoder(mnist[:20], 40))
    back = transformer.inverse_transform(transformer.transform(rows))
    assert back.shape == rows.shape
    assert np.abs(back - rows).mean() < 0.05 * highest


@pytest.mark.parametrize(
    ("images", "given", "shape"),
    [
        (np.zeros((2, 36), np.uint8), None, (6, 6)),
        (np.zeros((2, 35), np.uint8), None, (1, 35)),
        (np.zeros((2, 36), np.uint8), (3, 4, 3), (3, 4, 3)),
        (drawn(2), None, (12, 12, 4)),
    ],
)
def test_shapes_of_images(images: np.ndarray, given: Any, shape: tuple[int, ...]) -> None:
    transformer = SymbolTransformer(image_shape=given).fit(images)
    assert transformer.image_shape_ == shape
    back = transformer.inverse_transform(transformer.transform(images))
    assert (back.shape, back.dtype) == (images.shape, images.dtype)


def test_it_is_cloned_and_pickled(mnist: np.ndarray) -> None:
    transformer = SymbolTransformer("mnist", quality=10).fit(mnist[:5])
    loaded = pickle.loads(pickle.dumps(transformer))
    assert np.array_equal(loaded.transform(mnist[:5]), transformer.transform(mnist[:5]))
    assert clone(transformer).get_params() == {"codec": "mnist", "quality": 10, "image_shape": None}


def test_means_of_symbols_are_images(mnist: np.ndarray) -> None:
    pipeline = make_pipeline(SymbolTransformer("mnist", quality=10), KMeans(3, n_init=1, random_state=0))
    pipeline.fit(mnist[:60])
    centres = pipeline[0].inverse_transform(pipeline[1].cluster_centers_)
    assert (centres.shape, centres.dtype) == ((3, 28, 28), np.uint8)
    assert centres.max() > 100


def test_what_does_not_fit_is_refused(mnist: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"image_shape \(5, 5\): give \(h,w\) or \(h,w,c\) of the 784 values"):
        SymbolTransformer(image_shape=(5, 5)).fit(mnist[:2].reshape(2, -1))
    with pytest.raises(InputError, match="grey"):
        SymbolTransformer(GREY).fit(mnist[:2])
    with pytest.raises(CodecNotFoundError):
        SymbolTransformer("no such").fit(mnist[:2])
    with pytest.raises(InputError, match="quality 100 is lossless and has no symbols"):
        SymbolTransformer(quality=100).fit(mnist[:2])
    transformer = SymbolTransformer("mnist").fit(mnist[:2])
    with pytest.raises(InputError, match=r"images of shape \(28, 27\), but fit saw \(28, 28\)"):
        transformer.transform(mnist[:2, :, :27])
