"""The scripts in benchmarks/: collections are the same each time, tables say what was measured."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setitem(sys.modules, "lossless", None)
    monkeypatch.delitem(sys.modules, "lossless")
    monkeypatch.setenv("RAYON_NUM_THREADS", "1")
    return importlib.import_module("make_collections"), importlib.import_module("lossless")


def package_of_icons(folder: Path, count: int) -> None:
    icons = folder / "famfamfam-silk/usr/share/icons/silk/16x16"
    icons.mkdir(parents=True)
    for i in range(count):
        picture = np.full((16, 16, 3), (i % 256, i // 256, 9), np.uint8)
        Image.fromarray(picture).save(icons / f"{i:04}.png")
    Image.fromarray(picture).save(icons / "again.png")
    Image.new("RGB", (17, 16)).save(icons / "large.png")
    Image.fromarray(picture[..., 0]).convert("P").save(icons / "palette.png")
    (icons / "link.png").symlink_to("large.png")


def test_a_collection_is_the_same_each_time(
    scripts: tuple[ModuleType, ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, _ = scripts
    package_of_icons(tmp_path / "packages", 310)
    for folder in ("a", "b"):
        make.main([str(tmp_path / folder), "--packages", str(tmp_path / "packages"), "--only", "silk"])
    assert capsys.readouterr().out.splitlines()[0].startswith("silk: 311 pictures, flat icons, 16 px")
    drawn = [sorted(path.name for path in (tmp_path / folder / "silk/300").iterdir()) for folder in ("a", "b")]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 300
    for name in drawn[0]:
        assert (tmp_path / "a/silk/300" / name).read_bytes() == (tmp_path / "a/silk/whole" / name).read_bytes()
    kinds: list[tuple[str, tuple[int, int]]] = []
    for path in (tmp_path / "a/silk/whole").iterdir():
        with Image.open(path) as picture:
            kinds.append((picture.mode, picture.size))
    assert kinds == [("RGB", (16, 16))] * 311


def test_the_table_has_what_cannot_be_held_and_what_is_not_exact(scripts: tuple[ModuleType, ModuleType]) -> None:
    make, lossless = scripts

    def row(name: str, bytes_per_image: float, *, exact: bool = True) -> dict[str, object]:
        figures = {"bytes_per_image": bytes_per_image, "encode_s": 0.3, "decode_s": 0.6, "images": 300}
        return {"name": name, "layout": "files", "exact": exact, **figures}

    silk, deep = make.COLLECTIONS[0], make.COLLECTIONS[-1]
    shown = lossless.table(
        [(silk, [row("one", 20), row("two", 10)]), (deep, [row("two", 30.26, exact=False), row("three", 40)])]
    )
    assert shown.splitlines() == [
        "| codec | layout | silk | deep | codes, ms | reads, ms |",
        "| --- | --- | --- | --- | --- | --- |",
        "| two | files | **10.0** | 30.3* | 1.00 | 2.00 |",
        "| three | files | - | **40.0** | 1.00 | 2.00 |",
        "| one | files | 20.0 | - | 1.00 | 2.00 |",
    ]
