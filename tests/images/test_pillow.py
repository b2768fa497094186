"""Images as Pillow's pictures, and back."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from compressnet.errors import InputError
from compressnet.images.pillow import as_image, as_picture, mode_of
from drawings import drawn


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_images_are_pictures_and_back(channels: int, mode: str) -> None:
    image = drawn(1, channels=channels)[0]
    picture = as_picture(image)
    assert picture.mode == mode == mode_of(image.shape, image.dtype)
    assert np.array_equal(as_image(picture), image[..., 0] if channels == 1 else image)


def test_grey_of_16_bits() -> None:
    image = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    assert as_picture(image).mode == as_picture(image[..., None]).mode == "I;16"
    assert as_image(as_picture(image)).dtype == np.uint16
    assert np.array_equal(as_image(as_picture(image)), image)
    with pytest.raises(InputError, match="Pillow has no mode for them"):
        mode_of((3, 4, 2), image.dtype)


def test_what_is_transparent_by_value_gets_alpha() -> None:
    for mode, channels, clear in (("L", 2, 0), ("RGB", 4, (0, 0, 0)), ("P", 4, 0), ("1", 4, 0)):
        picture = Image.new(mode, (2, 2))
        picture.info["transparency"] = clear
        assert as_image(picture).shape == (2, 2, channels)
        assert (as_image(picture)[..., -1] == 0).all()


@pytest.mark.parametrize("mode", ["F", "I", "CMYK", "La"])
def test_modes_without_an_equal_are_refused(mode: str) -> None:
    with pytest.raises(InputError, match=f"pictures of mode {mode}: none of"):
        as_image(Image.new(mode, (2, 2)))
