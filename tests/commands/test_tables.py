"""What commands print for people."""

from __future__ import annotations

import pytest

from compressnet.bench.rivals.catalogue import PNG
from compressnet.commands.tables import tell_advice
from compressnet.packing.advice import advise
from drawings import sprites


def test_advice_says_what_it_was_measured_on_and_what_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    images = [sprites(40)]
    tell_advice(advise(images, psnr_db=30, payload_bytes=500, codec_bytes=0, codecs=[PNG], scale=10, budget_s=0))
    lines = capsys.readouterr().out.splitlines()
    assert "rivals were measured on 40 of 400 images" in lines
    assert "PNG is not measured: there was no time left for it" in lines


def test_advice_on_all_images_says_nothing_of_samples(capsys: pytest.CaptureFixture[str]) -> None:
    tell_advice(advise([sprites(40)], psnr_db=30, payload_bytes=500, codec_bytes=0, codecs=[PNG]))
    assert "measured on" not in capsys.readouterr().out
