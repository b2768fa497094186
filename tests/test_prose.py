"""The pages: short lines of prose, and links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "src/compressnet/shipped/codecs").glob("*.md")),
]
LINE_LIMIT = 100
"""Every line of prose is shorter than this."""

_FENCE = re.compile(r"^\s*(```|~~~)")
_ITEM = re.compile(r"^ *(?:[-*+]|\d+[.)]) ")
_HEADING = re.compile(r"^#{1,6} +(.*?) *#*$")
_URL = re.compile(r"<?https?://[^\s)>]+>?|\]\([^)\s]*\)")
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)(?: +\"[^\"]*\")?\)")
_SCHEME = re.compile(r"[a-z][a-z+.-]*:")
_CODE = re.compile(r"`+[^`]*`+")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def text_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line outside of code blocks, tables included."""
    in_fence, in_list, code_may_begin = False, False, True
    for number, line in enumerate(text.split("\n"), 1):
        if _FENCE.match(line):
            in_fence = not in_fence
        elif in_fence:
            continue
        elif not line.strip():
            code_may_begin = True
        elif not (line.startswith("    ") and code_may_begin and not in_list):
            in_list = bool(_ITEM.match(line)) or (in_list and (line.startswith("  ") or not code_may_begin))
            code_may_begin = False
            yield number, line


def is_prose(line: str) -> bool:
    return not line.startswith("|")


def without_urls(line: str) -> str:
    return _URL.sub("", line)


def anchor_of(heading: str) -> str:
    """GitHub's: lower case, without punctuation, spaces as hyphens."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


@cache
def anchors(page: Path) -> list[str]:
    """The anchors of a page's headings; the second of a name has -1 at its end."""
    found: list[str] = []
    for _, line in text_lines(page.read_text(encoding="utf-8")):
        if heading := _HEADING.match(line):
            anchor = anchor_of(heading[1])
            same = sum(1 for other in found if re.fullmatch(re.escape(anchor) + r"(-\d+)?", other))
            found.append(f"{anchor}-{same}" if same else anchor)
    return found


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Line number and target of each link that leads to no other site."""
    for number, line in text_lines(page.read_text(encoding="utf-8")):
        for link in _LINK.finditer(_CODE.sub("code", line)):
            if not _SCHEME.match(link[1]):
                yield number, link[1]


def place(page: Path, number: int) -> str:
    return f"{page.relative_to(ROOT).as_posix()}:{number}"


def long_lines(text: str) -> list[tuple[int, int]]:
    """Number and length of each line of prose that is too long by more than a URL."""
    return [
        (number, len(line))
        for number, line in text_lines(text)
        if is_prose(line) and len(line) >= LINE_LIMIT and len(without_urls(line)) >= LINE_LIMIT
    ]


@pages
def test_lines_of_prose_are_short(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = [f"{place(page, number)} has {length} characters" for number, length in long_lines(text)]
    assert not found, f"prose has fewer than {LINE_LIMIT} characters a line:\n" + "\n".join(found)


@pages
def test_links_lead_to_files(page: Path) -> None:
    found = []
    for number, target in links(page):
        path = target.partition("#")[0]
        if path and not (page.parent / path).exists():
            found.append(f"{place(page, number)} links to {path}, which is no file")
        elif path and not (page.parent / path).resolve().is_relative_to(ROOT):
            found.append(f"{place(page, number)} links to {path}, which is outside of the project")
    assert not found, "\n".join(found)


@pages
def test_anchors_exist(page: Path) -> None:
    found = []
    for number, target in links(page):
        path, has_anchor, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        if has_anchor and other.suffix == ".md" and other.is_file() and anchor not in anchors(other):
            found.append(f"{place(page, number)} links to #{anchor}, which {other.name} does not have")
    assert not found, "\n".join(found)


@pages
def test_tables_have_equal_rows(page: Path) -> None:
    """A row with another number of cells than its header is cut off where it is shown."""
    found, cells, last = [], 0, 0
    for number, line in text_lines(page.read_text(encoding="utf-8")):
        if not is_prose(line):
            count = len(re.findall(r"(?<!\\)\|", line))
            cells = cells if number == last + 1 else count
            last = number
            if count != cells:
                found.append(f"{place(page, number)} has {count - 1} cells, the table's first row {cells - 1}")
    assert not found, "\n".join(found)


def test_code_tables_and_urls_may_be_long() -> None:
    word = "x" * 99
    url = f"https://example.org/{word}"
    text = f"""# Title

{word}

    {word} {word}

| {word} | {word} |

```
{word} {word}
```

- item
  {word}x
- see [this]({url}) and {url}

    {word} is a paragraph of the item
"""
    assert long_lines(text) == [(14, 102), (17, 130)]


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# The `labl`, and name\n\n## Same\n\n## Same\n\n    # no heading\n", encoding="utf-8")
    assert anchors(page) == ["the-labl-and-name", "same", "same-1"]
    page.write_text('[a](b.md#c) ![d](e.png "f") [[g]](#h) `[i](j)` [k](https://l) <https://m>\n', encoding="utf-8")
    assert [target for _, target in links(page)] == ["b.md#c", "e.png", "#h"]
