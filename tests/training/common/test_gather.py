"""What a training takes of a collection: distinct images, by kind, in an order set by the seed."""

from __future__ import annotations

import numpy as np
import pytest

from compressnet.errors import InputError
from compressnet.images.alpha import fill_hidden
from compressnet.training.common.frames import FEWEST_PIECES
from compressnet.training.common.gather import (
    FEWEST_IMAGES,
    FEWEST_OF_KIND,
    KINDS_LIMIT,
    TooFewImagesError,
    gather,
    holdout_of,
)
from drawings import sprites


def noise(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def sorted_images(images: np.ndarray) -> list[bytes]:
    return sorted(image.tobytes() for image in images)


def test_duplicates_are_dropped_within_and_across_arrays() -> None:
    images = noise(FEWEST_IMAGES, 8, 9, 3)
    gathered = gather([images[:300], np.repeat(images[:50], 2, axis=0), images[200:]], seed=0)
    assert gathered.images == 300 + 100 + FEWEST_IMAGES - 200
    assert gathered.distinct == FEWEST_IMAGES
    assert gathered.pixels == FEWEST_IMAGES * 8 * 9
    (found,) = gathered.sets
    assert sorted_images(found) == sorted_images(images)


def test_images_with_and_without_an_axis_of_channels_are_one_kind() -> None:
    images = noise(FEWEST_IMAGES, 8, 8)
    gathered = gather([images, images[..., None], noise(5, 8, 8, 1, seed=1)], seed=0)
    assert [found.shape for found in gathered.sets] == [(FEWEST_IMAGES + 5, 8, 8, 1)]


def test_equal_bytes_of_other_shapes_are_other_images() -> None:
    images = noise(FEWEST_IMAGES, 8, 16)
    gathered = gather([images, images.reshape(-1, 16, 8)], seed=0)
    assert {found.shape[1:] for found in gathered.sets} == {(8, 16, 1), (16, 8, 1)}
    assert gathered.distinct == 2 * FEWEST_IMAGES


def test_kinds_with_the_most_values_come_first() -> None:
    arrays = [noise(200, 8, 8), noise(150, 12, 12, 4), noise(100, 16, 16, 1), noise(80, 9, 14, 3)]
    for order in (arrays, arrays[::-1]):
        kinds = [found.shape[1:] for found in gather(order, seed=0).sets]
        assert kinds == [(12, 12, 4), (9, 14, 3), (16, 16, 1), (8, 8, 1)]


def test_kinds_left_out_without_loss_are_named_with_their_reasons() -> None:
    few = noise(1, 20, 20)
    arrays = [noise(FEWEST_IMAGES, 8, 8), noise(7, 7, 8), noise(6, 8, 65, 3), np.repeat(few, 9, axis=0)]
    gathered = gather(arrays, seed=0, lossless=True)
    assert [found.shape[1:] for found in gathered.sets] == [(8, 8, 1), (7, 8, 1)]
    assert [(shape, count) for shape, count, _ in gathered.left_out] == [((8, 65, 3), 6), ((20, 20, 1), 9)]
    sides, distinct = (reason for _, _, reason in gathered.left_out)
    assert sides == "sides from 1 to 64 pixels are trained on"
    assert f"fewer than {FEWEST_OF_KIND} distinct images" in distinct


def test_what_is_left_out_without_loss_is_told_by_reason() -> None:
    trained = noise(FEWEST_IMAGES, 8, 8)
    large = [noise(3, 65 + i % 7, 9 + i // 7) for i in range(350)]
    kinds = [*large, noise(200, 70, 9, 3), np.repeat(noise(1, 20, 20), 9, axis=0)]
    assert gather([trained, *kinds], seed=0, lossless=True).left_out_by_reason() == [
        "9 images of 1 size are left out: fewer than 4 distinct images of their kind",
        "1,250 images of 350 sizes are left out: sides from 1 to 64 pixels are trained on",
    ]
    assert gather([trained, noise(1, 65, 8)], seed=0, lossless=True).left_out_by_reason() == [
        "1 image of 1 size is left out: sides from 1 to 64 pixels are trained on"
    ]
    assert gather([trained], seed=0, lossless=True).left_out_by_reason() == []


def test_nothing_is_left_out_of_a_lossy_training_for_its_size() -> None:
    rare = [noise(1 + i % 3, 1 + i % 30, 1 + i, seed=i) for i in range(90)]
    large = [noise(3, 200, 130, 3), noise(2, 40, 65, 4)]
    gathered = gather([noise(FEWEST_IMAGES, 7, 5), *rare, *large], seed=0)
    assert gathered.left_out_by_reason() == []
    assert gathered.several_kinds
    kinds = [found.shape[1:] for found in gathered.sets]
    assert len(kinds) == len(set(kinds)) < 30
    assert {kind[2] for kind in kinds} == {1, 3, 4}
    assert all(max(kind[:2]) <= 64 for kind in kinds)
    assert all(len(found) >= FEWEST_PIECES or found.shape[1:3] == (8, 8) for found in gathered.sets)
    (three,) = (found for found in gathered.sets if found.shape[3] == 3)
    assert three.shape[0] * three.shape[1] * three.shape[2] >= 3 * 3 * 64 * 2 * 64


def test_one_kind_of_up_to_64_pixels_is_trained_on_as_it_is() -> None:
    assert not gather([noise(FEWEST_IMAGES, 5, 64)], seed=0).several_kinds
    large = gather([noise(FEWEST_IMAGES, 5, 65)], seed=0)
    assert large.several_kinds
    assert [found.shape for found in large.sets] == [(FEWEST_IMAGES, 5, 64, 1)]


def test_16_bits_are_not_trained_on() -> None:
    deep = noise(30, 8, 8).astype(np.uint16)
    gathered = gather([deep, noise(FEWEST_IMAGES, 8, 8), deep[:3, ..., None]], seed=0)
    assert (gathered.deep, gathered.images) == (33, FEWEST_IMAGES + 33)
    assert gathered.left_out_by_reason() == [
        "33 images of 1 size are left out: they have 16 bits, and codecs are trained on 8"
    ]
    assert [found.dtype.name for found in gathered.sets] == ["uint8"]
    with pytest.raises(InputError, match=r"0 distinct images .*are too few to train on besides those of 16 bits"):
        gather([deep], seed=0)


def test_of_very_many_kinds_the_largest_are_trained_on_without_loss() -> None:
    sides = [(8 + i % 10, 8 + i // 10) for i in range(KINDS_LIMIT + 6)]
    gathered = gather([noise(7, *side) for side in sides], seed=0, lossless=True)
    assert len(gathered.sets) == KINDS_LIMIT
    assert gathered.left_out_by_reason() == [
        f"42 images of 6 sizes are left out: the {KINDS_LIMIT} kinds with the most pixels are trained on"
    ]
    assert {shape for shape, _, _ in gathered.left_out} <= {(*side, 1) for side in sides}


def test_images_of_any_size_are_left_out_at_once() -> None:
    huge = np.broadcast_to(np.uint8(7), (3, 10_000, 10_000, 3))
    gathered = gather([huge, noise(FEWEST_IMAGES, 8, 8)], seed=0)
    assert gathered.images == FEWEST_IMAGES + 3
    assert gathered.left_out_by_reason() == ["3 images of 1 size are left out: sides up to 4,096 pixels are trained on"]
    assert [(shape, count) for shape, count, _ in gathered.left_out] == [((10_000, 10_000, 3), 3)]


def test_too_few_images_are_refused_with_their_number() -> None:
    images = noise(FEWEST_IMAGES - 1, 8, 8)
    with pytest.raises(TooFewImagesError, match=f"{FEWEST_IMAGES - 1} distinct images.*at least {FEWEST_IMAGES}"):
        gather([images, images], seed=0)
    with pytest.raises(InputError, match="0 distinct images"):
        gather([], seed=0)


def test_the_seed_sets_the_order() -> None:
    images = noise(FEWEST_IMAGES, 8, 8)
    first, again, other = (gather([images], seed).sets[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert sorted_images(first) == sorted_images(other)


def test_hidden_colour_is_filled_in() -> None:
    images = sprites(FEWEST_IMAGES, side_px=8)
    (found,) = gather([images], seed=0).sets
    assert not np.array_equal(fill_hidden(images), images)
    assert sorted_images(found) == sorted_images(fill_hidden(images))


def test_held_out_images_are_the_last_of_each_kind_in_proportion() -> None:
    gathered = gather([noise(600, 8, 8), noise(200, 8, 8, 3)], seed=0)
    assert holdout_of(gathered) == 80
    held = gathered.held_out(80)
    assert [len(images) for images in held] == [60, 20]
    for images, whole in zip(held, gathered.sets, strict=True):
        assert np.array_equal(images, whole[len(whole) - len(images) :])
    assert [len(images) for images in gathered.held_out(0)] == [600, 200]
