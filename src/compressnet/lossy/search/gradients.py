"""The gradient of rate + lambda * distortion with respect to symbols, as an ONNX graph.

Effort above 1 runs it. Apart from k, which is real, integers are as in the codec:

    k (N,D) real -> dequantize -> y_hat -> decoder -> x_hat -> squared error
                                  y_hat -> entropy model -> mixture of logistics -> bits

It proposes; what a symbol costs is decided in integers elsewhere, so nothing here has to be exact.
"""

from __future__ import annotations

from onnx import TensorProto, helper

from compressnet.images.alpha import has_alpha
from compressnet.lossy.network import Network
from compressnet.lossy.prior_arrays import DEQUANTIZED
from compressnet.lossy.search.rate import rate_gradient
from compressnet.lossy.search.tape import Tape
from compressnet.networks.numpy import segment_values
from compressnet.networks.proof import register_shapes


def gradient_model(network: Network, quality: int) -> bytes:
    """The ONNX file of the loss and its gradient.

    `k` float (N,D), `x` float pixels (N,C,H,W), `lam` float (1,) -> `loss` (N,), `gradient` (N,D).

    loss: bits + lam * squared error, pixels in [0,1], of each image.
    """
    tape = Tape(quality)
    decoder = network.decoder
    shapes = register_shapes(decoder)
    registers = tape.forward(decoder.nodes, {"x": "k"})
    bits, direct, through_prior = rate_gradient(tape, network.prior, registers[DEQUANTIZED], "k")
    error = tape.add("Sub", [registers["y"], "x"])
    if has_alpha(network.kind[2]):
        error = tape.add("Mul", [error, _visible(tape, network.kind[2])])
    scale = tape.add("Mul", ["lam", tape.floats([1 / 255**2])])
    squared = tape.add(
        "ReduceSum", [tape.add("Flatten", [tape.add("Mul", [error, error])], axis=1), tape.integers(1)], keepdims=0
    )
    coded = tape.floats((network.symbol_bounds(quality) > 0)[None])
    rate = tape.add("ReduceSum", [tape.add("Mul", [bits, coded]), tape.integers(1)], keepdims=0)
    tape.add("Add", [rate, tape.add("Mul", [squared, scale])], "loss")
    gradient = tape.add("Mul", [error, tape.add("Mul", [scale, tape.floats([2.0])])])
    first, rest = decoder.nodes[0], decoder.nodes[1:]
    through_decoder = tape.backward(rest, shapes, "y", gradient)[DEQUANTIZED]
    both = tape.add("Add", [through_decoder, through_prior])
    through = tape.backward((first,), shapes, DEQUANTIZED, both)["x"]
    tape.add("Mul", [tape.add("Add", [through, direct]), coded], "gradient")
    symbols = len(network.prior.order)
    inputs = [
        helper.make_tensor_value_info("k", TensorProto.FLOAT, ["N", symbols]),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shapes["y"]]),
        helper.make_tensor_value_info("lam", TensorProto.FLOAT, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("loss", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("gradient", TensorProto.FLOAT, ["N", symbols]),
    ]
    return tape.model(inputs, outputs, {})


def _visible(tape: Tape, channels: int) -> str:
    """1 where something can be seen of the pixels `x`, 0 for colour under alpha 0: (N,C,H,W)."""
    colours = channels - 1
    alpha = tape.add("Slice", ["x", tape.integers(colours), tape.integers(channels), tape.integers(1)])
    seen = tape.add("Clip", [alpha, tape.floats(0.0), tape.floats(1.0)])
    one = tape.add("Clip", [alpha, tape.floats(1.0), tape.floats(1.0)])
    return tape.add("Concat", [*[seen] * colours, one], axis=1)


def latents_model(network: Network, quality: int) -> bytes:
    """The ONNX file of the encoder's symbols before they are rounded.

    `x` float pixels (N,C,H,W) -> `y` float (N,D).
    """
    assert network.encoder is not None
    builder = Tape(quality)
    nodes = network.encoder.nodes
    registers = builder.forward(nodes[:-1], {"x": "x"})
    gain = nodes[-1]
    gains = segment_values(gain, "table", quality) * 2.0 ** -float(gain.arrays["shift"][0])
    builder.add("Mul", [registers[gain.inputs[0]], builder.floats(gains[None])], "y")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *network.encoder.input_shape])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", len(network.prior.order)])
    return builder.model([x], [y], {})
