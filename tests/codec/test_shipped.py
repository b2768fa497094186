"""The codec that ships: what the README promises about it."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import compressnet
from backends import BACKENDS
from compressnet.bench.evaluate import evaluate
from compressnet.codec.codec import Codec
from compressnet.codec.shipped import shipped_codecs
from compressnet.container.container import Container
from compressnet.container.sources import FileSource
from compressnet.images import open_collection


@pytest.mark.parametrize("quality", [0, 33, 66, 99])
def test_four_ways_agree_at_every_quality(shipped: Codec, mnist: np.ndarray, quality: int) -> None:
    assert evaluate(mnist[:300], shipped, quality=quality).identical


@pytest.mark.slow
def test_bytes_and_fidelity_rise_with_quality(shipped: Codec, mnist: np.ndarray) -> None:
    sizes, errors = [], []
    for quality in range(0, 100, 9):
        data = shipped.compress(mnist, quality)
        sizes.append(len(data))
        errors.append(np.square(shipped.decompress(data).astype(float) - mnist).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.slow
def test_a_lone_image_costs_little_over_its_ideal_length(shipped: Codec, mnist: np.ndarray) -> None:
    for quality in (0, shipped.default_quality, 99):
        network = shipped.coder((28, 28, 1), quality).runner
        for i in range(100):
            image = mnist[i : i + 1]
            ideal_bytes = network.entropy.bits(shipped.encoder(image, quality), quality).sum() / 8
            assert len(shipped.compress(image, quality)) <= ideal_bytes + 6


@pytest.mark.slow
def test_blocks_backends_and_threads_change_no_pixel(shipped: Codec, mnist: np.ndarray, tmp_path: Path) -> None:
    images = mnist[:100]
    expected = shipped.autoencoder(images)
    for block_images in (1, 7, 64):
        path = tmp_path / f"{block_images}.cnet"
        compressnet.compress(images, path, "mnist", block_images=block_images)
        for backend, threads in itertools.product(BACKENDS, (1, 2)):
            with compressnet.open(path, backend=backend, threads=threads) as archive:
                assert np.array_equal(archive[:], expected)
            again = tmp_path / "again.cnet"
            compressnet.compress(images, again, "mnist", block_images=block_images, backend=backend, threads=threads)
            assert again.read_bytes() == path.read_bytes()


def test_shipped_codecs_are_small_and_not_embedded(shipped: Codec, mnist: np.ndarray, tmp_path: Path) -> None:
    paths = set(shipped_codecs().values())
    assert sum(path.stat().st_size for path in paths) < 14_000_000
    for path in paths:
        assert path.with_suffix(".md").is_file()
    compressnet.compress(mnist[:10], tmp_path / "a.cnet")
    with Container(FileSource(tmp_path / "a.cnet")) as container:
        assert container.codecs[0].embedded is None
        assert container.codecs[0].identity.hex() == shipped.identity


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from Linux")
def test_sixty_thousand_images_take_under_a_gigabyte(tmp_path: Path) -> None:
    source = tmp_path / "train-images-idx3-ubyte"
    images = open_collection("mnist").load()
    with source.open("wb") as stream:
        stream.write(bytes([0, 0, 8, 3]) + np.array([60_000, 28, 28], ">u4").tobytes())
        for _ in range(6):
            stream.write(images.tobytes())
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from compressnet.commands.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "lines = Path('/proc/self/status').read_text().splitlines()\n"
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))\n"
    )
    command = [sys.executable, "-c", program, "compress", str(source), "-o", str(tmp_path / "a.cnet")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 1024 * int(result.stdout.split()[-1]) < 1_000_000_000
