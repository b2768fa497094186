"""What moves the parameters of a model: AdamW, with groups that learn at rates of their own."""

from __future__ import annotations

import torch
from torch import nn

from compressnet.training.lossy.design import Design
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.trainable_network import TrainableNetwork

BETAS = (0.9, 0.98)


def make_optimizer(model: Model, design: Design) -> torch.optim.Optimizer:
    """Of all parameters that are to be trained; `scale` of a group multiplies its rate.

    Gains move slowly, as latents can take up any scale, and only weights decay. So do transforms
    of tiles of 8 pixels and more: a step of Adam moves each of their thousands of weights by as
    much as those of a small layer.
    """
    weights: list[nn.Parameter] = []
    transforms: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    gains = list(model.gains.parameters())
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if design.widths.deep and name in ("g_a.weighted.grid_straight.weight", "g_s.weighted.tiles.weight"):
            transforms.append(parameter)
        elif not name.startswith(("gains.", "g_r.")):
            (weights if name.endswith("weight") else others).append(parameter)
    groups = [
        {"params": weights, "weight_decay": 0.01, "scale": 1.0},
        {"params": transforms, "weight_decay": 0.0, "scale": 0.05},
        {"params": others, "weight_decay": 0.0, "scale": 1.0},
        {"params": [gain for gain in gains if gain.requires_grad], "weight_decay": 0.0, "scale": 0.2},
    ]
    return torch.optim.AdamW(groups, lr=design.learning_rate, betas=BETAS, fused=True)


def refinement_optimizer(refinement: TrainableNetwork, design: Design) -> torch.optim.Optimizer:
    """Of a refinement's parameters alone."""
    weights = [parameter for name, parameter in refinement.named_parameters() if name.endswith("weight")]
    biases = [parameter for name, parameter in refinement.named_parameters() if not name.endswith("weight")]
    groups = [
        {"params": weights, "weight_decay": 0.01, "scale": 1.0},
        {"params": biases, "weight_decay": 0.0, "scale": 1.0},
    ]
    return torch.optim.AdamW(groups, lr=design.learning_rate, betas=BETAS, fused=True)
