"""Pixel models: their training in torch, the pixels it looks at, and the same in integers."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import compressnet
from compressnet.codec.bundle import Bundle
from compressnet.errors import DefectError, FormatError, InputError
from compressnet.lossless.coder import LosslessNetwork
from compressnet.lossless.model import HALF, HALF_BITS, PixelModel, taps
from compressnet.lossless.pixels import NumpyPixelCoder
from compressnet.lossless.plane_pass import Code, Indices
from compressnet.lossless.planes import to_planes
from compressnet.networks.numpy import NumpyBackend
from compressnet.training.common.gather import Gathered, gather
from compressnet.training.common.options import Options, Progress, TrainingInterrupted, log_path
from compressnet.training.freeze.lossless import check_pixels, freeze_pixels
from compressnet.training.lossless.design import COUNTED_PX, FEW_VALUES, PIXEL_DESIGNS, SMALL, PixelDesign, pixel_design
from compressnet.training.lossless.layers import look_up
from compressnet.training.lossless.loop import PixelTrainer
from compressnet.training.lossless.network import counts_before
from compressnet.training.lossless.sampling import (
    FAR,
    FAR_EVERY,
    NEAR,
    QUIET,
    PlaneSet,
    any_of,
    backgrounds_of,
    classes_of,
    quiet_odds,
)
from compressnet.training.train import train_lossless
from drawings import pixel_art, sprites

TINY = PixelDesign(
    near=((-1, -1, 1), (0, -2, -1)),
    far=((-2, -3, 3), (-1, -3, 3), (0, -3, -1)),
    across=((-1, 0, 0), (0, -1, 1), (1, 0, 0)),
    near_columns=3,
    far_columns=2,
    seen=4,
    hidden=(16, 12),
    low=12,
)
WIDE = replace(TINY, far=SMALL.far)


def strokes(count: int, height: int = 9, width: int = 10, seed: int = 0) -> np.ndarray:
    """Bars of a few shades, some of them dotted, on black: (count,height,width,1)."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, height, width, 1), np.uint8)
    for image in images:
        for _ in range(rng.integers(1, 4)):
            shade, y, x = rng.choice([90, 160, 253]), rng.integers(height), rng.integers(width)
            if rng.random() < 0.5:
                image[y, x:, 0] = shade
            else:
                image[y:, x, 0] = shade
    return images


def options(**changes: object) -> Options:
    chosen: dict[str, object] = {"epochs": 1, "holdout": 10, "threads": 1}
    return Options(**(chosen | changes))


def trained(tmp_path: Path, sets: list[np.ndarray], design: PixelDesign = TINY, **changes: object) -> PixelTrainer:
    trainer = PixelTrainer(sets, tmp_path / "a.codec", options(**changes), design)
    trainer.run(lambda _: None)
    return trainer


def frozen(trainer: PixelTrainer) -> list[PixelModel]:
    """The integers of each number of channels, checked on all held-out images."""
    models = [freeze_pixels(family, channels) for channels, family in trainer.families.items()]
    for model in models:
        for part in trainer.held:
            if part.planes_NCHW.shape[1] == model.channels:
                check_pixels(trainer.families[model.channels], model, part)
    return models


def comes_back(model: PixelModel, images: np.ndarray) -> bool:
    network = LosslessNetwork(model, NumpyBackend())
    (payload,), _ = network.write_blocks(images, [len(images)])
    return np.array_equal(network.read_payloads([payload], [len(images)], images.shape[1:3]), images)


@pytest.mark.parametrize("design", [TINY, WIDE, replace(TINY, counts=False)], ids=["near", "wide", "no counts"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_integers_say_what_the_networks_say(tmp_path: Path, channels: int, design: PixelDesign) -> None:
    images = sprites(40, side_px=7, channels=channels)
    trainer = trained(tmp_path, [images], design)
    (model,) = frozen(trainer)
    assert (model.channels, model.size) == (channels, (7, 7))
    assert [plane.has_counts for plane in model.planes] == [design.counts] * channels
    assert comes_back(model, images[:5])


def test_several_sizes_share_a_model(tmp_path: Path) -> None:
    sets = [strokes(40), strokes(30, 5, 12, seed=1), strokes(30, 12, 6, seed=2)]
    (model,) = frozen(trained(tmp_path, sets))
    assert model.size is None
    for images in (sets[0], sets[1], sets[2], strokes(3, 4, 4)):
        assert comes_back(model, images[:5])


@pytest.mark.parametrize("kinds", [[(1, 1)], [(3, 2)], [(4, 5)], [(1, 9)], [(5, 1), (1, 1), (2, 4)]], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_smaller_than_the_templates(tmp_path: Path, kinds: list[tuple[int, int]], channels: int) -> None:
    rng = np.random.default_rng(0)
    sets = [rng.choice([0, 0, 7, 200], (30, *kind, channels)).astype(np.uint8) for kind in kinds]
    (model,) = frozen(trained(tmp_path, sets, replace(WIDE, near=SMALL.near)))
    for images in sets:
        assert comes_back(model, images)


@pytest.mark.parametrize("channels", [1, 4])
def test_images_that_are_all_blank(tmp_path: Path, channels: int) -> None:
    blank = np.full((30, 6, 7, channels), 9, np.uint8)
    (model,) = frozen(trained(tmp_path, [blank]))
    assert NumpyPixelCoder(model).bits(blank).max() < 0.1 * 6 * 7 * channels
    assert comes_back(model, blank[:2])
    assert comes_back(model, sprites(2, side_px=7, channels=channels)[:, :6])


def test_images_without_background(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3)).astype(np.uint8)
    (model,) = frozen(trained(tmp_path, [noise]))
    assert comes_back(model, noise[:5])


def test_what_is_learned_shows_on_images_that_were_held_out(tmp_path: Path) -> None:
    images = strokes(2200)
    trainer = trained(tmp_path, [images[:2000]], epochs=14, holdout=200)
    (model,) = frozen(trainer)
    coded = NumpyPixelCoder(model).bits(images[2000:]).sum() / 8
    packed = sum(len(zlib.compress(image.tobytes(), 9)) for image in images[2000:])
    assert coded < 0.5 * packed < 0.25 * images[2000:].size


def test_the_seed_decides(tmp_path: Path) -> None:
    images = strokes(40)
    first, again, other = (trained(tmp_path, [images], seed=seed) for seed in (3, 3, 4))
    digests = [model.probe.tobytes() for trainer in (first, again, other) for model in frozen(trainer)]
    assert digests[0] == digests[1] != digests[2]
    assert first.measure() == again.measure()


def test_a_frozen_model_that_differs_is_found_out(tmp_path: Path) -> None:
    trainer = trained(tmp_path, [strokes(40)])
    (model,) = frozen(trainer)
    (plane,) = model.planes
    bias = plane.high.bias.copy()
    bias[0, :8] += 200
    other = replace(model, planes=(replace(plane, high=replace(plane.high, bias=bias)),))
    with pytest.raises(DefectError, match=r"image \d+ takes .* bits frozen"):
        check_pixels(trainer.families[1], other, trainer.held[0])


# what is learned from


@pytest.mark.parametrize("design", [TINY, WIDE, replace(TINY, far=((0, -1, -1),))], ids=["near", "wide", "one"])
def test_quiet_pixels_are_those_that_the_integers_call_quiet(tmp_path: Path, design: PixelDesign) -> None:
    images = sprites(12, side_px=9)
    images[:6, :5] = 0
    trainer = trained(tmp_path, [images], design, epochs=0.1, holdout=0)
    model = freeze_pixels(trainer.families[4], 4)
    found = quiet_by_the_integers(model, images)
    assert np.array_equal(found, trainer.sets[0].classes_NCHW == QUIET)
    assert 0 < found[:, 0].mean() < 1


def quiet_by_the_integers(model: PixelModel, images: np.ndarray) -> np.ndarray:
    """Where flags have the table's frequencies for quiet pixels, made to stand out: (N,C,H,W)."""
    marks = [np.arange(plane.quiet.size).reshape(plane.quiet.shape) + 1 for plane in model.planes]
    planes = tuple(replace(p, quiet=mark.astype(np.int32)) for p, mark in zip(model.planes, marks, strict=True))
    found: list[np.ndarray] = []

    def code(chosen: Indices, frequencies: Indices, symbols: Indices | None) -> Indices:
        assert symbols is not None
        if len(frequencies) == 2:
            assert len(chosen) == len(images)
            # a network's frequencies may be this low, but never are here
            found.append(frequencies[0] <= marks[0].size)
        return symbols

    recorded: Code = code
    NumpyPixelCoder(replace(model, planes=planes)).code_planes(to_planes(images), recorded, is_known=True)
    height, width = images.shape[1:3]
    return np.array(found).reshape(len(planes), height, width, len(images)).transpose(3, 0, 1, 2)


def test_classes_by_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    others = rng.random((4, 2, 7, 8)) < 0.06
    classes = classes_of(others, TINY)

    def any_at(plane: np.ndarray, y: int, x: int, ranges: tuple[tuple[int, int, int], ...]) -> bool:
        places = [(y + dy, x + dx) for dy, dx in taps(ranges)]
        return any(plane[place] for place in places if 0 <= place[0] < 7 and 0 <= place[1] < 8)

    nearest = ((-2, -2, 2), (-1, -2, 2), (0, -2, -1))
    for n, y, x in np.ndindex(classes.shape):
        before, own = others[n]
        expected = FAR if any_at(own, y, x, TINY.far) else QUIET
        if any_at(own, y, x, nearest) or any_at(before, y, x, TINY.across):
            expected = NEAR
        assert classes[n, y, x] == expected
    assert set(classes.flat) == {QUIET, FAR, NEAR}


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (4, 5), (5, 4), (7, 9)])
def test_neighbours_of_small_images(size: tuple[int, int]) -> None:
    others = np.random.default_rng(1).random((6, *size)) < 0.2
    found = any_of(others, SMALL.far)
    padded = np.pad(others, ((0, 0), (8, 8), (8, 8)))
    expected = np.zeros_like(others)
    for dy, dx in taps(SMALL.far):
        expected |= padded[:, 8 + dy : 8 + dy + size[0], 8 + dx : 8 + dx + size[1]]
    assert np.array_equal(found, expected)


def test_the_cost_is_estimated_without_bias(tmp_path: Path) -> None:
    images = strokes(20, 20, 20)
    images[:, 12:] = 0
    trainer = trained(tmp_path, [images], WIDE, epochs=0.5, holdout=0)
    part, net, chosen = trainer.sets[0], trainer.families[1].planes()[0], np.arange(20)
    assert (part.classes_NCHW == FAR).sum() > 500
    planes = part.tensors(chosen)

    def cost(generator: np.random.Generator | None) -> float:
        drawn = part.draw(chosen, 0, generator)
        values = planes[0][drawn.pixels.image, drawn.pixels.y, drawn.pixels.x]
        with torch.no_grad():
            flag, high, low = net(planes, drawn.pixels, values, quantized=True)
        others = values != net.background
        return float((flag * drawn.flag_weights).sum() + ((high + low) * drawn.value_weights[others]).sum())

    generator = np.random.default_rng(0)
    costs = [cost(generator) for _ in range(200)]
    assert abs(np.mean(costs) - cost(None)) < 4 * np.std(costs) / 200**0.5
    assert np.std(costs) > 0


def test_what_is_drawn(tmp_path: Path) -> None:
    part = PlaneSet(strokes(50), [0], TINY)
    classes = part.classes_NCHW[:, 0]
    woken = (classes == QUIET) & (part.planes_NCHW[:, 0] != 0)
    assert woken.any()
    everything = part.draw(np.arange(50), 0, None)
    assert len(everything.pixels.image) == (classes != QUIET).sum() + woken.sum()
    assert float(everything.flag_weights.sum()) == (classes != QUIET).sum()
    assert bool((everything.value_weights == 1).all())
    drawn = part.draw(np.arange(50), 0, np.random.default_rng(0))
    of_drawn = classes[drawn.pixels.image, drawn.pixels.y, drawn.pixels.x]
    assert (of_drawn == NEAR).sum() == (classes == NEAR).sum()
    assert (of_drawn == QUIET).sum() == woken.sum()
    weights = np.where(of_drawn == FAR, FAR_EVERY, 1)
    assert np.array_equal(drawn.value_weights.numpy(), weights)
    assert np.array_equal(drawn.flag_weights.numpy(), np.where(of_drawn == QUIET, 0, weights))
    assert part.kept_per_image() == pytest.approx(((classes == NEAR).sum() + (classes == FAR).sum() / 4) / 50)


def test_backgrounds_and_how_often_quiet_pixels_keep_them() -> None:
    images = np.zeros((30, 2, 2, 3), np.uint8)
    images[:, 1] = (50, 20, 10)
    images[:10, 0] = (50, 20, 10)
    assert backgrounds_of([images]) == [20, (50 - 20 + 128) % 256, (10 - 20 + 128) % 256]
    grey = np.zeros((100, 3, 3, 1), np.uint8)
    grey[:25, 0, 0] = 1
    part = PlaneSet(grey, [0], TINY)
    by_position = quiet_odds([part], 0, 0, by_position=True)
    assert by_position[0, 0] == pytest.approx(0.75, abs=0.02)
    assert by_position[2, 2] > 0.99
    (overall,) = quiet_odds([part], 0, 0, by_position=False).ravel()
    quiet = (part.classes_NCHW == QUIET).sum()
    assert overall == pytest.approx(1 - 25 / quiet, abs=0.01)


# parts of the networks


def test_counts_by_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    own = torch.from_numpy(rng.choice([0, 0, 3, 5, 17, 18, 255], (4, 5, 6)))
    own[1] = 0
    flat = own.flatten(1)
    image, place = (flat != 0).nonzero(as_tuple=True)
    some = torch.from_numpy(np.sort(rng.choice(len(image), 30, replace=False)))
    image, place = image[some], place[some]
    counts = counts_before(own, 0, image, place)
    assert counts.shape == (30, HALF)
    for found, n, at in zip(counts.tolist(), image.tolist(), place.tolist(), strict=True):
        known = flat[n].tolist()
        alike = [value for value in known[:at] if value != 0 and value >> HALF_BITS == known[at] >> HALF_BITS]
        assert found == [sum(value & (HALF - 1) == low for value in alike) for low in range(HALF)]
    assert counts.sum() > 0


def test_looking_up_has_the_gradient_of_an_embedding() -> None:
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 257, (40, 7), generator=generator)
    table = torch.randn(257, 5, generator=generator)
    gradients = []
    for look in (look_up, F.embedding):
        leaf = table.clone().requires_grad_()
        rows = look(codes, leaf)
        assert torch.equal(rows, table[codes])
        (rows.sin() * torch.arange(5)).sum().backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-5)
    assert gradients[0].abs().sum() > 0


def test_designs_go_by_the_collection() -> None:
    few, many = pixel_design("best", FEW_VALUES - 1, 100), pixel_design("best", FEW_VALUES, COUNTED_PX + 1)
    assert few == SMALL
    assert many == replace(PIXEL_DESIGNS["best"], counts=False)


# a whole training


def gathered(*sets: np.ndarray) -> Gathered:
    return Gathered(sets=list(sets), several_kinds=len(sets) > 1, left_out=[], images=sum(map(len, sets)))


def start(output: Path, *sets: np.ndarray, **changes: object) -> Bundle:
    resume = bool(changes.pop("resume", False))
    report = changes.pop("report", lambda _: None)
    chosen = options(**changes)
    return train_lossless(gathered(*sets), output, chosen, "fast", resume=resume, report=report)


def press_ctrl_c(progress: Progress) -> None:
    raise KeyboardInterrupt


def test_each_number_of_channels_gets_a_model(tmp_path: Path) -> None:
    grey, small, colour = strokes(30), strokes(30, 5, 6), sprites(30, side_px=6, channels=3)
    bundle = start(tmp_path / "a.codec", grey, small, colour, epochs=0.3)
    assert [(model.channels, model.size) for model in bundle.pixels] == [(1, None), (3, (6, 6))]
    assert bundle.networks == ()
    assert bundle.default_quality == 100
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".jsonl"] == ["a.codec"]
    codec = compressnet.load(tmp_path / "a.codec", threads=1)
    for images in (grey[..., 0], small, colour):
        assert np.array_equal(codec.decompress(codec.compress(images[:4])), images[:4])
    with pytest.raises(InputError, match="at quality 100, but the codec a codes any sizex1, 6x6x3 without loss"):
        codec.compress(sprites(3, side_px=7, channels=3))


def test_the_log_is_json(tmp_path: Path) -> None:
    start(tmp_path / "a.codec", strokes(30), epochs=0.3)

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    lines = log_path(tmp_path / "a.codec").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line, parse_constant=refuse) for line in lines]
    assert [entry["share"] for entry in entries][-1] == 1
    assert entries[-1]["quantized"]
    for entry in entries:
        ((quality, bytes_per_image, psnr, ssim),) = entry["points"]
        assert (quality, psnr, ssim) == (100, None, None)
        assert bytes_per_image > 0


def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    output, images = tmp_path / "a.codec", strokes(30)
    with pytest.raises(TrainingInterrupted, match=r"a\.codec\.pixels\.checkpoint"):
        start(output, images, epochs=5, report=press_ctrl_c)
    assert not output.exists()
    steps: list[int] = []
    start(output, images, epochs=5, resume=True, report=lambda progress: steps.append(progress.step))
    assert steps[0] > 1  # the first step was made before
    assert output.exists()
    assert not (tmp_path / "a.codec.pixels.checkpoint").exists()


def test_one_interrupted_at_its_end_only_finishes(tmp_path: Path) -> None:
    output, images = tmp_path / "a.codec", strokes(30)
    seen: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        seen.append(progress)
        if progress.share == 1:
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted):
        start(output, images, epochs=5, report=interrupt)
    assert seen[-1].step > 1
    steps: list[int] = []
    start(output, images, epochs=5, resume=True, report=lambda progress: steps.append(progress.step))
    assert steps == [seen[-1].step]


def test_checkpoints_of_other_trainings_are_refused(tmp_path: Path) -> None:
    output, images = tmp_path / "a.codec", strokes(30)
    with pytest.raises(TrainingInterrupted):
        start(output, images, report=press_ctrl_c)
    for other, changes in (
        (strokes(31), {}),
        (strokes(30, seed=5), {}),
        (images, {"seed": 1}),
        (images, {"holdout": 9}),
    ):
        with pytest.raises(InputError, match="the checkpoint is of other images or options"):
            start(output, other, resume=True, **changes)
    (tmp_path / "a.codec.pixels.checkpoint").write_bytes(b"text")
    with pytest.raises(FormatError, match="not a checkpoint, or cut off"):
        start(output, images, resume=True)


def test_options_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trained on the CPU"):
        start(tmp_path / "a.codec", strokes(30), device="cuda")
    with pytest.raises(InputError, match="either a number of epochs or a number of minutes"):
        start(tmp_path / "a.codec", strokes(30), minutes=1)
    assert list(tmp_path.iterdir()) == []


def test_gathered_for_pixel_models() -> None:
    tiny, hidden = pixel_art(250)[:, :1, :3], sprites(400, side_px=8)
    found = gather([tiny, hidden], seed=0, lossless=True)
    assert [images.shape[1:] for images in found.sets] == [(8, 8, 4), (1, 3, 3)]
    assert {image.tobytes() for image in found.sets[0]} == {image.tobytes() for image in hidden}
