"""A network without a size ready to run: laid out for each kind of image when one is met.

Some of the layouts that were used last are kept.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import CodecRefusedError
from compressnet.images.kinds import Kind
from compressnet.lossy.coder import CodecNetwork
from compressnet.lossy.probe import SIZELESS_IMAGES, SIZELESS_SIZES, SizelessProbe, derived_images, derived_symbols
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.networks.program import Backend
from compressnet.threads import Lock

KEPT_SYMBOLS = 1 << 20
"""Of all layouts that are kept together, besides the one that was used last."""
KEPT_LAYOUTS = 256


class Instances:
    """A network without a size, compiled by a backend; may be used by several threads."""

    def __init__(self, network: SizelessNetwork, backend: Backend) -> None:
        self._network, self._backend = network, backend
        self._kept: OrderedDict[Kind, CodecNetwork] = OrderedDict()
        self._first: CodecNetwork | None = None
        """Shares its weights with all others."""
        self._lock = Lock()

    def at(self, kind: Kind) -> CodecNetwork:
        """The network for images of a kind that it codes."""
        with self._lock:
            if kind not in self._kept:
                self._kept[kind] = CodecNetwork(self._network.at(kind), self._backend, self._first)
                self._first = self._first or self._kept[kind]
            self._kept.move_to_end(kind)
            while len(self._kept) > 1 and self._is_full():
                self._kept.popitem(last=False)
            return self._kept[kind]

    def _is_full(self) -> bool:
        return len(self._kept) > KEPT_LAYOUTS or sum(each.symbols for each in self._kept.values()) > KEPT_SYMBOLS

    def check_probe(self) -> None:
        """Raises CodecRefusedError where this machine does not reproduce the network's probe."""
        found, probe = probe_of(self._network, self._backend), self._network.probe
        parts = (
            ("symbols", found.encoded, probe.encoded),
            ("frequencies", found.frequencies, probe.frequencies),
            ("pixels", found.pixels, probe.pixels),
        )
        for what, hashes, expected in parts:
            if hashes is None or expected is None:
                continue
            for number, quality in enumerate(self._network.qualities):
                if not np.array_equal(hashes[number], expected[number]):
                    raise CodecRefusedError(f"{what} of the probe differ at quality {quality}")


def probe_of(network: SizelessNetwork, backend: Backend) -> SizelessProbe:
    """What a network makes of its probe's images and symbols on a backend."""
    encoded, frequencies, pixels = ([list[bytes]() for _ in network.qualities] for _ in range(3))
    most = len(network.served)
    like: CodecNetwork | None = None
    for number, size in enumerate(SIZELESS_SIZES):
        kind = (*size, network.served[max(0, most - len(SIZELESS_SIZES) + number)])
        runner = like = CodecNetwork(network.at(kind), backend, like)
        images = derived_images(kind)
        symbols = derived_symbols(runner.network.prior, network.qualities, SIZELESS_IMAGES)
        for i, quality in enumerate(network.qualities):
            if runner.has_encoder:
                encoded[i].append(runner.encode_as_is(images, quality).astype("<i2").tobytes())
            frequencies[i].append(runner.entropy.frequencies_sha256(symbols[i], quality))
            pixels[i].append(runner.decode(symbols[i], quality).tobytes())
    return SizelessProbe(
        encoded=None if network.encoder is None else _digests(encoded),
        frequencies=_digests(frequencies),
        pixels=_digests(pixels),
    )


def _digests(parts: list[list[bytes]]) -> NDArray[np.uint8]:
    """SHA-256 of parts that follow one another, for each quality: (2,32)."""
    digests = [hashlib.sha256(b"".join(each)).digest() for each in parts]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(parts), -1)
