"""A model that begins as a transform codec of its images is one before its first step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compressnet.images.metrics import psnr_of_mse
from compressnet.training.lossy.design import Preset, pictures
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.pixels import to_pixels
from compressnet.training.lossy.start import begin_as_transform
from make_conformance import blobs

SMALL = Preset(minutes=1, fine=4, coarse=8, hidden=8)
QUALITY = 80


def new_model(kind: tuple[int, int, int], channels: int) -> Model:
    torch.manual_seed(0)
    design = pictures(SMALL, channels, 1000, several_kinds=True)
    return Model(kind, design.widths, design.lambdas()).eval()


def psnr_and_bits(model: Model, images: np.ndarray) -> tuple[float, float]:
    x = to_pixels(images, torch.float32)
    with torch.no_grad():
        outcome = model(x, torch.full((len(x),), QUALITY), quantized=False)
    assert outcome.x_hat.shape == x.shape
    error = (outcome.x_hat - x) * 64 / 255
    return psnr_of_mse(float(error.square().mean())), float(outcome.bits_B.mean())


@pytest.mark.parametrize("kind", [(8, 12, 1), (8, 8, 2), (9, 14, 3), (22, 22, 4), (13, 8, 4)])
def test_it_is_better_and_cheaper_than_an_untrained_model(kind: tuple[int, int, int]) -> None:
    model, images = new_model(kind, kind[2]), blobs(100, kind, 3)
    psnr, bits = psnr_and_bits(model, images)
    begin_as_transform(model, [images])
    begun_psnr, begun_bits = psnr_and_bits(model, images)
    assert begun_psnr > psnr + 8
    assert begun_bits < bits


def test_it_holds_for_images_that_it_has_not_seen() -> None:
    model, kind = new_model((9, 14, 3), 3), (9, 14, 3)
    begin_as_transform(model, [blobs(100, kind, 3)])
    seen, unseen = (psnr_and_bits(model, blobs(100, kind, seed))[0] for seed in (3, 4))
    assert unseen == pytest.approx(seen, abs=1)


def test_images_of_several_kinds_share_a_transform() -> None:
    """Grey alone knows no colour, so a transform of it alone would lose that of the others."""
    grey, colour = blobs(100, (9, 14, 1), 3), blobs(80, (8, 8, 4), 4)
    shared = new_model((9, 14, 1), 4)
    before = psnr_and_bits(shared, grey)[0], psnr_and_bits(shared.for_kind((8, 8, 4)), colour)[0]
    begin_as_transform(shared, [grey, colour])
    after = psnr_and_bits(shared, grey)[0], psnr_and_bits(shared.for_kind((8, 8, 4)), colour)[0]
    assert min(after) > max(before) + 8
    alone = new_model((9, 14, 1), 4)
    begin_as_transform(alone, [grey])
    assert psnr_and_bits(alone.for_kind((8, 8, 4)), colour)[0] < after[1] - 1


def test_few_images_are_enough() -> None:
    """Fewer tiles than a tile has values: what is beyond their span is coded coarsely."""
    model, images = new_model((8, 8, 3), 3), blobs(4, (8, 8, 3), 3)
    begin_as_transform(model, [images])
    assert psnr_and_bits(model, images)[0] > 15
