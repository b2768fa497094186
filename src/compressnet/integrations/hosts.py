"""What is said where the library that an adapter is for is not installed."""

from __future__ import annotations

from compressnet.errors import MissingExtraError


def missing_host(host: str, extra: str) -> MissingExtraError:
    """What an adapter raises in place of a host's ModuleNotFoundError."""
    return MissingExtraError(
        f"{host} is not installed, and compressnet.integrations.{extra} is for it; pip install 'compressnet[{extra}]'"
    )
