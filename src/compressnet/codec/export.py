"""The three models as ONNX files: encoder, decoder, and both in one.

Any ONNX runtime runs them without compressnet.

Pixels are uint8 (N,H,W) for one channel, else (N,H,W,C); symbols int32 (N,D). N is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onnx import TensorProto, ValueInfoProto, helper

from compressnet.codec.bundle import Bundle
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.errors import CodecError, InputError
from compressnet.files import atomic_write
from compressnet.images.kinds import Kind, size_text
from compressnet.lossy.network import Network
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.networks.graphs import GraphBuilder


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The bytes of the three ONNX files."""

    encoder: bytes
    decoder: bytes
    autoencoder: bytes


def _pixels(network: Network, name: str) -> ValueInfoProto:
    height, width, channels = network.kind
    shape = ["N", height, width] if channels == 1 else ["N", height, width, channels]
    return helper.make_tensor_value_info(name, TensorProto.UINT8, shape)


def _symbols(network: Network) -> ValueInfoProto:
    return helper.make_tensor_value_info("symbols", TensorProto.INT32, ["N", len(network.prior.order)])


def _from_pixels(builder: GraphBuilder, network: Network) -> str:
    """uint8 pixels as the programs take them: float32 (N,C,H,W)."""
    values = builder.add("Cast", ["images"], to=TensorProto.FLOAT)
    if network.kind[2] == 1:
        return builder.add("Unsqueeze", [values, builder.integers(1)])
    return builder.add("Transpose", [values], perm=[0, 3, 1, 2])


def _to_pixels(builder: GraphBuilder, network: Network, values: str, output: str) -> None:
    if network.kind[2] == 1:
        values = builder.add("Squeeze", [values, builder.integers(1)])
    else:
        values = builder.add("Transpose", [values], perm=[0, 2, 3, 1])
    builder.add("Cast", [values], output, to=TensorProto.UINT8)


def make_models(bundle: Bundle, quality: int, network: Network) -> Models:
    """The three models of a network at a quality.

    Raises CodecError where the codec has no encoder.
    """
    if network.encoder is None:
        raise CodecError(f"the codec {bundle.name} has no encoder: it is the decoding part, as archives embed it")
    metadata = {
        "compressnet.codec": bundle.name,
        "compressnet.identity": bundle.identity.hex(),
        "compressnet.quality": str(quality),
        "compressnet.kind": size_text(network.kind),
        "compressnet.symbols": str(len(network.prior.order)),
    }
    encoder = GraphBuilder(quality)
    symbols = encoder.program(network.encoder, _from_pixels(encoder, network))
    encoder.add("Cast", [symbols], "symbols", to=TensorProto.INT32)

    decoder = GraphBuilder(quality)
    values = decoder.add("Cast", ["symbols"], to=TensorProto.FLOAT)
    _to_pixels(decoder, network, decoder.program(network.decoder, values), "images")

    both = GraphBuilder(quality)
    symbols = both.program(network.encoder, _from_pixels(both, network))
    _to_pixels(both, network, both.program(network.decoder, symbols), "decoded")
    return Models(
        encoder=encoder.model([_pixels(network, "images")], [_symbols(network)], metadata),
        decoder=decoder.model([_symbols(network)], [_pixels(network, "images")], metadata),
        autoencoder=both.model([_pixels(network, "images")], [_pixels(network, "decoded")], metadata),
    )


def network_at(bundle: Bundle, quality: int, kind: Kind | None = None) -> Network:
    """The codec's first network at a quality, for a kind of image if one is given.

    Raises InputError where there is none.
    """
    if not bundle.networks:
        raise InputError(
            f"the codec {bundle.name} is lossless: its network goes pixel by pixel, and has no encoder or decoder to "
            "export"
        )
    if quality == LOSSLESS_QUALITY:
        raise InputError(
            "quality 100 is lossless and has no encoder or decoder to export, as its network goes pixel by pixel; use "
            "'compressnet compress --quality 100', or export another quality"
        )
    networks = [network for network in bundle.networks if network.has_quality(quality)]
    for network in networks:
        if isinstance(network, Network) and kind in (None, network.kind):
            return network
    for network in networks:
        if isinstance(network, SizelessNetwork):
            if kind is None:
                raise InputError(f"the codec {bundle.name} codes images of any size; say by --kind which to export for")
            reason = network.why_not(kind)
            if reason is not None:
                raise InputError(f"the codec {bundle.name}: {reason}")
            return network.at(kind)
    low, high = bundle.parts[0].qualities
    raise InputError(f"quality {quality}: the codec {bundle.name} has qualities {low} to {high} to export")


def export(bundle: Bundle, folder: Path, quality: int) -> list[Path]:
    """Write encoder.onnx, decoder.onnx and autoencoder.onnx into a folder; returns their paths.

    Raises InputError where the folder cannot be written, CodecError where the codec has no
    encoder.
    """
    models = make_models(bundle, quality, network_at(bundle, quality))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("encoder", "decoder", "autoencoder"):
            atomic_write(folder / f"{name}.onnx", getattr(models, name))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
    return [folder / f"{name}.onnx" for name in ("encoder", "decoder", "autoencoder")]
