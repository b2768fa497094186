"""How fast PyTorch's DataLoader gets images: archives beside PNG files and a WebDataset tar.

    python benchmarks/loaders.py [INPUT] [--images N] [--workers W] [--batch B] [--runs R] [--json]

INPUT is what `compressnet compress` takes, by default MNIST's 10,000 test images. Each way
shuffles, and makes float tensors (C,H,W) from 0 to 1: of pictures of Pillow, or, in rows
`tensors`, of tensors. It reads the collection R times, in turn with the others, after one epoch
that does not count but is shown. Workers stay from epoch to epoch. Each row has the best wall time
of an epoch, and the least processor time of all processes together, which tells more where the
machine does other work, too. WebDataset shuffles within 1,000 images, BlockShuffle within 8,192.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import compressnet
from compressnet.images import open_collection
from compressnet.images.kinds import Pictures
from compressnet.images.pillow import as_picture
from compressnet.integrations.torch import BlockShuffle, CompressnetDataset

SHARDS = 4


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """What torchvision's `ToTensor` does."""
    values = np.array(picture)
    return torch.from_numpy(values[None] if values.ndim == 2 else values.transpose(2, 0, 1)).float().div_(255)


def to_float(image: torch.Tensor) -> torch.Tensor:
    """The same of a tensor."""
    return image.float().div_(255)


def count(batch: list[Any]) -> int:
    """Instead of a stack, as sizes may differ."""
    return len(batch)


class Pngs(Dataset[Any]):
    """A folder of PNG files, read as torchvision's ImageFolder does."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(map(str, folder.iterdir()))

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        with open(self._paths[index], "rb") as stream:
            picture = Image.open(stream)
            picture.load()
        return to_tensor(picture), 0


def processor_s(workers: list[Any]) -> float:
    """Seconds that this process and running workers have taken."""
    ticks = 0
    for worker in workers:
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


class Way:
    """A loader whose workers stay, and its epochs' times."""

    def __init__(self, name: str, make: Callable[[], Any], stored_bytes: int) -> None:
        self.name, self.stored_bytes = name, stored_bytes
        self._loader = make()
        self.walls: list[float] = []
        self.processors: list[float] = []

    def epoch(self) -> None:
        """Read all images once."""
        iterator: Iterator[int] = iter(self._loader)
        workers = list(getattr(iterator, "_workers", []))
        wall, processor = time.perf_counter(), processor_s(workers)
        self.images = sum(iterator)
        self.walls.append(time.perf_counter() - wall)
        self.processors.append(processor_s(workers) - processor)


def ways_of(images: list[Pictures], folder: Path, workers: int, batch: int) -> Iterator[Way]:
    """Everything that is compared, its files written into a folder."""
    options: dict[str, Any] = {"batch_size": batch, "num_workers": workers, "collate_fn": count}
    options |= {"persistent_workers": workers > 0}
    pngs = folder / "pngs"
    pngs.mkdir()
    sizes = 0
    tars = [tarfile.TarFile(folder / f"{shard}.tar", "w") for shard in range(SHARDS)]
    for number, image in enumerate(images):
        stream = io.BytesIO()
        as_picture(image).save(stream, "png")
        (pngs / f"{number:06}.png").write_bytes(stream.getvalue())
        sizes += len(stream.getvalue())
        member = tarfile.TarInfo(f"{number:06}.png")
        member.size = len(stream.getvalue())
        tars[number % SHARDS].addfile(member, io.BytesIO(stream.getvalue()))
    for tar in tars:
        tar.close()
    yield Way("PNG files", lambda: DataLoader(Pngs(pngs), shuffle=True, **options), sizes)
    shards = [str(folder / f"{shard}.tar") for shard in range(SHARDS)]

    def from_tars() -> Any:
        pipeline = webdataset.WebDataset(shards, shardshuffle=SHARDS).shuffle(1000).decode("pil").to_tuple("png")
        return DataLoader(pipeline.map_tuple(to_tensor), **options)

    yield Way("WebDataset tar", from_tars, sum(Path(shard).stat().st_size for shard in shards))
    arrays = [image[None] for image in images]
    kinds: dict[str, dict[str, Any]] = {"lossless, adaptive": {"codec": None, "quality": 100}}
    if all(image.shape == (28, 28) for image in images):
        kinds = {"lossy": {"codec": "mnist"}, "lossless, codec": {"codec": "mnist", "quality": 100}} | kinds
    for name, settings in kinds.items():
        path = folder / f"{name}.cnet"
        compressnet.compress(iter(arrays), path, **settings)
        size = path.stat().st_size
        for tensors in (False, True):
            more: dict[str, Any] = {"transform": to_float if tensors else to_tensor, "tensors": tensors}
            title = f"{name}, tensors" if tensors else name
            dataset, decoded = CompressnetDataset(path, **more), CompressnetDataset(path, in_memory=True, **more)
            blocks = BlockShuffle(dataset, batch_size=batch, num_workers=workers)
            yield Way(f"{title}: shuffle", lambda d=dataset: DataLoader(d, shuffle=True, **options), size)
            yield Way(f"{title}: BlockShuffle", lambda d=dataset, b=blocks: DataLoader(d, sampler=b, **options), size)
            yield Way(f"{title}: in_memory", lambda d=decoded: DataLoader(d, shuffle=True, **options), size)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="?", default="mnist")
    parser.add_argument("--images", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    images = [image for batch in open_collection(arguments.input).arrays(arguments.images) for image in batch]
    with tempfile.TemporaryDirectory() as folder:
        ways = list(ways_of(images, Path(folder), arguments.workers, arguments.batch))
        for _ in range(arguments.runs + 1):
            for way in ways:
                way.epoch()
        rows = [
            {
                "way": way.name,
                "bytes": way.stored_bytes,
                "images_per_s": way.images / min(way.walls[1:]),
                "processor_us_per_image": 1e6 * min(way.processors[1:]) / way.images,
                "first_epoch_processor_us_per_image": 1e6 * way.processors[0] / way.images,
            }
            for way in ways
        ]
    if arguments.json:
        print(json.dumps({"images": len(images), "workers": arguments.workers, "rows": rows}))
        return
    print("| way | bytes | images/s | processor us/image | the same, first epoch |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print(
            f"| {row['way']} | {row['bytes']:,} | {row['images_per_s']:,.0f} | {row['processor_us_per_image']:.0f} "
            f"| {row['first_epoch_processor_us_per_image']:.0f} |"
        )


if __name__ == "__main__":
    main()
