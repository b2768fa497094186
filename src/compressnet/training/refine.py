"""From trained refinements to a codec that decodes as the old one did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.errors import DefectError
from compressnet.lossy.network import Network
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.networks.program import Program
from compressnet.training.freeze.lossy import freeze, with_probe
from compressnet.training.freeze.sizeless import with_own_probe
from compressnet.training.join import default_quality, frozen_family
from compressnet.training.lossy.loop import Trainer


def refined_bundle(bundle: Bundle, trainers: Mapping[int, Trainer], name: str) -> Bundle:
    """The codec with new encoders. trainers: by the index of the network that each refined.

    Raises DefectError where a frozen encoder differs from the trained one.
    """
    networks = list(bundle.networks)
    for index, trainer in trainers.items():
        network = networks[index]
        is_sized = isinstance(network, Network)
        networks[index] = _with_encoder(network, trainer) if is_sized else _with_own_encoder(network, trainer)
    epochs = {trainer.design.name: round(trainer.epochs, 2) for trainer in trainers.values()}
    about = {"before": bundle.about, "refined": epochs}
    sized = [network for network in networks if isinstance(network, Network)]
    quality = default_quality(sized, next(iter(trainers.values())).sample) if sized else bundle.default_quality
    refined = make_bundle(tuple(networks), bundle.pixels, name=name, default_quality=quality, about=json.dumps(about))
    if refined.identity != bundle.identity:
        raise DefectError("a refinement changed what decodes; this is a bug")
    return refined


def _with_encoder(network: Network, trainer: Trainer) -> Network:
    """A network with its new encoder, whose alphabets stay those of its entropy model."""
    assert network.encoder is not None
    encoder = freeze(trainer.average, trainer.sample, network.qualities).encoder
    assert encoder is not None
    return with_probe(replace(network, encoder=_bounded(encoder, network.encoder)), trainer.sample)


def _with_own_encoder(network: SizelessNetwork, trainer: Trainer) -> SizelessNetwork:
    """The same for a network without a size."""
    frozen = frozen_family(trainer)
    assert isinstance(frozen, SizelessNetwork)
    assert frozen.encoder is not None
    assert network.encoder is not None
    return with_own_probe(replace(network, encoder=_bounded(frozen.encoder, network.encoder)))


def _bounded(encoder: Program, old: Program) -> Program:
    """An encoder with the alphabets of an older one."""
    last = encoder.nodes[-1]
    last = replace(last, arrays={**last.arrays, "bound": old.nodes[-1].arrays["bound"]})
    return replace(encoder, nodes=(*encoder.nodes[:-1], last))
