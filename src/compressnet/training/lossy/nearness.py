"""What keeps a network close to the one that it began as, so that their difference is small.

An archive embeds only how its codec differs from a shipped one, and every integer that differs
costs about a byte. So a weight moves only where the images agree that it should: a step of Adam
moves it by the learning rate times the gradients' signal-to-noise ratio, and after each step all
weights are drawn back towards where they began by THRESHOLD of the learning rate. That is the
proximal step of an L1 norm (Daubechies, Defrise and De Mol, arXiv:math/0307152).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EMBEDDED = ("g_s.", "prior.")
"""Prefixes of the parameters that archives embed; the encoder is free."""
THRESHOLD = 0.3


class Nearness:
    """Draws a model's parameters back towards what they are now."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """optimizer: that of the model."""
        named = {parameter: name for name, parameter in model.named_parameters() if name.startswith(EMBEDDED)}
        self._drawn: list[tuple[dict[str, float], Tensor, Tensor, Tensor | None]] = []
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter in named:
                    start = parameter.detach().clone()
                    limit = _largest_of_rows(start) if named[parameter].endswith("weight") else None
                    self._drawn.append((group, parameter, start, limit))

    @torch.no_grad()
    def draw_back(self) -> None:
        """Draw all parameters back, after a step of the optimizer.

        No weight leaves the range that its row began with: a wider one would change the step of
        all integers of the row.
        """
        for group, parameter, start, limit in self._drawn:
            moved = torch.nn.functional.softshrink(parameter - start, THRESHOLD * group["lr"])
            moved += start
            parameter.copy_(moved if limit is None else moved.clamp_(-limit, limit))


def _largest_of_rows(weight: Tensor) -> Tensor:
    """The largest magnitude of each output's weights, (O,1,..)."""
    return weight.abs().flatten(1).amax(dim=1).reshape(-1, *([1] * (weight.dim() - 1)))
