"""From trained refinements to a codec that decodes as the old one did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.lossy.network import Network
from compressnet.training.freeze.lossy import freeze, with_probe
from compressnet.training.join import default_quality
from compressnet.training.lossy.loop import Trainer


def refined_bundle(bundle: Bundle, trainers: Mapping[int, Trainer], name: str) -> Bundle:
    """The codec with new encoders. trainers: by the index of the network that each refined.

    Raises DefectError where a frozen encoder differs from the trained one.
    """
    networks = list(bundle.networks)
    for index, trainer in trainers.items():
        network = networks[index]
        assert isinstance(network, Network)
        networks[index] = _with_encoder(network, trainer)
    epochs = {trainer.design.name: round(trainer.epochs, 2) for trainer in trainers.values()}
    about = {"before": bundle.about, "refined": epochs}
    sized = [network for network in networks if isinstance(network, Network)]
    quality = default_quality(sized, next(iter(trainers.values())).sample)
    return make_bundle(tuple(networks), bundle.pixels, name=name, default_quality=quality, about=json.dumps(about))


def _with_encoder(network: Network, trainer: Trainer) -> Network:
    """A network with its new encoder, whose alphabets stay those of its entropy model."""
    assert network.encoder is not None
    encoder = freeze(trainer.average, trainer.sample, network.qualities).encoder
    assert encoder is not None
    last, old = encoder.nodes[-1], network.encoder.nodes[-1]
    last = replace(last, arrays={**last.arrays, "bound": old.arrays["bound"]})
    encoder = replace(encoder, nodes=(*encoder.nodes[:-1], last))
    return with_probe(replace(network, encoder=encoder), trainer.sample)
