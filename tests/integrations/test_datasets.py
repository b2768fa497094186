"""Archives as Hugging Face's datasets, and the other way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import compressnet
from compressnet.errors import InputError
from drawings import drawn

datasets = pytest.importorskip("datasets")

from compressnet.integrations.datasets import from_dataset, to_dataset  # noqa: E402

LABELS = [0, 2, 1, 0, 2, 1, 2]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    datasets.disable_progress_bars()


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """RGBA, then grey of another size, then grey of 16 bits."""
    return [*drawn(4), *drawn(2, side_px=9, channels=1)[..., 0], np.arange(63, dtype=np.uint16).reshape(7, 9) * 1000]


@pytest.fixture
def path(images: list[np.ndarray], tmp_path: Path) -> Path:
    names = [f"{i}.png" for i in range(7)]
    compressnet.compress(
        (image[None] for image in images), tmp_path / "a.cnet", None, labels=LABELS, names=names, class_names="abc"
    )
    return tmp_path / "a.cnet"


@pytest.mark.parametrize("streaming", [False, True])
def test_an_archive_becomes_a_dataset(path: Path, images: list[np.ndarray], streaming: bool) -> None:
    dataset = to_dataset(path, "validation", streaming=streaming)
    assert isinstance(dataset, datasets.IterableDataset if streaming else datasets.Dataset)
    assert str(dataset.split) == "validation"
    assert dataset.features["label"].names == ["a", "b", "c"]
    rows = list(dataset)
    assert [row["label"] for row in rows] == LABELS
    assert [row["name"] for row in rows] == [f"{i}.png" for i in range(7)]
    assert all(np.array_equal(row["image"], image) for row, image in zip(rows, images, strict=True))
    assert [row["image"].mode for row in rows] == ["RGBA"] * 4 + ["L"] * 2 + ["I;16"]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_dataset_becomes_the_same_archive(
    path: Path, images: list[np.ndarray], streaming: bool, tmp_path: Path
) -> None:
    written = from_dataset(to_dataset(path, streaming=streaming), tmp_path / "b.cnet")
    assert written.lossless_checked
    assert written.changed == ["labels: from column label", "names: from column name"]
    with compressnet.open(path) as first, compressnet.open(tmp_path / "b.cnet") as second:
        assert second.labels.tolist() == LABELS
        assert (second.names, second.class_names) == (first.names, first.class_names)
        assert all(np.array_equal(*pair) for pair in zip(second, images, strict=True))


def test_splits_are_files_of_a_folder(path: Path, tmp_path: Path) -> None:
    splits = to_dataset({"train": path, "test": path})
    assert isinstance(splits, datasets.DatasetDict)
    assert set(from_dataset(splits, tmp_path / "splits")) == {"train", "test"}
    assert sorted(file.name for file in (tmp_path / "splits").iterdir()) == ["test.cnet", "train.cnet"]
    again = to_dataset(tmp_path / "splits", streaming=True)
    assert isinstance(again, datasets.IterableDatasetDict)
    assert {name: str(split.split) for name, split in again.items()} == {"train": "train", "test": "test"}
    with pytest.raises(InputError, match=r"holds no file that ends in \.cnet"):
        to_dataset(Path(__file__).parent)


def test_an_archive_that_changed_is_read_anew(path: Path) -> None:
    assert len(to_dataset(path)) == 7
    compressnet.compress(drawn(3), path, None, labels=["x", "y", "x"])
    dataset = to_dataset(path)
    assert dataset["label"][:] == ["x", "y", "x"]
    assert dataset.column_names == ["image", "label"]


def test_an_open_archive_is_taken_and_one_in_memory_is_not(path: Path) -> None:
    with compressnet.open(path) as archive:
        assert len(to_dataset(archive)) == 7
    with compressnet.open(path.read_bytes()) as archive, pytest.raises(InputError, match="an archive in memory; write"):
        to_dataset(archive)


def test_colour_of_16_bits_is_refused(tmp_path: Path) -> None:
    compressnet.compress(drawn(2, channels=3).astype(np.uint16), tmp_path / "a.cnet", None)
    with pytest.raises(InputError, match="16 bits in several channels"):
        to_dataset(tmp_path / "a.cnet")


def test_labels_beyond_the_names_stay_integers(tmp_path: Path) -> None:
    compressnet.compress(drawn(2), tmp_path / "a.cnet", None, labels=[0, 5], class_names=["a", "b"])
    dataset = to_dataset(tmp_path / "a.cnet")
    assert dataset.features["label"] == datasets.Value("int64")
    assert dataset["label"][:] == [0, 5]


def rows(count: int, **more: Any) -> Any:
    features = {"picture": datasets.Image()} | {name: feature for name, (feature, _) in more.items()}
    values = {"picture": list(drawn(count, channels=3))} | {name: given for name, (_, given) in more.items()}
    return datasets.Dataset.from_dict(values, features=datasets.Features(features))


def test_columns_that_no_archive_keeps_are_refused(tmp_path: Path) -> None:
    text = datasets.Value("string")
    dataset = rows(2, caption=(text, ["a", "b"]), label=(text, ["x", "y"]))
    with pytest.raises(InputError, match=r"a\.cnet: columns that no archive keeps: caption; .*remove_columns"):
        from_dataset(dataset, tmp_path / "a.cnet")
    from_dataset(dataset.remove_columns("caption"), tmp_path / "a.cnet")
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert archive.labels.tolist() == ["x", "y"]
    with pytest.raises(InputError, match="no column of images"):
        from_dataset(dataset.remove_columns("picture"), tmp_path / "b.cnet")
    assert not (tmp_path / "b.cnet").exists()


def test_rows_without_label_or_picture_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.cnet: row 1 has no label; leave out the row or the column"):
        from_dataset(rows(2, label=(datasets.Value("int64"), [1, None])), tmp_path / "a.cnet")
    features = datasets.Features({"image": datasets.Image()})
    empty = datasets.Dataset.from_dict({"image": [drawn(1, channels=3)[0], None]}, features=features)
    with pytest.raises(InputError, match=r"a\.cnet: row 1: holds no picture"):
        from_dataset(empty, tmp_path / "a.cnet")


def test_files_formats_and_losses(tmp_path: Path, mnist: np.ndarray) -> None:
    from PIL import Image

    for i in range(3):
        Image.fromarray(mnist[i]).save(tmp_path / f"{i}.png")
    paths = {"image": [str(tmp_path / f"{i}.png") for i in range(3)]}
    dataset = datasets.Dataset.from_dict(paths).cast_column("image", datasets.Image()).with_format("numpy")
    from_dataset(dataset, tmp_path / "a.cnet", "mnist", 60)
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert np.array_equal(archive[:], compressnet.load("mnist").autoencoder(mnist[:3], quality=60))
