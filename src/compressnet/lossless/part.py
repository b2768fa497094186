"""The lossless part of a codec: pixel models, each for images of some number of channels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from compressnet.coding.coder import LOSSLESS, LOSSLESS_QUALITY
from compressnet.coding.part import Coders, PackedPart, Part, Tensors
from compressnet.errors import CorruptError
from compressnet.images.kinds import Kind, size_text
from compressnet.limits import DEFAULT_LIMITS, LOSSLESS_IMAGE_VALUES_LIMIT, LOSSLESS_VALUES_LIMIT, SIDE_LIMIT_PX, Limits
from compressnet.lossless.arrays import PIXELS, PROBE, arrays_of, entry_of, model_of, pixels_identity
from compressnet.lossless.coder import LosslessCoder, LosslessNetwork
from compressnet.lossless.model import PixelModel
from compressnet.lossless.packing import ModelsPlan, pack_models
from compressnet.networks.program import Backend
from compressnet.wire import Reader, pack_varint


@dataclass(frozen=True, slots=True, kw_only=True)
class LosslessPart(Part):
    """Pixel models; of several that fit an image, the first is used."""

    method = LOSSLESS
    key = PIXELS
    models: tuple[PixelModel, ...]
    identity: bytes

    @classmethod
    def of(cls, models: tuple[PixelModel, ...]) -> LosslessPart:
        """The part of some models, at least one, with its identity computed."""
        return cls(models=models, identity=pixels_identity(models))

    @classmethod
    def read(cls, document: dict[str, Any], tensors: Tensors) -> LosslessPart | None:
        """From a codec's JSON document and tensors, proved; None where it has none.

        Raises CorruptError, or KeyError, TypeError and their like for a document of another form.
        """
        entries = enumerate(document.get(cls.key, []))
        models = tuple(model_of(i, entry, tensors) for i, entry in entries)
        return cls.of(models) if models else None

    def entries(self) -> list[dict[str, Any]]:
        """Channels, size and planes of each model."""
        return [entry_of(model) for model in self.models]

    def tensors(self) -> Tensors:
        """`pixels.0.ARRAY` and so on, with the model's number."""
        tensors: Tensors = {}
        for i, model in enumerate(self.models):
            tensors |= {f"{PIXELS}.{i}.{name}": array for name, array in arrays_of(model).items()}
            tensors[f"{PIXELS}.{i}.{PROBE}"] = model.probe
        return tensors

    def without_encoder(self) -> LosslessPart:
        """All of it: what decodes also encodes."""
        return self

    @property
    def qualities(self) -> tuple[int, int]:
        """100 alone."""
        return LOSSLESS_QUALITY, LOSSLESS_QUALITY

    def packed(self, codec_name: str) -> PackedPart:
        """All models, with a hash of each one's probe."""
        return pack_models(self.models, codec_name)

    @staticmethod
    def packed_plan(entries: list[Any], what: str) -> ModelsPlan:
        """How packed models are read."""
        return ModelsPlan(entries, what)

    def coders(self, codec_name: str, backend: Backend, limits: Limits = DEFAULT_LIMITS) -> LosslessCoders:
        """All models ready to run."""
        return LosslessCoders(self, codec_name, backend, limits)


class LosslessCoders(Coders):
    """The lossless part ready to run. A model's probe is run before it is used first."""

    method = LOSSLESS

    def __init__(self, part: LosslessPart, codec_name: str, backend: Backend, limits: Limits) -> None:
        """codec_name: for errors. limits: of a model's probe."""
        self._name, self._limits = codec_name, limits
        self._networks = [LosslessNetwork(model, backend) for model in part.models]
        self._coders: dict[Kind, LosslessCoder] = {}

    @property
    def kinds(self) -> list[Kind]:
        """Those of models for one size."""
        sizes = [(network.model.size, network.model.channels) for network in self._networks]
        return [(*size, channels) for size, channels in sizes if size is not None]

    def why_not(self, kind: Kind, quality: int) -> str | None:
        """Which images there are models for."""
        if quality != LOSSLESS_QUALITY:
            return f"quality {quality}: the codec {self._name} is lossless, its only quality is 100"
        if any(network.model.fits(kind) for network in self._networks):
            return None
        if math.prod(kind) > LOSSLESS_IMAGE_VALUES_LIMIT:
            return (
                f"images of {size_text(kind)} (height, width, channels) are too large for quality 100, which "
                f"codes up to {LOSSLESS_IMAGE_VALUES_LIMIT} values of an image; 'compressnet pack' stores larger ones"
            )
        known = ", ".join(_described(network.model) for network in self._networks)
        return (
            f"images of {size_text(kind)} (height, width, channels) at quality 100, but the codec {self._name} "
            f"codes {known} without loss; train one for these images with 'compressnet train --lossless'"
        )

    def find(self, kind: Kind, quality: int) -> LosslessCoder:
        """The coder of the first model that fits."""
        del quality
        if kind not in self._coders:
            network = next(network for network in self._networks if network.model.fits(kind))
            self._check(network)
            self._coders[kind] = LosslessCoder(network, kind)
        return self._coders[kind]

    def single_kind(self, kind: Kind) -> tuple[int, bytes]:
        """The model's number; height and width where it is for any size."""
        network = self.find(kind, LOSSLESS_QUALITY).runner
        size = b"" if network.model.size else pack_varint(kind[0]) + pack_varint(kind[1])
        return self._networks.index(network), size

    def coder_of_single(self, number: int, quality: int, images: int, reader: Reader) -> LosslessCoder:
        """The coder of the model of that number, for the size that it or the payload has."""
        del quality
        if number >= len(self._networks):
            raise CorruptError(f"the block has kind {number}, the codec {self._name} has {len(self._networks)}")
        network = self._networks[number]
        model = network.model
        height, width = model.size or (reader.varint(SIDE_LIMIT_PX), reader.varint(SIDE_LIMIT_PX))
        kind = (height, width, model.channels)
        values = math.prod(kind)
        if not (0 < values <= LOSSLESS_IMAGE_VALUES_LIMIT and images * values <= LOSSLESS_VALUES_LIMIT):
            raise CorruptError(f"the block claims {images} images of {height}x{width}")
        self._check(network)
        return LosslessCoder(network, kind)

    def _check(self, network: LosslessNetwork) -> None:
        """Try a model. Raises CodecRefusedError, BeyondLimitsError."""
        what = f"the codec {self._name}: trying its pixel model for {_described(network.model)}"
        self._limits.require(network.probe_cost, what)
        network.check_probe()


def _described(model: PixelModel) -> str:
    """The images that a pixel model codes, in words."""
    return f"{size_text(model.size) if model.size else 'any size'}x{model.channels}"
