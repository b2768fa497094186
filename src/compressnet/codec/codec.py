"""A codec: encoder, entropy model and decoder as one, for every kind of image that it has a network for.

images uint8 (N,H,W[,C]) -> encoder -> symbols int32 (N,D) -> entropy coder -> payload bytes
images uint8 (N,H,W[,C]) <- decoder <- symbols int32 (N,D) <- entropy decoder <- payload bytes
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from compressnet.codec.bundle import Bundle
from compressnet.codec.single import pack_single, unpack_single
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.coding.lockstep import LockstepPart, block_counts, lockstep_parts
from compressnet.errors import CodecRefusedError, CorruptError, InputError
from compressnet.images.kinds import Images, Kind, Symbols, kind_of
from compressnet.limits import BLOCK_IMAGES_LIMIT, LOSSLESS_IMAGE_VALUES_LIMIT, LOSSLESS_VALUES_LIMIT, SIDE_LIMIT_PX
from compressnet.lossless.coder import LosslessNetwork
from compressnet.lossy.coder import CodecNetwork, MakeGradient
from compressnet.networks.program import Backend
from compressnet.threads import spread
from compressnet.wire import Reader, pack_varint

SEARCH_IMAGES = 256
"""Images that are searched together: enough to make the calls that a step takes pay."""


class Codec:
    """A trained, frozen model, ready to run. `compressnet.load` makes one.

    Every method is a pure function of its arguments: the same on every machine, with every backend and any number
    of threads. A codec may be used by several threads at once.
    """

    def __init__(
        self, bundle: Bundle, backend: Backend, threads: int, source: str, make_gradient: MakeGradient | None = None
    ) -> None:
        """source: where the codec came from, for errors; make_gradient: what effort above 1 needs."""
        self.bundle = bundle
        self.backend, self.threads, self.source = backend, threads, source
        self._networks = [CodecNetwork(network, backend, make_gradient) for network in bundle.networks]
        self._lossless = [LosslessNetwork(model) for model in bundle.pixels]
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
        """The (H,W,C) of the images that it codes at qualities below 100."""
        return list(dict.fromkeys(network.kind for network in self.bundle.networks))

    @property
    def is_lossless_only(self) -> bool:
        """Whether it has quality 100 and no other."""
        return not self._networks

    def codes_lossless(self, kind: Kind) -> bool:
        """Whether it has a pixel model for images (H,W,C), which quality 100 needs."""
        return any(network.model.fits(kind) for network in self._lossless)

    def part(self, identity: bytes) -> Codec | None:
        """The part of it that an archive's codec entry names, as it is loaded; None where it is another codec's."""
        bundle = self.bundle.part(identity)
        if bundle is None or bundle is self.bundle:
            return None if bundle is None else self
        part = copy.copy(self)
        part.bundle = bundle
        part._networks = self._networks if bundle.networks else []
        part._lossless = self._lossless if bundle.pixels else []
        return part

    @property
    def default_quality(self) -> int:
        """The quality where none is asked for."""
        return self.bundle.default_quality

    @property
    def qualities(self) -> tuple[int, int]:
        """Lowest and highest quality, both included; without loss apart, except where there is nothing else."""
        ranges = [network.qualities for network in self.bundle.networks]
        ranges = ranges or [(LOSSLESS_QUALITY, LOSSLESS_QUALITY)]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def __repr__(self) -> str:
        return f"<Codec {self.name} {self.identity[:12]} kinds={self.kinds} backend={self.backend.name}>"

    def network(self, kind: Kind, quality: int) -> CodecNetwork:
        """The network for a kind of image at a quality. Raises InputError where the codec has none."""
        of_kind = [network for network in self._networks if network.network.kind == kind]
        if self.is_lossless_only:
            raise InputError(f"quality {quality}: the codec {self.name} is lossless, its only quality is 100")
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
        raise InputError(f"quality {quality}: the codec {self.name} has symbols at qualities {low} to {high}")

    def lossless_network(self, kind: Kind) -> LosslessNetwork:
        """The pixel model for a kind of image. Raises InputError where the codec has none, CodecRefusedError."""
        for network in self._lossless:
            if network.model.fits(kind):
                return self._checked(network)
        if math.prod(kind) > LOSSLESS_IMAGE_VALUES_LIMIT:
            raise InputError(
                f"images of {'x'.join(map(str, kind))} (height, width, channels) are too large for quality 100, which "
                f"codes up to {LOSSLESS_IMAGE_VALUES_LIMIT} values of an image; 'compressnet pack' stores larger ones"
            )
        known = ", ".join(_described(network) for network in self._lossless)
        raise InputError(
            f"images of {'x'.join(map(str, kind))} (height, width, channels) at quality 100, but the codec {self.name} "
            f"{f'codes {known} without loss' if known else 'has no lossless part'}; train one for these images with "
            "'compressnet train --lossless'"
        )

    def _checked(self, network: LosslessNetwork) -> LosslessNetwork:
        """A pixel model that this machine reproduces. Raises CodecRefusedError."""
        try:
            network.check_probe()
        except CodecRefusedError as error:
            raise CodecRefusedError(f"{self.source}: this machine does not reproduce it ({error})") from error
        return network

    def encoder(self, images: Images, quality: int | None = None) -> Symbols:
        """Images uint8 (N,H,W) or (N,H,W,C) to symbols int32 (N,D). Raises InputError."""
        quality = self.default_quality if quality is None else quality
        kind = kind_of(images)
        network = self.network(kind, quality)
        return network.encode(images.reshape(len(images), *kind), quality)

    def decoder(self, symbols: Symbols, quality: int | None = None, kind: Kind | None = None) -> Images:
        """Symbols (N,D) to images uint8: (N,H,W) where they have one channel, else (N,H,W,C).

        kind: (H,W,C), needed where images of several kinds have as many symbols. Raises InputError.
        """
        quality = self.default_quality if quality is None else quality
        fitting = [n for n in self._networks if symbols.ndim == 2 and n.symbols == symbols.shape[1]]
        fitting = [n for n in fitting if n.network.qualities[0] <= quality <= n.network.qualities[1]]
        fitting = [n for n in fitting if kind in (None, n.network.kind)]
        if not fitting:
            raise InputError(
                f"symbols of shape {symbols.shape} at quality {quality}: the codec {self.name} has none such"
            )
        kinds = {"x".join(map(str, n.network.kind)) for n in fitting}
        if len(kinds) > 1:
            raise InputError(
                f"symbols of shape {symbols.shape} may be of images of {' or '.join(sorted(kinds))}; "
                "say which by `kind`"
            )
        fitting[0].check_symbols(symbols, quality)
        images = fitting[0].decode(symbols.astype(np.int32), quality)
        return images[..., 0] if images.shape[-1] == 1 else images

    def autoencoder(self, images: Images, quality: int | None = None) -> Images:
        """Images through encoder and decoder, in the shape in which they came. Raises InputError."""
        return self.decoder(self.encoder(images, quality), quality, kind_of(images)).reshape(images.shape)

    def compress(self, images: Images, quality: int | None = None, effort: int = 1) -> bytes:
        """Images (N,H,W) or (N,H,W,C), N >= 1, to one block of bytes, without a container. Raises InputError.

        Colour under alpha 0 is not kept below quality 100.
        """
        check_effort(effort)
        quality = self.default_quality if quality is None else quality
        if not 1 <= len(images) <= BLOCK_IMAGES_LIMIT:
            raise InputError(f"{len(images)} images: a block holds 1 to {BLOCK_IMAGES_LIMIT}")
        kind = kind_of(images)
        if quality == LOSSLESS_QUALITY:
            return self._compress_lossless(images, kind)
        ((_, payload),) = self.write_blocks(images.reshape(len(images), *kind), len(images), quality, effort)
        return pack_single(
            self.kinds.index(kind), images.ndim == 4, quality, len(images), payload, self.bundle.identity
        )

    def decompress(self, data: bytes) -> Images:
        """What `compress` gave, back to images of the same shape.

        Raises CorruptError where the bytes are damaged or come from another codec.
        """
        if data[:1] == bytes([LOSSLESS_QUALITY]):
            return self._decompress_lossless(data)
        if self.bundle.lossy_identity is None:
            raise CorruptError(f"the block was not made by the codec {self.name}, which is lossless")
        single = unpack_single(data, self.bundle.lossy_identity)
        if single.kind >= len(self.kinds):
            raise CorruptError(f"the block has kind {single.kind}, the codec {self.name} has {len(self.kinds)}")
        try:
            network = self.network(self.kinds[single.kind], single.quality)
        except InputError as error:
            raise CorruptError(str(error)) from error
        symbols = network.read_payloads([single.payload], [single.images], single.quality)
        images = network.decode(symbols, single.quality)
        return images if single.channels_axis else images[..., 0]

    def _compress_lossless(self, images: Images, kind: Kind) -> bytes:
        """Images of a kind to one block at quality 100."""
        network = self.lossless_network(kind)
        if images.size > LOSSLESS_VALUES_LIMIT:
            raise InputError(f"{len(images)} images of {'x'.join(map(str, kind))} are too much for one lossless block")
        (payload,), _ = network.write_blocks(images.reshape(len(images), *kind), [len(images)])
        assert self.bundle.lossless_identity is not None
        size = b"" if network.model.size else pack_varint(kind[0]) + pack_varint(kind[1])
        return pack_single(
            self._lossless.index(network),
            images.ndim == 4,
            LOSSLESS_QUALITY,
            len(images),
            size + payload,
            self.bundle.lossless_identity,
        )

    def _decompress_lossless(self, data: bytes) -> Images:
        if self.bundle.lossless_identity is None:
            raise CorruptError(f"the block is lossless; the codec {self.name} has no lossless part")
        single = unpack_single(data, self.bundle.lossless_identity)
        if single.kind >= len(self._lossless):
            raise CorruptError(f"the block has kind {single.kind}, the codec {self.name} has {len(self._lossless)}")
        model = self._lossless[single.kind].model
        reader = Reader(single.payload, "the block")
        size = model.size or (reader.varint(SIDE_LIMIT_PX), reader.varint(SIDE_LIMIT_PX))
        values = math.prod(size) * model.channels
        if not (0 < values <= LOSSLESS_IMAGE_VALUES_LIMIT and single.images * values <= LOSSLESS_VALUES_LIMIT):
            raise CorruptError(f"the block claims {single.images} images of {'x'.join(map(str, size))}")
        if model.channels > 1 and not single.channels_axis:
            raise CorruptError(f"the block claims images of {model.channels} channels without an axis for them")
        network = self._checked(self._lossless[single.kind])
        images = network.read_payloads([reader.take(reader.left)], [single.images], size)
        return images if single.channels_axis else images[..., 0]

    def write_lossless(
        self, images_NHWC: Images, block_images: int
    ) -> tuple[list[tuple[int, bytes]], NDArray[np.float64]]:
        """Images (N,H,W,C) to (images, payload) of each lossless block, and the bits that each image took (N,)."""
        network = self.lossless_network(kind_of(images_NHWC))
        counts = block_counts(len(images_NHWC), block_images)
        parts = lockstep_parts(counts, self.threads)
        written = spread(
            lambda part: network.write_blocks(images_NHWC[part.start : part.stop], part.counts), parts, self.threads
        )
        payloads = [payload for payloads, _ in written for payload in payloads]
        return list(zip(counts, payloads, strict=True)), np.concatenate([bits_N for _, bits_N in written])

    def best_symbols(self, images_NHWC: Images, quality: int, effort: int) -> Symbols:
        """Images (N,H,W,C) to symbols (N,D): the encoder's at effort 1, above it the best that a search finds.

        A search goes by floats, so its symbols may differ from machine to machine; they decode exactly everywhere.
        """
        network = self.network(kind_of(images_NHWC), quality)
        if effort == 1:
            return network.encode(images_NHWC, quality)
        starts = range(0, len(images_NHWC), SEARCH_IMAGES)
        parts = spread(
            lambda start: network.search(images_NHWC[start : start + SEARCH_IMAGES], quality, effort),
            starts,
            self.threads,
        )
        return np.concatenate(parts)

    def write_blocks(
        self, images_NHWC: Images, block_images: int, quality: int, effort: int
    ) -> list[tuple[int, bytes]]:
        """Images (N,H,W,C) to (images, payload) of each block of up to `block_images`; hidden colour is not coded."""
        network = self.network(kind_of(images_NHWC), quality)
        searched = None if effort == 1 else self.best_symbols(images_NHWC, quality, effort)

        def symbols_of(rows: slice) -> Symbols:
            return network.encode(images_NHWC[rows], quality) if searched is None else searched[rows]

        return self._payloads(network, block_counts(len(images_NHWC), block_images), quality, symbols_of)

    def write_symbol_blocks(
        self, symbols_ND: Symbols, kind: Kind, block_images: int, quality: int
    ) -> list[tuple[int, bytes]]:
        """Symbols (N,D) of images of a kind to (images, payload) of each block of up to `block_images`."""
        counts = block_counts(len(symbols_ND), block_images)
        return self._payloads(self.network(kind, quality), counts, quality, symbols_ND.__getitem__)

    def _payloads(
        self, network: CodecNetwork, counts: list[int], quality: int, symbols_of: Callable[[slice], Symbols]
    ) -> list[tuple[int, bytes]]:
        """(images, payload) of blocks of `counts` images; `symbols_of` gives the symbols of some of all images."""

        def write(part: LockstepPart) -> list[bytes]:
            return network.write_payloads(symbols_of(slice(part.start, part.stop)), part.counts, quality)

        payloads = spread(write, lockstep_parts(counts, self.threads), self.threads)
        return list(zip(counts, (payload for part in payloads for payload in part), strict=True))


def _described(network: LosslessNetwork) -> str:
    """The images that a pixel model codes, in words."""
    size = network.model.size
    return f"{'x'.join(map(str, size)) if size else 'any size'}x{network.model.channels}"


def check_effort(effort: int) -> None:
    """Raises InputError for an effort outside of 1 to 9."""
    if not 1 <= effort <= 9:
        raise InputError(f"effort {effort}: it goes from 1, one pass of the encoder, to 9, the longest search")
