"""The linear learned rival: KLT (PCA), uniform quantization and adaptive entropy coding.

The transform is fitted to the very images that are coded, and its bytes are not counted, as those
of a codec are not: this is the rival's best case. Every component has counts of its own, which
begin flat and learn from the images coded so far, a chunk of images at a time; the component's
largest value is sent first.

Axes: N images, P pixels times channels, K components, A symbols of an alphabet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressnet.bench.rivals.rival import Coded, Rival, Setting
from compressnet.coding.range_coder import PayloadDecoder, PayloadEncoder
from compressnet.images.kinds import Images

CHUNK_IMAGES = 100
LARGEST = 127
_TOTAL = 1 << 24


def _basis(values_NP: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (P,) and components (K,P), by falling variance."""
    mean_P = values_NP.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(values_NP - mean_P, rowvar=False))
    return mean_P, vectors[:, ::-1].T


def _weights(counts_A: NDArray[np.int64]) -> NDArray[np.float64]:
    """Frequencies minus 1, with the sum 2^24 - A, for symbols seen so often."""
    share_A = (counts_A + 0.3) / (counts_A.sum() + 0.3 * len(counts_A))
    weights = np.floor(share_A * (_TOTAL - len(counts_A)))
    weights[np.argmax(weights)] += _TOTAL - len(counts_A) - weights.sum()
    return weights


def encode_klt(images_NHWC: Images, setting: Setting) -> Coded:
    """Code images with quantization steps of `setting["step"]`, where pixels go from 0 to 255."""
    step: float = setting["step"]
    shape = images_NHWC.shape
    values_NP = images_NHWC.reshape(len(images_NHWC), -1).astype(np.float64)
    mean_P, basis_KP = _basis(values_NP)
    symbols_NK = np.round((values_NP - mean_P) @ basis_KP.T / step)
    symbols_NK = np.clip(symbols_NK, -LARGEST, LARGEST).astype(np.int32)
    bound_K = np.abs(symbols_NK).max(axis=0)
    encoder = PayloadEncoder()
    for k in np.flatnonzero(bound_K):
        counts_A = np.zeros(2 * bound_K[k] + 1, np.int64)
        for start in range(0, len(symbols_NK), CHUNK_IMAGES):
            chunk = symbols_NK[start : start + CHUNK_IMAGES, k] + bound_K[k]
            encoder.encode(chunk, np.tile(_weights(counts_A), (len(chunk), 1)))
            counts_A += np.bincount(chunk, minlength=len(counts_A))
    payload = encoder.finish()

    def decode() -> Images:
        decoder = PayloadDecoder(payload)
        read_NK = np.zeros_like(symbols_NK)
        for k in np.flatnonzero(bound_K):
            counts_A = np.zeros(2 * bound_K[k] + 1, np.int64)
            for start in range(0, len(read_NK), CHUNK_IMAGES):
                rows = slice(start, min(start + CHUNK_IMAGES, len(read_NK)))
                chunk = decoder.decode(np.tile(_weights(counts_A), (rows.stop - rows.start, 1)))
                read_NK[rows, k] = chunk - bound_K[k]
                counts_A += np.bincount(chunk, minlength=len(counts_A))
        pixels = np.round(read_NK * step @ basis_KP + mean_P)
        return np.clip(pixels, 0, 255).astype(np.uint8).reshape(shape)

    return Coded(total_bytes=len(payload) + len(bound_K), decode=decode)


KLT = Rival(
    name="klt",
    mode="mosaic",
    lossless=False,
    settings=tuple({"step": step} for step in (12, 18, 26, 36, 50, 70, 100, 140, 200, 280)),
    encode=encode_klt,
)
