"""Fixtures that several test modules share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import compressnet
from compressnet.codec.bundle import Bundle
from compressnet.codec.codec import Codec
from compressnet.codec.file import from_bytes
from compressnet.images import open_collection

CONFORMANCE = Path(__file__).parent / "conformance"
KINDS = ("grey", "rgb", "tiles", "odd")


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread(worker_id: str) -> Iterator[None]:
    """Where tests run side by side, BLAS threads of each would only wait for those of others."""
    with threadpool_limits(None if worker_id == "master" else 1, "blas"):
        yield


@pytest.fixture(scope="session")
def mnist() -> np.ndarray:
    """The first 1000 test images of MNIST, (1000,28,28)."""
    return open_collection("mnist").load(1000)


@pytest.fixture(scope="session")
def shipped() -> Codec:
    """The codec that ships for MNIST."""
    return compressnet.load("mnist")


@pytest.fixture(scope="session", params=KINDS)
def tiny_name(request: pytest.FixtureRequest) -> str:
    """Random weights: `grey` 8x12, a vector and a grid of symbols.

    `rgb` 12x8x3, a grid alone; `tiles` 12x12, a grid, a convolutional entropy model and linear
    branches; `odd` the like for 9x14, with networks that see colour.
    """
    return request.param


@pytest.fixture(scope="session")
def tiny_path(tiny_name: str) -> Path:
    return CONFORMANCE / f"{tiny_name}.codec"


@pytest.fixture(scope="session")
def tiny_bundle(tiny_path: Path) -> Bundle:
    return from_bytes(tiny_path.read_bytes(), str(tiny_path))


@pytest.fixture(scope="session")
def tiny(tiny_path: Path) -> Codec:
    return compressnet.load(tiny_path, threads=1)


@pytest.fixture(scope="session")
def tiny_arrays(tiny_name: str) -> dict[str, np.ndarray]:
    """`images` (23,H,W[,C]), their `symbols` and `decoded` pixels at quality 60.

    `block`: three at quality 99.
    """
    with np.load(CONFORMANCE / f"{tiny_name}.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def tiny_images(tiny_arrays: dict[str, np.ndarray]) -> np.ndarray:
    return tiny_arrays["images"]


@pytest.fixture
def grey_path() -> Path:
    return CONFORMANCE / "grey.codec"
