"""Archives that every reader refuses: every kind of damage, checksums mostly put right again.

`archives` gives them by name, with the codec that a reader is given, where one is needed. What
error each of them is, the manifest says.
"""

from __future__ import annotations

import itertools
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from compressnet.codec.bundle import make_bundle
from compressnet.codec.file import to_bytes
from compressnet.codec.loading import make_codec
from compressnet.codec.packed import pack_bundle
from compressnet.coding.coder import LOSSY
from compressnet.coding.stored import pack_stored
from compressnet.container.columns import pack_class_names, pack_labels, pack_names
from compressnet.images.forms import Form
from compressnet.lossy.network import Network
from conformance_set.layout import SIGNATURE, Layout, block, blocks, chunk, codec_chunk, form_of, kind, varints
from conformance_set.whole import Named, codec, drawing, of_primer

IMAGES = drawing(3, 3, 2, 1)
FIRST, SECOND = block(pack_stored(IMAGES[:2], 1), 2), block(pack_stored(IMAGES[2:], 1), 1)
LABELS = (b"labl", pack_labels(np.array([1, 0, 1])))
CLASSES, NAMES = (b"clas", pack_class_names(["cat", "dog"])), (b"name", pack_names(["a", "b", "c"]))
BASE = Layout(front=[kind(form_of(IMAGES))], entries=[FIRST, SECOND], extras=[LABELS, CLASSES, NAMES], places=[2, 1, 0])
Entry = tuple[bytes, bytes, int]


def archives() -> Iterator[Named]:
    """All of them."""
    for name, data in itertools.chain(
        files(), front(), block_heads(), stored_payloads(), index(), columns(), learned_layouts()
    ):
        yield name, data, None
    yield from coded()


def files() -> Iterator[tuple[str, bytes]]:
    """What is no archive, what is cut, and a flipped bit in each chunk."""
    whole = BASE.data()
    yield "file-empty", b""
    yield "file-short", SIGNATURE[:5]
    yield "file-png", b"\x89PNG\r\n\x1a\n" + whole[8:]
    yield "file-newlines-changed", whole.replace(b"\r\n", b"\n", 1)
    yield "file-signature-alone", SIGNATURE
    yield "file-cut-in-half", whole[: len(whole) // 2]
    yield "file-cut-by-one", whole[:-1]
    yield "file-without-tail", whole[:-20]
    yield "file-and-a-byte", whole + b"\0"
    yield "file-twice", whole + whole
    primer = of_primer(drawing(2, 6, 5, 3), drawing(3, 6, 5, 3, seed=1)[1:])[1]
    coded = Layout(
        front=[codec_chunk(codec("grey"), LOSSY), kind(Form(shape=(8, 12)))],
        entries=blocks(codec("grey").coder((8, 12, 1), 60), drawing(1, 8, 12, 1), 1),
    ).data()
    for data, types in (
        (whole, (b"HEAD", b"KIND", b"BLOK", b"labl", b"clas", b"name", b"INDX", b"TAIL")),
        (primer, (b"PRIM",)),
        (coded, (b"CODC",)),
    ):
        for each in types:
            at = data.index(each)
            length = int.from_bytes(data[at + 4 : at + 8], "big")
            for what, place in (("payload", at + 8 + length // 2), ("type", at), ("length", at + 7)):
                damaged = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
                yield f"flipped-{each.decode()}-{what}", damaged


def front() -> Iterator[tuple[str, bytes]]:
    """Chunks before the first block."""
    form = BASE.front[0]
    for name, head in (("0", b"\0"), ("2", b"\2"), ("255", b"\xff"), ("none", b""), ("1-and-more", b"\1\0")):
        yield f"version-{name}", replace(BASE, head=head).data()
    yield "critical-first", replace(BASE, front=[form, (b"NewX", b"")]).data()
    yield "critical-between", replace(BASE, entries=[FIRST, (b"NEWX", b"", 0), SECOND]).data()
    yield "critical-last", replace(BASE, extras=[(b"NewX", b"")]).data()
    yield "chunk-type-of-digits", replace(BASE, front=[form, (b"ab1d", b"")]).data()
    yield "kind-none", replace(BASE, front=[]).data()
    yield "kind-cut", replace(BASE, front=[(b"KIND", form[1][:-1])]).data()
    for name, record in (
        ("height-0", varints(0, 2) + b"\1\0"),
        ("height-4097", varints(4097, 2) + b"\1\0"),
        ("width-longer-than-need-be", b"\3\x82\0" + b"\1\0"),
        ("channels-0", varints(3, 2) + b"\0\0"),
        ("channels-5", varints(3, 2) + b"\5\1"),
        ("channels-2-without-axis", varints(3, 2) + b"\2\0"),
        ("flags-16", varints(3, 2) + b"\1\x10"),
        ("grey-of-five", varints(3, 2) + b"\3\5"),
        ("opaque-of-three", varints(3, 2) + b"\2\x09"),
    ):
        yield f"kind-{name}", replace(BASE, front=[(b"KIND", record)]).data()


def block_heads() -> Iterator[tuple[str, bytes]]:
    """The records of blocks."""
    payload = pack_stored(IMAGES[:2], 1)
    for name, changed in (
        ("method-4", block(payload, 2, method=4)),
        ("method-255", block(payload, 2, method=255)),
        ("quality-99-of-stored", block(payload, 2, quality=99)),
        ("kind-1", block(payload, 2, kind=1)),
        ("codec-1", block(payload, 2, codec=1)),
        ("lossy-without-codec", block(payload, 2, method=1, quality=50)),
        ("adaptive-without-primer", block(payload, 2, method=3)),
        ("images-unlike-the-index", (b"BLOK", block(payload, 3)[1], 2)),
        ("payload-longer", (b"BLOK", FIRST[1] + b"\0", 2)),
        ("payload-shorter", (b"BLOK", FIRST[1][:-1], 2)),
        ("without-images", (b"BLOK", b"\0\x64" + varints(0, 0, 0, len(payload)) + payload, 2)),
        ("of-another-type", (b"newX", FIRST[1], 2)),
    ):
        yield f"block-{name}", replace(BASE, entries=[changed, SECOND]).data()


def stored_payloads() -> Iterator[tuple[str, bytes]]:
    """Stored payloads that are none."""
    raw, long = IMAGES[:2].tobytes(), zlib.compress(bytes(1 << 20), 9)
    for name, payload in (
        ("empty", b""),
        ("packing-3", b"\3\1\0" + raw),
        ("step-0", b"\0\0\0" + raw),
        ("step-2", b"\0\2\0" + raw),
        ("arrangement-16", b"\0\1\x10" + raw),
        ("green-of-grey", b"\0\1\4" + raw),
        ("short", b"\0\1\0" + raw[:-1]),
        ("long", b"\0\1\0" + raw + b"\0"),
        ("level-too-high", b"\0\3\0" + bytes([86]) * len(raw)),
        ("no-zlib", b"\1\1\0" + raw),
        ("zlib-of-more", b"\1\1\0" + long),
        ("zlib-cut", b"\1\1\0" + zlib.compress(raw)[:-4]),
        ("zlib-and-a-byte", b"\1\1\0" + zlib.compress(raw) + b"\0"),
        ("no-lzma", b"\2\1\0" + raw),
    ):
        yield f"stored-{name}", replace(BASE, entries=[block(payload, 2), SECOND]).data()
    wide = Form(shape=(4096, 4096))
    for name, images in (("beyond-memory", 10), ("beyond-values", 65536)):
        entries = [block(b"\1\1\0" + long, images)]
        yield f"stored-{name}", Layout(front=[kind(wide)], entries=entries).data()


def index() -> Iterator[tuple[str, bytes]]:
    """Indices that contradict themselves or the file."""
    lengths = [len(chunk(kind, payload)) for kind, payload, _ in BASE.entries]
    listed = [(lengths[0], 2), (lengths[1], 1)]
    first_block = 8 + len(chunk(b"HEAD", b"\1")) + len(chunk(*BASE.front[0]))
    for name, changes in (
        ("images-4", {"images": 4}),
        ("entries-fewer", {"listed": listed[:1]}),
        ("entries-more", {"listed": [*listed, (20, 1)]}),
        ("entry-longer", {"listed": [(lengths[0] + 1, 2), (lengths[1] - 1, 1)]}),
        ("entries-joined", {"listed": [(sum(lengths), 3)]}),
        ("entry-of-65537", {"listed": [(lengths[0], 65537), listed[1]]}),
        ("first-block-before", {"first_block": first_block - 1}),
        ("first-block-beyond", {"first_block": 1 << 40}),
        ("extra-more", {"extra_bytes": 5}),
        ("order-2", {"order": 2}),
        ("order-0-with-places", {"order": 0}),
        ("place-beyond", {"places": [0, 1, 3]}),
        ("places-fewer", {"images": 4, "places": [0, 1, 2]}),
        ("places-no-zlib", {"listed_places": b"\0" * 12}),
        ("places-and-a-byte", {"after_index": b"\0"}),
        ("tail-beyond", {"tail": 1 << 62}),
        ("tail-at-a-block", {"tail": first_block}),
        ("tail-at-0", {"tail": 0}),
        ("images-of-a-bomb", {"images": 1 << 26, "listed_places": zlib.compress(bytes(1 << 20), 9)}),
    ):
        yield f"index-{name}", replace(BASE, **changes).data()


def columns() -> Iterator[tuple[str, bytes]]:
    """Labels, classes and names."""
    two = pack_labels(np.array([1, 0]))
    bomb = zlib.compress(b"\n" * (1 << 20), 9)
    for name, extras in (
        ("labels-fewer", [(b"labl", two)]),
        ("labels-encoding-2", [(b"labl", b"\2" + LABELS[1][1:])]),
        ("labels-encoding-3", [(b"labl", b"\3" + LABELS[1][1:])]),
        ("labels-empty", [(b"labl", b"")]),
        ("labels-no-zlib", [(b"labl", b"\0abcdefgh")]),
        ("labels-and-a-byte", [(b"labl", LABELS[1] + b"\0")]),
        ("labels-twice", [LABELS, LABELS]),
        ("labels-no-utf8", [(b"labl", b"\1" + zlib.compress(b"\xff\n\n"))]),
        ("labels-too-long", [(b"labl", b"\1" + zlib.compress(b"x" * 65536 + b"\n\n", 9))]),
        ("labels-of-more-lines", [(b"labl", b"\1" + bomb)]),
        ("classes-without-labels", [CLASSES]),
        ("classes-of-texts", [(b"labl", NAMES[1]), CLASSES]),
        ("classes-alike", [LABELS, (b"clas", pack_names(["cat", "cat"]))]),
        ("names-of-integers", [(b"name", LABELS[1])]),
        ("names-fewer", [(b"name", pack_names(["a", "b"]))]),
        ("names-before-labels", [NAMES, LABELS]),
        ("names-share-what-there-is-not", [(b"name", front_coded(bytes([0, 2, 0]), b"a\nb\nc"))]),
        ("names-count-up-from-99", [(b"name", front_coded(bytes([0, 255, 0]), b"99.png\n\nc"))]),
        ("names-count-up-with-a-text", [(b"name", front_coded(bytes([0, 255, 0]), b"8.png\nb\nc"))]),
        ("names-of-no-lzma", [(b"name", b"\2abcdefgh")]),
    ):
        yield f"columns-{name}", replace(BASE, extras=extras).data()


def front_coded(shared: bytes, texts: bytes) -> bytes:
    """Lines by what they share with the one before, and their texts."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    return b"\2" + lzma.compress(shared + texts, lzma.FORMAT_RAW, filters=filters)


def learned_layouts() -> Iterator[tuple[str, bytes]]:
    """Primers and what follows them."""
    whole = of_primer(drawing(2, 6, 5, 3), drawing(3, 6, 5, 3, seed=1)[1:])[0]
    (_, primer), form = whole.front
    for name, changed in (
        ("table-9", b"\x09" + primer[1:]),
        ("table-23", b"\x17" + primer[1:]),
        ("flags-0", primer[:1] + varints(0) + primer[2:]),
        ("empty", b""),
        ("checksum", primer[:-1] + bytes([primer[-1] ^ 1])),
        ("cut", primer[:-9]),
        ("error-101", primer.replace(b"\xed\x27\x00\x02", b"\xed\x27\x65\x02", 1)),
        ("height-0", primer.replace(b"\x02\x06\x05\x03\x02", b"\x02\x00\x05\x03\x02", 1)),
        ("channels-8", primer.replace(b"\x02\x06\x05\x03\x02", b"\x02\x06\x05\x08\x02", 1)),
        ("of-4-gigapixels", primer.replace(b"\x02\x06\x05\x03\x02", b"\x02\x80\x20\x80\x20\x03\x02", 1)),
    ):
        assert changed != primer, name
        yield f"primer-{name}", replace(whole, front=[(b"PRIM", changed), form]).data()
    (_, record, images) = whole.entries[0]
    head = 2 + len(varints(0, 0, images))
    for name, changed in (
        ("quality-99", block(record[head + 1 :], images, method=3, quality=99)),
        ("quality-of-lossless", block(record[head + 1 :], images, method=2)),
        ("payload-empty", block(b"", images, method=3)),
        ("payload-of-zeros", block(bytes(9), images, method=3)),
        ("payload-of-ones", block(b"\xff" * 99, images, method=3)),
    ):
        yield f"adaptive-{name}", replace(whole, entries=[changed]).data()


def coded() -> Iterator[Named]:
    """Codecs that are missing, others, damaged, or that this machine does not reproduce."""
    images, grey = drawing(2, 8, 12, 1), codec("grey")
    entries = blocks(grey.coder((8, 12, 1), 60), images, 2)
    form = kind(form_of(images))
    whole = Layout(front=[codec_chunk(grey, LOSSY), form], entries=entries)
    (_, record) = whole.front[0]
    yield "codec-missing", whole.data(), None
    yield "codec-other", whole.data(), "rgb"
    yield "codec-encoding-4", replace(whole, front=[(b"CODC", record[:-1] + b"\4"), form]).data(), "grey"
    yield (
        "codec-name-no-utf8",
        replace(whole, front=[(b"CODC", record[:33] + b"\xff" + record[34:]), form]).data(),
        "grey",
    )
    yield "codec-and-a-byte", replace(whole, front=[(b"CODC", record + b"\0"), form]).data(), "grey"
    for name, encoding, embedded in (
        ("file-empty", 1, b""),
        ("packed-empty", 2, b""),
        ("packed-of-zeros", 2, bytes(40)),
        ("difference-from-nothing", 3, bytes(32)),
        ("difference-cut", 3, b"abc"),
    ):
        chunk_of = codec_chunk(grey, LOSSY, embedded, encoding)
        yield f"codec-{name}", replace(whole, front=[chunk_of, form]).data(), None
    packed = pack_bundle(codec("tiles").bundle)
    for name, data in (("cut", packed[:-400]), ("changed", packed[:900] + bytes([packed[900] ^ 1]) + packed[901:])):
        front = [codec_chunk(codec("tiles"), LOSSY, data), kind(Form(shape=(12, 12)))]
        yield f"codec-packed-{name}", Layout(front=front).data(), None
    (network,) = codec("tiles").bundle.without_encoder().networks
    assert isinstance(network, Network)
    assert network.probe is not None
    probe = replace(network.probe, pixels=network.probe.pixels[::-1].copy())
    refused = make_bundle((replace(network, probe=probe),), name="refused", default_quality=60, about="")
    form = kind(Form(shape=(12, 12)))
    front = [codec_chunk(make_codec(refused, None, 1, "it"), LOSSY, to_bytes(refused, encoder=False), 1), form]
    tiles = blocks(codec("tiles").coder((12, 12, 1), 40), drawing(1, 12, 12, 1), 1)
    yield "codec-refused", Layout(front=front, entries=tiles).data(), None
    for name, changed in (
        ("payload-of-ones", block(b"\xff" * 60, 2, method=1, quality=60)),
        ("quality-of-lossless", block(entries[0][1][6:], 2, method=2)),
        ("quality-100", block(b"", 2, method=1)),
        ("quality-200", block(b"", 2, method=1, quality=200)),
    ):
        yield f"lossy-{name}", replace(whole, entries=[changed]).data(), "grey"
    other = replace(whole, front=[codec_chunk(grey, LOSSY), kind(Form(shape=(8, 11)))])
    yield "lossy-of-another-size", other.data(), "grey"
    deep = replace(whole, front=[codec_chunk(grey, LOSSY), (b"KIND", varints(8, 12) + b"\1\2")])
    yield "lossy-of-16-bits", deep.data(), "grey"
