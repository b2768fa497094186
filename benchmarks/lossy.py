"""What `compress` takes at a PSNR without a codec being named, beside AVIF and WebP.

    python benchmarks/lossy.py FOLDER [--only NAME ...] [--psnr 28 32 36] [--own]

FOLDER is that of benchmarks/make_collections.py, of which the 300 pictures of each collection are
measured. PSNR is over all values, colour under alpha 0 being black, for all codecs alike. All
bytes of an archive count, names included. Between two settings, bytes are interpolated. --own
leaves the others out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

import compressnet
from compressnet import api
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.choosing import pick
from compressnet.archive.writing.picked import Goal
from compressnet.archive.writing.settings import Settings
from compressnet.bench.rivals.catalogue import AVIF, WEBP
from compressnet.bench.rivals.matched import mosaic_at
from compressnet.images import open_collection
from compressnet.images.alpha import clear_hidden
from compressnet.images.kinds import Images, eight_bits

COLLECTIONS = ("silk", "tango", "mate", "emoji", "photos")
AROUND_DB = (-3.0, -1.5, 0.0, 1.5)
"""What is asked for, around a PSNR: colour under alpha 0 does not count there."""


def images_of(folder: Path) -> list[Images]:
    """The pictures of a folder (1,H,W,C), with colour under alpha 0 black."""
    collection = open_collection(str(folder))
    found: list[Images] = []
    for batch in collection.batches():
        images = eight_bits(batch).reshape(*batch.shape[:3], -1)
        found += [clear_hidden(image[None]) if images.shape[3] in (2, 4) else image[None] for image in images]
    return found


def own_points(images: list[Images], wanted_db: float) -> list[tuple[float, float]]:
    """PSNR and bytes a picture of archives around a PSNR."""
    points: list[tuple[float, float]] = []
    for around in AROUND_DB:
        goal = Goal(mse=10 ** (-(wanted_db + around) / 10))
        picked = pick(images, None, Bounds(), goal)
        quality = picked.quality if picked.quality is not None else picked.points[0].quality
        with tempfile.TemporaryDirectory(prefix="compressnet-") as folder:
            path = Path(folder) / "own.cnet"
            names = [f"{i:05}.png" for i in range(len(images))]
            settings = Settings(quality=quality, network_mse=picked.network_mse)
            api.write(images, path, picked.codec, settings, names=names)
            size = path.stat().st_size
            with compressnet.open(path) as archive:
                pairs = [
                    (found.reshape(image.shape[1:]), image[0]) for found, image in zip(archive, images, strict=True)
                ]
        squares = sum(
            float(np.square(shown(eight_bits(found)) - image.astype(np.float64)).sum()) for found, image in pairs
        )
        values = sum(image.size for _, image in pairs)
        points.append((10 * np.log10(255**2 * values / squares), size / len(images)))
    return sorted(points)


def shown(image: Images) -> Images:
    """An image (H,W,C) with colour under alpha 0 black."""
    return clear_hidden(image[None])[0] if image.shape[2] in (2, 4) else image


def main() -> None:
    """Print a line of JSON for each collection and PSNR."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=COLLECTIONS)
    parser.add_argument("--psnr", nargs="*", type=float, default=[28, 32, 36])
    parser.add_argument("--own", action="store_true")
    given = parser.parse_args()
    for name in given.only:
        images = images_of(given.folder / name / "300")
        by_shape = {image.shape[1:]: [other for other in images if other.shape == image.shape] for image in images}
        mosaics = [np.concatenate(group) for group in by_shape.values()]
        for wanted in given.psnr:
            points = own_points(images, wanted)
            decibels, sizes = zip(*points, strict=True)
            found = float(np.exp(np.interp(wanted, decibels, np.log(sizes))))
            line: dict[str, object] = {"collection": name, "psnr": wanted, "compressnet": round(found, 1)}
            line["reached"] = bool(decibels[0] <= wanted <= decibels[-1])
            for rival in () if given.own else (AVIF, WEBP):
                for layout, arrays in (("mosaics", mosaics), ("files", images)):
                    matched = mosaic_at(arrays, rival, wanted)
                    line[f"{rival.title}, {layout}"] = matched and round(matched.total_bytes / len(images), 1)
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
