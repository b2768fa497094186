"""Every rival that is installed gives back every value, and every other one says what it lacks."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from compressnet.bench.rivals.lossless.family import KEYS, lossless_rivals
from compressnet.bench.rivals.lossless.rival import LosslessRival
from compressnet.bench.rivals.lossless.stacks import Stacks, difference, make_stacks
from compressnet.errors import InputError
from drawings import sprites
from mixed_images import deep_batches, mixed_batches

RIVALS = lossless_rivals()
EIGHT_BITS = make_stacks(mixed_batches(), hidden_colour=True)
SIXTEEN_BITS = make_stacks(deep_batches(), hidden_colour=True)


def title(rival: LosslessRival) -> str:
    return f"{rival.name}, {rival.layout}"


@pytest.mark.parametrize("stacks", [EIGHT_BITS, SIXTEEN_BITS], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("rival", RIVALS, ids=title)
def test_every_value_comes_back(rival: LosslessRival, stacks: Stacks) -> None:
    if rival.missing is not None:
        pytest.skip(rival.missing)
    if stacks is SIXTEEN_BITS and not rival.deep:
        assert rival.refusal(stacks) == f"{rival.name} holds no 16 bits, which 11 of 11 images have"
        return
    assert rival.refusal(stacks) is None
    coded = rival.encode(stacks)
    decoded = coded.decode()
    assert difference(stacks, decoded) is None
    assert [array.dtype for array in decoded] == [part.images_NHWC.dtype for part in stacks.parts]
    assert 0 < coded.total_bytes < 10 * stacks.raw_bytes


def test_each_format_is_there_in_files_and_mosaics_and_each_byte_codec_in_three_layouts() -> None:
    layouts = {key: {rival.layout for rival in RIVALS if rival.key == key} for key in KEYS}
    for key in ("png", "oxipng", "webp", "avif", "jxl"):
        assert layouts[key] == {"files", "mosaics"}
    for key in ("xz", "zstd", "brotli", "bzip3"):
        assert layouts[key] == {"pixels", "raw tar", "PNG tar"}
    assert [rival.name for rival in RIVALS if rival.key == "jxl"][:3] == [
        "JPEG XL, effort 7",
        "JPEG XL, effort 9",
        "JPEG XL, effort 10",
    ]
    assert len({title(rival) for rival in RIVALS}) == len(RIVALS)
    assert all(rival.alone == (rival.layout == "files") for rival in RIVALS)


@pytest.mark.parametrize(
    ("key", "module", "extra"),
    [("bzip3", "bz3", "rivals"), ("oxipng", "oxipng", "rivals"), ("jxl", "imagecodecs", "bench")],
)
def test_what_is_not_installed_is_named_with_the_way_to_get_it(
    key: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for rival in lossless_rivals([key]):
        assert rival.missing == f"{rival.name} is not measured: pip install 'compressnet[{extra}]'"


def test_a_tar_has_the_smallest_png_files_that_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "oxipng", None)
    (tar,) = [rival for rival in lossless_rivals(["xz"]) if rival.layout == "PNG tar"]
    assert tar.missing is None
    assert difference(EIGHT_BITS, tar.encode(EIGHT_BITS).decode()) is None


def test_rivals_are_chosen_by_key() -> None:
    assert {rival.key for rival in lossless_rivals(["xz", "webp"])} == {"xz", "webp"}
    with pytest.raises(InputError, match="--rivals flif: with --lossless there are png, oxipng, webp, avif, jxl, xz"):
        lossless_rivals(["xz", "flif"])


def test_a_side_that_a_format_does_not_hold_is_refused() -> None:
    strip = make_stacks([np.zeros((1, 1, 16384, 3), np.uint8)])
    webp, _ = lossless_rivals(["webp"])
    assert webp.refusal(strip) == "WebP holds no side of 16384 pixels, only 16383"


def test_webp_keeps_colour_that_is_not_seen() -> None:
    stacks = make_stacks([sprites(5, channels=4)], hidden_colour=True)
    for rival in lossless_rivals(["webp"]):
        assert difference(stacks, rival.encode(stacks).decode()) is None
