"""Symbols as features: a transformer for pipelines of scikit-learn.

    pipeline = make_pipeline(SymbolTransformer("mnist", quality=10), KNeighborsClassifier())

Symbols of like images are near one another, and low qualities have few of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import compressnet
from compressnet.codec.codec import Codec
from compressnet.errors import InputError
from compressnet.images.kinds import Images, Kind
from compressnet.integrations.hosts import missing_host

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_array, check_is_fitted, validate_data
except ModuleNotFoundError as error:
    raise missing_host("scikit-learn", "sklearn") from error


class SymbolTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Images to the symbols that a codec describes them by, and back.

    X is (n,h,w) or (n,h,w,c), or (n,features) with the values of an image in each row. Nothing is
    trained: fit looks at the shape of images, and at the range of values, which is mapped to
    0..255 (that of uint8 is 0..255 itself).

    codec: the name of one that ships, or a path. quality: 0 to 99, by default the codec's own; low
    ones have fewer symbols. image_shape: (h,w) or (h,w,c) of the images in rows; by default that
    of the codec where it fits, else a square, else one line of pixels.

    image_shape_: what was taken. range_: the values that became 0 and 255.
    """

    def __init__(
        self,
        codec: str | os.PathLike[str] = "any",
        quality: int | None = None,
        image_shape: Sequence[int] | None = None,
    ) -> None:
        self.codec = codec
        self.quality = quality
        self.image_shape = image_shape

    def fit(self, X: Any, y: Any = None) -> Self:
        """Look at images. Raises InputError where the codec codes none of their size."""
        del y
        values: Any = validate_data(self, X, allow_nd=True)
        loaded = compressnet.load(self.codec)
        self.image_shape_ = _shape_of(values.shape[1:], self.image_shape, loaded)
        is_bytes = values.dtype == np.uint8
        self.range_ = (0.0, 255.0) if is_bytes else (float(values.min()), float(values.max()))
        self.dtype_ = values.dtype if values.dtype.kind in "uif" else np.dtype(np.float64)
        self._axes, self._loaded = values.shape[1:], loaded
        self._n_features_out = loaded.encoder(np.zeros((1, *self._kind), np.uint8), self.quality).shape[1]
        return self

    def transform(self, X: Any) -> NDArray[np.int32]:
        """Images as symbols int32 (n,symbols). Raises ValueError for other shapes than in fit."""
        check_is_fitted(self)
        values: Any = validate_data(self, X, allow_nd=True, reset=False)
        if values.shape[1:] != self._axes:
            raise InputError(f"images of shape {values.shape[1:]}, but fit saw {self._axes}")
        return self._codec().encoder(self._pixels(values), self.quality)

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Images, with the axes and the range of values that fit saw, of symbols (n,symbols).

        Symbols are rounded to what there is, so means of some give an image, too.
        """
        check_is_fitted(self)
        symbols: Any = check_array(X)
        codec = self._codec()
        whole = np.rint(symbols).astype(np.int32)
        pixels = codec.decoder(whole, self.quality, self._kind)
        low, high = self.range_
        values = pixels.reshape(len(pixels), *self._axes) / 255 * (high - low) + low
        return (np.rint(values) if self.dtype_.kind in "ui" else values).astype(self.dtype_)

    @property
    def _kind(self) -> Kind:
        height, width, channels = (*self.image_shape_, 1)[:3]
        return height, width, channels

    def _pixels(self, values: NDArray[Any]) -> Images:
        low, high = self.range_
        if values.dtype != np.uint8 or (low, high) != (0, 255):
            scale = 255 / (high - low) if high > low else 0
            values = np.clip(np.rint((values.astype(np.float64) - low) * scale), 0, 255).astype(np.uint8)
        return values.reshape(len(values), *self._kind)

    def _codec(self) -> Codec:
        """That of fit; what was unpickled loads it again."""
        loaded: Codec | None = self.__dict__.get("_loaded")
        return compressnet.load(self.codec) if loaded is None else loaded

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_loaded"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _shape_of(axes: tuple[int, ...], image_shape: Sequence[int] | None, codec: Codec) -> tuple[int, ...]:
    """The shape of images that have these axes in X. Raises InputError."""
    values = math.prod(axes)
    if image_shape is not None:
        if len(image_shape) not in (2, 3) or math.prod(image_shape) != values:
            raise InputError(
                f"image_shape {tuple(image_shape)}: give (h,w) or (h,w,c) of the {values} values of an image"
            )
        return tuple(image_shape)
    if len(axes) > 1:
        return axes
    fitting = [kind for kind in codec.kinds if math.prod(kind) == values]
    if fitting:
        return fitting[0][:2] if fitting[0][2] == 1 else fitting[0]
    side = math.isqrt(values)
    return (side, side) if side * side == values else (1, values)
