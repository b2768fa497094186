"""Lossless rivals and compressnet on images of any sizes, modes and depths together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compressnet import api
from compressnet.bench import mixed
from compressnet.bench.mixed import MIXED_HEADER, MixedRow, measure_own, own_rows, run_mixed
from compressnet.bench.rivals.lossless.family import lossless_rivals
from compressnet.bench.rivals.lossless.stacks import Stacks, make_stacks
from compressnet.codec.codec import Codec
from compressnet.images.alpha import clear_hidden
from drawings import sprites
from mixed_images import deep_batches, mixed_batches

FLIF = "FLIF is not measured: neither Debian nor PyPI has a package of it"


def test_rows_are_sorted_and_say_all() -> None:
    stacks = make_stacks(mixed_batches())
    own = MixedRow(
        name="own", layout="archive", images=10, total_bytes=1, encode_s=1, decode_s=2, alone=True, fault="it lost"
    )
    told: list[tuple[int, int, str]] = []
    result = run_mixed(stacks, "<x>", lossless_rivals(["png", "xz"]), [own], lambda *what: told.append(what))
    assert {(row.name, row.layout, row.alone) for row in result.rows} == {
        ("own", "archive", True),
        ("PNG", "files", True),
        ("PNG", "mosaics", False),
        ("xz -9e", "pixels", False),
        ("xz -9e", "raw tar", False),
        ("xz -9e", "PNG tar", False),
    }
    assert told[0] == (0, 5, "PNG, files")
    assert len(told) == 5
    assert result.rows[-1] is own, "what is not exact comes last, however small"
    sizes = [row.bytes_per_image for row in result.rows[:-1]]
    assert sizes == sorted(sizes)
    assert all(len(row.texts) == len(MIXED_HEADER) for row in result.rows)
    assert result.remarks[1:] == ["own, archive is not exact: it lost", FLIF]
    assert (result.images, result.raw_bytes, result.left_out) == (10, stacks.raw_bytes, (FLIF,))
    document = json.loads(json.dumps(result.as_json()))
    assert document["rows"][-1] == {
        "name": "own",
        "layout": "archive",
        "images": 10,
        "total_bytes": 1,
        "encode_s": 1,
        "decode_s": 2,
        "alone": True,
        "fault": "it lost",
        "bytes_per_image": 0.1,
        "exact": False,
    }


def test_rivals_that_cannot_are_named() -> None:
    stacks = make_stacks([*mixed_batches(), *deep_batches()])
    rivals = lossless_rivals(["webp", "xz"])

    def fail(_: Stacks) -> None:
        raise ValueError("no")

    broken = [replace(rivals[2], encode=fail), replace(rivals[2], name="new", missing="new is not measured: get it")]
    result = run_mixed(stacks, "x", [*rivals[:2], *broken])
    assert result.rows == ()
    assert result.left_out == (
        FLIF,
        "WebP holds no 16 bits, which 11 of 21 images have",
        "xz -9e, pixels failed: ValueError('no')",
        "new is not measured: get it",
    )
    assert result.remarks[0].startswith("colour under alpha 0 of 11 images was cleared for all; --exact-alpha keeps it")


def test_a_rival_that_loses_something_is_told_of() -> None:
    stacks = make_stacks(mixed_batches())
    rival = lossless_rivals(["xz"])[0]

    def lossy(given: Stacks) -> object:
        coded = rival.encode(given)
        return replace(coded, decode=lambda: [array ^ 1 for array in coded.decode()])

    (row,) = run_mixed(stacks, "x", [replace(rival, encode=lossy)]).rows
    assert row.fault == "10 of 10 images came back with other pixels"


def test_files_are_measured_on_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "FILES", 6)
    result = run_mixed(make_stacks([sprites(30, channels=3)]), "x", lossless_rivals(["png"]))
    assert {row.layout: row.images for row in result.rows} == {"files": 6, "mosaics": 30}
    assert result.remarks == ["files were measured on 6 images, evenly spread", FLIF]
    assert all(row.bytes_per_image == row.total_bytes / row.images for row in result.rows)


@pytest.mark.parametrize("exact_alpha", [True, False])
def test_its_own_archives_without_a_codec(tmp_path: Path, exact_alpha: bool) -> None:
    stacks = make_stacks([*mixed_batches(), *deep_batches()], hidden_colour=exact_alpha)
    blocks, solid = own_rows(stacks, None, exact_alpha=exact_alpha)
    assert [(row.name, row.alone) for row in (blocks, solid)] == [("compressnet", True), ("compressnet, solid", False)]
    for row in (blocks, solid):
        assert (row.layout, row.images, row.fault) == ("archive", 21, None)
    path = tmp_path / "same.cnet"
    api.compress(stacks.in_order(), path, None, lossless=True, exact_alpha=exact_alpha, modes="tight")
    assert blocks.total_bytes == path.stat().st_size


def test_its_own_archive_with_a_codec(shipped: Codec, mnist: np.ndarray) -> None:
    (row,) = own_rows(make_stacks([mnist[:20], sprites(3)]), shipped)
    assert (row.name, row.fault) == (f"compressnet, codec {shipped.name}", None)


def test_an_archive_that_lost_something_is_told_of() -> None:
    stacks = make_stacks(mixed_batches(), hidden_colour=True)

    def seen_only(images: Iterator[np.ndarray], path: Path) -> None:
        api.compress((clear_hidden(image) if image.ndim == 4 else image for image in images), path, codec=None)

    def too_few(images: Iterator[np.ndarray], path: Path) -> None:
        api.compress(list(images)[:4], path, codec=None, exact_alpha=True)

    assert measure_own("x", stacks, seen_only).fault == "5 of 10 images lost colour under alpha 0"
    assert measure_own("x", stacks, too_few).fault == "7 of 10 images came back with other pixels"
