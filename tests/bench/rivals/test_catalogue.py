"""One catalogue: the benchmark and the advice measure codecs that are described once."""

from __future__ import annotations

import sys

import pytest

from compressnet.bench.rivals.catalogue import JPEG, JPEG_LS, MATCHED_CODECS, PICTURE_CODECS, RIVALS
from compressnet.bench.rivals.matched import mosaic_at
from compressnet.bench.rivals.pictures import PictureCodec
from compressnet.errors import InputError
from drawings import sprites


def test_names_and_titles_are_unique() -> None:
    assert len({codec.name for codec in PICTURE_CODECS}) == len(PICTURE_CODECS)
    assert len({codec.title for codec in PICTURE_CODECS}) == len(PICTURE_CODECS)


def test_what_the_advice_measures_stands_in_the_catalogue() -> None:
    assert all(codec in PICTURE_CODECS for codec in MATCHED_CODECS)
    assert all(codec.matching is not None for codec in MATCHED_CODECS)
    assert [codec.title for codec in MATCHED_CODECS] == ["AVIF", "WebP", "JPEG XL", "PNG"]


@pytest.mark.parametrize("codec", PICTURE_CODECS, ids=lambda codec: codec.name)
def test_the_benchmark_has_both_modes_of_every_codec(codec: PictureCodec) -> None:
    rivals = RIVALS[codec.name]
    assert [rival.mode for rival in rivals] == ["mosaic", "single"] * (bool(codec.lossy) + bool(codec.lossless))
    for rival in rivals:
        assert rival.settings == (codec.lossless if rival.lossless else codec.lossy)


def test_a_codec_that_is_not_matched_is_refused() -> None:
    with pytest.raises(InputError, match="JPEG cannot be brought to a PSNR"):
        mosaic_at([sprites(4, channels=3)], JPEG, 30)


def test_what_a_codec_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert JPEG_LS.missing() is None
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert JPEG_LS.missing() == "JPEG-LS is not measured: pip install 'compressnet[bench]'"
