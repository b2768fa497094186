"""Lists of layers: what a network's nodes will be, before any weight is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from compressnet.networks.program import Activation, Op, Range
from compressnet.training.lossy.networks.formats import HIDDEN_RANGE, SIGNED_RANGE
from compressnet.training.lossy.networks.widths import Widths


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A node to be. `step` names the exponent that it shares with other layers."""

    op: Op
    inputs: tuple[str, ...]
    output: str
    step: str = ""
    outputs: int = 0
    """Of a conv or dense layer, which has weights; 0 for others."""
    fan_in: tuple[int, ...] = ()
    """The weight's shape without its outputs: (I,) or (I,kh,kw)."""
    attributes: Mapping[str, int] = field(default_factory=dict[str, int])
    activation: Activation = "linear"
    clamp: Range = SIGNED_RANGE
    by_quality: bool = False


def extended(source: str, kind: tuple[int, int, int], widths: Widths, layers: list[Layer]) -> str:
    """Append what extends sides to whole tiles, if needed; returns the register."""
    grid, tile_px = widths.grid_shape(kind[0], kind[1]), widths.tile_px
    rows, columns = (places * tile_px - side for places, side in zip(grid, kind[:2], strict=True))
    if not rows and not columns:
        return source
    attributes = {"rows": rows, "columns": columns}
    layers.append(Layer(op="extend", inputs=(source,), output=f"{source}.extended", attributes=attributes))
    return f"{source}.extended"


def conv(
    source: str,
    output: str,
    step: str,
    shape: tuple[int, int, int],
    *,
    activation: Activation = "leaky",
    clamp: Range = HIDDEN_RANGE,
    by_quality: bool = False,
) -> Layer:
    """A 3x3 convolution; shape: (outputs, inputs, stride)."""
    outputs, inputs, stride = shape
    return Layer(
        op="conv",
        inputs=(source,),
        output=output,
        step=step,
        outputs=outputs,
        fan_in=(inputs, 3, 3),
        attributes={"stride": stride, "padding": 1},
        activation=activation,
        clamp=clamp,
        by_quality=by_quality,
    )


def dense(
    source: str,
    output: str,
    shape: tuple[int, int],
    *,
    step: str = "dense",
    activation: Activation = "linear",
    clamp: Range,
    by_quality: bool = False,
) -> Layer:
    """A matrix product; shape: (outputs, inputs)."""
    return Layer(
        op="dense",
        inputs=(source,),
        output=output,
        step=step,
        outputs=shape[0],
        fan_in=(shape[1],),
        activation=activation,
        clamp=clamp,
        by_quality=by_quality,
    )


def add(
    inputs: tuple[str, str], output: str, step: str, *, activation: Activation = "leaky", clamp: Range = HIDDEN_RANGE
) -> Layer:
    """The sum of two registers, all three on one step."""
    return Layer(op="add", inputs=inputs, output=output, step=step, activation=activation, clamp=clamp)


def append_residuals(layers: list[Layer], step: str, channels: int, blocks: int) -> str:
    """Append residual blocks, from register `STEP0` to `STEP1`, ..; returns the last.

    The first is leaky(x + conv(leaky(conv(x)))). Later ones leave out the outer activation, so
    that a block that is added to a trained network can begin as the identity.
    """
    for i in range(1, blocks + 1):
        source, name = f"{step}{i - 1}", f"{step}{i}"
        shape = (channels, channels, 1)
        layers.append(conv(source, f"{name}.a", f"{name}.a", shape))
        layers.append(conv(f"{name}.a", f"{name}.b", step, shape, activation="linear", clamp=SIGNED_RANGE))
        layers.append(add((source, f"{name}.b"), name, step, activation="leaky" if i == 1 else "linear"))
    return f"{step}{blocks}"


def append_dense_residuals(layers: list[Layer], width: int, blocks: int) -> str:
    """Append blocks x + dense(leaky(dense(x))), `dense` to `dense1`, ..; returns the last."""
    last = "dense"
    for i in range(1, blocks + 1):
        name = f"dense{i}"
        inner = dense(last, f"{name}.a", (width, width), step=f"{name}.a", activation="leaky", clamp=HIDDEN_RANGE)
        layers += [
            inner,
            dense(f"{name}.a", f"{name}.b", (width, width), clamp=SIGNED_RANGE),
            add((last, f"{name}.b"), name, "dense", activation="linear"),
        ]
        last = name
    return last
