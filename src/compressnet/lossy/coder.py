"""The lossy coder: images <-> symbols <-> payloads by one network, for one kind of image.

    images -> encoder -> symbols -> entropy model and range coder -> payloads
    images <- decoder <- symbols <- entropy model and range coder <- payloads

Payloads of several blocks are coded in lockstep: the entropy model runs over all their images at
once, and each block keeps a range coder of its own.

Axes: N images, H rows, W columns, C channels, D symbols of an image, g symbols of a group,
A values of an alphabet.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.coder import LOSSY, Coder, Values
from compressnet.coding.mixture import Mixture, frequencies_of, frequency_weights
from compressnet.coding.range_coder import PRECISION_BITS, PayloadDecoder, PayloadEncoder
from compressnet.errors import CodecError, CodecRefusedError, InputError
from compressnet.images.alpha import fill_hidden, with_hidden_of
from compressnet.images.kinds import Images, Symbols
from compressnet.limits import BLOCK_VALUES_LIMIT
from compressnet.lossy.network import Network
from compressnet.lossy.search import search
from compressnet.networks.program import Backend, Runner
from compressnet.threads import one_blas_thread


class CodecNetwork:
    """One network of a codec, compiled by a backend: what codes one kind of image."""

    def __init__(self, network: Network, backend: Backend) -> None:
        self.network = network
        self._gradients: dict[int, search.Gradient] = {}
        self._lock = threading.Lock()
        self.symbols = network.symbols
        height, width, channels = network.kind
        self._encoder: Runner | None = None
        if network.encoder is not None:
            self._encoder = backend.compile(network.encoder, (self.symbols,))
        self._decoder: Runner = backend.compile(network.decoder, (channels, height, width))
        self._evaluator = network.prior.evaluator()

    @property
    def has_encoder(self) -> bool:
        """False for the decoding part that archives embed."""
        return self._encoder is not None

    def encode(self, images_NHWC: Images, quality: int) -> Symbols:
        """Images (N,H,W,C) to symbols (N,D).

        Hidden colour is not coded: the encoder sees it filled in.
        """
        return self._encode_as_is(fill_hidden(images_NHWC), quality)

    def _encode_as_is(self, images_NHWC: Images, quality: int) -> Symbols:
        if self._encoder is None:
            raise CodecError("this codec has no encoder: it is the decoding part, as archives embed it")
        return self._encoder(np.ascontiguousarray(images_NHWC.transpose(0, 3, 1, 2)), quality)

    def decode(self, symbols_ND: Symbols, quality: int) -> Images:
        """Symbols (N,D) to images (N,H,W,C)."""
        pixels_NCHW = self._decoder(symbols_ND, quality)
        return np.ascontiguousarray(pixels_NCHW.transpose(0, 2, 3, 1).astype(np.uint8))

    def search(self, images_NHWC: Images, quality: int, effort: int) -> Symbols:
        """Images (N,H,W,C) to symbols (N,D) that are at least as good as those of `encode`.

        Good means a low rate + lambda * distortion.
        """
        symbols = self.encode(images_NHWC, quality)
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
        return self.bits_per_image(symbols_ND, quality) + weight * squared_N

    def check_symbols(self, symbols_ND: Symbols, quality: int) -> None:
        """Raises InputError for symbols outside of their alphabets."""
        bound_D = self.network.symbol_bounds(quality)
        if symbols_ND.ndim != 2 or symbols_ND.shape[1] != self.symbols:
            raise InputError(f"symbols have to be (N,{self.symbols}), not {symbols_ND.shape}")
        if np.any(np.abs(symbols_ND.astype(np.int64)) > bound_D):
            raise InputError(f"symbols lie outside of their alphabets at quality {quality}")

    def mixtures(self, symbols_ND: Symbols, quality: int) -> Iterator[tuple[Symbols, Mixture, int]]:
        """For each group that is coded: its symbols' indices, their distributions, and its bound.

        Indices are (N,g), and there are N*g distributions.
        """
        state = self._evaluator.start(len(symbols_ND), quality)
        for group in range(self._evaluator.active_groups(quality)):
            bound, columns = state.bound(group), self._evaluator.groups[group]
            if bound:
                chosen = symbols_ND[:, columns]
                yield chosen + bound, state.mixture(group), bound
                state.reveal(group, chosen)
            else:
                state.skip(group)

    def groups(self, symbols_ND: Symbols, quality: int) -> Iterator[tuple[Symbols, NDArray[np.float64], int]]:
        """For each group that is coded: indices (N*g,), frequencies minus 1 (N*g,A), and g."""
        for indices_Ng, mixture, bound in self.mixtures(symbols_ND, quality):
            weights = frequency_weights(self.network.prior.tables, mixture, bound)
            yield indices_Ng.ravel(), weights, indices_Ng.shape[1]

    @one_blas_thread()
    def write_payloads(
        self,
        symbols_ND: Symbols,
        counts: Sequence[int],
        quality: int,
        bits_N: NDArray[np.float64] | None = None,
    ) -> list[bytes]:
        """Symbols of several blocks, `counts` images each, to one payload per block.

        bits_N: is filled with what `bits_per_image` gives.
        """
        encoders = [PayloadEncoder() for _ in counts]
        if bits_N is not None:
            bits_N[:] = 0
        for indices, weights, size in self.groups(symbols_ND, quality):
            if bits_N is not None:
                chosen = weights[np.arange(len(indices)), indices] + 1
                bits_N += (PRECISION_BITS - np.log2(chosen)).reshape(-1, size).sum(axis=1)
            start = 0
            for encoder, count in zip(encoders, counts, strict=True):
                rows = slice(start, start + count * size)
                encoder.encode(indices[rows], weights[rows])
                start = rows.stop
        return [encoder.finish() for encoder in encoders]

    @one_blas_thread()
    def read_payloads(self, payloads: Sequence[bytes], counts: Sequence[int], quality: int) -> Symbols:
        """Payloads of several blocks to the symbols of all their images (N,D).

        Raises CorruptError.
        """
        decoders = [PayloadDecoder(payload) for payload in payloads]
        total = sum(counts)
        symbols_ND = np.zeros((total, self.symbols), np.int32)
        state = self._evaluator.start(total, quality)
        for group in range(self._evaluator.active_groups(quality)):
            bound, columns = state.bound(group), self._evaluator.groups[group]
            if not bound:
                state.skip(group)
                continue
            weights = frequency_weights(self.network.prior.tables, state.mixture(group), bound)
            chosen = np.zeros((total, len(columns)), np.int32)
            start = 0
            for decoder, count in zip(decoders, counts, strict=True):
                rows = weights[start * len(columns) : (start + count) * len(columns)]
                chosen[start : start + count] = decoder.decode(rows).reshape(count, -1) - bound
                start += count
            symbols_ND[:, columns] = chosen
            state.reveal(group, chosen)
        return symbols_ND

    @one_blas_thread()
    def bits_per_image(self, symbols_ND: Symbols, quality: int) -> NDArray[np.float64]:
        """-log2 of the frequencies of each image's symbols, (N,)."""
        bits_N = np.zeros(len(symbols_ND))
        if not len(symbols_ND):
            return bits_N
        for indices_Ng, mixture, bound in self.mixtures(symbols_ND, quality):
            chosen = frequencies_of(self.network.prior.tables, mixture, bound, indices_Ng.ravel())
            bits_N += (PRECISION_BITS - np.log2(chosen)).reshape(indices_Ng.shape).sum(axis=1)
        return bits_N

    @one_blas_thread()
    def frequencies_sha256(self, symbols_ND: Symbols, quality: int) -> bytes:
        """SHA-256 of the frequencies of these symbols, int32 little-endian, group by group."""
        digest = hashlib.sha256()
        for _, weights, _ in self.groups(symbols_ND, quality):
            digest.update((weights + 1).astype("<i4").tobytes())
        return digest.digest()

    def check_probe(self) -> None:
        """Raises CodecRefusedError where this machine does not reproduce the codec's probe."""
        probe = self.network.probe
        for i, quality in enumerate(self.network.qualities):
            symbols = probe.symbols[i].astype(np.int32)
            images = probe.images if self.has_encoder else None
            if images is not None and not np.array_equal(self._encode_as_is(images, quality), symbols):
                raise CodecRefusedError(f"symbols of the probe differ at quality {quality}")
            if self.frequencies_sha256(symbols, quality) != probe.frequencies[i].tobytes():
                raise CodecRefusedError(f"frequencies of the probe differ at quality {quality}")
            if hashlib.sha256(self.decode(symbols, quality).tobytes()).digest() != probe.pixels[i].tobytes():
                raise CodecRefusedError(f"pixels of the probe differ at quality {quality}")


class LossyCoder(Coder):
    """One network at one quality: values are symbols int32 (N,D)."""

    method = LOSSY
    has_symbols = True
    written_values = BLOCK_VALUES_LIMIT

    def __init__(self, network: CodecNetwork, quality: int) -> None:
        self.runner, self.quality = network, quality
        self.kind = network.network.kind

    @property
    def exact(self) -> bool:
        """Never, though an image may come back as it was."""
        return False

    def values_of(self, images_NHWC: Images, effort: int = 1) -> Symbols:
        """Symbols int32 (N,D): the encoder's at effort 1, above it the best that a search finds.

        A search goes by floats, so its symbols may differ from machine to machine; they decode
        exactly everywhere.
        """
        if effort == 1:
            return self.runner.encode(images_NHWC, self.quality)
        return self.runner.search(images_NHWC, self.quality, effort)

    def write(self, values: Values, counts: Sequence[int], bits_N: NDArray[np.float64] | None = None) -> list[bytes]:
        """The payload of each block."""
        symbols_ND = values.astype(np.int32, copy=False)
        return self.runner.write_payloads(symbols_ND, counts, self.quality, bits_N)

    def read(self, payloads: Sequence[bytes], counts: Sequence[int]) -> NDArray[np.int16]:
        """Symbols int16 (N,D), which take half the memory where they are kept.

        Raises CorruptError.
        """
        return self.runner.read_payloads(payloads, counts, self.quality).astype(np.int16)

    def images_of(self, values: Values) -> Images:
        """Decoded images (N,H,W,C)."""
        return self.runner.decode(values.astype(np.int32, copy=False), self.quality)

    def bits(self, values: Values) -> NDArray[np.float64]:
        """-log2 of the frequencies of each image's symbols."""
        return self.runner.bits_per_image(values.astype(np.int32, copy=False), self.quality)

    def check_probe(self) -> None:
        """Runs the network's probe, at its lowest and highest quality."""
        self.runner.check_probe()
