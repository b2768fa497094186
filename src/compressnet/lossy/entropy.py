"""Symbols <-> payloads by an entropy model and the range coder.

In NumPy, payloads of several blocks are coded in lockstep: the entropy model runs over all their
images at once, and each block keeps a range coder of its own.

Axes: N images, D symbols of an image, g symbols of a group, A values of an alphabet.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.mixture import Mixture, frequencies_of, frequency_weights
from compressnet.coding.range_coder import PRECISION_BITS, PayloadDecoder, PayloadEncoder
from compressnet.lossy.prior import Prior
from compressnet.networks.program import Backend
from compressnet.threads import one_blas_thread

LISTED_VALUES = 1 << 20
"""Frequencies that are listed at a time."""

AnySymbols = NDArray[np.integer]
"""Symbols (N,D), integers of any type, within their alphabets."""


class EntropyCoder(ABC):
    """An entropy model ready to run, with its range coder; may be used by several threads."""

    @abstractmethod
    def write(
        self, symbols_ND: AnySymbols, counts: Sequence[int], quality: int, bits_N: NDArray[np.float64] | None = None
    ) -> list[bytes]:
        """Symbols of several blocks, `counts` images each, to one payload per block.

        bits_N: is filled with what `bits` gives.
        """

    @abstractmethod
    def read(self, payloads: Sequence[bytes], counts: Sequence[int], quality: int) -> NDArray[np.int16]:
        """Payloads of several blocks to the symbols of all their images (N,D).

        Raises CorruptError.
        """

    @abstractmethod
    def bits(self, symbols_ND: AnySymbols, quality: int) -> NDArray[np.float64]:
        """-log2 of the frequencies of each image's symbols, (N,)."""

    @abstractmethod
    def frequencies_sha256(self, symbols_ND: AnySymbols, quality: int) -> bytes:
        """SHA-256 of the frequencies of these symbols, int32 little-endian, group by group."""


class EntropyBackend(ABC):
    """A backend that has entropy models of its own; those of all others run in NumPy."""

    @abstractmethod
    def entropy_coder(self, prior: Prior, like: EntropyCoder | None = None) -> EntropyCoder:
        """A proved entropy model made ready to run.

        like: what this backend made of the same layers for another grid; weights may be shared.
        """


def entropy_coder(prior: Prior, backend: Backend, like: EntropyCoder | None = None) -> EntropyCoder:
    """A proved entropy model made ready to run on a backend; `like` is as above."""
    return backend.entropy_coder(prior, like) if isinstance(backend, EntropyBackend) else NumpyEntropyCoder(prior)


class NumpyEntropyCoder(EntropyCoder):
    """The definition, in NumPy."""

    def __init__(self, prior: Prior) -> None:
        self._tables = prior.tables
        self._symbols = len(prior.order)
        self._evaluator = prior.evaluator()

    def _mixtures(self, symbols_ND: AnySymbols, quality: int) -> Iterator[tuple[NDArray[np.int32], Mixture, int]]:
        """For each group that is coded: its symbols' indices, their distributions, and its bound.

        Indices are (N,g), and there are N*g distributions.
        """
        state = self._evaluator.start(len(symbols_ND), quality)
        for group in range(self._evaluator.active_groups(quality)):
            bound, columns = state.bound(group), self._evaluator.groups[group]
            if bound:
                chosen = symbols_ND[:, columns].astype(np.int32)
                yield chosen + bound, state.mixture(group), bound
                state.reveal(group, chosen)
            else:
                state.skip(group)

    def _groups(
        self, symbols_ND: AnySymbols, quality: int
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float64], int]]:
        """For each group that is coded: indices (N*g,), frequencies minus 1 (N*g,A), and g."""
        for indices_Ng, mixture, bound in self._mixtures(symbols_ND, quality):
            weights = frequency_weights(self._tables, mixture, bound)
            yield indices_Ng.ravel(), weights, indices_Ng.shape[1]

    @one_blas_thread()
    def write(
        self, symbols_ND: AnySymbols, counts: Sequence[int], quality: int, bits_N: NDArray[np.float64] | None = None
    ) -> list[bytes]:
        """Symbols of several blocks, `counts` images each, to one payload per block.

        bits_N: is filled with what `bits` gives.
        """
        encoders = [PayloadEncoder() for _ in counts]
        if bits_N is not None:
            bits_N[:] = 0
        for indices, weights, size in self._groups(symbols_ND, quality):
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
    def read(self, payloads: Sequence[bytes], counts: Sequence[int], quality: int) -> NDArray[np.int16]:
        """Payloads of several blocks to the symbols of all their images (N,D).

        Raises CorruptError.
        """
        decoders = [PayloadDecoder(payload) for payload in payloads]
        total = sum(counts)
        symbols_ND = np.zeros((total, self._symbols), np.int16)
        state = self._evaluator.start(total, quality)
        for group in range(self._evaluator.active_groups(quality)):
            bound, columns = state.bound(group), self._evaluator.groups[group]
            if not bound:
                state.skip(group)
                continue
            mixture = state.mixture(group)
            chosen = np.zeros(total * len(columns), np.int16)
            stop = 0
            for decoder, count in zip(decoders, counts, strict=True):
                start, stop = stop, stop + count * len(columns)
                for rows in _some_rows(start, stop, bound):
                    chosen[rows] = decoder.decode(frequency_weights(self._tables, mixture.of(rows), bound)) - bound
            symbols_ND[:, columns] = chosen.reshape(total, -1)
            state.reveal(group, chosen.reshape(total, -1))
        return symbols_ND

    @one_blas_thread()
    def bits(self, symbols_ND: AnySymbols, quality: int) -> NDArray[np.float64]:
        """-log2 of the frequencies of each image's symbols, (N,)."""
        bits_N = np.zeros(len(symbols_ND))
        if not len(symbols_ND):
            return bits_N
        for indices_Ng, mixture, bound in self._mixtures(symbols_ND, quality):
            chosen = frequencies_of(self._tables, mixture, bound, indices_Ng.ravel())
            bits_N += (PRECISION_BITS - np.log2(chosen)).reshape(indices_Ng.shape).sum(axis=1)
        return bits_N

    @one_blas_thread()
    def frequencies_sha256(self, symbols_ND: AnySymbols, quality: int) -> bytes:
        """SHA-256 of the frequencies of these symbols, int32 little-endian, group by group."""
        digest = hashlib.sha256()
        for indices_Ng, mixture, bound in self._mixtures(symbols_ND, quality):
            for rows in _some_rows(0, indices_Ng.size, bound):
                weights = frequency_weights(self._tables, mixture.of(rows), bound)
                digest.update((weights + 1).astype("<i4").tobytes())
        return digest.digest()


def _some_rows(start: int, stop: int, bound: int) -> Iterator[slice]:
    """Rows of frequencies, cut so that few are in memory at a time."""
    step = max(1, LISTED_VALUES // (2 * bound + 1))
    return (slice(first, min(first + step, stop)) for first in range(start, stop, step))
