"""A codec: encoder, entropy model and decoder as one; images <-> symbols <-> payloads.

    images uint8 (N,H,W[,C]) -> encoder -> symbols int32 (N,D) -> entropy coder -> payload bytes
    images uint8 (N,H,W[,C]) <- decoder <- symbols int32 (N,D) <- entropy decoder <- payload bytes

Payloads of several blocks are coded in lockstep: the entropy model runs over all their images at once, each
block keeps a range coder of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet import wire
from compressnet.bundle import Bundle, Kind, Network
from compressnet.coder import PRECISION_BITS, PayloadDecoder, PayloadEncoder
from compressnet.errors import CodecError, CodecNotFoundError, CodecRefusedError, CorruptError, InputError
from compressnet.exact import Backend, Runner
from compressnet.limits import BLOCK_IMAGES_LIMIT
from compressnet.prior import PriorEvaluator
from compressnet.tables import frequency_weights

LOCKSTEP_IMAGES = 1024
"""Images whose symbols are coded together: enough to fill matrix products, few enough to stay in cache."""

Images = NDArray[np.uint8]
Symbols = NDArray[np.int32]


def kind_of(images: NDArray[Any]) -> Kind:
    """(H,W,C) of a batch (N,H,W) or (N,H,W,C). Raises InputError for anything that is no batch of uint8 images."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise InputError(
            f"images have to be uint8 arrays (N,H,W) or (N,H,W,C), not {images.dtype} of shape {images.shape}"
        )
    return (images.shape[1], images.shape[2], images.shape[3] if images.ndim == 4 else 1)


class CodecNetwork:
    """One network of a codec, compiled by a backend: what codes one kind of image."""

    def __init__(self, network: Network, backend: Backend) -> None:
        self.network = network
        self.symbols = len(network.prior.order)
        height, width, channels = network.kind
        self._encoder: Runner | None = None
        if network.encoder is not None:
            self._encoder = backend.compile(network.encoder, (self.symbols,))
        self._decoder: Runner = backend.compile(network.decoder, (channels, height, width))
        self._evaluator = PriorEvaluator(network.prior)

    @property
    def has_encoder(self) -> bool:
        """False for the decoding part that archives embed."""
        return self._encoder is not None

    def encode(self, images_NHWC: Images, quality: int) -> Symbols:
        """Images (N,H,W,C) to symbols (N,D)."""
        if self._encoder is None:
            raise CodecError("this codec has no encoder: it is the decoding part, as archives embed it")
        return self._encoder(np.ascontiguousarray(images_NHWC.transpose(0, 3, 1, 2)), quality)

    def decode(self, symbols_ND: Symbols, quality: int) -> Images:
        """Symbols (N,D) to images (N,H,W,C)."""
        pixels_NCHW = self._decoder(symbols_ND, quality)
        return np.ascontiguousarray(pixels_NCHW.transpose(0, 2, 3, 1).astype(np.uint8))

    def check_symbols(self, symbols_ND: Symbols, quality: int) -> None:
        """Raises InputError for symbols outside of their alphabets."""
        prior = self.network.prior
        bound_D = np.zeros(self.symbols, np.int64)
        bound_D[prior.order] = np.repeat(prior.bound[quality], prior.group_symbols)
        if symbols_ND.ndim != 2 or symbols_ND.shape[1] != self.symbols:
            raise InputError(f"symbols have to be (N,{self.symbols}), not {symbols_ND.shape}")
        if np.any(np.abs(symbols_ND.astype(np.int64)) > bound_D):
            raise InputError(f"symbols lie outside of their alphabets at quality {quality}")

    def groups(self, symbols_ND: Symbols, quality: int) -> Iterator[tuple[Symbols, NDArray[np.float64], int]]:
        """For each group that is coded: indices (N*g,), frequencies minus 1 (N*g,A), and g."""
        state = self._evaluator.start(len(symbols_ND), quality)
        for group, columns in enumerate(self._evaluator.groups):
            bound = state.bound(group)
            chosen = symbols_ND[:, columns]
            if bound:
                weights = frequency_weights(self.network.prior.tables, state.mixture(group), bound)
                yield (chosen + bound).ravel(), weights, len(columns)
            else:
                state.mixture(group)
            state.reveal(group, chosen)

    def write_payloads(self, symbols_ND: Symbols, counts: Sequence[int], quality: int) -> list[bytes]:
        """Symbols of several blocks, `counts` images each, to one payload per block."""
        encoders = [PayloadEncoder() for _ in counts]
        for indices, weights, size in self.groups(symbols_ND, quality):
            start = 0
            for encoder, count in zip(encoders, counts, strict=True):
                rows = slice(start, start + count * size)
                encoder.encode(indices[rows], weights[rows])
                start = rows.stop
        return [encoder.finish() for encoder in encoders]

    def read_payloads(self, payloads: Sequence[bytes], counts: Sequence[int], quality: int) -> Symbols:
        """Payloads of several blocks to the symbols of all their images (N,D). Raises CorruptError."""
        decoders = [PayloadDecoder(payload) for payload in payloads]
        total = sum(counts)
        symbols_ND = np.zeros((total, self.symbols), np.int32)
        state = self._evaluator.start(total, quality)
        for group, columns in enumerate(self._evaluator.groups):
            bound, mixture = state.bound(group), state.mixture(group)
            chosen = np.zeros((total, len(columns)), np.int32)
            if bound:
                weights = frequency_weights(self.network.prior.tables, mixture, bound)
                start = 0
                for decoder, count in zip(decoders, counts, strict=True):
                    rows = weights[start * len(columns) : (start + count) * len(columns)]
                    chosen[start : start + count] = decoder.decode(rows).reshape(count, -1) - bound
                    start += count
                symbols_ND[:, columns] = chosen
            state.reveal(group, chosen)
        return symbols_ND

    def ideal_bits(self, symbols_ND: Symbols, quality: int) -> float:
        """-log2 of the frequencies of all symbols together: a diagnostic, not a rate."""
        bits = 0.0
        for indices, weights, _ in self.groups(symbols_ND, quality):
            chosen = np.take_along_axis(weights, indices[:, None].astype(np.int64), axis=1) + 1
            bits += float(PRECISION_BITS * len(chosen) - np.log2(chosen).sum())
        return bits

    def frequencies_sha256(self, symbols_ND: Symbols, quality: int) -> bytes:
        """SHA-256 of the frequencies of these symbols, int32 little-endian, group by group."""
        digest = hashlib.sha256()
        for _, weights, _ in self.groups(symbols_ND, quality):
            digest.update((weights + 1).astype("<i4").tobytes())
        return digest.digest()

    def check_probe(self) -> None:
        """Raises CodecRefusedError where this machine's arithmetic does not reproduce the codec's probe."""
        probe = self.network.probe
        for i, quality in enumerate(self.network.qualities):
            symbols = probe.symbols[i].astype(np.int32)
            if self.has_encoder and not np.array_equal(self.encode(probe.images, quality), symbols):
                raise CodecRefusedError(f"symbols of the probe differ at quality {quality}")
            if self.frequencies_sha256(symbols, quality) != probe.frequencies[i].tobytes():
                raise CodecRefusedError(f"frequencies of the probe differ at quality {quality}")
            if hashlib.sha256(self.decode(symbols, quality).tobytes()).digest() != probe.pixels[i].tobytes():
                raise CodecRefusedError(f"pixels of the probe differ at quality {quality}")


class Codec:
    """A trained, frozen model, ready to run. `compressnet.load` makes one.

    Every method is a pure function of its arguments: the same on every machine, with every backend and any number
    of threads. A codec may be used by several threads at once.
    """

    def __init__(self, bundle: Bundle, backend: Backend, threads: int, source: str) -> None:
        self.bundle = bundle
        self.backend, self.threads, self.source = backend, threads, source
        self._networks = [CodecNetwork(network, backend) for network in bundle.networks]
        for network in self._networks:
            try:
                network.check_probe()
            except CodecRefusedError as error:
                raise CodecRefusedError(
                    f"{source}: the {backend.name} backend does not reproduce this codec exactly ({error}); "
                    "try the other backend, numpy or onnx"
                ) from error

    @property
    def name(self) -> str:
        """What the codec is called."""
        return self.bundle.name

    @property
    def identity(self) -> str:
        """SHA-256, in hex, of what decoding needs."""
        return self.bundle.identity.hex()

    @property
    def kinds(self) -> list[Kind]:
        """The (H,W,C) of the images that it codes."""
        return [network.kind for network in self.bundle.networks]

    @property
    def default_quality(self) -> int:
        """The quality where none is asked for."""
        return self.bundle.default_quality

    @property
    def qualities(self) -> tuple[int, int]:
        """Lowest and highest quality, both included."""
        ranges = [network.qualities for network in self.bundle.networks]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def __repr__(self) -> str:
        return f"<Codec {self.name} {self.identity[:12]} kinds={self.kinds} backend={self.backend.name}>"

    def network(self, kind: Kind, quality: int) -> CodecNetwork:
        """The network for a kind of image at a quality. Raises InputError where the codec has none."""
        of_kind = [network for network in self._networks if network.network.kind == kind]
        if not of_kind:
            kinds = ", ".join("x".join(map(str, known)) for known in self.kinds)
            raise InputError(
                f"images of {'x'.join(map(str, kind))} (height, width, channels), but the codec {self.name} "
                f"codes {kinds}; train one for these images with 'compressnet train'"
            )
        for network in of_kind:
            if network.network.qualities[0] <= quality <= network.network.qualities[1]:
                return network
        low, high = self.qualities
        raise InputError(f"quality {quality}: the codec {self.name} has qualities {low} to {high}")

    def encoder(self, images: Images, quality: int | None = None) -> Symbols:
        """Images uint8 (N,H,W) or (N,H,W,C) to symbols int32 (N,D). Raises InputError."""
        quality = self.default_quality if quality is None else quality
        kind = kind_of(images)
        network = self.network(kind, quality)
        return network.encode(images.reshape(len(images), *kind), quality)

    def decoder(self, symbols: Symbols, quality: int | None = None) -> Images:
        """Symbols (N,D) to images uint8: (N,H,W) where they have one channel, else (N,H,W,C). Raises InputError."""
        quality = self.default_quality if quality is None else quality
        fitting = [n for n in self._networks if symbols.ndim == 2 and n.symbols == symbols.shape[1]]
        fitting = [n for n in fitting if n.network.qualities[0] <= quality <= n.network.qualities[1]]
        if not fitting:
            raise InputError(
                f"symbols of shape {symbols.shape} at quality {quality}: the codec {self.name} has none such"
            )
        fitting[0].check_symbols(symbols, quality)
        images = fitting[0].decode(symbols.astype(np.int32), quality)
        return images[..., 0] if images.shape[-1] == 1 else images

    def autoencoder(self, images: Images, quality: int | None = None) -> Images:
        """Images through encoder and decoder, in the shape in which they came. Raises InputError."""
        return self.decoder(self.encoder(images, quality), quality).reshape(images.shape)

    def compress(self, images: Images, quality: int | None = None, effort: int = 1) -> bytes:
        """Images (N,H,W) or (N,H,W,C), N >= 1, to one block of bytes, without a container. Raises InputError."""
        check_effort(effort)
        quality = self.default_quality if quality is None else quality
        if not 1 <= len(images) <= BLOCK_IMAGES_LIMIT:
            raise InputError(f"{len(images)} images: a block holds 1 to {BLOCK_IMAGES_LIMIT}")
        kind = kind_of(images)
        symbols = self.encoder(images, quality)
        payload = self.network(kind, quality).write_payloads(symbols, [len(images)], quality)[0]
        return wire.pack_single(
            self.kinds.index(kind), images.ndim == 4, quality, len(images), payload, self.bundle.identity
        )

    def decompress(self, data: bytes) -> Images:
        """What `compress` gave, back to images of the same shape.

        Raises CorruptError where the bytes are damaged or come from another codec.
        """
        single = wire.unpack_single(data, self.bundle.identity)
        if single.kind >= len(self.kinds):
            raise CorruptError(f"the block has kind {single.kind}, the codec {self.name} has {len(self.kinds)}")
        try:
            network = self.network(self.kinds[single.kind], single.quality)
        except InputError as error:
            raise CorruptError(str(error)) from error
        symbols = network.read_payloads([single.payload], [single.images], single.quality)
        images = network.decode(symbols, single.quality)
        return images if single.channels_axis else images[..., 0]

    def write_blocks(self, images_NHWC: Images, block_images: int, quality: int) -> list[tuple[int, bytes]]:
        """Images (N,H,W,C) to (images, payload) of each block of up to `block_images`."""
        network = self.network(kind_of(images_NHWC), quality)
        counts = [min(block_images, len(images_NHWC) - i) for i in range(0, len(images_NHWC), block_images)]
        symbols = network.encode(images_NHWC, quality)
        payloads = self._map(
            lambda part: network.write_payloads(symbols[part.start : part.stop], part.counts, quality),
            lockstep_parts(counts, self.threads),
        )
        return list(zip(counts, (payload for part in payloads for payload in part), strict=True))

    def read_blocks(self, kind: Kind, payloads: Sequence[bytes], counts: Sequence[int], quality: int) -> Symbols:
        """Payloads of blocks of one kind and quality to the symbols of all their images (N,D). Raises CorruptError."""
        network = self.network(kind, quality)

        def read(part: LockstepPart) -> Symbols:
            return network.read_payloads(payloads[part.first : part.first + len(part.counts)], part.counts, quality)

        return np.concatenate(self._map(read, lockstep_parts(counts, self.threads)))

    def _map(self, work: Any, parts: list[LockstepPart]) -> list[Any]:
        if self.threads == 1 or len(parts) == 1:
            return [work(part) for part in parts]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, parts))


class LockstepPart:
    """Consecutive blocks that are coded together."""

    __slots__ = ("counts", "first", "start", "stop")

    def __init__(self, first: int, start: int, counts: list[int]) -> None:
        self.first, self.start, self.counts = first, start, counts
        self.stop = start + sum(counts)


def lockstep_parts(counts: Sequence[int], threads: int) -> list[LockstepPart]:
    """Cut blocks into parts of up to LOCKSTEP_IMAGES images, fewer where threads would idle."""
    limit = min(LOCKSTEP_IMAGES, max(1, -(-sum(counts) // threads)))
    parts: list[LockstepPart] = []
    first = start = 0
    part: list[int] = []
    for i, count in enumerate(counts):
        if part and sum(part) + count > limit:
            parts.append(LockstepPart(first, start, part))
            first, start, part = i, start + sum(part), []
        part.append(count)
    if part:
        parts.append(LockstepPart(first, start, part))
    return parts


def check_effort(effort: int) -> None:
    """Raises InputError for an effort that this version does not have."""
    if effort != 1:
        raise InputError(f"effort {effort}: this version has effort 1 only, one pass of the encoder")


__all__ = ["Codec", "CodecNetwork", "CodecNotFoundError", "kind_of"]
