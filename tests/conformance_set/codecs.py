"""Codec files, packed codecs and single blocks that are refused or at an extreme."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator

import safetensors.numpy

from compressnet.codec.single import Single, pack_single
from compressnet.coding.coder import LOSSLESS, LOSSY
from conformance_set.whole import FOLDER, Named, codec, drawing


def files() -> Iterator[Named]:
    """Each with the ending that says what it is."""
    yield from codec_files()
    yield from packed_codecs()
    yield from single_blocks()


def codec_files() -> Iterator[Named]:
    """Codec files that are none, or of another version."""

    def saved(metadata: dict[str, str] | None) -> bytes:
        return safetensors.numpy.save({}, metadata)

    empty = {"name": "x", "default_quality": 60, "about": "", "networks": []}
    for name, data in (
        ("empty", b""),
        ("no-json", (8).to_bytes(8, "little") + b"{{{{{{{{"),
        ("header-beyond", (1 << 40).to_bytes(8, "little") + b"{}"),
        ("without-metadata", saved(None)),
        ("version-2", saved({"compressnet": "2", "codec": json.dumps(empty)})),
        ("version-0", saved({"compressnet": "0", "codec": json.dumps(empty)})),
        ("without-codec", saved({"compressnet": "1"})),
        ("codec-no-json", saved({"compressnet": "1", "codec": "{"})),
        ("codec-deep", saved({"compressnet": "1", "codec": "[" * 9999})),
        ("codec-a-number", saved({"compressnet": "1", "codec": "3"})),
        ("codec-without-networks", saved({"compressnet": "1", "codec": json.dumps(empty)})),
        ("network-of-nothing", saved({"compressnet": "1", "codec": json.dumps(empty | {"networks": [{}]})})),
        ("cut", (FOLDER / "grey.codec").read_bytes()[:2000]),
    ):
        yield f"{name}.codec", data, None


def packed_codecs() -> Iterator[Named]:
    """Packed codecs that are none."""
    packed = (FOLDER / "tiles.packed").read_bytes()
    for name, data in (
        ("empty", b""),
        ("zeros", bytes(64)),
        ("version-255", b"\xff" + packed[1:300]),
        ("cut", packed[:1000]),
        ("bomb", packed[:1] + zlib.compress(bytes(1 << 22), 9)),
    ):
        yield f"{name}.packed", data, None


def single_blocks() -> Iterator[Named]:
    """Single blocks of all methods, and such as are none."""
    grey, lossless, general = codec("grey"), codec("lossless"), codec("any")
    for quality in (0, 99):
        yield f"grey-{quality}.block", grey.compress(drawing(5, 8, 12), quality), "grey"
    yield "sizeless.block", general.compress(drawing(2, 3, 31, 3), 40), "any"
    yield "lossless.block", lossless.compress(drawing(2, 12, 14, colours=2), 100), "lossless"
    whole = grey.compress(drawing(1, 8, 12), 60)
    yield "other.block", whole, "rgb"
    yield "empty.block", b"", "grey"
    yield "cut.block", whole[:-1], "grey"
    yield "flipped.block", whole[:-1] + bytes([whole[-1] ^ 1]), "grey"
    for method, used, codec_name in ((LOSSY, grey, "grey"), (LOSSLESS, lossless, "lossless")):
        identity = used.bundle.identity_of(method)
        assert identity is not None
        for name, fields in (
            ("kind-9", {"kind": 9}),
            ("quality-101", {"quality": 101}),
            ("images-0", {"images": 0}),
            ("images-4096", {"images": 4096}),
            ("payload-of-ones", {"payload": b"\xff" * 80}),
        ):
            usual = {"kind": 0, "channels_axis": False, "quality": 60 if method == LOSSY else 100, "images": 1}
            single = Single(**(usual | {"payload": b""} | fields))  # pyright: ignore[reportArgumentType]
            yield f"{codec_name}-{name}.block", pack_single(single, identity), codec_name
