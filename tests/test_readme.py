"""What the README shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compressnet.images import read_labels, sample

README = Path(__file__).parent.parent / "README.md"


def test_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 2
    names: dict[str, object] = {}
    for example in examples:
        exec(example, names)
    assert (tmp_path / "digits.cnet").stat().st_size < 100_000
    assert names["image"].shape == (28, 28)
    assert names["batch"].shape == (3, 28, 28)
    labels = open_collection_labels()
    assert labels[names["nearest"]] == labels[7]


def open_collection_labels() -> list[int]:
    return read_labels(sample("mnist-t10k-labels-idx1-ubyte.gz")).tolist()


def test_commands_of_the_readme_exist() -> None:
    from compressnet.commands.cli import app

    shown = set(re.findall(r"^\| `(\w+)", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert shown == {command.callback.__name__ for command in app.registered_commands}
