"""The codec file, NAME.codec: safetensors with the networks' structure as JSON in its metadata.

    __metadata__  {"compressnet": "1", "codec": JSON}
    JSON          {"name", "default_quality", "about", "networks": [network, ...], "pixels": [pixel model, ...]}
    network       {"kind": [H,W,C], "qualities": [low,high], "decoder": [node, ...], "encoder": [node, ...]}
    tensors       "0.decoder.ARRAY", "0.encoder.ARRAY", "0.prior.ARRAY", "0.tables.ARRAY", "0.probe.ARRAY",
                  "0.encoder.lambda"; "pixels.0.ARRAY", see `compressnet.lossless.arrays`, and "pixels.0.probe"

The leading number is the network's. Decoding needs `decoder`, `prior` and `tables`: they make the codec's
identity, and they are what an archive embeds, with the probe; `encoder` may be missing. A codec has two parts, either
of which may be missing: networks, which are lossy, and pixel models, which are not. Each part has an identity of its
own, and an archive embeds the part that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.errors import CorruptError
from compressnet.lossless.arrays import PROBE, model_from, pixels_identity
from compressnet.lossless.model import PixelModel
from compressnet.lossy.arrays import Tensors, lossy_identity_of, network_from, whole_number
from compressnet.lossy.network import Network

PIXELS = "pixels"
"""What the names of pixel models' tensors begin with, and their key in the JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A codec as data: proved networks and what they are called."""

    name: str
    default_quality: int
    about: str
    networks: tuple[Network, ...]
    """The lossy part."""
    pixels: tuple[PixelModel, ...]
    """The lossless part."""
    lossy_identity: bytes | None
    """SHA-256 of what decoding needs of the lossy part, 32 bytes; None where there is none."""
    lossless_identity: bytes | None

    @property
    def identity(self) -> bytes:
        """The lossy part's identity; where there is none, the lossless part's."""
        identity = self.lossy_identity or self.lossless_identity
        assert identity is not None
        return identity

    def part(self, identity: bytes) -> Bundle | None:
        """The part of an identity, as a codec of its own; None where neither part has it."""
        if identity == self.lossy_identity:
            return self if not self.pixels else replace(self, pixels=(), lossless_identity=None)
        if identity == self.lossless_identity:
            lossless = {"networks": (), "lossy_identity": None, "default_quality": LOSSLESS_QUALITY}
            return self if not self.networks else replace(self, **lossless)
        return None


def from_parts(document: Any, tensors: Tensors, source: str) -> Bundle:
    """A bundle from its JSON document and the tensors of all its networks, proved; `source` names it in errors.

    Raises CorruptError for a codec that is damaged or would not run exactly.
    """
    try:
        networks = tuple(network_from(i, entry, tensors) for i, entry in enumerate(document["networks"]))
        pixels = tuple(_pixel_model(i, entry, tensors) for i, entry in enumerate(document.get("pixels", [])))
        name, about = str(document["name"]), str(document["about"])
        default_quality = whole_number(document["default_quality"])
        if not networks and not pixels:
            raise CorruptError("it has no network")
        ranges = [network.qualities for network in networks] or [(LOSSLESS_QUALITY, LOSSLESS_QUALITY)]
        if not any(low <= default_quality <= high for low, high in ranges):
            raise CorruptError(f"none of its networks has its default quality, {default_quality}")
        return make_bundle(networks, pixels, name=name, default_quality=default_quality, about=about)
    except CorruptError as error:
        raise CorruptError(f"{source}: {error}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise CorruptError(f"{source}: the codec's networks cannot be read ({error!r})") from error


def make_bundle(
    networks: tuple[Network, ...], pixels: tuple[PixelModel, ...] = (), *, name: str, default_quality: int, about: str
) -> Bundle:
    """A bundle with its identities computed."""
    return Bundle(
        name=name,
        default_quality=default_quality,
        about=about,
        networks=networks,
        pixels=pixels,
        lossy_identity=lossy_identity_of(networks) if networks else None,
        lossless_identity=pixels_identity(pixels) if pixels else None,
    )


def _pixel_model(i: int, entry: Any, tensors: Tensors) -> PixelModel:
    start, probe = f"{PIXELS}.{i}.", f"{PIXELS}.{i}.{PROBE}"
    arrays = {name[len(start) :]: array for name, array in tensors.items() if name.startswith(start) and name != probe}
    return model_from(entry, arrays, tensors[probe])
