"""The three models as ONNX files: encoder, decoder, and both in one.

Any ONNX runtime runs them without compressnet.

Pixels are uint8 (N,H,W) for one channel, else (N,H,W,C); symbols int32 (N,D). N is free. Of a
network without a size, H and W are free as well, and images have as many channels as it codes.
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
from compressnet.lossy.promotion import demotion, promotion
from compressnet.lossy.sizeless import SMALLEST_GRID, AnyNetwork, SizelessNetwork
from compressnet.networks.graphs import GraphBuilder, TiledGraphBuilder
from compressnet.networks.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The bytes of the three ONNX files."""

    encoder: bytes
    decoder: bytes
    autoencoder: bytes


def _pixels(kind: tuple[int | str, int | str, int], name: str) -> ValueInfoProto:
    """What a model knows of its pixels; a side that is free has a name."""
    height, width, channels = kind
    shape = ["N", height, width] if channels == 1 else ["N", height, width, channels]
    return helper.make_tensor_value_info(name, TensorProto.UINT8, shape)


def _symbols(symbols: int | str) -> ValueInfoProto:
    return helper.make_tensor_value_info("symbols", TensorProto.INT32, ["N", symbols])


def _from_pixels(builder: GraphBuilder, channels: int) -> str:
    """uint8 pixels as the programs take them: float32 (N,C,H,W)."""
    values = builder.add("Cast", ["images"], to=TensorProto.FLOAT)
    if channels == 1:
        return builder.add("Unsqueeze", [values, builder.integers(1)])
    return builder.add("Transpose", [values], perm=[0, 3, 1, 2])


def _to_pixels(builder: GraphBuilder, channels: int, values: str, output: str) -> None:
    if channels == 1:
        values = builder.add("Squeeze", [values, builder.integers(1)])
    else:
        values = builder.add("Transpose", [values], perm=[0, 2, 3, 1])
    builder.add("Cast", [values], output, to=TensorProto.UINT8)


def make_models(bundle: Bundle, quality: int, network: Network) -> Models:
    """The three models of a network at a quality.

    Raises CodecError where the codec has no encoder.
    """
    if network.encoder is None:
        raise _without_encoder(bundle)
    metadata = _metadata(bundle, quality, size_text(network.kind), str(network.symbols))
    channels, known = network.kind[2], _symbols(network.symbols)
    images, decoded = (_pixels(network.kind, name) for name in ("images", "decoded"))
    encoder = GraphBuilder(quality)
    symbols = encoder.program(network.encoder, _from_pixels(encoder, channels))
    encoder.add("Cast", [symbols], "symbols", to=TensorProto.INT32)

    decoder = GraphBuilder(quality)
    values = decoder.add("Cast", ["symbols"], to=TensorProto.FLOAT)
    _to_pixels(decoder, channels, decoder.program(network.decoder, values), "images")

    both = GraphBuilder(quality)
    symbols = both.program(network.encoder, _from_pixels(both, channels))
    _to_pixels(both, channels, both.program(network.decoder, symbols), "decoded")
    return Models(
        encoder=encoder.model([images], [known], metadata),
        decoder=decoder.model([known], [images], metadata),
        autoencoder=both.model([images], [decoded], metadata),
    )


def make_any_size_models(bundle: Bundle, quality: int, network: SizelessNetwork, channels: int) -> Models:
    """The three models of a network without a size, for images of so many channels.

    Height and width are free; the decoder takes them as `size`, int64 (2,), beside the symbols.
    Raises CodecError where the codec has no encoder.
    """
    if network.encoder is None:
        raise _without_encoder(bundle)
    metadata = _metadata(bundle, quality, f"any size x {channels}", "any")
    known = _symbols("D")
    images, decoded = (_pixels(("H", "W", channels), name) for name in ("images", "decoded"))
    size = helper.make_tensor_value_info("size", TensorProto.INT64, [2])

    encoder = TiledGraphBuilder(quality)
    symbols, _ = _encoded(encoder, network, network.encoder, channels)
    encoder.add("Cast", [symbols], "symbols", to=TensorProto.INT32)

    decoder = TiledGraphBuilder(quality)
    decoder.tile("size", network.tile_px, SMALLEST_GRID)
    _decoded(decoder, network, decoder.add("Cast", ["symbols"], to=TensorProto.FLOAT), "size", channels, "images")

    both = TiledGraphBuilder(quality)
    symbols, of_images = _encoded(both, network, network.encoder, channels)
    _decoded(both, network, symbols, of_images, channels, "decoded")
    return Models(
        encoder=encoder.model([images], [known], metadata),
        decoder=decoder.model([known, size], [images], metadata),
        autoencoder=both.model([images], [decoded], metadata),
    )


def _encoded(builder: TiledGraphBuilder, network: SizelessNetwork, encoder: Program, channels: int) -> tuple[str, str]:
    """The symbols of `images`, and the images' size."""
    x = _from_pixels(builder, channels)
    size = builder.size_of(x)
    builder.tile(size, network.tile_px, SMALLEST_GRID)
    mapping = promotion(channels, network.channels)
    x = x if mapping is None else builder.mapped(mapping.node("x", "y"), x)
    return builder.program(encoder, builder.extend(x, network.tile_px)), size


def _decoded(
    builder: TiledGraphBuilder, network: SizelessNetwork, symbols: str, size: str, channels: int, output: str
) -> None:
    """The pixels of symbols."""
    y = builder.crop(builder.program(network.decoder, symbols), size)
    mapping = demotion(network.channels, channels)
    _to_pixels(builder, channels, y if mapping is None else builder.mapped(mapping.node("x", "y"), y), output)


def _metadata(bundle: Bundle, quality: int, kind: str, symbols: str) -> dict[str, str]:
    return {
        "compressnet.codec": bundle.name,
        "compressnet.identity": bundle.identity.hex(),
        "compressnet.quality": str(quality),
        "compressnet.kind": kind,
        "compressnet.symbols": symbols,
    }


def _without_encoder(bundle: Bundle) -> CodecError:
    return CodecError(f"the codec {bundle.name} has no encoder: it is the decoding part, as archives embed it")


def network_at(bundle: Bundle, quality: int, kind: Kind | None = None) -> AnyNetwork:
    """The codec's first network at a quality, for a kind of image if one is given.

    Those for this kind go before those for any size. Raises InputError where there is none.
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
                return network
            reason = network.why_not(kind)
            if reason is not None:
                raise InputError(f"the codec {bundle.name}: {reason}")
            return network
    low, high = bundle.parts[0].qualities
    raise InputError(f"quality {quality}: the codec {bundle.name} has qualities {low} to {high} to export")


def export(bundle: Bundle, folder: Path, quality: int) -> list[Path]:
    """Write encoder.onnx, decoder.onnx and autoencoder.onnx into a folder; returns their paths.

    Raises InputError where the folder cannot be written, CodecError where the codec has no
    encoder.
    """
    network = network_at(bundle, quality)
    if isinstance(network, SizelessNetwork):
        models = make_any_size_models(bundle, quality, network, network.served[-1])
    else:
        models = make_models(bundle, quality, network)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("encoder", "decoder", "autoencoder"):
            atomic_write(folder / f"{name}.onnx", getattr(models, name))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
    return [folder / f"{name}.onnx" for name in ("encoder", "decoder", "autoencoder")]
