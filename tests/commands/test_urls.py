"""Commands take URLs wherever they take paths, but for what is written step by step."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

import compressnet
from compressnet.images import open_collection, write_collection
from run_commands import GREY, refused, run

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def pictures() -> Iterator[np.ndarray]:
    """Images of the size of the tiny codec, which are at memory://in.zip as well."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 12), np.uint8)
    write_collection("memory://in.zip", [images], count=6)
    yield images
    system.store.clear()


def test_every_command_takes_urls(pictures: np.ndarray) -> None:
    fsspec.filesystem("memory").put(GREY, "/grey.codec")
    codec = ("--codec", "memory://grey.codec")
    told = run("compress", "memory://in.zip", "-o", "memory://a.cnet", *codec, "--quality", 60).stdout
    assert told.startswith("memory://a.cnet: 6 images, ")
    assert "bytes of memory://in.zip, to a temporary folder" in told
    run("append", "memory://a.cnet", "memory://in.zip", *codec)
    run("concat", "memory://a.cnet", "memory://a.cnet", "-o", "memory://b.cnet")
    run("subset", "memory://b.cnet", "-o", "memory://c.cnet", "--select", "3,9:11")
    run("repair", "memory://c.cnet", "-o", "memory://d.cnet")
    run("verify", "memory://d.cnet")
    described = json.loads(run("info", "memory://d.cnet", "--json", "--contact-sheet", "memory://d.png").stdout)
    assert described["file"] == "memory://d.cnet"
    assert described["images"] == 3
    assert described["contact_sheet"]["file"] == "memory://d.png"
    assert run("info", "memory://grey.codec").stdout.startswith("file: memory://grey.codec\n")
    run("decompress", "memory://d.cnet", "-o", "memory://out.zip")
    run("decompress", "memory://d.cnet", "-o", "memory://out.npy")
    with compressnet.open("memory://d.cnet") as archive:
        assert (open_collection("memory://out.zip").load() == archive[:]).all()
        assert (open_collection("memory://out.npy").load() == archive[:]).all()


def test_nothing_is_overwritten_without_being_asked(pictures: np.ndarray) -> None:
    run("compress", "memory://in.zip", "-o", "memory://a.cnet", "--lossless")
    again = ("compress", "memory://in.zip", "-o", "memory://a.cnet", "--lossless")
    assert "memory://a.cnet: exists already" in refused(1, *again)
    run(*again, "-f")
    assert "memory://in.zip: is the input" in refused(1, "compress", "memory://in.zip", "-o", "memory://in.zip", "-f")


def test_what_was_copied_is_in_the_figures(pictures: np.ndarray) -> None:
    document = json.loads(run("compress", "memory://in.zip", "-o", "memory://a.cnet", "--lossless", "--json").stdout)
    assert document["account"]["copied"].endswith(" bytes of memory://in.zip, to a temporary folder")


def test_labels_and_what_was_skipped(pictures: np.ndarray) -> None:
    system = fsspec.filesystem("memory")
    system.pipe_file("/labels.txt", b"5\n4\n3\n2\n1\n0\n")
    options = ("--labels", "memory://labels.txt", "--skip-bad", "--skipped", "memory://skipped.txt")
    run("compress", "memory://in.zip", "-o", "memory://a.cnet", "--lossless", *options)
    assert system.cat_file("/skipped.txt") == b""
    with compressnet.open("memory://a.cnet") as archive:
        assert archive.labels is not None
        assert archive.labels.tolist() == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    "command",
    [
        ("pack", "memory://in.zip", "-o", "memory://a.cnet"),
        ("train", "memory://in.zip", "-o", "memory://a.codec"),
        ("export", "mnist", "-o", "memory://models"),
    ],
)
def test_what_is_written_step_by_step_has_to_be_here(pictures: np.ndarray, command: tuple[str, ...]) -> None:
    result = run(*command, code=2)
    assert "has to be on this machine" in " ".join(result.stderr.replace("│", " ").split())


def test_an_unknown_kind_of_url_is_one_line() -> None:
    assert "nosuch://a.cnet: no URL that can be opened" in refused(1, "info", "nosuch://a.cnet")
    assert "memory://none.cnet: no such file or folder" in refused(1, "verify", "memory://none.cnet")
