"""The check at the end of a freeze: integers against the torch model in float64, on real images.

All symbols, all pixels and the distributions of all symbols have to be equal; a difference is a
bug.

Axes: N images, B batch, H rows, W columns, C channels, D symbols, S segments, Q qualities.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.coding.mixture import MEAN_LIMIT, MEAN_STEPS, SCALE_CENTRE, SCALES, WEIGHT_ONE, Mixture
from compressnet.errors import DefectError
from compressnet.images.alpha import fill_hidden
from compressnet.images.kinds import Images
from compressnet.lossy.coder import CodecNetwork
from compressnet.lossy.network import Network
from compressnet.lossy.prior import dequantize
from compressnet.networks.numpy import NumpyBackend
from compressnet.training.lossy.networks.distributions import SCALE_EXPONENT
from compressnet.training.lossy.networks.formats import PIXEL_EXPONENT, SYMBOL_EXPONENT
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.pixels import to_pixels


def check_frozen(model: Model, network: Network, images_NHWC: Images, bound_QS: NDArray[np.integer]) -> None:
    """Raise DefectError unless the frozen network computes what the model does.

    bound_QS: the alphabets.
    """
    images_NHWC = fill_hidden(images_NHWC)
    reference = copy.deepcopy(model).double()
    runner = CodecNetwork(network, NumpyBackend())
    repeats = model.gains.repeats.numpy()
    low, high = network.qualities
    for quality in sorted({low, (low + high) // 2 + 1, high}):
        bound_D = np.repeat(bound_QS[quality], repeats)
        with torch.no_grad():
            x = to_pixels(images_NHWC, torch.float64)
            quality_B = torch.full((len(x),), quality)
            outcome = reference(x, quality_B, quantized=True)
            symbols = np.clip(outcome.k_BD.numpy(), -bound_D, bound_D).astype(np.int32)
            if not np.array_equal(runner.encode(images_NHWC, quality), symbols):
                raise _defect("encoder", quality)
            y_hat = dequantize(network.prior, symbols, quality).astype(np.float64) / 2**SYMBOL_EXPONENT
            y_hat_BD = torch.from_numpy(y_hat)
            x_hat = reference.decode(y_hat_BD, quality_B, quantized=True)
            pixels = (x_hat * 2**PIXEL_EXPONENT).numpy().transpose(0, 2, 3, 1)
            if not np.array_equal(runner.decode(symbols, quality), pixels):
                raise _defect("decoder", quality)
            expected = _distributions(reference, y_hat_BD, quality_B, quality)
        if not _same_distributions(network, symbols, quality, expected):
            raise _defect("entropy model", quality)


def _defect(part: str, quality: int) -> DefectError:
    return DefectError(f"the frozen {part} differs from the trained one at quality {quality}")


def _distributions(
    reference: Model, y_hat_BD: torch.Tensor, quality_B: torch.Tensor, quality: int
) -> list[NDArray[np.int64]]:
    """Both means, both scales and the weight of every symbol, in coding order: (B,D) each.

    They are in the units of the integers.
    """
    mean_MBD, log2_scale_MBD, first_BD = reference.prior(y_hat_BD, quality_B, quantized=True)
    inverse_QS = reference.gains.tables(quantized=True)[2]
    inverse_D = torch.repeat_interleave(inverse_QS[quality], reference.gains.repeats)[reference.prior.order]
    offset_D = torch.floor(2**SCALE_EXPONENT * torch.log2(inverse_D) + 0.5)
    means = torch.floor(mean_MBD * inverse_D * MEAN_STEPS + 0.5).clamp(-MEAN_LIMIT, MEAN_LIMIT)
    scales = (log2_scale_MBD * 2**SCALE_EXPONENT + offset_D + SCALE_CENTRE).clamp(0, SCALES - 1)
    weight = torch.floor(first_BD * WEIGHT_ONE + 0.5).clamp(1, WEIGHT_ONE - 1)
    return [part.long().numpy() for part in (*means, *scales, weight)]


def _same_distributions(
    network: Network, symbols_ND: NDArray[np.int32], quality: int, expected: list[NDArray[np.int64]]
) -> bool:
    """Whether the integer entropy model, step by step, gives the expected distributions."""
    evaluator = network.prior.evaluator()
    state = evaluator.start(len(symbols_ND), quality)
    start = 0
    for group, columns in enumerate(evaluator.groups):
        mixture: Mixture = state.mixture(group)
        found = (*mixture.means, *mixture.scales, mixture.weight)
        stop = start + len(columns)
        for part, whole in zip(found, expected, strict=True):
            if not np.array_equal(part, whole[:, start:stop].ravel()):
                return False
        state.reveal(group, symbols_ND[:, columns])
        start = stop
    return True
