"""repair: every undamaged block of a damaged archive comes back, and what is lost is listed."""

from __future__ import annotations

import functools
import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.archive.repair import Repaired
from compressnet.codec.codec import Codec
from compressnet.container.chunks import pack_chunk
from compressnet.container.container import SIGNATURE
from compressnet.errors import CodecNotFoundError, CorruptError, FormatError, InputError
from conftest import CONFORMANCE

LEARNED = "learned"
SHELF = ("adaptive", "deep", "grey", "lossless", "mixed", "near", "odd", LEARNED)
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Whole:
    """An archive as it was, and where its chunks lie."""

    data: bytes
    images: list[np.ndarray]
    names: list[str] | None
    labels: list[object] | None
    class_names: list[str] | None
    chunks: list[tuple[bytes, int, int]]
    """Type, offset, end."""
    needs: list[tuple[Range, ...]]
    """Of each block: where it lies, and the chunks that it needs."""
    held: list[list[int]]
    """Of each block: the numbers of its images in the collection."""
    places: list[list[int]]
    """Of each block: the number in the collection of the image at each place, or -1."""

    def chunk(self, chunk_type: bytes, number: int = 0) -> Range:
        return [(offset, end) for kind, offset, end in self.chunks if kind == chunk_type][number]


@functools.cache
def learned() -> bytes:
    """Images of three sizes, some equal, with names and labels, learned from themselves."""
    generator = np.random.default_rng(3)
    batches = [generator.integers(0, 3, (9, *shape), dtype=np.uint8) for shape in ((5, 4), (3, 6), (4, 4, 3))]
    batches.append(batches[0][3:7])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.cnet"
        compressnet.compress(
            batches,
            path,
            None,
            lossless=True,
            block_images=4,
            names=[f"folder/{i}.png" for i in range(31)],
            labels=[i % 3 for i in range(31)],
            class_names=["no", "one", "two"],
            threads=1,
        )
        return path.read_bytes()


@functools.cache
def whole(name: str) -> Whole:
    data = learned() if name == LEARNED else (CONFORMANCE / f"{name}.cnet").read_bytes()
    with compressnet.open(data, threads=1) as archive:
        container = archive.container
        chunks = [(kind, offset, offset + length + 12) for kind, offset, length in container.walk()]
        kinds = [(offset, end) for kind, offset, end in chunks if kind == b"KIND"]
        codecs = [(offset, end) for kind, offset, end in chunks if kind in (b"CODC", b"PRIM")]
        needs, held, places = [], [], []
        place_of = container.places_of(np.arange(len(archive)))
        for number in range(len(container.blocks)):
            entry, block = container.blocks[number], container.read_block(number)
            own = (entry.offset, entry.offset + entry.chunk_bytes)
            needs.append((own, kinds[block.kind], *([codecs[block.codec]] if block.method else [])))
            inside = (place_of >= entry.first) & (place_of < entry.first + entry.images)
            held.append(np.flatnonzero(inside).tolist())
            first_of = {place: i for i, place in reversed(list(enumerate(place_of.tolist())))}
            places.append([first_of.get(entry.first + i, -1) for i in range(entry.images)])
        labels = archive.labels
        return Whole(
            data,
            list(archive),
            None if archive.names is None else list(archive.names),
            None if labels is None else labels.tolist(),
            archive.class_names,
            chunks,
            needs,
            held,
            places,
        )


def repaired(data: bytes) -> tuple[Repaired, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        broken, output = Path(folder) / "broken.cnet", Path(folder) / "out.cnet"
        broken.write_bytes(data)
        try:
            found = compressnet.repair(broken, output, threads=1)
        except BaseException:
            assert not output.exists()
            assert len(list(Path(folder).iterdir())) == 1
            raise
        finally:
            assert broken.read_bytes() == data
        assert found.archive_bytes == output.stat().st_size
        return found, output.read_bytes()


def check(was: Whole, data: bytes, hit: list[Range], *, is_certain: bool = True) -> Repaired | None:
    """Repair an archive of which some ranges of bytes were hit, and compare; None where nothing is
    left. is_certain: whether the index can tell which blocks are left."""

    def is_whole(chunk: Range) -> bool:
        return not any(max(chunk[0], start) < min(chunk[1], end) for start, end in hit)

    kept = [number for number, needs in enumerate(was.needs) if all(map(is_whole, needs))]
    if not kept:
        with pytest.raises(FormatError):
            repaired(data)
        return None
    found, result = repaired(data)
    with compressnet.open(result, threads=1) as archive:
        archive.check()
        images, names, labels = list(archive), archive.names, archive.labels
    assert len(images) == found.kept
    if is_certain and is_whole(was.chunk(b"INDX")):
        expected = sorted(image for number in kept for image in was.held[number])
        assert found.images == len(was.images)
        assert found.lost_images == len(was.images) - len(expected)
        assert [lost.block for lost in found.lost] == [i for i in range(len(was.needs)) if i not in kept]
        for lost in found.lost:
            assert lost.block is not None
            numbers = [i for first, last in lost.ranges for i in range(first, last + 1)]
            assert numbers == was.held[lost.block]
            if was.names is not None and is_whole(was.chunk(b"name")):
                assert lost.names == [was.names[i] for i in numbers]
        for values, kind, there in ((names, b"name", was.names), (labels, b"labl", was.labels)):
            if there is None or not is_whole(was.chunk(kind)):
                assert values is None
            else:
                assert values is not None
                assert list(values) == [there[i] for i in expected]
    else:
        expected = [image for number in kept for image in was.places[number]]
        assert found.images is None
        assert found.lost_images is None
        assert "images are in the order of their blocks, and numbered anew" in found.remarks
        assert names is None
        assert labels is None
    assert len(images) == len(expected)
    for image, number in zip(images, expected, strict=True):
        if number >= 0:
            assert image.dtype == was.images[number].dtype
            assert np.array_equal(image, was.images[number])
    if any(start < end for start, end in hit) or data != was.data:
        assert found.lost or found.remarks
    return found


@pytest.mark.parametrize("name", SHELF)
def test_a_whole_archive_stays_as_it_is(name: str) -> None:
    was = whole(name)
    found, result = repaired(was.data)
    assert result == was.data
    assert (found.lost, found.remarks, found.lost_images) == ([], [], 0)


@pytest.mark.parametrize("name", SHELF)
def test_any_one_chunk_destroyed_or_cut_out(name: str) -> None:
    was = whole(name)
    for _, offset, end in [(b"", 0, len(SIGNATURE)), *was.chunks]:
        for flipped in {offset, offset + 2, (offset + end) // 2, end - 1}:
            data = bytearray(was.data)
            data[flipped] ^= 0xFF
            check(was, bytes(data), [(flipped, flipped + 1)])
        check(was, was.data[:offset] + bytes(end - offset) + was.data[end:], [(offset, end)])
        check(was, was.data[:offset] + was.data[end:], [(offset, end)], is_certain=(offset, end) not in twins(was))


def twins(was: Whole) -> set[Range]:
    """Blocks next to one of as many bytes and images: nobody can say which was cut out."""
    blocks = [(own, len(places)) for (own, *_), places in zip(was.needs, was.places, strict=True)]
    found: set[Range] = set()
    for (one, images), (other, others) in itertools.pairwise(blocks):
        if one[1] == other[0] and one[1] - one[0] == other[1] - other[0] and images == others:
            found |= {one, other}
    return found


@settings(max_examples=40, deadline=None)
@given(data=st.data(), name=st.sampled_from(SHELF))
def test_any_range_destroyed(data: st.DataObject, name: str) -> None:
    was = whole(name)
    start = data.draw(st.integers(0, len(was.data) - 1))
    count = data.draw(st.integers(1, 200) | st.integers(1, len(was.data)))
    end = min(start + count, len(was.data))
    noise = np.random.default_rng(data.draw(st.integers(0, 99))).bytes(end - start)
    damaged = was.data[:start] + noise + was.data[end:]
    check(was, damaged, [(i, i + 1) for i in range(start, end) if damaged[i] != was.data[i]])


def is_only_there(was: Whole, start: int, end: int) -> bool:
    """Whether a cut takes no whole chunks alone, and none elsewhere leaves the same bytes."""
    if {start, end} <= {offset for _, offset, _ in was.chunks}:
        return False
    before, after = was.data[start - 1 : start] == was.data[end - 1 : end], was.data[start:][:1] == was.data[end:][:1]
    return not (start and before) and not (end < len(was.data) and after)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), name=st.sampled_from(SHELF))
def test_bytes_cut_out_or_put_in(data: st.DataObject, name: str) -> None:
    was = whole(name)
    start = data.draw(st.integers(0, len(was.data)))
    if data.draw(st.booleans()):
        end = min(start + data.draw(st.integers(1, 300) | st.integers(1, len(was.data))), len(was.data))
        if is_only_there(was, start, end):
            check(was, was.data[:start] + was.data[end:], [(start, end)])
    else:
        put_in = data.draw(st.binary(min_size=1, max_size=40))
        damaged = was.data[:start] + put_in + was.data[start:]
        same = next((i for i in range(start, len(was.data)) if damaged[i] != was.data[i]), len(was.data))
        is_between = any(offset in (start, same) for _, offset, _ in was.chunks)
        if not is_between:
            check(was, damaged, [(start - 1, start + 1)] if start else [(0, 1)])


@settings(max_examples=25, deadline=None)
@given(data=st.data(), name=st.sampled_from(SHELF))
def test_cut_off(data: st.DataObject, name: str) -> None:
    was = whole(name)
    length = data.draw(st.integers(0, len(was.data)))
    check(was, was.data[:length], [(length, len(was.data))])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(SHELF))
def test_damage_in_several_places_gives_no_other_pixels(data: st.DataObject, name: str) -> None:
    was = whole(name)
    damaged = bytearray(was.data)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(damaged)))
        match data.draw(st.sampled_from(["flip", "cut out", "put in", "cut off", "double"])):
            case "flip":
                damaged[at : at + 1] = bytes([damaged[at] ^ 1]) if at < len(damaged) else b""
            case "cut out":
                del damaged[at : at + data.draw(st.integers(1, 60))]
            case "put in":
                damaged[at:at] = data.draw(st.binary(max_size=40))
            case "cut off":
                del damaged[max(at, len(damaged) // 2) :]
            case _:
                damaged[at:at] = damaged[at : at + data.draw(st.integers(1, 200))]
    try:
        _, result = repaired(bytes(damaged))
    except FormatError:
        return
    known = {(image.shape, image.dtype, image.tobytes()) for image in was.images}
    with compressnet.open(result, threads=1) as archive:
        assert all((image.shape, image.dtype, image.tobytes()) in known for image in archive)


def resealed(was: Whole, chunk: Range, change: Callable[[bytes], bytes]) -> bytes:
    """The archive with another payload in a chunk, of the same length, its checksum put right."""
    offset, end = chunk
    payload = change(was.data[offset + 8 : end - 4])
    assert len(payload) == end - offset - 12
    return was.data[:offset] + pack_chunk(was.data[offset : offset + 4], payload) + was.data[end:]


def test_a_block_that_does_not_decode_is_lost() -> None:
    was = whole("lossless")
    chunk = was.chunk(b"BLOK", 3)
    data = resealed(was, chunk, lambda payload: payload[:-20] + b"\xff" * 20)
    found, result = repaired(data)
    (lost,) = found.lost
    assert (lost.block, lost.offset) == (3, chunk[0])
    assert len(list(compressnet.open(result))) == found.kept == len(was.images) - len(was.held[3])
    data = resealed(was, chunk, lambda payload: b"\x09" * len(payload))
    found, _ = repaired(data)
    assert [(lost.block, lost.why) for lost in found.lost] == [(3, "damaged or cut off")]
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith(f"the block at byte {chunk[0]} ")


def test_a_primer_or_a_codec_whose_checksum_holds_but_that_cannot_be_read() -> None:
    was = whole("learned")
    with pytest.raises(CorruptError, match=r"broken\.cnet: no block of it can be read \(.*look for another copy"):
        repaired(resealed(was, was.chunk(b"PRIM"), lambda payload: b"\xff" * len(payload)))
    with pytest.raises(CorruptError, match="no block of it can be read"):
        repaired(resealed(was, was.chunk(b"PRIM"), lambda payload: payload[:-20] + bytes(20)))
    was = whole("mixed")
    found, result = repaired(resealed(was, was.chunk(b"CODC"), lambda payload: payload[:-900] + bytes(900)))
    assert found.remarks[0].startswith("codec or primer 0 cannot be read: embedded codec")
    assert {lost.why for lost in found.lost} == {"the codec or primer that it needs, number 0, cannot be read"}
    assert [lost.block for lost in found.lost] == [0, 1, 2]
    with compressnet.open(result) as archive:
        assert archive.container.codecs == []


def test_what_is_no_archive() -> None:
    for data in (b"", b"some text", b"\x89PNG\r\n\x1a\n" + bytes(200), b"BLOKHEADINDX" * 50):
        with pytest.raises(FormatError, match="not a compressnet archive, and no chunk of one is in it") as caught:
            repaired(data)
        assert not isinstance(caught.value, CorruptError)
    with pytest.raises(CorruptError, match="no chunk of it is whole, so nothing can be saved"):
        repaired(SIGNATURE + bytes(100))
    was = whole("mixed")
    with pytest.raises(CorruptError, match="no block of it can be read"):
        repaired(was.data[: was.chunk(b"BLOK")[0]])
    head = was.chunk(b"HEAD")
    with pytest.raises(FormatError, match="version 02 of the format; this software reads 1"):
        repaired(resealed(was, head, lambda _: b"\x02"))
    with pytest.raises(CorruptError, match="chunk NEWS is unknown to this version"):
        repaired(was.data[: head[1]] + pack_chunk(b"NEWS", b"") + was.data[head[1] :])
    found, _ = repaired(was.data[: head[1]] + pack_chunk(b"news", b"") + was.data[head[1] :])
    assert found.kept == found.images == 21


def test_of_several_archives_in_a_file_the_first_is_repaired() -> None:
    first, second = whole("mixed"), whole("deep")
    found, result = repaired(first.data + second.data)
    assert result == first.data
    assert found.remarks[-1] == (
        f"another archive begins before byte {len(first.data) + 8}, and is left out: cut the file and repair it, too"
    )
    start = first.chunk(b"HEAD")[1]
    found, result = repaired(first.data[start:] + second.data)
    assert result == first.data


def test_the_target_is_not_the_damaged_archive(tmp_path: Path) -> None:
    path, link = tmp_path / "a.cnet", tmp_path / "b.cnet"
    path.write_bytes(whole("deep").data)
    link.symlink_to(path)
    for output in (path, link):
        with pytest.raises(InputError, match="is the damaged archive itself, which stays as it is; give another name"):
            compressnet.repair(path, output)
    with pytest.raises(InputError, match=r"none\.cnet: cannot be opened"):
        compressnet.repair(tmp_path / "none.cnet", tmp_path / "c.cnet")
    assert path.read_bytes() == whole("deep").data


def test_a_target_that_is_there_stays_where_nothing_is_saved(tmp_path: Path) -> None:
    broken, output = tmp_path / "a.cnet", tmp_path / "b.cnet"
    broken.write_bytes(SIGNATURE)
    output.write_bytes(b"there")
    with pytest.raises(CorruptError):
        compressnet.repair(broken, output)
    assert output.read_bytes() == b"there"
    assert sorted(tmp_path.iterdir()) == [broken, output]


def test_a_codec_that_is_not_at_hand(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path) -> None:
    path, output = tmp_path / "a.cnet", tmp_path / "b.cnet"
    compressnet.compress(tiny_images, path, tiny, embed_codec=False, block_images=5)
    data = bytearray(path.read_bytes())
    data[-30:] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(CodecNotFoundError, match="pass its file with --codec"):
        compressnet.repair(path, output)
    assert not output.exists()
    found = compressnet.repair(path, output, codec=tiny)
    assert found.kept == len(tiny_images)
    with compressnet.open(output, codec=tiny) as archive:
        assert len(archive) == len(tiny_images)


def test_what_looks_like_chunks_does_not_take_long() -> None:
    was = whole("deep")
    bait = b"BLOK\x00\x0f\x00\x00"
    data = was.data[:-20] + bait * 200_000
    start = time.monotonic()
    found, _ = repaired(data)
    assert time.monotonic() - start < 20
    assert found.kept == len(was.images)
    assert any("as too much looked like a chunk and was none" in remark for remark in found.remarks)


def test_kinds_that_damage_doubled_have_no_number_of_their_own() -> None:
    """Else all kinds after them would be mistaken for others."""
    was = whole("adaptive")
    first = was.data.index(b"KIND")
    end = was.data.index(b"BLOK", first)
    _, result = repaired(was.data[:end] + was.data[first:end] + was.data[end:])
    with compressnet.open(result, threads=1) as archive:
        assert len(archive) == len(was.images)
        known = {(image.shape, image.dtype, image.tobytes()) for image in was.images}
        assert all((image.shape, image.dtype, image.tobytes()) in known for image in archive)
