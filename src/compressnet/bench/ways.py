"""The ways through a codec that need no archive: its models as two, as one, and exported."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.codec.codec import Codec
from compressnet.codec.export import make_any_size_models, make_models, network_at
from compressnet.images.alpha import fill_hidden
from compressnet.images.kinds import Images, kind_of
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.networks.onnx import ModelRunner


def encoded_and_decoded(images: Images, codec: Codec, quality: int) -> Images:
    """Images (N,H,W[,C]) through the encoder, then through the decoder."""
    symbols = codec.encoder(images, quality)
    return codec.decoder(symbols, quality, kind_of(images)).reshape(images.shape)


class Exported:
    """The exported encoders and decoders of a codec at a quality, run by ONNX Runtime alone.

    A network without a size has a pair for each number of channels, which runs at any size.
    """

    def __init__(self, codec: Codec, quality: int) -> None:
        self._codec, self._quality = codec, quality
        self._any_size: dict[tuple[int, int], tuple[ModelRunner, ModelRunner]] = {}

    def decoded(self, images: Images) -> Images:
        """Images (N,H,W[,C]) that the codec codes, through both."""
        kind = kind_of(images)
        filled_NHWC = fill_hidden(images.reshape(len(images), *kind))
        given = filled_NHWC[..., 0] if kind[2] == 1 else filled_NHWC
        network = network_at(self._codec.bundle, self._quality, kind)
        size: dict[str, NDArray[np.int64]] = {}
        if isinstance(network, SizelessNetwork):
            known = (id(network), kind[2])
            if known not in self._any_size:
                models = make_any_size_models(self._codec.bundle, self._quality, network, kind[2])
                self._any_size[known] = ModelRunner(models.encoder), ModelRunner(models.decoder)
            encoder, decoder = self._any_size[known]
            size = {"size": np.array(kind[:2], np.int64)}
        else:
            models = make_models(self._codec.bundle, self._quality, network)
            encoder, decoder = ModelRunner(models.encoder), ModelRunner(models.decoder)
        decoded = decoder.run(encoder.run(given, self._codec.threads), self._codec.threads, size)
        return decoded.reshape(images.shape)
