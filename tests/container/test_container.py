"""The archive's structure: literal bytes, chunks that are skipped or refused, labels, and damage
of every sort."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.container import writer as container_writer
from compressnet.container.block import Block
from compressnet.container.chunks import pack_chunk
from compressnet.container.columns import as_labels, pack_labels, pack_names
from compressnet.container.container import SIGNATURE, Container
from compressnet.container.entries import CodecEntry, pack_kind, unpack_kind
from compressnet.container.index import pack_index, unpack_index
from compressnet.container.sources import BytesSource
from compressnet.container.writer import ContainerWriter
from compressnet.errors import CorruptError, FormatError, InputError
from compressnet.images.forms import Form
from compressnet.wire import pack_varint

CODEC = CodecEntry(identity=bytes(range(32)), name="tiny", embedded=None)
KIND = Form(shape=(8, 12))
BLOCKS = [Block(method=1, quality=60, kind=0, codec=0, images=n, payload=bytes([n]) * n) for n in (3, 3, 2)]
LABELS = np.arange(8)


def archive(labels: np.ndarray | None = LABELS) -> bytes:
    stream = io.BytesIO()
    writer = ContainerWriter(stream, [CODEC], [KIND])
    for block in BLOCKS:
        writer.add(block)
    writer.finish(labels)
    assert writer.bytes_written == len(stream.getvalue())
    return stream.getvalue()


def open_bytes(data: bytes) -> Container:
    return Container(BytesSource(data, "file.cnet"))


def insert_before_blocks(data: bytes, chunk: bytes) -> bytes:
    """The archive with a chunk more before its first block, index and tail made to agree."""
    first = data.index(b"BLOK")
    index = data.rindex(b"INDX")
    blocks = b"".join(pack_varint(n) for block in open_bytes(data).blocks for n in (block.chunk_bytes, block.images))
    label_bytes = index - data.index(b"labl") if b"labl" in data else 0
    numbers = (8, 3, first + len(chunk), label_bytes, 0)
    new_index = pack_chunk(b"INDX", b"".join(map(pack_varint, numbers)) + blocks)
    tail = pack_chunk(b"TAIL", (index + len(chunk)).to_bytes(8, "big"))
    return data[:first] + chunk + data[first:index] + new_index + tail


def test_literal_front() -> None:
    data = archive()
    assert data[:21].hex() == "89434e540d0a1a0a" + "48454144" + "00000001" + "01" + "fa974e58"
    assert data[21:29] == b"CODC" + (38).to_bytes(4, "big")
    assert data[29:67] == bytes(range(32)) + b"\x04tiny" + b"\x00"
    assert data[-20:-12] == b"TAIL" + (8).to_bytes(4, "big")


def test_reading_gives_what_was_written() -> None:
    container = open_bytes(archive())
    assert container.images == 8
    assert container.codecs == [CODEC]
    assert container.kinds == [KIND]
    assert [container.read_block(i) for i in range(3)] == BLOCKS
    assert container.read_labels().tolist() == LABELS.tolist()
    assert container.blocks_of(np.arange(8)).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    kinds = [kind for kind, _, _ in container.walk()]
    assert kinds == [b"HEAD", b"CODC", b"KIND", b"BLOK", b"BLOK", b"BLOK", b"labl", b"INDX", b"TAIL"]


def test_an_archive_without_labels() -> None:
    assert open_bytes(archive(None)).read_labels() is None


def test_unknown_optional_chunks_are_skipped_and_critical_ones_refused_by_name() -> None:
    skipped = open_bytes(insert_before_blocks(archive(), pack_chunk(b"noTE", b"whatever")))
    assert [skipped.read_block(i) for i in range(3)] == BLOCKS
    with pytest.raises(CorruptError, match=r"file\.cnet: chunk NEXT is unknown to this version"):
        open_bytes(insert_before_blocks(archive(), pack_chunk(b"NEXT", b"")))


def test_other_versions_are_refused() -> None:
    data = archive()
    newer = data[:8] + pack_chunk(b"HEAD", b"\x02") + data[21:]
    with pytest.raises(FormatError, match=r"file\.cnet: version 02 of the format; this software reads 1"):
        open_bytes(newer)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(100), b"just text, nothing more", SIGNATURE[:7]])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"file\.cnet: not a compressnet archive"):
        open_bytes(data)


def test_every_cut_is_refused() -> None:
    data = archive()
    for length in range(8, len(data)):
        with pytest.raises(CorruptError, match=r"file\.cnet"):
            open_bytes(data[:length])


def test_every_flip_is_found_by_walking_or_opening() -> None:
    data = archive()
    for i in range(len(data)):
        damaged = data[:i] + bytes([data[i] ^ 0x20]) + data[i + 1 :]
        with pytest.raises(FormatError, match=r"file\.cnet"):
            list(open_bytes(damaged).walk())


def test_damage_in_a_block_is_of_that_block_alone() -> None:
    data = bytearray(archive())
    data[data.index(b"\x03\x03\x03")] ^= 1
    container = open_bytes(bytes(data))
    with pytest.raises(CorruptError, match=r"file\.cnet: block 0 is damaged: its checksum is off"):
        container.read_block(0)
    assert container.read_block(1) == BLOCKS[1]
    assert container.read_labels().tolist() == LABELS.tolist()


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_after_the_signature(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"file\.cnet"):
        open_bytes(SIGNATURE + data)


@settings(max_examples=300, deadline=None)
@given(payload=st.binary(max_size=60))
def test_arbitrary_indexes_with_good_checksums(payload: bytes) -> None:
    """An index may say anything: what follows is an error of ours or a container that agrees with
    the file."""
    data = archive()
    index = data.rindex(b"INDX")
    forged = data[:index] + pack_chunk(b"INDX", payload) + pack_chunk(b"TAIL", index.to_bytes(8, "big"))
    try:
        container = open_bytes(forged)
    except FormatError:
        return
    assert container.images_in_blocks == sum(block.images for block in container.blocks)
    assert (container.places_of(np.arange(container.images)) < container.images_in_blocks).all()


def test_blocks_that_need_what_is_not_there_are_refused() -> None:
    stream = io.BytesIO()
    writer = ContainerWriter(stream, [CODEC], [KIND])
    writer.add(Block(method=1, quality=60, kind=1, codec=0, images=1, payload=b""))
    writer.finish(None)
    with pytest.raises(CorruptError, match="block 0 refers to kind 1, but the archive has 1"):
        open_bytes(stream.getvalue()).read_block(0)


def test_kinds_and_codecs_may_come_between_blocks() -> None:
    kinds = [KIND, Form(shape=(9, 12)), Form(shape=(8, 12, 1))]
    stream = io.BytesIO()
    writer = ContainerWriter(stream)
    blocks = []
    for kind in (0, 1, 0, 2):
        method = 1 if kind == 1 else 0
        codec = writer.codec_number(CODEC) if method else 0
        number = writer.kind_number(kinds[kind])
        blocks.append(Block(method=method, quality=60, kind=number, codec=codec, images=2, payload=b"x"))
        writer.add(blocks[-1])
    writer.finish(None, list("abcde"), np.array([7, 0, 0, 3, 2], np.uint32))
    container = open_bytes(stream.getvalue())
    names = [name.decode() for name, _, _ in container.walk()]
    assert " ".join(names) == "HEAD KIND BLOK CODC KIND BLOK BLOK KIND BLOK name INDX TAIL"
    assert container.kinds == kinds
    assert container.codecs == [CODEC]
    assert [container.read_block(i) for i in range(4)] == blocks
    assert (container.images, container.images_in_blocks) == (5, 8)
    assert container.places_of(np.arange(5)).tolist() == [7, 0, 0, 3, 2]
    assert container.blocks_of(np.array([7, 0, 3])).tolist() == [3, 0, 1]
    assert container.kinds_of(np.arange(4)).tolist() == [0, 1, 0, 2]
    assert container.read_names() == list("abcde")
    assert container.read_labels() is None
    damaged = bytearray(stream.getvalue())
    damaged[damaged.rindex(b"KIND") + 8] ^= 1
    with pytest.raises(CorruptError, match="chunk KIND is damaged"):
        open_bytes(bytes(damaged))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ((b"name", b"labl"), "chunk labl is there twice, or in the wrong place"),
        ((b"name", b"name"), "chunk name is there twice"),
        ((b"labl", b"NEXT"), "chunk NEXT is unknown"),
    ],
)
def test_chunks_before_the_index_out_of_order(extra: tuple[bytes, ...], message: str) -> None:
    data = archive(None)
    index = data.rindex(b"INDX")
    payloads = {b"labl": pack_labels(as_labels(list(range(8)))), b"name": pack_names(list("abcdefgh")), b"NEXT": b""}
    chunks = b"".join(pack_chunk(kind, payloads[kind]) for kind in extra)
    old = unpack_index(open_bytes(data)._chunk(index, b"INDX", "")[0], len(data), "")
    new = pack_chunk(b"INDX", pack_index(replace(old, extra_bytes=len(chunks))))
    tail = pack_chunk(b"TAIL", (index + len(chunks)).to_bytes(8, "big"))
    with pytest.raises(CorruptError, match=message):
        open_bytes(data[:index] + chunks + new + tail).read_labels()


@pytest.mark.parametrize("form", [Form(shape=(0, 12)), Form(shape=(8, 12, 5)), Form(shape=(5000, 12, 3))])
def test_kinds_out_of_bounds_are_refused(form: Form) -> None:
    stream = io.BytesIO()
    ContainerWriter(stream, [CODEC], [form]).finish(None)
    with pytest.raises(CorruptError, match=r"file\.cnet: chunk KIND"):
        open_bytes(stream.getvalue())


def forms() -> list[Form]:
    """All forms of images of 8x12."""
    found: list[Form] = []
    for channels, grey, opaque in product((0, 1, 2, 3, 4), (False, True), (False, True)):
        if (not grey or channels >= 3) and (not opaque or channels in (2, 4)):
            shape = (8, 12, channels) if channels else (8, 12)
            found += [Form(shape=shape, deep=deep, grey=grey, opaque=opaque) for deep in (False, True)]
    return found


def test_every_form_comes_back_and_no_other_bytes_are_a_kind() -> None:
    known = {pack_kind(form): form for form in forms()}
    assert len(known) == len(forms()) == 20
    for kept, flags in product(range(8), range(256)):
        data = bytes([8, 12, kept, flags])
        if data in known:
            assert unpack_kind(data, "chunk KIND") == known[data]
        else:
            with pytest.raises(CorruptError, match=r"chunk KIND (describes|leaves out)"):
                unpack_kind(data, "chunk KIND")


def test_names_of_classes_come_back() -> None:
    stream = io.BytesIO()
    writer = ContainerWriter(stream, [CODEC], [KIND])
    for block in BLOCKS:
        writer.add(block)
    labels = np.arange(writer.images) % 3
    writer.finish(labels, [f"image {i}" for i in range(writer.images)], None, ["cat", "", "dög"])
    assert open_bytes(stream.getvalue()).read_class_names() == ["cat", "", "dög"]


@pytest.mark.parametrize("labels", [None, np.zeros(0, np.str_)])
def test_names_of_classes_need_integer_labels(labels: np.ndarray | None) -> None:
    with pytest.raises(InputError, match="go with labels that are integers"):
        ContainerWriter(io.BytesIO(), [CODEC], [KIND]).finish(labels, None, None, ["cat"])


def test_names_of_classes_without_labels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that leaves the labels out, as ours does not."""
    stream = io.BytesIO()
    monkeypatch.setattr(container_writer, "LABL", b"labx")
    ContainerWriter(stream, [CODEC], [KIND]).finish(np.zeros(0, np.int64), None, None, ["cat"])
    with pytest.raises(CorruptError, match="chunk clas names classes, but the archive has no labels"):
        open_bytes(stream.getvalue()).read_class_names()


def test_labels_of_another_number_are_refused() -> None:
    writer = ContainerWriter(io.BytesIO(), [CODEC], [KIND])
    writer.add(BLOCKS[0])
    with pytest.raises(InputError, match="8 labels for 3 images"):
        writer.finish(LABELS)
