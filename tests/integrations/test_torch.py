"""An archive under PyTorch's DataLoader."""

from __future__ import annotations

import copy
import pickle
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import compressnet
from compressnet.errors import CorruptError, InputError
from drawings import drawn

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, Subset  # noqa: E402

from compressnet.integrations.torch import BlockShuffle, CompressnetDataset  # noqa: E402

COUNT = 60
pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return drawn(COUNT, channels=3)


@pytest.fixture(scope="module")
def path(images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torch") / "drawn.cnet"
    labels = [i % 3 for i in range(COUNT)]
    compressnet.compress(images, path, None, labels=labels, class_names=["a", "b", "c"], block_images=8)
    return path


def as_tensor(picture: Any) -> Any:
    return torch.from_numpy(np.array(picture))


def negative(label: int) -> int:
    return -label


def test_items_are_pictures_and_labels(path: Path, images: np.ndarray) -> None:
    dataset = CompressnetDataset(path)
    assert len(dataset) == COUNT
    picture, label = dataset[7]
    assert (picture.mode, picture.size, label) == ("RGB", (12, 12), 1)
    assert np.array_equal(picture, images[7])
    assert dataset.classes == ["a", "b", "c"]
    assert dataset.class_to_idx == {"a": 0, "b": 1, "c": 2}
    assert dataset.targets == [i % 3 for i in range(COUNT)]
    assert np.array_equal(dataset[-1][0], images[-1])
    with pytest.raises(IndexError):
        dataset[COUNT]


def test_transforms_make_what_comes_out(path: Path, images: np.ndarray) -> None:
    tensor, label = CompressnetDataset(path, as_tensor, negative)[4]
    assert np.array_equal(tensor.numpy(), images[4])
    assert label == -1


@pytest.mark.parametrize("in_memory", [False, True])
def test_tensors_have_channels_first_and_are_their_own(path: Path, images: np.ndarray, in_memory: bool) -> None:
    dataset = CompressnetDataset(path, tensors=True, in_memory=in_memory)
    for _ in range(2):
        (one, _), (same, _) = dataset.__getitems__([7, 7])
        assert (one.shape, one.dtype) == ((3, 12, 12), torch.uint8)
        assert np.array_equal(one.permute(1, 2, 0), images[7])
        one.zero_()
        assert np.array_equal(same.permute(1, 2, 0), images[7])
    (batch, _) = next(iter(DataLoader(dataset, batch_size=4)))
    assert batch.shape == (4, 3, 12, 12)


def test_a_batch_may_hold_an_image_twice(path: Path, images: np.ndarray) -> None:
    items = CompressnetDataset(path).__getitems__([9, 2, 9, -1])
    assert [label for _, label in items] == [0, 2, 0, 2]
    assert all(np.array_equal(picture, images[i]) for (picture, _), i in zip(items, [9, 2, 9, -1], strict=True))


@pytest.mark.parametrize(
    ("workers", "context", "in_memory"),
    [
        (0, None, False),
        (0, None, True),
        (1, "fork", False),
        (4, "fork", False),
        (4, "fork", True),
        (1, "spawn", True),
        pytest.param(4, "spawn", False, marks=pytest.mark.slow),
    ],
)
def test_every_image_comes_once_with_any_workers(
    path: Path, images: np.ndarray, workers: int, context: str | None, in_memory: bool
) -> None:
    dataset = CompressnetDataset(path, as_tensor, in_memory=in_memory)
    assert len(dataset[0]) == 2  # the parent has read from its archive before it forks
    loader = DataLoader(dataset, batch_size=7, shuffle=True, num_workers=workers, multiprocessing_context=context)
    seen = [(batch.numpy(), labels.numpy()) for batch, labels in loader]
    found, labels = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    order = np.lexsort(found.reshape(COUNT, -1).T)
    expected = np.lexsort(images.reshape(COUNT, -1).T)
    assert np.array_equal(found[order], images[expected])
    assert np.array_equal(labels[order], expected % 3)


def test_datasets_are_copied_and_pickled(path: Path) -> None:
    dataset = CompressnetDataset(path, target_transform=negative)
    for other in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        assert np.array_equal(other[3][0], dataset[3][0])
        assert other[5][1] == -2


def test_subsets_read_in_batches(path: Path) -> None:
    subset = Subset(CompressnetDataset(path, as_tensor), [5, 50, 6])
    (batch,) = DataLoader(subset, batch_size=3)
    assert batch[1].tolist() == [2, 2, 0]


def test_images_of_several_sizes_and_labels_that_are_texts(tmp_path: Path) -> None:
    sets = [drawn(2), drawn(3, side_px=9, channels=1)[..., 0]]
    compressnet.compress(iter(sets), tmp_path / "a.cnet", None, labels=["tree", "cat", "tree", "cat", "bee"])
    dataset = CompressnetDataset(tmp_path / "a.cnet")
    assert [(picture.mode, picture.size) for picture, _ in dataset.__getitems__([0, 4])] == [
        ("RGBA", (12, 12)),
        ("L", (9, 9)),
    ]
    assert dataset.classes == ["bee", "cat", "tree"]
    assert dataset.targets == [2, 1, 2, 1, 0]


def test_labels_without_names_are_classes_by_number(tmp_path: Path) -> None:
    compressnet.compress(drawn(3), tmp_path / "a.cnet", None, labels=[7, -3, 7])
    dataset = CompressnetDataset(tmp_path / "a.cnet")
    assert dataset.classes == ["-3", "7"]
    assert dataset.class_to_idx == {"-3": -3, "7": 7}
    assert [dataset[i][1] for i in range(3)] == [7, -3, 7]


def test_without_labels_images_come_alone(tmp_path: Path) -> None:
    compressnet.compress(drawn(3), tmp_path / "a.cnet", None)
    dataset = CompressnetDataset(tmp_path / "a.cnet")
    assert dataset[0].size == (12, 12)
    assert dataset.targets is None
    with pytest.raises(InputError, match="has no labels, so leave target_transform out"):
        CompressnetDataset(tmp_path / "a.cnet", target_transform=negative)


def test_grey_of_16_bits_comes_as_such_and_colour_is_refused(tmp_path: Path) -> None:
    deep = drawn(2, channels=3).astype(np.uint16) * 257
    compressnet.compress(deep[..., 0], tmp_path / "grey.cnet", None)
    picture = CompressnetDataset(tmp_path / "grey.cnet")[1]
    assert picture.mode == "I;16"
    assert np.array_equal(picture, deep[1, ..., 0])
    compressnet.compress(deep, tmp_path / "colour.cnet", None)
    with pytest.raises(InputError, match="Pillow has no mode"):
        CompressnetDataset(tmp_path / "colour.cnet")[1]
    tensor = CompressnetDataset(tmp_path / "colour.cnet", tensors=True)[1]
    assert np.array_equal(tensor.permute(1, 2, 0), deep[1])


def test_damage_is_an_error_that_names_the_file(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    with compressnet.open(path) as archive:
        entry = archive.container.blocks[2]
    data[entry.offset + entry.chunk_bytes // 2] ^= 1
    (tmp_path / "bad.cnet").write_bytes(data)
    with pytest.raises(CorruptError, match=r"bad\.cnet: block 2"):
        list(DataLoader(CompressnetDataset(tmp_path / "bad.cnet", as_tensor)))


class Reads(CompressnetDataset):
    """Remembers which blocks each batch touches."""

    def __getitems__(self, indices: Any) -> list[Any]:
        return [np.unique(np.asarray(indices) // 8)]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_block_shuffle_gives_every_image_once(path: Path, workers: int) -> None:
    sampler = BlockShuffle(CompressnetDataset(path), batch_size=5, num_workers=workers, window_images=20)
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(COUNT))
    assert len(sampler) == COUNT
    assert first != second
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_block_shuffle_depends_on_its_seed(path: Path) -> None:
    dataset = CompressnetDataset(path)
    orders = [list(BlockShuffle(dataset, seed=seed)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_block_shuffle_keeps_to_windows_of_blocks(path: Path) -> None:
    order = list(BlockShuffle(CompressnetDataset(path), window_images=16))
    whole = [{i // 8 for i in order[start : start + 16]} for start in range(0, 48, 16)]
    assert all(len(blocks) <= 3 for blocks in whole)
    assert order != sorted(order)


def test_no_two_workers_read_a_block(path: Path) -> None:
    dataset = Reads(path)
    sampler = BlockShuffle(dataset, batch_size=4, num_workers=2, window_images=8)
    loader = DataLoader(dataset, batch_size=4, sampler=sampler, collate_fn=lambda read: set(read[0].tolist()))
    batches, again = list(loader), list(loader)
    mine, others = (set.union(*batches[worker:12:2], *again[worker:12:2]) for worker in (0, 1))
    assert not mine & others
    assert batches != again


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_processes_share_the_blocks_and_have_equally_many_images(path: Path, processes: int) -> None:
    dataset = CompressnetDataset(path)
    shares = [BlockShuffle(dataset, rank=rank, num_replicas=processes) for rank in range(processes)]
    orders = [list(share) for share in shares]
    assert set().union(*orders) == set(range(COUNT))
    assert len({len(order) for order in orders}) == 1
    assert [len(share) for share in shares] == [len(order) for order in orders]
    blocks = [{i // 8 for i in order} for order in orders]
    assert sum(map(len, blocks)) == len(set().union(*blocks))


def test_a_rank_that_there_is_not(path: Path) -> None:
    with pytest.raises(InputError, match="rank 2 of 2"):
        BlockShuffle(CompressnetDataset(path), rank=2, num_replicas=2)
    with pytest.raises(InputError, match="blocks for 100 processes"):
        BlockShuffle(CompressnetDataset(path), rank=2, num_replicas=100)


def test_block_shuffle_of_a_part_gives_its_own_numbers(path: Path) -> None:
    part = Subset(Subset(CompressnetDataset(path), range(10, 60)), [40, 1, 3, 0, 39, 41, 2])
    order = list(BlockShuffle(part, window_images=1))
    assert sorted(order) == list(range(7))
    blocks = [(10 + part.indices[i]) // 8 for i in order]
    assert len(list(groupby(blocks))) == len(set(blocks))


def test_block_shuffle_refuses_other_datasets_and_odd_numbers(path: Path) -> None:
    with pytest.raises(InputError, match="BlockShuffle is for a CompressnetDataset, or a Subset of one, not list"):
        BlockShuffle([1, 2, 3])
    with pytest.raises(InputError, match="batch_size and window_images have to be 1 at least"):
        BlockShuffle(CompressnetDataset(path), batch_size=0)
