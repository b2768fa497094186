"""The adaptive part of an archive's codec: a primer, and the coders of all images after it."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import Any

from compressnet.adaptive.coder import AdaptiveCoder, PrimedModel, alone_cost
from compressnet.adaptive.model import (
    SEEN_PIXELS_LIMIT,
    AdaptiveBackend,
    AdaptiveCoderModel,
    AdaptiveSettings,
    PictureShape,
)
from compressnet.adaptive.primer import Primer, fresh_bytes, unpack_primer
from compressnet.coding.coder import ADAPTIVE, LOSSLESS_QUALITY
from compressnet.coding.part import Coders, PackedPart, PackedPlan, Part, Tensors
from compressnet.errors import BeyondLimitsError, CodecRefusedError, CorruptError, InputError, SlowerWarning
from compressnet.images.kinds import Kind, size_text
from compressnet.limits import CHANNELS_LIMIT, DEFAULT_LIMITS, Limits
from compressnet.networks.program import Backend
from compressnet.threads import Lock
from compressnet.wire import Reader

NOT_IN_FILES = "what is learned from a collection belongs to its archive, and is in no codec file"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptivePart(Part):
    """A primer, as an archive carries it; no codec file has one."""

    method = ADAPTIVE
    key = "adaptive"
    primer: Primer
    data: bytes
    """What the archive carries."""
    identity: bytes

    @classmethod
    def of(cls, data: bytes, what: str, limits: Limits = DEFAULT_LIMITS) -> AdaptivePart:
        """The part of a packed primer; `what` names it in errors. Raises CorruptError."""
        return cls(primer=unpack_primer(data, what, limits), data=data, identity=hashlib.sha256(data).digest())

    def entries(self) -> list[dict[str, Any]]:
        """Raises InputError."""
        raise InputError(NOT_IN_FILES)

    def tensors(self) -> Tensors:
        """Raises InputError."""
        raise InputError(NOT_IN_FILES)

    def without_encoder(self) -> AdaptivePart:
        """All of it: what decodes also encodes."""
        return self

    def packed(self, codec_name: str) -> PackedPart:
        """Raises InputError."""
        raise InputError(f"{codec_name}: {NOT_IN_FILES}")

    @staticmethod
    def packed_plan(entries: list[Any], what: str) -> PackedPlan:
        """Raises CorruptError."""
        del entries
        raise CorruptError(f"{what}: {NOT_IN_FILES}")

    @property
    def qualities(self) -> tuple[int, int]:
        """That of its error; images of 16 bits have 100 in any case."""
        return LOSSLESS_QUALITY - self.primer.error, LOSSLESS_QUALITY

    def coders(self, codec_name: str, backend: Backend, limits: Limits = DEFAULT_LIMITS) -> AdaptiveCoders:
        """Ready to run; the primer is decoded when a coder is first asked for."""
        del codec_name
        return AdaptiveCoders(self, backend, limits)


def shape_of(kind: Kind, *, deep: bool = False) -> PictureShape:
    """The shape of images of a kind; deep: whether its channels are two bytes each."""
    height, width, channels = kind
    return PictureShape(height=height, width=width, channels=channels // 2 if deep else channels, deep=deep)


def new_model(settings: AdaptiveSettings, pixels: int, backend: Backend) -> AdaptiveCoderModel:
    """A model that has learned nothing, with room for so many pixels; in Python without a core."""
    if isinstance(backend, AdaptiveBackend):
        return backend.adaptive_model(settings, pixels)
    warnings.warn(
        "what learns from images runs in Python without the compiled core, some hundred times slower",
        SlowerWarning,
        stacklevel=2,
    )
    from compressnet.adaptive.definition import AdaptiveModel  # installs with a core do without it

    return AdaptiveModel(settings, SEEN_PIXELS_LIMIT)


class AdaptiveCoders(Coders):
    """The adaptive part ready to run."""

    method = ADAPTIVE

    def __init__(self, part: AdaptivePart, backend: Backend, limits: Limits) -> None:
        """limits: of what a payload may take."""
        self._part, self._backend, self._limits = part, backend, limits
        self._primed: PrimedModel | None = None
        self._coders: dict[PictureShape, AdaptiveCoder] = {}
        self._lock = Lock()

    @property
    def kinds(self) -> list[Kind]:
        """None in particular: it codes all."""
        return []

    def why_not(self, kind: Kind, quality: int) -> str | None:
        """What it does not code of images of 8 bits."""
        return self.why_not_shape(shape_of(kind), quality)

    def why_not_shape(self, shape: PictureShape, quality: int) -> str | None:
        """The same of images of any depth."""
        own = LOSSLESS_QUALITY if shape.deep else LOSSLESS_QUALITY - self._part.primer.error
        if quality != own:
            return f"quality {quality}: what this archive has learned is for quality {own}"
        if not 1 <= shape.channels <= CHANNELS_LIMIT:
            return f"images of {shape.channels} channels"
        if not self.has_room(shape):
            return (
                f"images of {size_text(shape.axes[:2])} would take too much of what this archive has learned "
                "(--limits, or limits= in Python)"
            )
        return None

    def has_room(self, shape: PictureShape) -> bool:
        """Whether an image of a shape stays within the limits."""
        return self._limits.allow(alone_cost(shape, 1, self._part.primer.model_bytes))

    def find(self, kind: Kind, quality: int) -> AdaptiveCoder:
        """The coder of images of 8 bits."""
        del quality
        return self.find_shape(shape_of(kind))

    def find_shape(self, shape: PictureShape) -> AdaptiveCoder:
        """The coder of images of any depth. Raises CodecRefusedError for a damaged primer."""
        with self._lock:
            if self._primed is None:
                self._primed = self._decoded()
            return self._coders.setdefault(shape, AdaptiveCoder(self._primed, shape, self._part.primer.error))

    def _decoded(self) -> PrimedModel:
        primer = self._part.primer
        model = new_model(primer.settings, primer.pixels, self._backend)
        model.allow(fresh_bytes(self._limits))
        try:
            return PrimedModel(model, primer)
        except BeyondLimitsError:
            raise
        except CorruptError as error:
            raise CodecRefusedError(str(error)) from error

    def single_kind(self, kind: Kind) -> tuple[int, bytes]:
        """Raises InputError."""
        raise InputError(f"images of {size_text(kind)} in a single block: {NOT_IN_FILES}")

    def coder_of_single(self, number: int, quality: int, images: int, reader: Reader) -> AdaptiveCoder:
        """Raises CorruptError."""
        del number, quality, images
        raise CorruptError(f"{reader.what}: {NOT_IN_FILES}")
