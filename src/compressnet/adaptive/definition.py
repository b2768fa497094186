"""Stub."""

from __future__ import annotations

from compressnet.adaptive.model import AdaptiveModel, AdaptiveSettings


class PythonAdaptiveModel(AdaptiveModel):  # pragma: no cover
    """Stub."""

    def __init__(self, settings: AdaptiveSettings) -> None:
        raise NotImplementedError
