"""The compiled core and the definition of adaptive models are one: bytes, pictures, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pictures import ALL, CONTENTS, any_settings, make_picture, pictures, shapes, values_of
from backends import CORES
from compressnet.adaptive.definition import AdaptiveModel
from compressnet.adaptive.model import AdaptiveCoderModel, AdaptiveSettings, Picture, PictureShape
from compressnet.errors import InputError
from compressnet.native.adaptive import NativeAdaptiveModel
from compressnet.native.library import find_core

PIXELS = 4096
needs_core = pytest.mark.skipif(not CORES, reason="no compiled core")
TINY = PictureShape(height=2, width=3, channels=3, deep=False)


def models(settings: AdaptiveSettings, pixels: int = PIXELS) -> list[AdaptiveCoderModel]:
    cores = [NativeAdaptiveModel(find_core(core), settings, pixels) for core in CORES]
    return [AdaptiveModel(settings, pixels), *cores]


@settings(max_examples=25, deadline=None)
@given(settings=any_settings(), learned=st.lists(pictures(), max_size=4), alone=st.lists(pictures(), max_size=2))
def test_any_pictures(settings: AdaptiveSettings, learned: list[Picture], alone: list[Picture]) -> None:
    definition, *cores = models(settings)
    payload, ends = definition.learn_write(learned)
    assert len(ends) == len(learned)
    assert (ends[-1] if ends else 0) == len(payload)
    payloads = [definition.write(picture) for picture in alone]
    readers = models(settings)
    for model in cores:
        assert model.learn_write(learned) == (payload, ends)
        assert [model.write(picture) for picture in alone] == payloads
    for model in readers:
        assert values_of(model.learn_read(payload, [picture.shape for picture in learned])) == values_of(learned)
        for picture, own in zip(alone, payloads, strict=True):
            assert values_of([model.read(own, picture.shape)]) == values_of([picture])


@settings(max_examples=40, deadline=None)
@given(
    settings=any_settings(),
    payload=st.binary(max_size=200),
    learned=st.lists(pictures(), max_size=2),
    read=st.lists(shapes(), min_size=1, max_size=3),
)
def test_any_payload_reads_as_some_pictures(
    settings: AdaptiveSettings, payload: bytes, learned: list[Picture], read: list[PictureShape]
) -> None:
    definition, *cores = models(settings)
    whole, _ = definition.learn_write(learned)
    payload = payload or whole[: len(whole) // 2]
    alone = definition.read(payload, read[0])
    together = definition.learn_read(payload, read)
    after = definition.write(alone)
    for model in cores:
        model.learn_write(learned)
        assert values_of([model.read(payload, read[0])]) == values_of([alone])
        assert values_of(model.learn_read(payload, read)) == values_of(together)
        assert model.write(alone) == after


@pytest.mark.parametrize("content", CONTENTS)
def test_a_picture_alone_changes_nothing(content: str) -> None:
    shape = PictureShape(height=6, width=7, channels=4, deep=True)
    first, second = make_picture(shape, content, 1), make_picture(shape, content, 2)
    for model in models(ALL):
        model.learn_write([first])
        payload = model.write(second)
        assert model.write(second) == payload
        assert values_of([model.read(payload, shape)]) == values_of([second])
        assert model.write(second) == payload
        copied = model.copy(PIXELS)
        assert copied.learn_write([first, second]) == model.learn_write([first, second])
        assert copied.write(first) == model.write(first)


def test_learning_helps() -> None:
    shape = PictureShape(height=9, width=9, channels=3, deep=False)
    for model in models(ALL):
        first = len(model.write(make_picture(shape, "few", 3)))
        model.learn_write([make_picture(shape, "few", 3)])
        assert 3 * len(model.write(make_picture(shape, "few", 3))) < first


def test_no_pictures_are_no_bytes() -> None:
    for model in models(ALL):
        assert model.learn_write([]) == (b"", [])
        assert model.learn_read(b"", []) == []


def test_a_pixel_that_looks_like_none_is_a_pixel() -> None:
    """All bytes of such a pixel are 255; it counts as unknown where it would foretell another."""
    shape = PictureShape(height=3, width=9, channels=4, deep=True)
    values = make_picture(shape, "flat", 1).values_HWB.copy()
    values[:, 1:] = (255, 255, 255, 255, 254, 255, 254, 255)
    picture = Picture(values, shape)
    payloads = {model.learn_write([picture, picture])[0] for model in models(ALL)}
    assert len(payloads) == 1
    for model in models(ALL):
        assert values_of(model.learn_read(*payloads, [shape, shape])) == values_of([picture, picture])


def test_many_pictures_alone() -> None:
    shape = PictureShape(height=4, width=3, channels=2, deep=False)
    images = [make_picture(shape, "few", seed) for seed in range(3)]
    for model in models(ALL):
        model.learn_write(images[:1])
        payloads = model.write_all(shape, np.stack([picture.values_HWB for picture in images]))
        assert payloads == [model.write(picture) for picture in images]
        assert model.read_all(shape, payloads).tobytes() == b"".join(values_of(images))
        assert model.write_all(shape, np.empty((0, *shape.axes), np.uint8)) == []
        assert model.read_all(shape, []).shape == (0, *shape.axes)


def test_without_histograms() -> None:
    few = AdaptiveSettings(table_bits=10, flags=4, bytes=32, histograms=0)
    picture = make_picture(PictureShape(height=9, width=5, channels=2, deep=True), "gradient", 1)
    payloads = {model.write(picture) for model in models(few)}
    assert len(payloads) == 1


def test_room_is_checked() -> None:
    picture = make_picture(TINY, "noise", 1)
    for model in models(ALL, TINY.pixels * 2):
        model.learn_write([picture])
        model.write(picture)
        with pytest.raises(InputError, match="with room for 12 pixels, of which 6 were learned, cannot take 12 more"):
            model.learn_write([picture, picture])
        model.learn_write([picture])
        for use in (lambda m: m.write(picture), lambda m: m.read(b"", TINY), lambda m: m.learn_read(b"", [TINY])):
            with pytest.raises(InputError, match="cannot take 6 more"):
                use(model)
        with pytest.raises(InputError, match="with room for 11 pixels"):
            model.copy(11)
        assert model.copy(18).learn_read(b"", [TINY])
