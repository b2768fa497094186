"""verify and repair on the command line: the lines that they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import compressnet
from conftest import CONFORMANCE
from run_commands import refused, run

MIXED = CONFORMANCE / "mixed.cnet"
BLOCK_1, BLOCK_4, INDEX = 6448, 6897, 7296
"""Where chunks of it begin."""


def damaged(path: Path, *offsets: int, source: Path = MIXED) -> Path:
    data = bytearray(source.read_bytes())
    for offset in offsets:
        data[offset] ^= 1
    path.write_bytes(data)
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return damaged(tmp_path / "broken.cnet", BLOCK_1 + 15, BLOCK_4 + 30)


def test_verify_lists_damaged_blocks_and_their_images(broken: Path) -> None:
    result = run("verify", broken, code=3)
    assert result.stdout.splitlines() == [
        "block 1, bytes 6448 to 6479: its checksum is off; held 5 images: folder/4.png, folder/12.png, folder/13.png, "
        "folder/14.png, folder/15.png",
        "block 4, bytes 6897 to 7115: its checksum is off; held 2 images: folder/9.png, folder/10.png",
    ]
    assert result.stderr == (
        f"compressnet: {broken}: 2 of 6 blocks cannot be read, with 7 of 21 images; "
        "'compressnet repair' saves what is whole\n"
    )
    assert refused(3, "verify", broken, "-q") == result.stderr
    document = json.loads(run("verify", broken, "--json", code=3).stdout)
    assert (document["images"], document["blocks"], document["damaged_images"]) == (21, 6, 7)
    assert [lost["block"] for lost in document["damaged"]] == [1, 4]
    assert document["damaged"][0]["ranges"] == [[4, 4], [12, 15]]
    assert document["damaged"][1]["names"] == ["folder/9.png", "folder/10.png"]


def test_verify_of_what_is_well(tmp_path: Path) -> None:
    assert run("verify", MIXED).stdout == f"{MIXED}: 21 images, all well\n"
    assert run("verify", MIXED, "-q").stdout == ""
    document = json.loads(run("verify", MIXED, "--json").stdout)
    assert document == {"images": 21, "blocks": 6, "damaged": [], "remarks": [], "damaged_images": 0}


def test_verify_of_damage_beside_blocks(tmp_path: Path) -> None:
    names = damaged(tmp_path / "a.cnet", INDEX - 10)
    result = run("verify", names, code=3)
    assert result.stdout == "chunk name is damaged: its checksum is off\n"
    assert "a.cnet: damaged, but no image is lost; 'compressnet repair' saves" in result.stderr
    index = damaged(tmp_path / "b.cnet", INDEX + 12)
    assert refused(3, "verify", index) == (
        f"compressnet: {index}: chunk INDX is damaged: its checksum is off; 'compressnet repair' saves what is whole\n"
    )


def test_repair_lists_what_is_lost(broken: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.cnet"
    before = broken.read_bytes()
    result = run("repair", broken, "-o", output)
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"{output}: 14 of 21 images, {output.stat().st_size} bytes",
        "block 1, bytes 6448 to 6479: damaged or cut off; held 5 images: folder/4.png, folder/12.png, folder/13.png, "
        "folder/14.png, folder/15.png",
        "block 4, bytes 6897 to 7115: damaged or cut off; held 2 images: folder/9.png, folder/10.png",
    ]
    assert run("verify", output).stdout == f"{output}: 14 images, all well\n"
    kept = [i for i in range(21) if i not in (4, 9, 10, 12, 13, 14, 15)]
    with compressnet.open(MIXED) as was, compressnet.open(output) as found:
        assert was.names is not None
        assert found.names == [was.names[i] for i in kept]
        assert np.array_equal(found.labels, was.labels[kept])
        assert all(np.array_equal(image, was[i]) for image, i in zip(found, kept, strict=True))
    assert "exists already; -f overwrites it" in refused(1, "repair", broken, "-o", output)
    assert run("repair", broken, "-o", output, "-f", "-q").stdout == ""
    document = json.loads(run("repair", broken, "-o", output, "-f", "--json").stdout)
    assert [document[key] for key in ("images", "kept", "lost_images")] == [21, 14, 7]
    assert document["archive_bytes"] == output.stat().st_size
    assert document["lost"][1] == {
        "why": "damaged or cut off",
        "offset": 6897,
        "end": 7116,
        "block": 4,
        "images": 2,
        "ranges": [[9, 10]],
        "names": ["folder/9.png", "folder/10.png"],
        "file": None,
    }
    assert document["remarks"] == []
    assert broken.read_bytes() == before


def test_repair_without_the_index(tmp_path: Path) -> None:
    broken, output = damaged(tmp_path / "broken.cnet", BLOCK_4 + 30, INDEX + 12), tmp_path / "out.cnet"
    assert run("repair", broken, "-o", output).stdout.splitlines() == [
        f"{output}: 15 images, {output.stat().st_size} bytes",
        "bytes 6897 to 7115: no whole chunk is there; nobody knows which images were there",
        "chunk INDX in bytes 7296 to 7358 is damaged",
        "the index is lost, so nobody knows which image was which",
        "images are in the order of their blocks, and numbered anew",
        "labels and names are left out, as nobody knows whose they are",
    ]


def test_repair_without_the_codec(tmp_path: Path) -> None:
    broken, output = damaged(tmp_path / "broken.cnet", 500), tmp_path / "out.cnet"
    why = "the codec or primer that it needs, number 0, is lost; held"
    lines = run("repair", broken, "-o", output).stdout.splitlines()
    assert lines[0].startswith(f"{output}: 10 of 21 images, ")
    assert [line.split(": ")[1].startswith(why) for line in lines[1:4]] == [True] * 3
    assert lines[4:] == ["chunk CODC in bytes 21 to 6399 is damaged"]


def test_repair_of_what_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "out.cnet"
    assert run("repair", MIXED, "-o", output).stdout.splitlines() == [
        f"{output}: 21 of 21 images, 7379 bytes",
        "nothing was damaged",
    ]
    assert output.read_bytes() == MIXED.read_bytes()


def test_repair_that_saves_nothing(tmp_path: Path) -> None:
    text, output = tmp_path / "text.cnet", tmp_path / "out.cnet"
    text.write_text("text")
    assert refused(3, "repair", text, "-o", output) == (
        f"compressnet: {text}: not a compressnet archive, and no chunk of one is in it\n"
    )
    learned = damaged(tmp_path / "a.cnet", 100, source=CONFORMANCE / "adaptive.cnet")
    assert refused(3, "repair", learned, "-o", output) == (
        f"compressnet: {learned}: no block of it can be read (the codec or primer that it needs, number 0, is lost), "
        "so nothing was written; look for another copy\n"
    )
    assert "is the damaged archive itself" in refused(1, "repair", learned, "-o", learned, "-f")
    assert not output.exists()


def test_names_are_shown_without_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    images = np.random.default_rng(0).integers(0, 256, (9, 5, 5), dtype=np.uint8)
    compressnet.compress(images, path, None, lossless=True, block_images=1, names=[f"\x1b[3{i}m" for i in range(9)])
    with compressnet.open(path) as archive:
        entry = archive.container.blocks[2]
    damaged(path, entry.offset + entry.chunk_bytes - 1, source=path)
    for result in (run("verify", path, code=3), run("repair", path, "-o", tmp_path / "b.cnet")):
        assert "\\x1b[3" in result.stdout
        assert "\x1b" not in result.stdout
