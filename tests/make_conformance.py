"""Makes the committed files in tests/conformance.

Run by hand when a format changes on purpose, never by a test.

    python tests/make_conformance.py [NAME ...]

Codecs of random weights: `grey` 8x12 with a vector and a grid of symbols, `rgb` 12x8 with a grid
alone, and `tiles` 12x12 with a convolutional entropy model and linear branches; `odd` 9x14, sides
that are extended and cropped, and grey in networks that see colour. Of each: images, the packed
codec, an archive and a single block, and the pixels that they have to decode to, forever. `alpha`
8x8 with alpha is a codec alone; `mixed` is an archive made with it, of images with alpha, images
that are stored, and equal ones, and what each has to decode to. `lossless`: pixel models of random
integers, grey of 12x14 and any with alpha, an archive of such images and of some that are stored,
a single block of each kind, and the images. `forms` makes two archives: `deep`, without a codec,
of images of 16 bits in all modes, some of them tight, beside 8 bits, with names of classes; and
`tight`, of grey images that were saved in other modes, coded by `grey`. `adaptive` makes two, of
images of all modes and of 8 and 16 bits, most of which follow a primer of a few: `adaptive`
without loss, and `near` with errors of up to 3. `any`, `any8` and `any16` are codecs of one
network without a size each: RGBA in tiles of 4 pixels, RGB in tiles of 8, and RGBA in tiles of 16
with a pyramid. Of each: the packed codec, an archive of images of many sizes in all modes that it
codes, a single block, and the pixels.

Whatever is made, the small files in conformance/set and the manifest of all files follow (see
conformance_set): SHA-256 of each, and what reading it gives. `all` makes everything; without a
NAME, only these are made.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import compressnet
from compressnet.archive.writing.priming import Learning, make_primer
from compressnet.codec.bundle import Bundle, adaptive_bundle, make_bundle
from compressnet.codec.file import to_bytes
from compressnet.codec.loading import make_backend, make_codec
from compressnet.codec.packed import pack_bundle
from compressnet.images.modes import AS_IS
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.training.freeze.lossy import alphabets, freeze
from compressnet.training.freeze.sizeless import freeze_sizeless
from compressnet.training.lossy.design import OVERVIEW
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.widths import Widths
from conformance_set.manifest import write_set
from pixel_models import images_for, make_lossless_bundle, make_pixel_model

FOLDER = Path(__file__).parent / "conformance"
SMALL = Widths(fine=4, coarse=8, dense=16, vector=5, grid=1, hidden_vector=4, hidden_grid=8, refinement_dense=16)
KINDS = {
    "grey": ((8, 12, 1), SMALL),
    "rgb": ((12, 8, 3), replace(SMALL, vector=0, grid=2)),
    "alpha": ((8, 8, 4), replace(SMALL, vector=4, grid=0, refinement_dense=0)),
    "tiles": ((12, 12, 1), replace(SMALL, vector=0, grid=3, slices=2, hidden_slice=6, linear=True)),
    "odd": (
        (9, 14, 1),
        replace(SMALL, vector=0, grid=3, slices=2, hidden_slice=6, linear=True, channels=3, positions=False),
    ),
}


SIZELESS = {
    "any": replace(SMALL, vector=0, grid=3, slices=2, hidden_slice=6, linear=True, channels=4, positions=False),
    "any8": replace(
        SMALL, coarse=6, deep=6, vector=0, grid=4, slices=2, hidden_slice=6, linear=True, channels=3, positions=False
    ),
    "any16": replace(
        SMALL,
        patch_px=4,
        coarse=6,
        deep=6,
        vector=0,
        grid=5,
        slices=2,
        hidden_slice=6,
        pyramid=True,
        channels=4,
        positions=False,
    ),
}


def blobs(count: int, kind: tuple[int, int, int], seed: int) -> np.ndarray:
    """Smooth random pictures, uint8 (N,H,W,C)."""
    height, width, channels = kind
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    images = np.zeros((count, *kind))
    for _ in range(3):
        row, column = generator.uniform(0, height, (count, 1, 1)), generator.uniform(0, width, (count, 1, 1))
        spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / generator.uniform(2, 20, (count, 1, 1)))
        images += spot[..., None] * generator.uniform(0, 255, (count, 1, 1, channels))
    return np.clip(images, 0, 255).astype(np.uint8)


def random_codec(name: str) -> Bundle:
    """A frozen codec of random weights."""
    kind, widths = KINDS[name]
    network = freeze(random_model(kind, widths), blobs(200, kind, 1), (0, 99))
    return make_bundle((network,), name=f"tiny-{name}", default_quality=60, about="random weights")


def random_sizeless_codec(name: str) -> Bundle:
    """A frozen codec of random weights, for any size."""
    widths = SIZELESS[name]
    kinds = [(12, 9, widths.channels), (3, 17, 1), (1, 1, 3), (24, 8, widths.channels)]
    first = random_model(kinds[0], widths)
    forms = [first, *map(first.for_kind, kinds[1:])]
    samples = [blobs(20, kind, 1) for kind in kinds]
    bound_QS = np.max([alphabets(form, few, (0, 99)) for form, few in zip(forms, samples, strict=True)], axis=0)
    network = freeze_sizeless(forms, samples, (0, 99), bound_QS)
    return make_bundle((network,), name=f"tiny-{name}", default_quality=60, about="random weights")


def random_model(kind: tuple[int, int, int], widths: Widths) -> Model:
    """A model as it is before its training, with gains and biases that differ."""
    torch.manual_seed(7)
    model = Model(kind, widths, replace(OVERVIEW, log_lambda=(1.6, 5.5, 0.0), origin=0).lambdas()).eval()
    with torch.no_grad():
        spread = torch.rand_like(model.gains.encode_gain)
        model.gains.encode_gain += 2.5 + spread
        model.gains.decode_gain -= 2.5 + spread
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith(("bias", "phase")):
                parameter += 0.1 * torch.randn_like(parameter)
    return model


def images_of_any_size(channels: Sequence[int]) -> list[np.ndarray]:
    """Arrays of 31 sizes, most up to 40 pixels a side, of these channels by turns."""
    generator = np.random.default_rng(11)
    arrays = [blobs(2, (*map(int, generator.integers(1, 41, 2)), channels[i % len(channels)]), i) for i in range(28)]
    arrays += [blobs(2, (1, 1, channels[-1]), 28), blobs(1, (70, 3, channels[-1]), 29), blobs(1, (9, 290, 1), 30)]
    return [images[..., 0] if images.shape[-1] == 1 else images for images in arrays]


def write_any_size(name: str) -> None:
    """Write a codec for any size, its archive and block, and their pixels, anew."""
    path = FOLDER / f"{name}.codec"
    path.write_bytes(to_bytes(random_sizeless_codec(name)))
    codec = compressnet.load(path)
    (FOLDER / f"{name}.packed").write_bytes(pack_bundle(codec.bundle))
    (network,) = codec.bundle.networks
    assert isinstance(network, SizelessNetwork)
    images = images_of_any_size(network.served)
    compressnet.compress(images, FOLDER / f"{name}.cnet", codec, embed_codec=True)
    (FOLDER / f"{name}.block").write_bytes(codec.compress(images[2], quality=99))
    with compressnet.open(FOLDER / f"{name}.cnet") as archive:
        np.savez_compressed(FOLDER / f"{name}.npz", *archive, block=codec.autoencoder(images[2], quality=99))


def mixed_images() -> list[np.ndarray]:
    """Arrays of images of three shapes, some of them equal, some with colour under alpha 0."""
    seen, small = blobs(9, (8, 8, 4), 2), blobs(6, (5, 7, 3), 3)
    seen[::2, 2:6, :, 3] = 0
    return [seen[:5], small, seen[3:], blobs(2, (4, 4, 1), 4)[..., 0], small[:2]]


def write_mixed() -> None:
    """Write the mixed archive and its pixels anew."""
    path, images = FOLDER / "mixed.cnet", mixed_images()
    count = sum(map(len, images))
    names = [f"folder/{i}.png" for i in range(count)]
    codec = compressnet.load(FOLDER / "alpha.codec")
    compressnet.compress(images, path, codec, block_images=4, labels=list(range(count)), names=names)
    with compressnet.open(path) as archive:
        np.savez_compressed(FOLDER / "mixed.npz", *archive)


def write_lossless() -> None:
    """Write the lossless codec, its archive and blocks, and the images anew."""
    sized, any_size = make_pixel_model(1, (12, 14)), make_pixel_model(4)
    bundle = make_lossless_bundle(sized, any_size, name="tiny-lossless")
    (FOLDER / "lossless.codec").write_bytes(to_bytes(bundle))
    (FOLDER / "lossless.packed").write_bytes(pack_bundle(bundle))
    codec = compressnet.load(FOLDER / "lossless.codec")
    grey = images_for(sized, 9, (12, 14))[..., 0]
    alpha, large = images_for(any_size, 5, (9, 7)), images_for(any_size, 4, (16, 3))
    images = [grey[:6], alpha, blobs(2, (4, 4, 3), 4), large, grey[4:]]
    path = FOLDER / "lossless.cnet"
    compressnet.compress(images, path, codec, quality=100, block_images=4, embed_codec=True)
    (FOLDER / "lossless-grey.block").write_bytes(codec.compress(grey[:3], quality=100))
    (FOLDER / "lossless-alpha.block").write_bytes(codec.compress(alpha[:2], quality=100))
    with compressnet.open(path) as archive:
        np.savez_compressed(FOLDER / "lossless.npz", *archive)


def in_modes(grey: np.ndarray) -> list[np.ndarray]:
    """Grey images (N,H,W) of 8 or 16 bits as grey, grey and alpha, RGB, and RGB and alpha."""
    alpha = np.full_like(grey, np.iinfo(grey.dtype).max)[..., None]
    rgb = grey[..., None].repeat(3, axis=-1)
    return [grey, np.concatenate([rgb[..., :1], alpha], axis=-1), rgb, np.concatenate([rgb, alpha], axis=-1)]


def deep_images() -> list[np.ndarray]:
    """Arrays of images of 16 bits, some of them grey or opaque throughout, and one of 8 bits."""
    values = np.random.default_rng(5).integers(0, 1 << 12, (4, 6, 5, 4)).astype(np.uint16) * 16
    plain = [values[..., 0], values[..., :1], values[..., :2], values[..., :3], values]
    return [*plain, *in_modes(values[:2, ..., 1]), blobs(3, (6, 5, 4), 6), values[:1, ..., 0]]


def write_forms() -> None:
    """Write the archives of 16 bits and of tight modes, and their pixels, anew."""
    images = deep_images()
    labels = np.arange(sum(map(len, images))) % 3
    path = FOLDER / "deep.cnet"
    compressnet.compress(
        images, path, None, 100, block_images=3, labels=labels, class_names=["cat", "dog", "ünknown"], modes="tight"
    )
    with compressnet.open(path) as archive:
        np.savez_compressed(FOLDER / "deep.npz", *archive)
    codec, grey = compressnet.load(FOLDER / "grey.codec"), blobs(5, (8, 12, 1), 8)[..., 0]
    path = FOLDER / "tight.cnet"
    compressnet.compress(in_modes(grey), path, codec, block_images=3, embed_codec=True, modes="tight")
    with compressnet.open(path) as archive:
        np.savez_compressed(FOLDER / "tight.npz", *archive)


def adaptive_images() -> list[np.ndarray]:
    """Arrays of small drawings in all modes, some of them equal, and two of 16 bits."""
    grey = blobs(4, (9, 7, 1), 9)[..., 0] // 40 * 40
    deep = grey[:2].astype(np.uint16) * 200 + 3
    return [*in_modes(grey), blobs(2, (5, 12, 4), 10), grey[1:2], deep, deep[..., None].repeat(3, axis=-1)]


def write_adaptive() -> None:
    """Write the adaptive archives and their pixels anew."""
    images = adaptive_images()
    shallow = [array for array in images if array.dtype == np.uint8]
    for name, arrays, error in (("adaptive", images, 0), ("near", shallow, 3)):
        part = make_primer([array[:2] for array in arrays], AS_IS, Learning(error=error), make_backend(None, 1))
        codec = make_codec(adaptive_bundle(part), None, 1, "conformance")
        path = FOLDER / f"{name}.cnet"
        compressnet.compress(arrays, path, codec, 100 - error, block_images=3, exact_alpha=True)
        with compressnet.open(path) as archive:
            np.savez_compressed(FOLDER / f"{name}.npz", *archive)


def main(names: list[str]) -> None:
    """Write the files of these codecs anew."""
    FOLDER.mkdir(exist_ok=True)
    others = {"mixed": write_mixed, "lossless": write_lossless, "forms": write_forms, "adaptive": write_adaptive}
    for name in [*KINDS, *SIZELESS, *others] if names == ["all"] else names:
        if name in others:
            others[name]()
            continue
        if name in SIZELESS:
            write_any_size(name)
            continue
        kind, _ = KINDS[name]
        path = FOLDER / f"{name}.codec"
        path.write_bytes(to_bytes(random_codec(name)))
        if name == "alpha":
            continue
        codec = compressnet.load(path)
        (FOLDER / f"{name}.packed").write_bytes(pack_bundle(codec.bundle))
        images = blobs(23, kind, 2)
        images = images[..., 0] if kind[2] == 1 else images
        labels = list(range(23)) if name == "grey" else [f"blob {i}" for i in range(23)]
        compressnet.compress(images, FOLDER / f"{name}.cnet", codec, block_images=10, labels=labels, embed_codec=True)
        (FOLDER / f"{name}.block").write_bytes(codec.compress(images[:3], quality=99))
        np.savez_compressed(
            FOLDER / f"{name}.npz",
            images=images,
            symbols=codec.encoder(images),
            decoded=codec.autoencoder(images),
            block=codec.autoencoder(images[:3], quality=99),
        )
    write_set(FOLDER)


if __name__ == "__main__":
    main(sys.argv[1:])
