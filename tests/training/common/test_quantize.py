"""Fake quantization against the integers that it stands for."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.networks.numpy import bias_at
from compressnet.networks.proof import EXACT_BELOW
from compressnet.training.common.quantize import biases_through, quantize_through, weight_exponents, weights_through


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    fan_in=st.sampled_from([1, 9, 300, 1568, 3136]),
    size=st.floats(-12, 8),
    bias=st.floats(-10, 10),
    largest=st.sampled_from([127, 223, 255]),
)
def test_exponents_always_keep_float32_exact(seed: int, fan_in: int, size: float, bias: float, largest: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(4, fan_in, generator=generator) * 2.0**size
    biases = torch.full((1, 4), bias)
    exponents = weight_exponents(weight, biases, torch.tensor(3.0), largest)
    integers = (weights_through(weight, exponents) * torch.exp2(exponents)[:, None]).double()
    assert torch.equal(integers, integers.round())
    assert integers.abs().max() <= 127
    whole_bias = torch.floor(biases.double() * torch.exp2(exponents) + 0.5).abs()
    assert (integers.abs().sum(dim=1) * largest + whole_bias < EXACT_BELOW).all()
    assert ((exponents - 3).abs() <= 20).all()


def test_biases_round_as_the_integer_networks_do() -> None:
    torch.manual_seed(0)
    anchors = torch.randn(12, 5)
    exponents = torch.tensor([3.0, 5.0, 8.0, 10.0, 0.0])
    trained = biases_through(anchors, exponents) * torch.exp2(exponents)
    integers = torch.floor(anchors * torch.exp2(exponents) + 0.5).numpy().astype(np.int32)
    for quality in range(100):
        assert trained[quality].tolist() == bias_at(integers, quality).tolist()


def test_quantize_through_rounds_half_up_and_stops_gradients_where_it_clamps() -> None:
    x = torch.tensor([-0.5, 0.125, 0.375, 9.0], requires_grad=True)
    y = quantize_through(x, torch.tensor(2.0), -128, 20)
    assert y.tolist() == [-0.5, 0.25, 0.5, 5.0]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1, 1, 0]
