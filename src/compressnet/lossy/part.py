"""The lossy part of a codec: networks, for one kind of image or any size, and some qualities."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from compressnet.coding.coder import LOSSY
from compressnet.coding.part import Coders, PackedPart, Part, Tensors
from compressnet.errors import CorruptError
from compressnet.images.kinds import Kind, size_text
from compressnet.limits import BLOCK_VALUES_LIMIT, CHANNELS_LIMIT, DEFAULT_LIMITS, SIDE_LIMIT_PX, Limits
from compressnet.lossy.arrays import identity_of, network_from, to_parts
from compressnet.lossy.coder import CodecNetwork, LossyCoder, NetworkAt
from compressnet.lossy.costs import probe_cost, reading_cost
from compressnet.lossy.instances import Instances
from compressnet.lossy.network import Network
from compressnet.lossy.packing import NetworksPlan, decoding_of, pack_networks
from compressnet.lossy.sizeless import AnyNetwork, SizelessNetwork
from compressnet.networks.program import Backend
from compressnet.threads import Lock
from compressnet.wire import Reader, pack_varint


@dataclass(frozen=True, slots=True, kw_only=True)
class LossyPart(Part):
    """Networks; of several that fit an image and a quality, the first is used."""

    method = LOSSY
    key = "networks"
    networks: tuple[AnyNetwork, ...]
    identity: bytes

    @classmethod
    def of(cls, networks: tuple[AnyNetwork, ...]) -> LossyPart:
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
        return replace(self, networks=tuple(map(decoding_of, self.networks)))

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

    def coders(self, codec_name: str, backend: Backend, limits: Limits = DEFAULT_LIMITS) -> LossyCoders:
        """All networks, each compiled when it is first used."""
        return LossyCoders(self, codec_name, backend, limits)


class LossyCoders(Coders):
    """The lossy part ready to run.

    A network is compiled, and its probe run, before it is used first.
    """

    method = LOSSY

    def __init__(self, part: LossyPart, codec_name: str, backend: Backend, limits: Limits) -> None:
        """codec_name: for errors. limits: of a network's probe, and of one image of any size."""
        self._part, self._name, self._backend, self._limits = part, codec_name, backend, limits
        self._networks: dict[int, NetworkAt] = {}
        self._coders: dict[tuple[Kind, int], LossyCoder] = {}
        self._numbers: dict[tuple[Kind, int], int | None] = {}
        self._lock = Lock()

    @property
    def kinds(self) -> list[Kind]:
        """Each kind once, in the order of the networks; those of any size cannot be listed."""
        networks = (network for network in self._part.networks if isinstance(network, Network))
        return list(dict.fromkeys(network.kind for network in networks))

    def knows(self, kind: Kind) -> bool:
        """Whether images of a kind are coded at some quality."""
        return any(
            network.kind == kind or self._why_not_any_size(network, kind) is None for network in self._part.networks
        )

    def _number_for(self, kind: Kind, quality: int) -> int | None:
        """The number of the network that codes images of a kind; None where none does."""
        if (kind, quality) not in self._numbers:
            self._numbers[kind, quality] = self._first_fitting(kind, quality)
        return self._numbers[kind, quality]

    def _first_fitting(self, kind: Kind, quality: int) -> int | None:
        """The number of the first network that fits.

        Those for this kind go before those for any size.
        """
        fitting = [number for number, network in enumerate(self._part.networks) if network.has_quality(quality)]
        networks = self._part.networks
        for number in fitting:
            if networks[number].kind == kind:
                return number
        return next((number for number in fitting if self._why_not_any_size(networks[number], kind) is None), None)

    def _why_not_any_size(self, network: AnyNetwork, kind: Kind) -> str | None:
        """Why a network does not code images of a kind as one of any size."""
        if not isinstance(network, SizelessNetwork):
            return "it is for one size"
        reason = network.why_not(kind)
        if reason is None and not self._limits.allow(reading_cost(network, kind).of(1)):
            return f"images of {size_text(kind[:2])} would take too much of it (--limits, or limits= in Python)"
        return reason

    def why_not(self, kind: Kind, quality: int) -> str | None:
        """Which kinds and qualities there are."""
        if self._number_for(kind, quality) is not None:
            return None
        networks = self._part.networks
        if self.knows(kind):
            low, high = self._part.qualities
            return f"quality {quality}: the codec {self._name} has qualities {low} to {high}; choose one of these"
        served = (network for network in networks if isinstance(network, SizelessNetwork) and kind[2] in network.served)
        reason = next((self._why_not_any_size(network, kind) for network in served), None)
        if reason is not None:
            return f"the codec {self._name} is for any size, but {reason}; 'compressnet compress' stores such images"
        return (
            f"images of {size_text(kind)} (height, width, channels), but the codec {self._name} codes "
            f"{', '.join(self.described())}; train one for these images with 'compressnet train'"
        )

    def described(self) -> list[str]:
        """What images there are networks for, in words."""
        return list(dict.fromkeys(described(network) for network in self._part.networks))

    def find(self, kind: Kind, quality: int) -> LossyCoder:
        """The coder of the first network that fits. Raises CodecRefusedError."""
        with self._lock:
            if (kind, quality) not in self._coders:
                number = self._number_for(kind, quality)
                assert number is not None
                cost = reading_cost(self._part.networks[number], kind)
                self._coders[kind, quality] = LossyCoder(self._network(number), kind, quality, cost)
            return self._coders[kind, quality]

    def _network(self, number: int) -> NetworkAt:
        """A network ready to run, its probe reproduced.

        Raises CodecRefusedError, and BeyondLimitsError where that would take too much.
        """
        if number not in self._networks:
            network = self._part.networks[number]
            self._limits.require(probe_cost(network), f"the codec {self._name}: trying its network {number}")
            made = (
                Instances(network, self._backend)
                if isinstance(network, SizelessNetwork)
                else CodecNetwork(network, self._backend)
            )
            made.check_probe()
            self._networks[number] = made
        return self._networks[number]

    def kinds_with_symbols(self, symbols: int, quality: int, kind: Kind | None) -> list[Kind]:
        """The kinds of which an image has so many symbols at a quality.

        kind: the only one that counts. Without it, those of any size are left out.
        """
        if kind is not None:
            number = self._number_for(kind, quality)
            return [kind] if number is not None and self._symbols_of(number, kind) == symbols else []
        return [kind for kind, count in self._symbols_of_kinds(quality).items() if count == symbols]

    def symbol_counts(self, quality: int, kind: Kind | None) -> list[int]:
        """How many symbols an image has at a quality, of one kind or of any that can be listed."""
        number = None if kind is None else self._number_for(kind, quality)
        if kind is not None and number is not None:
            return [self._symbols_of(number, kind)]
        return sorted(set(self._symbols_of_kinds(quality).values()))

    def has_any_size(self, quality: int) -> bool:
        """Whether images of any size are coded at a quality."""
        networks = (network for network in self._part.networks if isinstance(network, SizelessNetwork))
        return any(network.has_quality(quality) for network in networks)

    def _symbols_of_kinds(self, quality: int) -> dict[Kind, int]:
        numbers = {kind: self._number_for(kind, quality) for kind in self.kinds}
        return {kind: self._symbols_of(number, kind) for kind, number in numbers.items() if number is not None}

    def _symbols_of(self, number: int, kind: Kind) -> int:
        network = self._part.networks[number]
        return network.symbols_of(kind) if isinstance(network, SizelessNetwork) else network.symbols

    def single_kind(self, kind: Kind) -> tuple[int, bytes]:
        """The kind's number among all kinds, from which its size follows.

        After these come 1 to 4 channels of any size; then height and width are said.
        """
        if kind in self.kinds:
            return self.kinds.index(kind), b""
        return len(self.kinds) + kind[2] - 1, pack_varint(kind[0]) + pack_varint(kind[1])

    def coder_of_single(self, number: int, quality: int, images: int, reader: Reader) -> LossyCoder:
        """The coder of the kind of that number."""
        kinds = self.kinds
        if number < len(kinds):
            kind = kinds[number]
        elif number < len(kinds) + CHANNELS_LIMIT and self.has_any_size(quality):
            kind = (reader.varint(SIDE_LIMIT_PX), reader.varint(SIDE_LIMIT_PX), number - len(kinds) + 1)
            if math.prod(kind) == 0:
                raise CorruptError(f"the block claims images of {size_text(kind)}")
        else:
            raise CorruptError(f"the block has kind {number}, the codec {self._name} has {len(kinds)}")
        if images * math.prod(kind) > BLOCK_VALUES_LIMIT:
            raise CorruptError(f"the block claims {images} images of {size_text(kind)}")
        reason = self.why_not(kind, quality)
        if reason is not None:
            raise CorruptError(reason)
        return self.find(kind, quality)


def described(network: AnyNetwork) -> str:
    """The images that a network codes, in words."""
    if isinstance(network, SizelessNetwork):
        return f"any size x {network.channels_text()}"
    return size_text(network.kind)
