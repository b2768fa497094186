"""What the pages on other libraries show runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compressnet.images import open_collection

PAGES = Path(__file__).parents[2] / "docs" / "integrations"
HOSTS = {"pillow": "PIL", "scikit-learn": "sklearn", "urls": "fsspec", "FFCV": "torch"}
"""Pages that are not called as what they import."""


def examples_of(name: str, section: str | None = None) -> list[str]:
    """The examples of a page; of one section, with those that come before the first section."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    if section is not None:
        first, *sections = text.split("\n## ")
        (chosen,) = [part for part in sections if part.startswith(f"{section}\n")]
        text = first + chosen
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert examples
    return examples


def run_page(name: str, monkeypatch: pytest.MonkeyPatch, folder: Path, section: str | None = None) -> dict[str, Any]:
    """Run the examples of a page, one after the other; gives what they defined."""
    pytest.importorskip(HOSTS.get(section or name, (section or name).lower()))
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "example"}
    for example in examples_of(name, section):
        exec(compile(example, f"{name}.md", "exec"), names)
    return names


def test_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = run_page("torch", monkeypatch, tmp_path)
    assert names["batch"].shape == (250, 1, 28, 28)
    assert str(names["batch"].dtype) == "torch.float32"


def test_pillow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = run_page("pillow", monkeypatch, tmp_path)
    assert names["name"] == "7.png"
    assert names["digit"].tobytes() == names["digits"][7].tobytes()


def test_zarr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = run_page("zarr", monkeypatch, tmp_path)
    images = names["images"]
    assert (names["exact"] == images[300:310]).all()
    assert (names["older"][:] == images).all()
    assert names["stored"] < images.nbytes / 5
    assert 0 < abs(names["close"].astype(int) - images[300:310]).mean() < 8


def test_datasets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("polars")
    pytest.importorskip("pandas")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    names = run_page("datasets", monkeypatch, tmp_path)
    sevens = int((names["labels"] == 7).sum())
    assert names["written"].images == names["sevens"].count == names["counts"][7] == sevens
    assert names["first"]["label"] == 7
    assert names["loaded"].features["label"].names == list("0123456789")
    assert names["picture"].tobytes() == names["first"]["image"].tobytes()


def test_scikit_learn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = run_page("scikit-learn", monkeypatch, tmp_path)
    assert names["symbols"].shape == (2000, 40)
    assert names["score"] > 0.85
    assert names["centres"].shape == (10, 28, 28)


def test_urls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = run_page("urls", monkeypatch, tmp_path)
    assert names["image"].shape == (28, 28)
    assert names["batch"].shape == (3, 28, 28)
    assert names["collection"].count == 1000


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset leaves files open
def test_recipe_of_webdataset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = run_page("recipes", monkeypatch, tmp_path, "WebDataset")
    pictures, labels = zip(*names["web"], strict=True)
    assert [picture.convert("L").tobytes() for picture in pictures] == [digit.tobytes() for digit in names["digits"]]
    assert list(labels) == names["labels"].tolist()


def test_recipe_of_litdata(tmp_path: Path) -> None:
    litdata = pytest.importorskip("litdata")
    (tmp_path / "recipe.py").write_text("\n".join(examples_of("recipes", "LitData")))
    subprocess.run([sys.executable, "recipe.py"], cwd=tmp_path, check=True, capture_output=True)
    back = litdata.StreamingDataset(str(tmp_path / "back"))
    digits = open_collection("mnist").load(500)
    assert all((back[number]["image"] == digits[number]).all() for number in range(500))


def test_recipe_of_ffcv_gives_pairs_and_takes_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = run_page("recipes", monkeypatch, tmp_path, "FFCV")
    picture, label = names["pairs"][7]
    assert (picture.mode, picture.size, label) == ("RGB", (28, 28), names["labels"][7])
    with names["compressnet"].open("back.cnet") as archive:
        assert (archive[:] == names["digits"][..., None]).all()
        assert archive.labels.tolist() == names["labels"].tolist()


@pytest.mark.slow
def test_dask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = run_page("dask", monkeypatch, tmp_path)
    archives, lazy = names["archives"], names["lazy"]
    assert len(archives.manifest.shards) == 3
    assert archives.shape == (1200, 28, 28)
    assert lazy.chunks == archives.chunks
    assert np.allclose(names["mean"], archives[:].mean(axis=0))
    archives.close()
