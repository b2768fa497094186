"""What a pixel model takes to code images, as its arrays tell: a bound for every backend."""

from __future__ import annotations

import math
from functools import partial

from compressnet.bisection import first_that
from compressnet.coding.lockstep import LOCKSTEP_BYTES, LOCKSTEP_IMAGES
from compressnet.images.kinds import Kind
from compressnet.limits import Cost
from compressnet.lossless.model import CODES, REACH_LIMIT, PixelModel, PlaneModel

PRODUCT_WORK, PIXEL_WORK = 3, 4096
"""Of a product, which is in a matrix of few columns, and of a pixel besides."""


def pixels_cost(model: PixelModel, kind: Kind, images: int) -> Cost:
    """What images of a kind take, coded together."""
    height, width, _ = kind
    products = PRODUCT_WORK * sum(map(_products, model.planes)) + PIXEL_WORK * len(model.planes)
    memory = max(_plane_bytes(plane, width) for plane in model.planes) + 8 * math.prod(kind)
    return Cost(memory=images * memory, work=images * height * width * products)


def pixels_together(kind: Kind, model: PixelModel) -> int:
    """How many images of a kind are coded together, at most."""
    cost = partial(pixels_cost, model, kind)
    return first_that(1, LOCKSTEP_IMAGES, lambda images: cost(images + 1).memory > LOCKSTEP_BYTES)


def _layers(plane: PlaneModel) -> list[int]:
    """How many weights each layer has."""
    return [layer.weight.size for layer in (*plane.layers, plane.flag, plane.high, plane.low1, plane.low2)]


def _products(plane: PlaneModel) -> int:
    """Of a pixel."""
    return sum(_layers(plane))


def _plane_bytes(plane: PlaneModel, width: int) -> int:
    """What is known of an image while a plane of it is coded."""
    inputs = plane.layers[0].weight.shape[1]
    units = max(len(layer.shift) for layer in (*plane.layers, plane.low1))
    columns = plane.near_table.shape[1] + plane.far_table.shape[1] + 1
    rows = (REACH_LIMIT + 3) * (width + 2 * REACH_LIMIT) * columns
    return 4 * (2 * inputs + 4 * units + rows) + 2 * CODES + 4 * plane.seen_table.shape[1]
