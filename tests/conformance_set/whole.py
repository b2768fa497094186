"""Archives that every reader reads: each method with few and many images, and extremes of all.

`archives` gives them by name, with the file of the codec that reads them, where one is needed.
"""

from __future__ import annotations

import functools
import io
import itertools
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import compressnet
from compressnet.codec.bundle import make_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.packed import pack_bundle
from compressnet.codec.shipped import GENERAL_CODEC, read_bundle
from compressnet.coding.coder import LOSSLESS, LOSSY
from compressnet.coding.predictors import residuals_of, take_green
from compressnet.coding.stored import levels_in, pack_stored
from compressnet.container.columns import pack_class_names, pack_labels, pack_names
from compressnet.container.entries import EMBEDDED_DIFFERENCE
from compressnet.images.forms import Form
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.training.freeze.sizeless import with_own_probe
from conformance_set.layout import (
    LEAST,
    USUAL,
    Layout,
    block,
    blocks,
    codec_chunk,
    form_of,
    kind,
    primed,
)

FOLDER = Path(__file__).parents[1] / "conformance"
K = 4
"""Images of a block, at most, in archives that count."""
Named = tuple[str, bytes, str | None]
"""An archive's name, its bytes, and its codec: a shipped one, or a file of the set."""


def drawing(count: int, *axes: int, seed: int = 0, colours: int = 6) -> np.ndarray:
    """Images (count,*axes) of few values, all of them different."""
    generator = np.random.default_rng([seed, count])
    images = generator.integers(0, colours, (count, *axes)) * (255 // max(1, colours - 1))
    images.reshape(count, -1)[:, 0] = np.arange(count) % 256
    return images.astype(np.uint8)


@functools.cache
def codec(name: str) -> Codec:
    """One of the codecs in the folder, or a shipped one."""
    path = FOLDER / f"{name}.codec"
    return compressnet.load(path if path.exists() else name, threads=1)


def archives() -> Iterator[Named]:
    """All of them."""
    yield from counted()
    yield from qualities()
    yield from sides()
    yield from forms()
    yield from stored()
    yield from learned()
    yield from columns()
    yield from orders()
    yield from later()
    yield from shipped()


def counted() -> Iterator[Named]:
    """0, 1, K - 1, K and K + 1 images, K a block, by each method."""
    yield "count-0", Layout(front=[kind(Form(shape=(3, 2)))]).data(), None
    yield "count-0-codec", Layout(front=[codec_chunk(codec("grey"), LOSSY), kind(Form(shape=(8, 12)))]).data(), "grey"
    made = {
        "stored": (None, drawing(K + 1, 3, 2, 3)),
        "lossy": ("grey", drawing(K + 1, 8, 12, 1)),
        "sizeless": ("any", drawing(K + 1, 5, 7, 4)),
        "lossless": ("lossless", drawing(K + 1, 12, 14, 1, colours=2)),
    }
    for (method, (name, images)), count in itertools.product(made.items(), (1, K - 1, K, K + 1)):
        used = None if name is None else codec(name)
        front, entries = [kind(form_of(images))], []
        if used is None:
            entries = [
                block(pack_stored(part, 1), len(part)) for part in (images[:count][:K], images[:count][K:]) if len(part)
            ]
        else:
            coder = used.coder(images.shape[1:], 100 if method == "lossless" else 60)
            front.insert(0, codec_chunk(used, coder.method))
            entries = blocks(coder, images[:count], K)
        yield f"count-{method}-{count}", Layout(front=front, entries=entries).data(), name
    images = drawing(K + 3, 6, 5, 3)
    for count in (1, K - 1, K, K + 1):
        yield f"count-adaptive-{count}", of_primer(images[:2], images[2 : 2 + count])[1], None


def of_primer(
    first: np.ndarray | list[np.ndarray], images: np.ndarray, settings: object = USUAL, error: int = 0
) -> tuple[Layout, bytes]:
    """An archive of images (N,H,W,C) after a primer of others."""
    learned, primer = primed(list(first), settings, error)  # pyright: ignore[reportArgumentType]
    form = form_of(images)
    coder = learned.coder(form.kind, 100 if form.deep else 100 - error, deep=form.deep)
    data = learned.bundle.parts[0].data  # pyright: ignore[reportAttributeAccessIssue]
    assert len(primer.shapes) == len(first)
    layout = Layout(front=[(b"PRIM", data), kind(form)], entries=blocks(coder, form.coded(images), K))
    return layout, layout.data()


def qualities() -> Iterator[Named]:
    """Each codec at its lowest and its highest quality, and some between."""
    shapes = {"grey": (8, 12, 1), "rgb": (12, 8, 3), "alpha": (8, 8, 4), "tiles": (12, 12, 1), "odd": (9, 14, 1)}
    for name, shape in shapes.items():
        front, entries = [codec_chunk(codec(name), LOSSY), kind(Form(shape=shape))], []
        for quality in (0, 1, 50, 98, 99):
            images = drawing(2, *shape, seed=quality, colours=256 if quality > 50 else 6)
            entries += blocks(codec(name).coder(shape, quality), images, 2)
        yield f"quality-{name}", Layout(front=front, entries=entries).data(), name


def sides() -> Iterator[Named]:
    """The smallest and the longest images."""
    for method in ("stored", "adaptive"):
        for height, width in ((1, 1), (1, 4096), (4096, 1)):
            images = drawing(2, height, width, 1, colours=2) if height * width == 1 else None
            images = np.tile(np.uint8([[[[0]]], [[[9]]]]), (1, height, width, 1)) if images is None else images
            name = f"sides-{method}-{height}x{width}"
            if method == "stored":
                entries = [block(pack_stored(images, 1), 2)]
                yield name, Layout(front=[kind(form_of(images))], entries=entries).data(), None
            else:
                yield name, of_primer(images[:1], images[1:])[1], None
    shapes = [(1, 1, 1), (1, 40, 4), (40, 1, 3), (4, 4, 2), (5, 4, 4), (33, 3, 1), (1, 4, 4)]
    front, entries = [codec_chunk(codec("any"), LOSSY)], []
    for number, shape in enumerate(shapes):
        front.append(kind(Form(shape=shape)))
        entries += blocks(codec("any").coder(shape, 30), drawing(2, *shape), 2, number)
    yield "sides-sizeless", Layout(front=front, entries=entries).data(), "any"
    front, entries = [codec_chunk(codec("lossless"), LOSSLESS)], []
    for number, shape in enumerate([(1, 1, 4), (1, 30, 4), (30, 1, 4)]):
        front.append(kind(Form(shape=shape)))
        entries += blocks(codec("lossless").coder(shape, 100), drawing(2, *shape, colours=256), 2, number)
    yield "sides-lossless", Layout(front=front, entries=entries).data(), "lossless"


def forms() -> Iterator[Named]:
    """Images of every form that a KIND can say, stored and learned."""
    every = [
        Form(shape=shape, deep=deep, grey=grey, opaque=opaque)
        for shape in ((3, 2), (3, 2, 1), (3, 2, 2), (3, 2, 3), (3, 2, 4))
        for deep, grey, opaque in itertools.product((False, True), repeat=3)
        if not (grey and shape[-1] not in (3, 4)) and not (opaque and (len(shape) == 2 or shape[2] not in (2, 4)))
    ]
    stored_entries, learned_entries = [], []
    deep, shallow = drawing(1, 3, 2, 2)[0].astype(np.uint16) * 257, drawing(1, 3, 2, 4)[0]
    learned, _ = primed([shallow, deep])
    for number, form in enumerate(every):
        coded = drawing(2, *form.kind, seed=number, colours=256)
        stored_entries.append(block(pack_stored(coded, 1), 2, kind=number))
        learned_entries += blocks(learned.coder(form.kind, 100, deep=form.deep), coded, 2, number)
    yield "forms-stored", Layout(front=list(map(kind, every)), entries=stored_entries).data(), None
    front = [(b"PRIM", learned.bundle.parts[0].data), *map(kind, every)]  # pyright: ignore[reportAttributeAccessIssue]
    yield "forms-adaptive", Layout(front=front, entries=learned_entries).data(), None


def stored() -> Iterator[Named]:
    """Every packing, arrangement and some steps of stored blocks; and the fullest block."""
    images = drawing(2, 3, 4, 4, colours=256)
    for step in (1, 3, 127, 255):
        levels, count = levels_in(images, step), (255 + (step - 1) // 2) // step + 1
        entries = []
        for code, packing in itertools.product(range(16), range(3)):
            values = residuals_of(levels, code & 3, count)
            values = take_green(values, count) if code & 4 else values
            data = (values if code & 8 else values.transpose(3, 0, 1, 2)).tobytes()
            filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]
            packed = (data, zlib.compress(data), lzma.compress(data, lzma.FORMAT_RAW, filters=filters))[packing]
            entries.append(block(bytes([packing, step, code]) + packed, 2))
        yield f"stored-step-{step}", Layout(front=[kind(form_of(images))], entries=entries).data(), None
    full = block(bytes([1, 1, 0]) + zlib.compress(bytes(1 << 16), 9), 1 << 16)
    yield "stored-65536-images", Layout(front=[kind(Form(shape=(1, 1)))], entries=[full]).data(), None


def learned() -> Iterator[Named]:
    """Extremes of what a primer says."""
    images, alpha = drawing(6, 6, 5, 3), drawing(6, 6, 5, 4, seed=3)
    everything = replace(USUAL, flags=63, bytes=65535, histograms=8191)
    yield "primer-none", of_primer([], images)[1], None
    yield "primer-least", of_primer(images[:2], images[2:], LEAST)[1], None
    yield "primer-everything", of_primer(images[:2], images[2:], everything)[1], None
    for bits in (11, 17, 22):
        yield f"primer-table-{bits}", of_primer(images[:2], images[2:], replace(USUAL, table_bits=bits))[1], None
    for error in (1, 2, 100):
        yield f"near-{error}", of_primer(alpha[:2], alpha[2:], error=error)[1], None
    yield "near-64-grey", of_primer(images[:2, ..., :1], images[2:, ..., :1], error=64)[1], None
    deep = images.astype(np.uint16) * 250 + 3
    yield "near-deep", of_primer([images[0], deep[0]], deep[1:4], error=9)[1], None
    yield "primer-means", of_primer(images[:4], images[:4])[1], None
    shapes = [drawing(1, 3 + i, 9 - i, 1 + i % 4, seed=i)[0] for i in range(6)]
    yield "primer-sizes", of_primer([*shapes, deep[0], *shapes[:2]], images[2:])[1], None
    palette = np.random.default_rng(2).choice(np.uint8([0, 40, 90, 255]), (8, 9, 9, 1))
    colours = np.random.default_rng(1).integers(0, 256, (256, 4), np.uint8)
    yield "palette", of_primer(colours[palette[:3, ..., 0]], colours[palette[3:, ..., 0]])[1], None
    stream = io.BytesIO()
    compressnet.compress(images[:4], stream, None, solid=True)
    yield "solid", stream.getvalue(), None


def columns() -> Iterator[Named]:
    """Labels and names at their extremes."""
    images = drawing(3, 2, 2, 1)
    base = Layout(front=[kind(form_of(images))], entries=[block(pack_stored(images, 1), 3)])
    numbers = (b"labl", pack_labels(np.array([-(2**63), 2**63 - 1, 0])))
    texts = (b"labl", pack_names(["", "x" * 65535, "日本 ä\t\x1b[31m"]))
    few = (b"labl", pack_labels(np.array([1, -1, 0])))
    classes, names = (b"clas", pack_class_names(["cat", ""])), (b"name", pack_names(["a/b.png", "", "../../etc/x\r"]))
    for name, extras in (
        ("labels-integers", [numbers]),
        ("labels-texts", [texts]),
        ("labels-classes", [few, classes]),
        ("labels-names", [few, classes, names]),
        ("names", [names]),
        ("names-that-count-up", [(b"name", pack_names([f"{'a folder/' * 9}{i}.png" for i in (8, 9, 10)]))]),
    ):
        yield name, replace(base, extras=extras).data(), None


def orders() -> Iterator[Named]:
    """Other orders of the images, and of the chunks."""
    images = drawing(4, 2, 2, 1)
    first, second = block(pack_stored(images[:2], 1), 2), block(pack_stored(images[2:], 1), 2)
    base = Layout(front=[kind(form_of(images))], entries=[first, second])
    yield "order-reversed", replace(base, places=[3, 2, 1, 0]).data(), None
    yield "order-equal", replace(base, places=[1, 1, 1, 0, 3, 1]).data(), None
    yield "order-none", replace(base, places=[]).data(), None
    yield "order-of-one-that-is-as-blocks-come", replace(base, places=[0, 1, 2, 3]).data(), None
    other = drawing(2, 8, 12, 1)
    lossy = blocks(codec("grey").coder((8, 12, 1), 60), other, 2, 1)
    between = [(*codec_chunk(codec("grey"), LOSSY), 0), (*kind(form_of(other)), 0)]
    yield "order-codec-between", replace(base, entries=[first, *between, *lossy, second]).data(), "grey"
    unused = [kind(Form(shape=(9, 9))), codec_chunk(codec("grey"), LOSSY), kind(Form(shape=(4, 9, 4)))]
    yield "order-unused", replace(base, front=[*base.front, *unused]).data(), "grey"
    mixed = of_primer(drawing(2, 6, 5, 3), drawing(3, 6, 5, 3))[0]
    second_codec = blocks(codec("grey").coder((8, 12, 1), 20), other, 2, 1, codec=1)
    mixed.front += [codec_chunk(codec("grey"), LOSSY), kind(form_of(other))]
    yield "order-two-codecs", replace(mixed, entries=[*second_codec, *mixed.entries]).data(), "grey"


def later() -> Iterator[Named]:
    """Chunks of later versions that may be skipped."""
    images = drawing(2, 2, 2, 1)
    unknown = (b"newX", b"anything")
    first = block(pack_stored(images[:1], 1), 1)
    base = Layout(front=[kind(form_of(images))], entries=[first, block(pack_stored(images[1:], 1), 1)])
    yield "optional-first", replace(base, front=[unknown, *base.front, (b"zzzz", b"")]).data(), None
    yield "optional-between", replace(base, entries=[first, (*unknown, 0), base.entries[1]]).data(), None
    names = (b"name", pack_names(["a", "b"]))
    yield "optional-last", replace(base, extras=[unknown, names, unknown]).data(), None


def shipped() -> Iterator[Named]:
    """Archives of codecs that come with the package, and of one that differs from such a one."""
    for name, shape in (("mnist", (28, 28)), ("fashion-mnist", (28, 28)), (GENERAL_CODEC, (13, 18, 4))):
        stream = io.BytesIO()
        rows, steps = np.mgrid[: shape[0], : shape[1]]
        images = np.stack([(rows * 9 + steps * slope) % 256 for slope in (3, 7)]).astype(np.uint8)
        images = images if len(shape) == 2 else images[..., None].repeat(shape[2], axis=-1)
        compressnet.compress(images, stream, name, quality=50, threads=1)
        yield f"shipped-{name}", stream.getvalue(), None
    base = read_bundle(GENERAL_CODEC)
    (network,) = base.networks
    assert isinstance(network, SizelessNetwork)
    nodes = list(network.decoder.nodes)
    number = next(i for i, node in enumerate(nodes) if node.op == "conv")
    arrays = dict(nodes[number].arrays)
    nodes[number] = replace(nodes[number], arrays=arrays | {"bias": arrays["bias"] + np.int32(1)})
    moved = with_own_probe(replace(network, decoder=replace(network.decoder, nodes=tuple(nodes))))
    bundle = make_bundle((moved,), name="own", default_quality=60, about="")
    from compressnet.codec.loading import make_codec

    own, images = make_codec(bundle, None, 1, "own"), drawing(2, 9, 6, 3)
    front = [codec_chunk(own, LOSSY, base.identity + pack_bundle(bundle, base), EMBEDDED_DIFFERENCE)]
    layout = Layout(front=[*front, kind(form_of(images))], entries=blocks(own.coder((9, 6, 3), 40), images, 2))
    yield "codec-difference", layout.data(), None
    small = codec("tiles").bundle.without_encoder()
    shown = drawing(2, 12, 12, 1)
    entries = blocks(codec("tiles").coder((12, 12, 1), 40), shown, 2)
    front = [codec_chunk(codec("tiles"), LOSSY, pack_bundle(small)), kind(form_of(shown))]
    yield "codec-packed", Layout(front=front, entries=entries).data(), None
