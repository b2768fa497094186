"""The gradient that a search follows, run by ONNX Runtime."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from compressnet.lossy.network import Network
from compressnet.lossy.search.gradients import gradient_model, latents_model
from compressnet.networks.onnx import make_session


class OnnxGradient:
    """What a search needs of a network at a quality.

    It is a `compressnet.lossy.search.search.Gradient`.
    """

    def __init__(self, network: Network, quality: int) -> None:
        self._latents = make_session(latents_model(network, quality))
        self._loss = make_session(gradient_model(network, quality))

    def latents(self, x_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """The encoder's symbols before they are rounded, (N,D), of pixels 0 to 255."""
        return cast("NDArray[np.float32]", self._latents.run(None, {"x": x_NCHW})[0])

    def loss(
        self, k_ND: NDArray[np.float32], x_NCHW: NDArray[np.float32], weight: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Bits + weight * squared error (N,) of real-valued symbols, and its gradient (N,D)."""
        inputs = {"k": k_ND.astype(np.float32), "x": x_NCHW, "lam": np.array([weight], np.float32)}
        loss_N, gradient_ND = self._loss.run(None, inputs)
        return cast("NDArray[np.float32]", loss_N), cast("NDArray[np.float32]", gradient_ND)
