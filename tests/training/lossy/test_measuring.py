"""Whether a training still pays, and what a model in training costs."""

from __future__ import annotations

import math

import pytest

from compressnet.training.common.options import Measured
from compressnet.training.lossy.measuring import Returns, cost_of


def test_cost_is_the_loss_of_the_training() -> None:
    point = Measured(quality=3, bytes_per_image=10, psnr=20, ssim=None)
    assert cost_of([point], [0, 0, 0, 4.0], 1000) == pytest.approx((80 + 4 * 10) / 2)
    assert cost_of([point, point], [0, 0, 0, 4.0], 1000) == pytest.approx(120)
    assert math.isfinite(cost_of([point._replace(psnr=math.inf)], [0, 0, 0, 4.0], 1000))


def test_a_training_pays_while_costs_fall() -> None:
    returns = Returns()
    assert returns.pay(0.5, (0, 99), 100)
    returns.note(0.1, (0, 99), 100)
    assert returns.pay(0.2, (0, 99), 100)  # too soon to tell
    assert returns.pay(0.5, (0, 99), 99)
    assert not returns.pay(0.5, (0, 99), 99.9)
    assert not returns.pay(0.5, (0, 99), 101)
    assert returns.pay(0.5, (20, 40), 101)  # other qualities cannot be compared
    assert Returns(returns.costs).costs == returns.costs
