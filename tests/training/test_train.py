"""Training end to end on small pictures, and fake quantization against the integers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import compressnet
from compressnet.codec.bundle import Bundle
from compressnet.codec.file import from_bytes, to_bytes
from compressnet.errors import FormatError, InputError
from compressnet.lossy.network import Network
from compressnet.training.common.options import Options, Progress, Report, TrainingInterrupted, checkpoint_path
from compressnet.training.lossy.design import OVERVIEW, VECTOR, Design
from compressnet.training.lossy.workers import Job
from compressnet.training.train import log_path, refine, train
from conftest import CONFORMANCE, KINDS
from make_conformance import SMALL, blobs

DESIGN = replace(OVERVIEW, widths=SMALL, qualities=(0, 99), log_lambda=(1.6, 5.5, 0.0), origin=0)
IMAGES = blobs(400, (8, 12, 1), 3)


def options(**changes: object) -> Options:
    chosen: dict[str, object] = {"epochs": 4, "holdout": 100, "batch": 16, "threads": 1}
    return Options(**(chosen | changes))


def fit(
    output: Path,
    chosen: Options,
    *,
    designs: tuple[Design, ...] = (DESIGN,),
    resume: bool = False,
    report: Report = lambda _: None,
) -> Bundle:
    return train(IMAGES, output, chosen, designs=designs, resume=resume, report=report)


def test_training_gives_a_codec_that_works(tmp_path: Path) -> None:
    output = tmp_path / "blobs.codec"
    seen: list[Progress] = []
    bundle = fit(output, options(epochs=30), report=seen.append)
    assert not checkpoint_path(output, DESIGN.name).exists()
    lines = [json.loads(line) for line in log_path(output).read_text().splitlines()]
    assert [line["step"] for line in lines] == [point.step for point in seen]
    assert lines[-1]["share"] == 1
    assert lines[-1]["quantized"]
    assert lines[-1]["loss"] < lines[0]["loss"]

    codec = compressnet.load(output)
    assert codec.name == "blobs"
    assert codec.identity == bundle.identity.hex()
    held = IMAGES[-100:, ..., 0]
    for quality, (_, ideal_bytes, psnr, _) in zip((10, 94), (seen[-1].points[0], seen[-1].points[-1]), strict=True):
        decoded = codec.autoencoder(held, quality)
        mse = np.square(decoded.astype(float) - held).mean() / 255**2
        assert -10 * np.log10(mse) == pytest.approx(psnr, abs=0.05)
        assert len(codec.compress(held, quality)) / 100 == pytest.approx(ideal_bytes, rel=0.03, abs=0.1)
    psnr_low, psnr_high = seen[-1].points[0][2], seen[-1].points[-1][2]
    assert psnr_high > psnr_low + 1


def test_the_same_seed_gives_the_same_codec(tmp_path: Path) -> None:
    codecs = [fit(tmp_path / f"{i}.codec", options(epochs=1, seed=5)) for i in range(2)]
    other = fit(tmp_path / "other.codec", options(epochs=1, seed=6))
    assert codecs[0].identity == codecs[1].identity
    assert other.identity != codecs[0].identity


def test_an_interrupted_training_resumes_where_it_was(tmp_path: Path) -> None:
    straight = fit(tmp_path / "straight.codec", options())
    output = tmp_path / "broken.codec"

    def interrupt(point: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted, match=r"broken\.codec\.grid\.checkpoint"):
        fit(output, options(), report=interrupt)
    assert checkpoint_path(output, DESIGN.name).exists()
    assert not output.exists()
    resumed = fit(output, options(), resume=True)
    assert resumed.identity == straight.identity
    assert not checkpoint_path(output, DESIGN.name).exists()


def test_resuming_without_a_checkpoint_begins_anew(tmp_path: Path) -> None:
    anew = fit(tmp_path / "a.codec", options(epochs=1), resume=True)
    assert anew.identity == fit(tmp_path / "b.codec", options(epochs=1)).identity


def test_checkpoints_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "a.codec"
    checkpoint_path(output, DESIGN.name).write_bytes(b"nothing of the kind")
    with pytest.raises(FormatError, match=r"a\.codec\.grid\.checkpoint: not a checkpoint"):
        fit(output, options(), resume=True)

    def interrupt(point: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted):
        fit(output, options(), report=interrupt)
    with pytest.raises(InputError, match="of other images or options"):
        fit(output, options(seed=1), resume=True)


def test_images_that_cannot_be_trained_on_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="400 images are too few to train on with 390 held out; at least 406"):
        fit(tmp_path / "a.codec", options(holdout=390))
    with pytest.raises(InputError, match="either a number of epochs or a number of minutes"):
        fit(tmp_path / "a.codec", options(minutes=1))
    assert list(tmp_path.iterdir()) == []


PAIR = (
    replace(VECTOR, widths=replace(SMALL, vector=6, grid=0), qualities=(0, 40), log_lambda=(0.5, 3.0, 0.0)),
    replace(OVERVIEW, widths=replace(SMALL, vector=0, grid=2), qualities=(25, 99), log_lambda=(1.6, 5.5, 0.0)),
)


@pytest.mark.slow
def test_two_networks_train_side_by_side_and_make_one_codec(tmp_path: Path) -> None:
    output = tmp_path / "pair.codec"
    seen: list[Progress] = []
    fit(output, options(epochs=20), designs=PAIR, report=seen.append)
    assert {point.network for point in seen} == {"vector", "grid"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pair.codec", "pair.codec.log.jsonl"]
    codec = compressnet.load(output)
    (first, last), (next_first, next_last) = (network.qualities for network in codec.bundle.networks)
    assert (first, next_first, next_last) == (0, last + 1, 99)
    assert 24 <= last <= 60
    assert codec.kinds == [(8, 12, 1)]
    held = IMAGES[-100:, ..., 0]
    for quality in (0, last, last + 1, 99):
        data = codec.compress(held, quality)
        assert np.array_equal(codec.decompress(data), codec.autoencoder(held, quality))


def test_qualities_of_one_network_train_that_one_alone(tmp_path: Path) -> None:
    fit(tmp_path / "low.codec", options(epochs=1, qualities=(5, 20)), designs=PAIR)
    codec = compressnet.load(tmp_path / "low.codec")
    assert [network.qualities for network in codec.bundle.networks] == [(5, 20)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_stops_both_and_resuming_finishes(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from test_train import *\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored\n"
        "if __name__ == '__main__':\n"
        "    try: fit(Path('a.codec'), options(minutes=10, epochs=None), designs=PAIR, "
        "report=lambda p: print(p.network, flush=True))\n"
        "    except TrainingInterrupted as error: print('stopped:', error)\n"
    )
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "program.py", *map(str, reversed(Path(__file__).parents[:2]))]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert {process.stdout.readline().strip() for _ in range(2)} == {"vector", "grid"}
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert "stopped: a.codec.vector.checkpoint and a.codec.grid.checkpoint" in said
    output = tmp_path / "a.codec"
    assert not output.exists()
    fit(output, options(epochs=1), designs=PAIR, resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.codec", "a.codec.log.jsonl", "program.py"]


def encoder_layers(network: Network) -> set[str]:
    assert network.encoder is not None
    return {node.output.split(".")[0] for node in network.encoder.nodes}


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_refining_changes_the_encoder_alone(tmp_path: Path, name: str) -> None:
    path = CONFORMANCE / f"{name}.codec"
    old = from_bytes(path.read_bytes(), str(path))
    images = blobs(120, old.networks[0].kind, 5)
    new = refine(old, images, tmp_path / "new.codec", options(epochs=2, holdout=40))
    assert new.identity == old.identity
    assert "again" not in encoder_layers(old.networks[0])
    assert "again" in encoder_layers(new.networks[0])
    again = refine(new, images, tmp_path / "newer.codec", options(epochs=1, holdout=40))
    assert again.identity == old.identity
    assert len(again.networks[0].encoder.nodes) == len(new.networks[0].encoder.nodes)  # pyright: ignore

    codecs = [compressnet.load(path), compressnet.load(tmp_path / "new.codec", "numpy")]
    shape = images.shape if images.shape[3] > 1 else images.shape[:3]
    images = images.reshape(shape)
    assert not np.array_equal(codecs[0].encoder(images, 90), codecs[1].encoder(images, 90))
    for writer, reader in (codecs, codecs[::-1]):
        data = writer.compress(images, quality=90)
        assert np.array_equal(reader.decompress(data), writer.autoencoder(images, 90))


@pytest.mark.slow
def test_refining_makes_symbols_cheaper(tmp_path: Path) -> None:
    trained = fit(tmp_path / "blobs.codec", options(epochs=10))
    refine(trained, IMAGES, tmp_path / "refined.codec", options(epochs=10))
    costs = []
    for name in ("blobs", "refined"):
        network = compressnet.load(tmp_path / f"{name}.codec").coder((8, 12, 1), 60).runner
        symbols = network.encode(IMAGES[-100:], 60)
        costs.append(network.costs(IMAGES[-100:], symbols, 60, float(network.network.lambdas[60])).mean())
    assert costs[1] < costs[0]


def test_codecs_that_cannot_be_refined_are_refused(tmp_path: Path) -> None:
    path = CONFORMANCE / "grey.codec"
    bundle = from_bytes(path.read_bytes(), str(path))
    with pytest.raises(InputError, match="no network for images of 12x8x3"):
        refine(bundle, blobs(120, (12, 8, 3), 5), tmp_path / "a.codec", options())
    decoding = from_bytes(to_bytes(bundle, encoder=False), "decoding part")
    with pytest.raises(InputError, match="without its encoder has nothing to refine"):
        refine(decoding, IMAGES, tmp_path / "a.codec", options())


@pytest.mark.slow
def test_a_design_with_a_refinement_trains_it_last(tmp_path: Path) -> None:
    design = replace(DESIGN, widths=replace(SMALL, refined=True))
    straight = fit(tmp_path / "straight.codec", options(), designs=(design,))
    assert "again" in encoder_layers(straight.networks[0])
    output = tmp_path / "broken.codec"
    trainer = Job(sets=[IMAGES], output=output, options=options(), design=design).trainer()
    with pytest.raises(TrainingInterrupted):
        trainer.run(lambda _: None, stop=lambda: trainer.model.refines and trainer.share > 0.8)
    resumed = fit(output, options(), designs=(design,), resume=True)
    assert resumed.identity == straight.identity
    nodes = [network.encoder.nodes for network in (straight.networks[0], resumed.networks[0]) if network.encoder]
    # the same weights, but for the last digits of sums
    for one, other in zip(*nodes, strict=True):
        assert one.output == other.output
        for name, array in one.arrays.items():
            assert np.abs(array.astype(int) - other.arrays[name]).max() <= 1
