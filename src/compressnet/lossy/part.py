"""The lossy part of a codec: networks, each for one kind of image and a range of qualities."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any

from compressnet.coding.coder import LOSSY
from compressnet.coding.part import Coders, PackedPart, Part, Tensors
from compressnet.errors import CorruptError
from compressnet.images.kinds import Kind, size_text
from compressnet.lossy.arrays import identity_of, network_from, to_parts
from compressnet.lossy.coder import CodecNetwork, LossyCoder
from compressnet.lossy.network import Network
from compressnet.lossy.packing import NetworksPlan, pack_networks
from compressnet.networks.program import Backend
from compressnet.wire import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class LossyPart(Part):
    """Networks; of several that fit an image and a quality, the first is used."""

    method = LOSSY
    key = "networks"
    networks: tuple[Network, ...]
    identity: bytes

    @classmethod
    def of(cls, networks: tuple[Network, ...]) -> LossyPart:
        """The part of some networks, at least one, with its identity computed."""
        return cls(networks=networks, identity=identity_of(networks))

    @classmethod
    def read(cls, document: dict[str, Any], tensors: Tensors) -> LossyPart | None:
        """From a codec's JSON document and tensors, proved; None where it has none.

        Raises CorruptError, or KeyError, TypeError and their like for a document of another form.
        """
        entries = enumerate(document[cls.key])
        networks = tuple(network_from(i, entry, tensors) for i, entry in entries)
        return cls.of(networks) if networks else None

    def entries(self) -> list[dict[str, Any]]:
        """Kind, qualities and nodes of each network."""
        return to_parts(self.networks)[0]

    def tensors(self) -> Tensors:
        """`0.decoder.ARRAY` and so on, the network's number first."""
        return to_parts(self.networks)[1]

    def without_encoder(self) -> LossyPart:
        """Decoders, entropy models and probes alone."""
        networks = tuple(replace(network, encoder=None, lambdas=None) for network in self.networks)
        return replace(self, networks=networks)

    @property
    def qualities(self) -> tuple[int, int]:
        """From the lowest of any network to the highest."""
        ranges = [network.qualities for network in self.networks]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def has_quality(self, quality: int) -> bool:
        """Whether one of the networks has it."""
        return any(network.has_quality(quality) for network in self.networks)

    def packed(self, codec_name: str) -> PackedPart:
        """Decoders and entropy models, with probes that need no images."""
        return pack_networks(self.networks, codec_name)

    @staticmethod
    def packed_plan(entries: list[Any], what: str) -> NetworksPlan:
        """How packed networks are read."""
        return NetworksPlan(entries, what)

    def coders(self, codec_name: str, backend: Backend) -> LossyCoders:
        """All networks, each compiled when it is first used."""
        return LossyCoders(self, codec_name, backend)


class LossyCoders(Coders):
    """The lossy part ready to run.

    A network is compiled, and its probe run, before it is used first.
    """

    method = LOSSY

    def __init__(self, part: LossyPart, codec_name: str, backend: Backend) -> None:
        """codec_name: for errors."""
        self._part, self._name, self._backend = part, codec_name, backend
        self._runners: dict[int, CodecNetwork] = {}
        self._coders: dict[tuple[Kind, int], LossyCoder] = {}
        self._lock = threading.Lock()

    @property
    def kinds(self) -> list[Kind]:
        """Each kind once, in the order of the networks."""
        return list(dict.fromkeys(network.kind for network in self._part.networks))

    def _number_for(self, kind: Kind, quality: int) -> int | None:
        """The number of the first network that fits; None where none does."""
        fits = (network.kind == kind and network.has_quality(quality) for network in self._part.networks)
        return next((number for number, it_fits in enumerate(fits) if it_fits), None)

    def why_not(self, kind: Kind, quality: int) -> str | None:
        """Which kinds and qualities there are."""
        if kind not in self.kinds:
            known = ", ".join(map(size_text, self.kinds))
            return (
                f"images of {size_text(kind)} (height, width, channels), but the codec {self._name} codes {known}; "
                "train one for these images with 'compressnet train'"
            )
        if self._number_for(kind, quality) is not None:
            return None
        low, high = self._part.qualities
        return f"quality {quality}: the codec {self._name} has qualities {low} to {high}; choose one of these"

    def find(self, kind: Kind, quality: int) -> LossyCoder:
        """The coder of the first network that fits. Raises CodecRefusedError."""
        with self._lock:
            if (kind, quality) not in self._coders:
                number = self._number_for(kind, quality)
                assert number is not None
                self._coders[kind, quality] = LossyCoder(self._runner(number), quality)
            return self._coders[kind, quality]

    def _runner(self, number: int) -> CodecNetwork:
        """A network compiled, its probe reproduced. Raises CodecRefusedError."""
        if number not in self._runners:
            runner = CodecNetwork(self._part.networks[number], self._backend)
            runner.check_probe()
            self._runners[number] = runner
        return self._runners[number]

    def kinds_with_symbols(self, symbols: int, quality: int) -> list[Kind]:
        """The kinds of which an image has so many symbols at a quality."""
        return [kind for kind, count in self._symbols_of_kinds(quality).items() if count == symbols]

    def symbol_counts(self, quality: int) -> list[int]:
        """How many symbols an image has at a quality, of any kind."""
        return sorted(set(self._symbols_of_kinds(quality).values()))

    def _symbols_of_kinds(self, quality: int) -> dict[Kind, int]:
        numbers = {kind: self._number_for(kind, quality) for kind in self.kinds}
        networks = self._part.networks
        return {kind: networks[number].symbols for kind, number in numbers.items() if number is not None}

    def single_kind(self, kind: Kind) -> tuple[int, bytes]:
        """The kind's number among all kinds; its size follows from that."""
        return self.kinds.index(kind), b""

    def coder_of_single(self, number: int, quality: int, images: int, reader: Reader) -> LossyCoder:
        """The coder of the kind of that number."""
        del images, reader
        if number >= len(self.kinds):
            raise CorruptError(f"the block has kind {number}, the codec {self._name} has {len(self.kinds)}")
        reason = self.why_not(self.kinds[number], quality)
        if reason is not None:
            raise CorruptError(reason)
        return self.find(self.kinds[number], quality)
