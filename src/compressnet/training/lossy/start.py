"""Where a training begins: the linear branches as a Karhunen-Loève transform of the images' tiles.

A network with linear branches is then, before its first step, a transform codec fitted to the
images. What is left to learn is the entropy model, and what the transform cannot do.

Axes: N images, H rows, W columns, C channels; T tiles, V values of a tile, G channels of the grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from compressnet.images.kinds import Images
from compressnet.lossy.promotion import promotion
from compressnet.training.lossy.networks.channels import mapped
from compressnet.training.lossy.networks.context_module import ContextModule
from compressnet.training.lossy.networks.formats import PIXEL_EXPONENT, PIXEL_LIMIT
from compressnet.training.lossy.networks.layers import Weighted
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.pixels import to_pixels

SAMPLE_IMAGES = 4000
NARROW, WIDE = 0.15, 0.7
"""Scales of the first logistic distributions, in standard deviations of the coefficient."""
LATENT_SCALE = math.sqrt(60) / 2 / (PIXEL_LIMIT / 2**PIXEL_EXPONENT * math.sqrt(6 / math.log(2)))
"""High-rate theory asks for steps of sqrt(6 / (ln 2 * lambda)) with pixels in 0..1. A model's
gains start at 1 / step = 2 * sqrt(lambda / 60)
(`compressnet.training.lossy.networks.model.starting_gains`), with pixels in 0..255/64."""


def begin_as_transform(model: Model, sets: Sequence[Images]) -> None:
    """Set the linear branches of a model's grid to the KLT of images, and damp the others.

    sets: images (N,H,W,C) of each kind; a kind counts by its number of tiles.
    """
    widths = model.widths
    if not (widths.linear and widths.grid):
        return
    share = min(1.0, SAMPLE_IMAGES / sum(map(len, sets)))
    tiles_TV = torch.cat([_tiles(images, model, math.ceil(share * len(images))) for images in sets])
    mean_V = tiles_TV.mean(dim=0)
    variances, vectors = torch.linalg.eigh(torch.cov(tiles_TV.T))
    basis_GV = vectors.flip(1).T[: widths.grid]
    missing = widths.grid - len(basis_GV)
    basis_GV = F.pad(basis_GV, (0, 0, 0, missing)) if missing > 0 else basis_GV
    with torch.no_grad():
        straight, tiled = _layer(model.g_a, "grid_straight"), _layer(model.g_s, "tiles")
        for layer in (straight, tiled):
            layer.weight.mul_(0.02)
        straight.weight[:, :, 1, 1] = (basis_GV * LATENT_SCALE).float()
        straight.bias[:] = (-LATENT_SCALE * basis_GV @ mean_V).float()
        tiled.weight[:, :, 1, 1] = (basis_GV.T / LATENT_SCALE).float()
        tiled.bias[:] = mean_V.float()
        for network, name in ((model.g_a, "grid_curved"), (model.g_s, "pixels")):
            _layer(network, name).weight.mul_(0.1)
        if isinstance(model.prior, ContextModule):
            _begin_entropy_model(model.prior, variances.flip(0)[: widths.grid].clamp_min(1e-6).sqrt() * LATENT_SCALE)


def _tiles(images_NHWC: Images, model: Model, count: int) -> torch.Tensor:
    """Tiles (T,V) of `count` images, evenly spread, as the model's networks see them."""
    few = images_NHWC[np.linspace(0, len(images_NHWC) - 1, count).astype(int)]
    x = mapped(promotion(images_NHWC.shape[3], model.inner_kind[2]), to_pixels(few, torch.float32), quantized=False)
    tile_px = model.widths.tile_px
    rows, columns = (-side % tile_px for side in x.shape[2:])
    x = F.pad(x, (0, columns, 0, rows), mode="replicate")
    return F.pixel_unshuffle(x, tile_px).permute(0, 2, 3, 1).flatten(0, 2).double()


def _begin_entropy_model(prior: ContextModule, deviation_G: torch.Tensor) -> None:
    """Let each channel begin with a narrow and a wide scale that fit its coefficients."""
    for layer, (start, size) in zip(prior.layer3, prior.spans, strict=True):
        bias: torch.Tensor = layer.bias  # pyright: ignore
        log2_G = torch.log2(F.pad(deviation_G, (0, prior.grid[0] - len(deviation_G)), value=1e-3)[start : start + size])
        for kind, factor in ((1, NARROW), (3, WIDE)):
            bias[0, kind * size : (kind + 1) * size] = log2_G + math.log2(factor)
        layer.weight.mul_(0.3)  # pyright: ignore


def _layer(network: nn.Module, name: str) -> Weighted:
    layer = network.weighted[name]  # pyright: ignore
    assert isinstance(layer, Weighted)
    return layer
