"""Names: tidy where they are read, safe and all different where they are written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.errors import InputError
from compressnet.images.names import is_hidden, is_renamed, tidy_path, written_names

ODD = st.text(st.sampled_from("aA.:\\/ \n-1*ä?") | st.characters(), max_size=12)


def written(*names: str) -> list[str]:
    return written_names(names, len(names), "out")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a/b.PNG", "a/b.PNG"),
        ("./a//b.jpeg", "a/b.jpeg"),
        ("a\\b.webp", "a/b.webp"),
        ("/root/a.tif", "root/a.tif"),
        ("C:\\a.gif", "a.gif"),
        ("new\nline.bmp", "new_line.bmp"),
        ("b\udcff.png", "b_.png"),
    ],
)
def test_paths_are_tidied(raw: str, expected: str) -> None:
    assert tidy_path(raw) == expected
    assert is_renamed(raw, expected) == (raw not in ("a/b.PNG", "./a//b.jpeg"))


@pytest.mark.parametrize("path", [".hidden.png", "__MACOSX/._a.png", ".git/a.png", "cat/@eaDir/a.png"])
def test_hidden_paths(path: str) -> None:
    assert is_hidden(path)


def test_images_without_names_are_numbered() -> None:
    assert written_names(None, 2, "out") == ["00000.png", "00001.png"]
    assert written_names(None, 100_001, "out")[-1] == "100000.png"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.jpg", "a.png", "a.webp"], ["a-1.png", "a.png", "a-2.png"]),
        (["a.jpg", "a-1.jpg", "a.png"], ["a-1.png", "a-1-1.png", "a.png"]),
        (["a.jpg", "a-1.png", "a.png", "a.png"], ["a-2.png", "a-1.png", "a.png", "a-3.png"]),
        (["a.jpg", "A.JPEG"], ["a.png", "A-1.png"]),
        (["x/a.jpg", "y/a.jpg"], ["x/a.png", "y/a.png"]),
        (["a.b.tiff", "c"], ["a.b.png", "c.png"]),
        (["a.png/b.png", "a.png"], ["a.png/b.png", "a-1.png"]),
        (["12:30?.png", "C:/a.png", "nul.png", "x. /a.png"], ["12_30_.png", "C_/a.png", "_nul.png", "x__/a.png"]),
        ([".a.png", "", "./b.png"], ["_a.png", "_.png", "b.png"]),
    ],
)
def test_names_of_written_files(names: list[str], expected: list[str]) -> None:
    assert written(*names) == expected


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "a/../b.png", "\\\\server\\a.png", "..\\a.png"])
def test_names_that_lead_out_are_not_written(name: str) -> None:
    with pytest.raises(InputError, match=r"out: the name .* leads out of the target"):
        written("ok.png", name)


def test_names_too_long_for_a_file() -> None:
    with pytest.raises(InputError, match=r"out: the name ä.* is too long for a file"):
        written("ä" * 200)


def test_many_equal_names_are_told_apart() -> None:
    assert written(*["image.png"] * 50_000)[-1] == "image-49999.png"


@given(names=st.lists(ODD, max_size=8))
def test_written_names_are_safe_and_differ(names: list[str]) -> None:
    try:
        found = written(*names)
    except InputError:
        return
    assert len({name.casefold() for name in found}) == len(names)
    for name in found:
        assert not re.search(r'[<>:"|?*\\\x00-\x1f]', name)
        assert all(part and not part.startswith(".") for part in name.split("/"))
        assert all(not part.endswith((".", " ")) for part in name.split("/"))
        assert tidy_path(name) == name
        assert not is_hidden(name)
        assert name.encode().decode() == name


@given(raw=ODD)
def test_tidy_paths_are_relative_lines_of_text(raw: str) -> None:
    path = tidy_path(raw)
    assert not path.startswith("/")
    assert not re.search(r"[\\\x00-\x1f\x7f]", path)
    assert path.encode().decode() == path
