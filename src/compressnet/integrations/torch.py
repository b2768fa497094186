"""An archive as a dataset of PyTorch, with the look of torchvision's, and a sampler for it.

    dataset = CompressnetDataset("train.cnet", transform=to_tensor)
    sampler = BlockShuffle(dataset, batch_size=256, num_workers=2)
    loader = DataLoader(dataset, batch_size=256, sampler=sampler, num_workers=2)

Batches are decoded at once, by any number of workers.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import compressnet
from compressnet.archive.archive import Archive
from compressnet.codec.shipped import PathLike
from compressnet.errors import InputError
from compressnet.images.pillow import as_picture
from compressnet.integrations.hosts import missing_host
from compressnet.remote import absolute

try:
    import torch
    from torch.utils.data import Dataset, Sampler, Subset, get_worker_info
except ModuleNotFoundError as error:
    raise missing_host("PyTorch", "torch") from error

WINDOW_IMAGES = 1 << 13
"""Images that `BlockShuffle` shuffles together, about."""


class CompressnetDataset(Dataset[Any]):
    """The images of an archive with their labels, as torchvision's datasets give them.

    An item is (PIL.Image, label) or (tensor, label), or what the transforms make of both. An
    archive without labels gives images alone. It may be pickled, and used by any number of
    workers: each process opens the archive for itself, and workers of a DataLoader decode on one
    thread each.
    """

    classes: list[str]
    """Names of the classes: those in the archive, or else its labels as texts."""
    class_to_idx: dict[str, int]
    """The label of each class."""
    targets: list[int] | None
    """The label of each image: integers as they are in the archive, numbers of `classes` where it
    has texts; None without labels."""

    def __init__(
        self,
        path: PathLike,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        *,
        codec: PathLike | None = None,
        tensors: bool = False,
        in_memory: bool = False,
    ) -> None:
        """codec: as for `compressnet.open`.

        tensors: whether images are tensors (C,H,W), uint8 or uint16, as torchvision's `read_image`
        gives them, instead of pictures of Pillow; that is quicker.

        in_memory: whether all images are decoded now, once for all epochs and for all workers that
        are forked; they take their raw size.

        Raises what `compressnet.open` raises, and InputError.
        """
        self.path, self.codec = absolute(path), codec
        self.transform, self.target_transform, self.tensors = transform, target_transform, tensors
        self._archive: Archive | None = None
        self._process = 0
        archive = self.archive
        self._images = len(archive)
        self._decoded = archive[:] if in_memory else None
        self.targets, self.class_to_idx = _targets_of(archive)
        self.classes = list(self.class_to_idx)
        if self.targets is None and target_transform is not None:
            raise InputError(f"{self.path}: has no labels, so leave target_transform out")

    @property
    def archive(self) -> Archive:
        """The archive, opened by this process."""
        if self._archive is None or self._process != os.getpid():
            threads = None if get_worker_info() is None else 1
            self._archive = compressnet.open(self.path, self.codec, threads=threads)
            self._process = os.getpid()
            weakref.finalize(self, self._archive.close)
        return self._archive

    def __len__(self) -> int:
        return self._images

    def __getitem__(self, index: int) -> Any:
        """An item. Raises IndexError, and CorruptError for a damaged block."""
        if self._decoded is not None:
            return self._item(self._decoded[index], index)
        return self._item(self.archive[index], index)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """The items of a batch, as DataLoader asks for them: each block is decoded once."""
        if self._decoded is not None:
            return [self._item(self._decoded[index], index) for index in indices]
        distinct, back = np.unique(np.asarray(indices, np.int64), return_inverse=True)
        images = self.archive[distinct]
        return [self._item(images[row], index) for row, index in zip(back.tolist(), indices, strict=True)]

    def _item(self, image: NDArray[Any], index: int) -> Any:
        shown = _tensor_of(image) if self.tensors else as_picture(image)
        if self.transform is not None:
            shown = self.transform(shown)
        if self.targets is None:
            return shown
        label = self.targets[index]
        return shown, label if self.target_transform is None else self.target_transform(label)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_archive": None}

    def __repr__(self) -> str:
        return f"<CompressnetDataset {self.path} images={len(self)} classes={len(self.classes)}>"


def _tensor_of(image: NDArray[Any]) -> torch.Tensor:
    """An image as (C,H,W), in memory of its own."""
    tensor = torch.from_numpy(image)
    channels_first = tensor[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)
    return channels_first.clone(memory_format=torch.contiguous_format)


def _targets_of(archive: Archive) -> tuple[list[int] | None, dict[str, int]]:
    """The label of each image, and that of each class by its name."""
    labels, names = archive.labels, archive.class_names
    if labels is None:
        return None, {}
    if labels.dtype.kind == "U":
        classes, numbers = np.unique(labels, return_inverse=True)
        return numbers.tolist(), {name: number for number, name in enumerate(classes.tolist())}
    if names is None:
        return labels.tolist(), {str(label): label for label in np.unique(labels).tolist()}
    return labels.tolist(), {name: number for number, name in enumerate(names)}


class BlockShuffle(Sampler[int]):
    """All images in an order that is quick to read: shuffled blocks, shuffled in windows.

    This is no uniform shuffle. The archive's blocks are shuffled; then as many blocks as hold
    about `window_images` images are taken together, and the images in them are shuffled. So
    images of one block (which were neighbours when the archive was written) come within one
    window of each other, and an archive that is sorted by class should have blocks that are small
    against the window. Each block is decoded once in an epoch, where a window fits in what an
    open archive keeps (64 MiB).

    With several workers, give the DataLoader's `batch_size` and `num_workers`: each worker then
    gets blocks of its own, the same ones in every epoch. So does each process of a distributed
    training, by `rank` and `num_replicas`; all have equally many images, for which some may take
    images of theirs twice. The order depends on the seed, the epoch and the rank alone. Every pass
    is a new epoch; `set_epoch` says which is next.
    """

    def __init__(
        self,
        dataset: CompressnetDataset | Subset[Any],
        *,
        batch_size: int = 1,
        num_workers: int = 0,
        window_images: int = WINDOW_IMAGES,
        seed: int = 0,
        rank: int = 0,
        num_replicas: int = 1,
    ) -> None:
        """dataset: all images of an archive, or a part of them, as `random_split` gives it.

        rank, num_replicas: which process this is, and of how many, as for DistributedSampler.

        Raises InputError for any other dataset, for numbers below 1, below 0 for workers and seed,
        for a rank that there is not, and for fewer blocks than processes.
        """
        if min(batch_size, window_images) < 1 or min(num_workers, seed) < 0:
            raise InputError("batch_size and window_images have to be 1 at least, num_workers and seed 0")
        self._batch, self._workers = batch_size, max(1, num_workers)
        if not 0 <= rank < num_replicas:
            raise InputError(f"rank {rank} of {num_replicas} processes: ranks go from 0 to {num_replicas - 1}")
        self._window, self._seeds, self._epoch = window_images, (seed, rank) if rank else (seed,), 0
        positions, whole = np.arange(len(dataset)), dataset
        while isinstance(whole, Subset):
            positions, whole = np.asarray(whole.indices, np.int64)[positions], whole.dataset
        if not isinstance(whole, CompressnetDataset):
            raise InputError(
                f"BlockShuffle is for a CompressnetDataset, or a Subset of one, not {type(whole).__name__}"
            )
        container = whole.archive.container
        places = container.places_of(positions)
        order = np.argsort(places, kind="stable")
        starts = np.unique(container.blocks_of(places[order]), return_index=True)[1]
        self._blocks = _share(np.split(order, starts[1:]), rank, num_replicas)
        self._images = sum(map(len, self._blocks))

    def __len__(self) -> int:
        return self._images

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next pass is."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([*self._seeds, self._epoch])
        self._epoch += 1
        numbers = np.arange(len(self._blocks))
        orders = [
            self._order(generator.permutation(numbers[i :: self._workers]), generator) for i in range(self._workers)
        ]
        # DataLoader gives batch i to worker i mod num_workers; what is left goes to any of them
        rounds = min(map(len, orders)) // self._batch
        for start in range(0, rounds * self._batch, self._batch):
            for order in orders:
                yield from order[start : start + self._batch].tolist()
        for order in orders:
            yield from order[rounds * self._batch :].tolist()

    def _order(self, numbers: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
        """Images of these blocks, shuffled in windows of whole blocks."""
        blocks = [self._blocks[number] for number in numbers.tolist()]
        starts = np.cumsum([0, *map(len, blocks)])
        images = np.concatenate([np.zeros(0, np.int64), *blocks])
        cuts = starts[1:][np.diff(starts // self._window) > 0]
        return np.concatenate([generator.permutation(part) for part in np.split(images, cuts)])


def _share(blocks: list[NDArray[np.int64]], rank: int, num_replicas: int) -> list[NDArray[np.int64]]:
    """The blocks of a process, and as many of their images again as other processes have more.

    Raises InputError for fewer blocks than processes.
    """
    if len(blocks) < num_replicas:
        raise InputError(f"{len(blocks)} blocks for {num_replicas} processes; write the archive with smaller blocks")
    most = max(sum(map(len, blocks[one::num_replicas])) for one in range(num_replicas))
    own = blocks[rank::num_replicas]
    missing = most - sum(map(len, own))
    return [*own, np.resize(np.concatenate(own), missing)] if missing else own
