"""What a codec's losses cost a classifier: trained and tested on images that were decoded.

    python benchmarks/classifier.py FOLDER [--qualities 10 46 90] [--epochs E] [--seeds S] [--json]

FOLDER holds MNIST's four IDX files, or is `shipped`: the 10,000 test images, of which 8,000 train.
A small convolutional network is trained on the originals, and on what archives by the codec mnist
give at each quality, with the same seeds, and tested on test images of the same quality. Points
are test accuracy in per cent, the mean over seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import compressnet
from compressnet.images import open_collection, read_labels, sample
from compressnet.images.kinds import Pictures
from compressnet.integrations.torch import CompressnetDataset

BATCH = 64
RATE = 2e-3


@dataclass(frozen=True)
class Split:
    """Images (N,28,28) and their labels (N,)."""

    images: Pictures
    labels: list[int]


def mnist_of(folder: str) -> tuple[Split, Split]:
    """Images to train on, and to test on."""
    if folder == "shipped":
        images = open_collection("mnist").load()
        labels = read_labels(sample("mnist-t10k-labels-idx1-ubyte.gz")).tolist()
        return Split(images[:8000], labels[:8000]), Split(images[8000:], labels[8000:])
    parts: list[Split] = []
    for name in ("train", "t10k"):
        images = open_collection(Path(folder) / f"{name}-images-idx3-ubyte.gz").load()
        parts.append(Split(images, read_labels(Path(folder) / f"{name}-labels-idx1-ubyte.gz").tolist()))
    return parts[0], parts[1]


def tensors_of(split: Split, quality: int | None) -> tuple[Tensor, Tensor, float]:
    """Images (N,1,28,28) and labels out of an archive of a quality, and its bytes an image.

    Quality None is the originals.
    """
    if quality is None:
        return torch.from_numpy(split.images)[:, None], torch.tensor(split.labels), 784.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mnist.cnet"
        compressnet.compress(split.images, path, "mnist", quality, labels=split.labels)
        loader = DataLoader(CompressnetDataset(path, tensors=True), batch_size=1024)
        images, labels = (torch.cat(parts) for parts in zip(*loader, strict=True))
        return images, labels, path.stat().st_size / len(images)


def accuracy(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], epochs: int, seed: int) -> float:
    """Per cent of test images that a network trained on others tells."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        *(nn.Conv2d(1, 12, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(12, 24, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(384, 96), nn.ReLU(), nn.Linear(96, 10)),
    )
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    steps = epochs * -(-len(train[0]) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(train[0])).split(BATCH):
            loss = nn.functional.cross_entropy(network(train[0][rows].float() / 255), train[1][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.inference_mode():
        found = torch.cat([network(images.float() / 255).argmax(1) for images in test[0].split(1000)])
    return 100 * float((found == test[1]).float().mean())


def measure(folder: str, qualities: list[int | None], epochs: int, seeds: int) -> list[dict[str, float | None]]:
    """A row for each quality: bytes of a test image, and points."""
    train, test = mnist_of(folder)
    rows: list[dict[str, float | None]] = []
    for quality in qualities:
        *trained, _ = tensors_of(train, quality)
        *tested, each = tensors_of(test, quality)
        points = [
            accuracy((trained[0], trained[1]), (tested[0], tested[1]), epochs, seed)  # pyright: ignore[reportArgumentType]
            for seed in range(seeds)
        ]
        rows.append({"quality": quality, "bytes_per_image": each, "points": float(np.mean(points))})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--qualities", type=int, nargs="*", default=[10, 46, 90])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = measure(arguments.folder, [None, *arguments.qualities], arguments.epochs, arguments.seeds)
    if arguments.json:
        print(json.dumps(rows))
        return
    print("| quality | bytes an image | accuracy |\n| --- | --- | --- |")
    for row in rows:
        name = "originals" if row["quality"] is None else row["quality"]
        print(f"| {name} | {row['bytes_per_image']:.1f} | {row['points']:.2f} % |")


if __name__ == "__main__":
    main()
