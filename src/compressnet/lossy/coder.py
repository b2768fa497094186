"""The lossy coder: images <-> symbols <-> payloads by one network, for one kind of image.

    images -> encoder -> symbols -> entropy model and range coder -> payloads
    images <- decoder <- symbols <- entropy model and range coder <- payloads

Axes: N images, H rows, W columns, C channels, D symbols of an image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.coder import LOSSY, Coder, Values
from compressnet.errors import CodecError, CodecRefusedError, InputError
from compressnet.images.alpha import fill_hidden, with_hidden_of
from compressnet.images.kinds import Images, Kind, Symbols
from compressnet.limits import BLOCK_VALUES_LIMIT, Cost
from compressnet.lossy.costs import ReadingCost
from compressnet.lossy.entropy import EntropyCoder, entropy_coder
from compressnet.lossy.network import Network
from compressnet.lossy.search import search
from compressnet.networks.program import Backend, Runner
from compressnet.threads import Lock

SIZELESS_BLOCK_VALUES = 1 << 22
"""Pixels times channels of a block that a network without a size writes, at most.

Its images may be large, and so may what is kept of each while a block is coded.
"""


class NetworkAt(Protocol):
    """A network of a codec, for images of one kind or of any size."""

    def at(self, kind: Kind) -> CodecNetwork:
        """The network for images of a kind that it codes."""
        ...

    def check_probe(self) -> None:
        """Raises CodecRefusedError where this machine does not reproduce the codec's probe."""
        ...


class CodecNetwork:
    """One network of a codec, compiled by a backend: what codes one kind of image."""

    def __init__(self, network: Network, backend: Backend, like: CodecNetwork | None = None) -> None:
        """like: the same network laid out for another size, with which it may share weights."""
        self.network = network
        self._gradients: dict[int, search.Gradient] = {}
        self._lock = Lock()
        self.symbols = network.symbols
        height, width, channels = network.kind
        self._encoder: Runner | None = None
        if network.encoder is not None:
            self._encoder = backend.compile(network.encoder, (self.symbols,), like and like._encoder)
        self._decoder: Runner = backend.compile(network.decoder, (channels, height, width), like and like._decoder)
        self.entropy: EntropyCoder = entropy_coder(network.prior, backend, like and like.entropy)

    def at(self, kind: Kind) -> CodecNetwork:
        """Itself, for its own kind."""
        assert kind == self.network.kind
        return self

    @property
    def has_encoder(self) -> bool:
        """False for the decoding part that archives embed."""
        return self._encoder is not None

    def encode(self, images_NHWC: Images, quality: int) -> NDArray[np.int16]:
        """Images (N,H,W,C) to symbols (N,D).

        Hidden colour is not coded: the encoder sees it filled in.
        """
        return self.encode_as_is(fill_hidden(images_NHWC), quality)

    def encode_as_is(self, images_NHWC: Images, quality: int) -> NDArray[np.int16]:
        """Images (N,H,W,C) to symbols (N,D), with their hidden colour as it is."""
        if self._encoder is None:
            raise CodecError("this codec has no encoder: it is the decoding part, as archives embed it")
        return self._encoder(images_NHWC, quality, np.int16)

    def decode(self, symbols_ND: NDArray[np.integer], quality: int) -> Images:
        """Symbols (N,D) to images (N,H,W,C)."""
        return self._decoder(symbols_ND, quality, np.uint8)

    def search(self, images_NHWC: Images, quality: int, effort: int) -> Symbols:
        """Images (N,H,W,C) to symbols (N,D) that are at least as good as those of `encode`.

        Good means a low rate + lambda * distortion.
        """
        symbols = self.encode(images_NHWC, quality).astype(np.int32)
        lambdas = self.network.lambdas
        if lambdas is None:
            raise CodecError("this codec cannot search: it lacks the lambda of each quality")
        from compressnet.lossy.search.onnx import OnnxGradient  # at effort 1 onnx is not loaded

        with self._lock:
            if quality not in self._gradients:
                self._gradients = {quality: OnnxGradient(self.network, quality)}
            gradient = self._gradients[quality]
        weight = float(lambdas[quality])
        x_NCHW = np.ascontiguousarray(fill_hidden(images_NHWC).transpose(0, 3, 1, 2), dtype=np.float32)
        bound_D = self.network.symbol_bounds(quality)

        def costs(symbols_ND: Symbols) -> NDArray[np.float64]:
            return self.costs(images_NHWC, symbols_ND, quality, weight)

        return search.search(gradient, costs, x_NCHW, symbols, bound_D, weight, effort)

    def costs(self, images_NHWC: Images, symbols_ND: Symbols, quality: int, weight: float) -> NDArray[np.float64]:
        """Bits + weight * squared error (pixels in [0,1]) of each image, (N,).

        They follow from integer frequencies and pixels.
        """
        errors = with_hidden_of(self.decode(symbols_ND, quality), images_NHWC).astype(np.int64) - images_NHWC
        squared_N = np.square(errors).reshape(len(errors), -1).sum(axis=1) / 255**2
        return self.entropy.bits(symbols_ND, quality) + weight * squared_N

    def check_symbols(self, symbols_ND: Symbols, quality: int) -> None:
        """Raises InputError for symbols outside of their alphabets."""
        bound_D = self.network.symbol_bounds(quality)
        if symbols_ND.ndim != 2 or symbols_ND.shape[1] != self.symbols:
            raise InputError(f"symbols have to be (N,{self.symbols}), not {symbols_ND.shape}")
        if np.any(np.abs(symbols_ND.astype(np.int64)) > bound_D):
            raise InputError(f"symbols lie outside of their alphabets at quality {quality}")

    def check_probe(self) -> None:
        """Raises CodecRefusedError where this machine does not reproduce the codec's probe."""
        probe = self.network.probe
        assert probe is not None
        for i, quality in enumerate(self.network.qualities):
            symbols = probe.symbols[i]
            images = probe.images if self.has_encoder else None
            if images is not None and not np.array_equal(self.encode_as_is(images, quality), symbols):
                raise CodecRefusedError(f"symbols of the probe differ at quality {quality}")
            if self.entropy.frequencies_sha256(symbols, quality) != probe.frequencies[i].tobytes():
                raise CodecRefusedError(f"frequencies of the probe differ at quality {quality}")
            if hashlib.sha256(self.decode(symbols, quality).tobytes()).digest() != probe.pixels[i].tobytes():
                raise CodecRefusedError(f"pixels of the probe differ at quality {quality}")


class LossyCoder(Coder):
    """One network for one kind of image at one quality: values are symbols (N,D)."""

    method = LOSSY
    has_symbols = True
    written_values = BLOCK_VALUES_LIMIT

    def __init__(self, networks: NetworkAt, kind: Kind, quality: int, cost: ReadingCost) -> None:
        """cost: of reading images of the kind."""
        self._cost = cost
        if not isinstance(networks, CodecNetwork):
            self.written_values = SIZELESS_BLOCK_VALUES
        self._networks, self.kind, self.quality = networks, kind, quality

    @property
    def runner(self) -> CodecNetwork:
        """The network, compiled."""
        return self._networks.at(self.kind)

    def cost_of(self, images: int) -> Cost:
        """All symbols of the block, and the pixels of one image."""
        return self._cost.of(images)

    @property
    def exact(self) -> bool:
        """Never, though an image may come back as it was."""
        return False

    def values_of(self, images_NHWC: Images, effort: int = 1) -> NDArray[np.int16]:
        """Symbols int16 (N,D): the encoder's at effort 1, above it the best that a search finds.

        A search goes by floats, so its symbols may differ from machine to machine; they decode
        exactly everywhere.
        """
        if effort == 1:
            return self.runner.encode(images_NHWC, self.quality)
        return self.runner.search(images_NHWC, self.quality, effort).astype(np.int16)

    def write(self, values: Values, counts: Sequence[int], bits_N: NDArray[np.float64] | None = None) -> list[bytes]:
        """The payload of each block."""
        return self.runner.entropy.write(values, counts, self.quality, bits_N)

    def read(self, payloads: Sequence[bytes], counts: Sequence[int]) -> NDArray[np.int16]:
        """Symbols int16 (N,D). Raises CorruptError."""
        return self.runner.entropy.read(payloads, counts, self.quality)

    def images_of(self, values: Values) -> Images:
        """Decoded images (N,H,W,C)."""
        return self.runner.decode(values, self.quality)

    def bits(self, values: Values) -> NDArray[np.float64]:
        """-log2 of the frequencies of each image's symbols."""
        return self.runner.entropy.bits(values, self.quality)

    def check_probe(self) -> None:
        """Runs the network's probe, at its lowest and highest quality."""
        self._networks.check_probe()
