"""A frozen network on other qualities: a part of its old range, spread over a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images
from compressnet.lossy.context import ContextPrior
from compressnet.lossy.masked import MaskedPrior
from compressnet.lossy.prior_arrays import DEQUANTIZED
from compressnet.lossy.sizeless import AnyNetwork, SizelessNetwork
from compressnet.networks.program import ANCHOR_STEP, ANCHORS, QUALITIES, Node, Program
from compressnet.training.freeze.lossy import FIRST, with_probe
from compressnet.training.freeze.prior import scale_offsets
from compressnet.training.freeze.sizeless import with_own_probe
from compressnet.training.lossy.networks.formats import GAIN_EXPONENT, GAIN_LIMIT

Position = Callable[[NDArray[np.integer]], NDArray[np.floating]]
"""From new qualities to the old ones that they stand for, which need not be whole."""
Table = NDArray[np.floating]
Moved = TypeVar("Moved", bound=AnyNetwork)


def moved(network: Moved, qualities: tuple[int, int], old: tuple[int, int], images_NHWC: Images) -> Moved:
    """Spread a network's qualities from old[0] to old[1] evenly over `qualities`, ends included.

    Gains, biases, alphabets and lambdas are interpolated between the old qualities. images_NHWC:
    what the new probe is made of; a network without a size needs none.
    """
    first, last = qualities
    step = (old[1] - old[0]) / (last - first) if last > first else 1.0

    def position(quality: NDArray[np.integer]) -> NDArray[np.floating]:
        return np.clip(old[0] + (quality - first) * step, 0, QUALITIES - 1)

    assert network.encoder is not None
    assert network.lambdas is not None
    one = 1 << GAIN_EXPONENT
    at = position(np.arange(QUALITIES))
    old_decode = network.decoder.nodes[0].arrays["table"] / one
    old_encode = network.encoder.nodes[-1].arrays["table"] / one
    decode = _rounded(_read_off(old_decode, at))
    tables = {"decode": decode, "encode": _rounded(_read_off(old_encode * old_decode, at) / (decode / one))}
    inverse = _rounded(one / decode)
    decoder = _moved_program(network.decoder, position, tables)
    prior = network.prior
    changes: dict[str, Any] = {
        "dequantize": decoder.nodes[0],
        "inverse_gain": inverse.astype(np.int16),
        "scale_offset": scale_offsets(inverse),
        "bound": _bounds(prior.bound, at),
    }
    if isinstance(prior, MaskedPrior):
        changes["hidden1"] = replace(prior.hidden1, bias=_bias(prior.hidden1.bias, position))
    elif isinstance(prior, ContextPrior):
        changes["slices"] = tuple(replace(part, bias=_bias(part.bias, position)) for part in prior.slices)
        if prior.pyramid is not None:
            changes["pyramid"] = replace(prior.pyramid, bias=_bias(prior.pyramid.bias, position))
    changed = replace(
        network,
        qualities=qualities,
        encoder=_moved_program(network.encoder, position, tables),
        decoder=decoder,
        prior=replace(prior, **changes),
        lambdas=np.exp(_read_off(np.log(network.lambdas.astype(np.float64))[:, None], at))[:, 0].astype(np.float32),
    )
    return with_own_probe(changed) if isinstance(changed, SizelessNetwork) else with_probe(changed, images_NHWC)


def _read_off(table_QS: Table, at: NDArray[np.floating]) -> Table:
    """A table at fractional qualities."""
    return np.stack([np.interp(at, np.arange(QUALITIES), column) for column in table_QS.T], axis=1)


def _rounded(gain: Table) -> NDArray[np.int64]:
    return np.clip(np.floor(gain * (1 << GAIN_EXPONENT) + 0.5), 1, GAIN_LIMIT).astype(np.int64)


def _bounds(bound: NDArray[np.int16], at: NDArray[np.floating]) -> NDArray[np.int16]:
    """The larger of both neighbours' alphabets."""
    return np.maximum(bound[np.floor(at).astype(int)], bound[np.ceil(at).astype(int)])


def _bias(bias_AO: NDArray[np.int32], position: Position) -> NDArray[np.int32]:
    if len(bias_AO) == 1:
        return bias_AO
    anchors = np.arange(ANCHORS) * ANCHOR_STEP
    columns = [np.interp(position(anchors), anchors, column) for column in bias_AO.T]
    return np.floor(np.stack(columns, axis=1) + 0.5).astype(np.int32)


def _moved_program(program: Program, position: Position, tables: Mapping[str, NDArray[np.int64]]) -> Program:
    return replace(program, nodes=tuple(_moved_node(node, position, tables) for node in program.nodes))


def _moved_node(node: Node, position: Position, tables: Mapping[str, NDArray[np.int64]]) -> Node:
    arrays = dict(node.arrays)
    if "table" in arrays:
        decodes = node.output in (DEQUANTIZED, FIRST + DEQUANTIZED)
        arrays["table"] = tables["decode" if decodes else "encode"].astype(np.int16)
    if "bound" in arrays:
        arrays["bound"] = _bounds(arrays["bound"].astype(np.int16), position(np.arange(QUALITIES)))
    if "bias" in arrays:
        arrays["bias"] = _bias(arrays["bias"].astype(np.int32), position)
    return replace(node, arrays=arrays)
