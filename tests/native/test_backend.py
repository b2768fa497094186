"""What the core cannot run, NumPy runs, with the same results; commands say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import compressnet
from backends import CORES
from compressnet.errors import SlowerWarning
from conftest import CONFORMANCE
from run_commands import GREY, run

pytestmark = pytest.mark.skipif(not CORES, reason="no compiled core")

LOSSLESS = str(CONFORMANCE / "lossless.codec")
LEFT = ["the network from 8x12x1 to 11", "the network from 11 to 8x12x1", "the entropy model of 11 symbols"]
LEFT_LOSSLESS = ["the pixel model for 12x14x1", "the pixel model for any sizex4"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    with np.load(CONFORMANCE / "grey.npz") as arrays:
        np.save(tmp_path / "images.npy", arrays["images"])
    return tmp_path / "images.npy"


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core gets no memory, so that there is nothing that it can run."""
    monkeypatch.setattr("compressnet.native.models.MEMORY_LIMIT", 0)


def test_nothing_is_left_to_numpy_where_the_core_can_run_it(images: Path) -> None:
    result = run("evaluate", images, "--codec", GREY, "--backend", "native", "--json")
    told = json.loads(result.stdout)
    assert (told["backend"], told["left_to_numpy"], result.stderr) == ("native", [], "")


@pytest.mark.usefixtures("no_room")
def test_evaluate_tells_what_is_left_to_numpy(images: Path) -> None:
    result = run("evaluate", images, "--codec", GREY, "--backend", "native", "--json")
    told = json.loads(result.stdout)
    assert (told["backend"], told["left_to_numpy"]) == ("native", LEFT)
    end = "is beyond the compiled core; NumPy runs it, with the same results, several times slower"
    assert result.stderr.splitlines() == [f"compressnet: {what} {end}" for what in LEFT]


@pytest.mark.usefixtures("no_room")
def test_quiet_commands_do_not(images: Path) -> None:
    result = run("compress", images, "-o", images.with_name("a.cnet"), "--codec", GREY, "--backend", "native", "-q")
    assert result.output == ""


@pytest.mark.usefixtures("no_room")
def test_the_pixels_are_the_same() -> None:
    with np.load(CONFORMANCE / "lossless.npz") as arrays:
        expected = list(arrays.values())
    with (
        compressnet.open(CONFORMANCE / "lossless.cnet", LOSSLESS, "native") as archive,
        pytest.warns(SlowerWarning) as told,
    ):
        found = list(archive)
    assert [str(each.message).partition(" is ")[0] for each in told] == LEFT_LOSSLESS
    assert all(np.array_equal(image, known) for image, known in zip(found, expected, strict=True))
