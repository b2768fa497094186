"""`bench --lossless` on the command line: what it measures, writes, says and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from drawings import sprites
from run_commands import refused, run


def test_bench_of_a_folder_of_any_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    folder = tmp_path / "in"
    folder.mkdir()
    for i, picture in enumerate([*sprites(3), *sprites(2, side_px=9, channels=3)]):
        Image.fromarray(picture).save(folder / f"{i}.png")
    options = ("bench", folder, "--lossless", "--rivals", "xz,webp")
    told = json.loads(run(*options, "--json", "-o", tmp_path / "out").stdout)
    assert told == json.loads((tmp_path / "out" / "lossless.json").read_text())
    assert {row["name"] for row in told["rows"]} == {"compressnet", "compressnet, solid", "xz -9e", "WebP"}
    assert all(row["exact"] for row in told["rows"])
    assert (told["images"], told["cleared"]) == (5, 3)
    said = run(*options, "--limit", 4).stdout
    for words in ("4 images", "mosaics", "PNG tar", "colour under alpha 0 of 3 images", "FLIF is not"):
        assert words in said
    kept = json.loads(run(*options, "--exact-alpha", "--json").stdout)
    assert kept["cleared"] == 0
    assert all(row["exact"] for row in kept["rows"])
    with_codec = json.loads(run(*options, "--codec", "mnist", "--json").stdout)
    assert "compressnet, codec mnist-1" in {row["name"] for row in with_codec["rows"]}


def test_what_bench_needs(tmp_path: Path) -> None:
    assert "bench needs -o DIR, but for --lossless" in refused(2, "bench", "mnist")
    assert "--exact-alpha goes with --lossless" in refused(2, "bench", "mnist", "--exact-alpha", "-o", tmp_path / "b")
    assert "--rivals jpeg: with --lossless there are png" in refused(
        1, "bench", "mnist", "--lossless", "--rivals", "jpeg"
    )
