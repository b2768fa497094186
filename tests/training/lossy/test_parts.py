"""Batches of a training: every image once an epoch, held-out ones never."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from compressnet.training.lossy.parts import Part, cut_into_parts, visible

CPU = torch.device("cpu")


def numbered(count: int, *kind: int) -> np.ndarray:
    """Images that tell their number."""
    images = np.zeros((count, *kind), np.uint8)
    images[:] = np.arange(count).reshape(count, *[1] * len(kind))
    return images


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(part: Part, batches: int, source: torch.Generator) -> list[list[int]]:
    return [(part.draw(source)[:, 0, 0, 0] * 64).int().tolist() for _ in range(batches)]


def test_every_image_is_drawn_once_an_epoch_and_the_held_out_never() -> None:
    source = generator()
    part = Part(numbered(60, 8, 9, 3), 12, 16, source, CPU)
    epochs = [drawn(part, 3, source) for _ in range(3)]
    for epoch in epochs:
        assert Counter(number for batch in epoch for number in batch) == Counter(range(48))
    assert epochs[0] != epochs[1] != epochs[2]


def test_images_that_do_not_fill_a_batch_wait_for_another_epoch() -> None:
    source = generator()
    part = Part(numbered(50, 8, 8, 1), 0, 16, source, CPU)
    for _ in range(4):
        epoch = [number for batch in drawn(part, 3, source) for number in batch]
        assert len(epoch) == len(set(epoch)) == 48


def test_batches_are_images_as_the_networks_see_them() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 9, 3)).astype(np.uint8)
    source = generator()
    batch = Part(images, 0, 48, source, CPU).draw(source)
    assert batch.shape == (5, 3, 8, 9)
    found = (batch * 64).numpy().transpose(0, 2, 3, 1).astype(np.uint8)
    assert sorted(image.tobytes() for image in found) == sorted(image.tobytes() for image in images)


def test_a_part_goes_on_from_where_it_stood() -> None:
    source = generator()
    part = Part(numbered(60, 8, 8, 1), 0, 16, source, CPU)
    drawn(part, 2, source)
    state, random = part.state(), source.get_state()
    rest = drawn(part, 5, source)
    resumed = generator(9)
    other = Part(numbered(60, 8, 8, 1), 0, 16, resumed, CPU)
    other.load_state(state)
    resumed.set_state(random)
    assert drawn(other, 5, resumed) == rest


def test_kinds_are_held_out_in_proportion_and_batches_hold_as_many_pixels() -> None:
    sets = [numbered(120, 16, 16, 1), numbered(60, 8, 8, 1), numbered(20, 32, 32, 1)]
    parts = cut_into_parts(sets, 20, 16, generator(), CPU)
    assert [part.kind for part in parts] == [(16, 16, 1), (8, 8, 1), (32, 32, 1)]
    assert [len(part.held_images) for part in parts] == [12, 6, 2]
    assert [part.batch for part in parts] == [16, 54, 4]  # all that are left of 64
    for part, images in zip(parts, sets, strict=True):
        assert np.array_equal(np.concatenate([part.train_images, part.held_images]), images)
        assert np.array_equal(part.sample, part.held_images)


def test_without_held_out_images_the_trained_ones_are_measured() -> None:
    (part,) = cut_into_parts([numbered(30, 8, 8, 1)], 0, 16, generator(), CPU)
    assert np.array_equal(part.sample, part.train_images)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colour_under_alpha_0_is_not_visible(channels: int) -> None:
    x = torch.ones(2, channels, 3, 3)
    x[0, -1] = 0
    mask = torch.ones_like(x)
    if channels in (2, 4):
        mask[0, :-1] = 0
    assert torch.equal(visible(x) * torch.ones_like(x), mask)
