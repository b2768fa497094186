"""A codec ready to run: encoder, entropy model and decoder as one, for all kinds that it codes.

images uint8 (N,H,W[,C]) -> encoder -> symbols int32 (N,D) -> entropy coder -> payload bytes
images uint8 (N,H,W[,C]) <- decoder <- symbols int32 (N,D) <- entropy decoder <- payload bytes
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from compressnet.adaptive.part import AdaptiveCoders, AdaptivePart, shape_of
from compressnet.codec.bundle import Bundle
from compressnet.codec.single import read_single, write_single
from compressnet.coding.coder import ADAPTIVE, LOSSLESS, LOSSLESS_QUALITY, LOSSY, Coder
from compressnet.coding.part import Coders
from compressnet.errors import CodecRefusedError, CorruptError, InputError
from compressnet.images.kinds import Images, Kind, Symbols, kind_of, size_text
from compressnet.limits import DEFAULT_LIMITS, Limits, whole
from compressnet.lossy.part import LossyCoders
from compressnet.networks.program import Backend

BackendName = Literal["native", "onnx", "numpy"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)


class Codec:
    """A trained, frozen model, ready to run. `compressnet.load` makes one.

    Every method is a pure function of its arguments: the same on every machine, with every backend
    and any number of threads. A codec may be used by several threads at once. Before a network or
    a pixel model is used first, its probe is run; whatever uses one that is not reproduced raises
    CodecRefusedError.
    """

    def __init__(
        self, bundle: Bundle, backend: Backend, threads: int, source: str, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        """source: where the codec came from, for errors. limits: of what an image may take."""
        self.bundle, self.limits = bundle, limits
        self.backend, self.threads, self.source = backend, threads, source
        self._coders: dict[int, Coders] = {
            part.method: part.coders(bundle.name, backend, limits) for part in bundle.parts
        }

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
        """The (H,W,C) of the images that it codes at qualities below 100.

        Those of a network for any size cannot be listed; `why_not` tells.
        """
        return self._coders[LOSSY].kinds if LOSSY in self._coders else []

    @property
    def coded(self) -> list[str]:
        """What images it codes at qualities below 100, in words: `28x28x1`, `any size x 3`."""
        lossy = self._coders.get(LOSSY)
        return lossy.described() if isinstance(lossy, LossyCoders) else []

    def knows(self, kind: Kind) -> bool:
        """Whether it codes images of a kind at some quality below 100."""
        lossy = self._coders.get(LOSSY)
        return isinstance(lossy, LossyCoders) and lossy.knows(kind)

    @property
    def default_quality(self) -> int:
        """The quality that is used if none is asked for."""
        return self.bundle.default_quality

    @property
    def qualities(self) -> tuple[int, int]:
        """Lowest and highest quality, both included.

        Quality 100, without loss, is left out unless it is the only one.
        """
        return self.bundle.parts[0].qualities

    def __repr__(self) -> str:
        return f"<Codec {self.name} {self.identity[:12]} codes={self.coded} backend={self.backend.name}>"

    def only(self, identity: bytes) -> Codec | None:
        """The part of this identity as a codec of its own, loaded as this one is.

        None where no part has the identity.
        """
        bundle = self.bundle.only(identity)
        if bundle is None or bundle is self.bundle:
            return None if bundle is None else self
        only = copy.copy(self)
        only.bundle = bundle
        only._coders = {part.method: self._coders[part.method] for part in bundle.parts}
        return only

    def with_part(self, part: AdaptivePart) -> Codec:
        """The same codec, and after its own parts one that was learned from a collection."""
        extended = copy.copy(self)
        extended.bundle = replace(self.bundle, parts=(*self.bundle.parts, part))
        extended._coders = self._coders | {part.method: part.coders(self.name, self.backend, self.limits)}
        return extended

    def coders(self, method: int) -> Coders | None:
        """The coders of a method; None where no part has it."""
        return self._coders.get(method)

    def why_not(self, kind: Kind, quality: int, *, deep: bool = False) -> str | None:
        """Why it does not code images of a kind at a quality, and the way out.

        None where it does. deep: whether values have 16 bits; the kind's channels are those bytes.
        """
        if self._serving(kind, quality, deep=deep) is not None:
            return None
        if deep:
            return f"images of 16 bits: the codec {self.name} is for 8"
        method = _method_at(quality)
        if method in self._coders:
            return self._coders[method].why_not(kind, quality)
        if method == LOSSLESS:
            return (
                f"quality {quality}: the codec {self.name} has no lossless part; "
                "train one with 'compressnet train --lossless'"
            )
        return f"quality {quality}: the codec {self.name} is lossless, its only quality is 100"

    def coder(self, kind: Kind, quality: int, *, deep: bool = False) -> Coder:
        """The coder for images of a kind at a quality, of the first part that has one.

        deep: as for `why_not`. Raises InputError, CodecRefusedError.
        """
        coders = self._serving(kind, quality, deep=deep)
        if coders is None:
            raise InputError(self.why_not(kind, quality, deep=deep) or "")
        return self.coder_of(coders, kind, quality, deep=deep)

    def learned_coder(self, kind: Kind, *, deep: bool) -> Coder | None:
        """The coder that was learned from a collection, if there is one.

        Raises CodecRefusedError.
        """
        coders = self._coders.get(ADAPTIVE)
        if not isinstance(coders, AdaptiveCoders) or not coders.has_room(shape_of(kind, deep=deep)):
            return None
        return self.coder_of(coders, kind, LOSSLESS_QUALITY, deep=deep)

    def coder_of(self, coders: Coders, kind: Kind, quality: int, *, deep: bool = False) -> Coder:
        """The coder that a part of this codec has. Raises CodecRefusedError."""
        try:
            return (
                coders.find_shape(shape_of(kind, deep=deep))
                if isinstance(coders, AdaptiveCoders)
                else coders.find(kind, quality)
            )
        except CodecRefusedError as error:
            raise self._refused(error) from error

    def _serving(self, kind: Kind, quality: int, *, deep: bool) -> Coders | None:
        """The coders of the first part that codes images of a kind at a quality."""
        for part in self.bundle.parts:
            coders = self._coders[part.method]
            if isinstance(coders, AdaptiveCoders):
                if coders.why_not_shape(shape_of(kind, deep=deep), quality) is None:
                    return coders
            elif not deep and part.has_quality(quality) and coders.why_not(kind, quality) is None:
                return coders
        return None

    def encoder(self, images: Images, quality: int | None = None) -> Symbols:
        """Images uint8 (N,H,W) or (N,H,W,C) to symbols int32 (N,D). Raises InputError."""
        kind = kind_of(images)
        coder = self.coder(kind, self._quality_with_symbols(quality))
        return coder.values_of(images.reshape(len(images), *kind)).astype(np.int32)

    def decoder(self, symbols: Symbols, quality: int | None = None, kind: Kind | None = None) -> Images:
        """Symbols (N,D) to images uint8: (N,H,W) where they have one channel, else (N,H,W,C).

        kind: (H,W,C), needed where images of several kinds have as many symbols, and for a network
        of any size. Raises InputError.
        """
        quality = self._quality_with_symbols(quality)
        lossy = self._coders.get(LOSSY)
        if not isinstance(lossy, LossyCoders):
            raise InputError(f"quality {quality}: the codec {self.name} is lossless and has no symbols")
        fitting = lossy.kinds_with_symbols(symbols.shape[1], quality, kind) if symbols.ndim == 2 else []
        if kind is None and lossy.has_any_size(quality) and len(fitting) < 2:
            raise InputError(
                f"symbols of shape {symbols.shape}: the codec {self.name} codes images of any size; say by `kind` "
                "which (H,W,C) these are of"
            )
        if not fitting:
            known = " or ".join(map(str, lossy.symbol_counts(quality, kind))) or "no"
            raise InputError(
                f"symbols of shape {symbols.shape}: the codec {self.name} has no network for them; "
                f"at quality {quality} an image has {known} symbols, so give (N,D) with that D"
            )
        if len(fitting) > 1:
            kinds = " or ".join(sorted(map(size_text, fitting)))
            raise InputError(f"symbols of shape {symbols.shape} may be of images of {kinds}; say which by `kind`")
        try:
            coder = lossy.find(fitting[0], quality)
        except CodecRefusedError as error:
            raise self._refused(error) from error
        coder.runner.check_symbols(symbols, quality)
        images = coder.images_of(symbols)
        return images[..., 0] if images.shape[-1] == 1 else images

    def autoencoder(self, images: Images, quality: int | None = None) -> Images:
        """Images through encoder and decoder, in the shape in which they came.

        Raises InputError.
        """
        return self.decoder(self.encoder(images, quality), quality, kind_of(images)).reshape(images.shape)

    def _quality_with_symbols(self, quality: int | None) -> int:
        """The quality asked for, or the codec's own. Raises InputError for one without symbols."""
        quality = self.default_quality if quality is None else quality
        if quality == LOSSLESS_QUALITY:
            raise InputError(f"quality {quality} is lossless and has no symbols; use `compress`, or a quality below it")
        return quality

    def compress(self, images: Images, quality: int | None = None, effort: int = 1) -> bytes:
        """Images (N,H,W) or (N,H,W,C), N >= 1, to one block of bytes, without a container.

        Colour under alpha 0 is not kept below quality 100. Raises InputError.
        """
        check_effort(effort)
        quality = self.default_quality if quality is None else quality
        coder = self.coder(kind_of(images), quality)
        return write_single(
            self._coders[coder.method], self._identity(coder.method), coder, images, effort, self.threads
        )

    def decompress(self, data: bytes) -> Images:
        """What `compress` gave, back to images of the same shape.

        Raises CorruptError where the bytes are damaged or come from another codec.
        """
        method = _method_at(data[0]) if data else LOSSY
        if method not in self._coders:
            has = "has no lossless part" if method == LOSSLESS else "is lossless"
            raise CorruptError(f"the block was not made by the codec {self.name}, which {has}")
        try:
            return read_single(self._coders[method], self._identity(method), data, self.limits)
        except CodecRefusedError as error:
            raise self._refused(error) from error

    def _refused(self, error: CodecRefusedError) -> CodecRefusedError:
        """The refusal of a coder, with where the codec came from, and the way out."""
        others = " or ".join(name for name in BACKENDS if name != self.backend.name)
        return CodecRefusedError(
            f"{self.source}: the {self.backend.name} backend does not reproduce this codec exactly ({error}); "
            f"try another backend, {others}"
        )

    def _identity(self, method: int) -> bytes:
        """Of a part that it has."""
        identity = self.bundle.identity_of(method)
        assert identity is not None
        return identity


def _method_at(quality: int) -> int:
    """The method of a codec's part that codes at a quality."""
    return LOSSLESS if quality == LOSSLESS_QUALITY else LOSSY


def check_effort(effort: int) -> None:
    """Raises InputError for what is no whole number from 1 to 9."""
    if not 1 <= whole(effort, "an effort") <= 9:
        raise InputError(f"effort {effort}: it goes from 1, one pass of the encoder, to 9, the longest search")
