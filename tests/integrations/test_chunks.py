"""How chunks are coded, as a store's metadata say it; whatever these are, errors are clear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.errors import CompressnetError, InputError
from compressnet.integrations.chunks import ChunkCoding, make_coding, require_known
from conftest import CONFORMANCE
from drawings import drawn

TEXTS = st.text("abc0/.", max_size=9) | st.just("0" * 64)
JSON = st.none() | st.booleans() | st.integers(-2, 300) | st.floats() | TEXTS | st.lists(st.integers(), max_size=2)
SETTINGS = ("codec", "identity", "quality", "max_error", "effort", "embedded")
GREY = CONFORMANCE / "grey.codec"


@given(st.dictionaries(st.sampled_from(SETTINGS), JSON))
def test_any_metadata_make_a_coding_or_an_error(config: dict[str, Any]) -> None:
    try:
        coding = make_coding(**config)
    except CompressnetError:
        return
    assert coding.config() == {name: value for name, value in config.items() if value is not None}


@given(st.binary(max_size=200))
def test_any_embedded_codec_is_refused(data: bytes) -> None:
    coding = make_coding("own", identity="0" * 64, embedded=data.decode("latin-1"))
    with pytest.raises(CompressnetError):
        coding.decode(b"")


def test_settings_of_later_versions_are_named() -> None:
    require_known({"codec": "mnist", "effort": 3})
    with pytest.raises(InputError, match="the codec compressnet has no setting depth, width; a later version may"):
        require_known({"depth": 3, "codec": "mnist", "width": 4})


def test_images_of_16_bits_need_no_codec() -> None:
    images = drawn(3, channels=1)[..., 0].astype("<u2") * 257
    assert np.array_equal(make_coding().decode(make_coding().encode(images)), images)
    assert np.array_equal(make_coding(quality=100).decode(make_coding(quality=100).encode(images)), images)
    for coding in (make_coding(quality=90), make_coding(GREY)):
        with pytest.raises(InputError, match="chunks of 16 bits are coded without loss and without a codec"):
            coding.encode(images)


def test_errors_have_a_bound() -> None:
    images = drawn(20, channels=3)
    coding = make_coding(max_error=2)
    assert 0 < np.abs(coding.decode(coding.encode(images)).astype(int) - images).max() <= 2
    assert len(coding.encode(images)) < len(make_coding().encode(images))


def test_what_is_embedded_depends_on_the_codec() -> None:
    assert make_coding("mnist").embedded is None
    assert make_coding("mnist", embed=True).embedded is not None
    assert make_coding(GREY).embedded is not None
    assert make_coding(GREY, embed=False) == ChunkCoding(codec="tiny-grey", identity=make_coding(GREY).identity)
