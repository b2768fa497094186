"""What small files may cost: memory and work are computed before anything is allocated or run."""

from __future__ import annotations

import io
import json
import os
import pickle
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import compressnet
from backends import CORES
from compressnet import Limits
from compressnet.adaptive.definition import AdaptiveModel
from compressnet.adaptive.model import AdaptiveSettings, Picture, PictureShape
from compressnet.adaptive.primer import Primer, pack_primer
from compressnet.codec.packed import unpack_bundle
from compressnet.container.block import Block
from compressnet.container.container import Container
from compressnet.container.entries import CodecEntry, primer_entry
from compressnet.container.index import pack_positions
from compressnet.container.sources import BytesSource
from compressnet.container.writer import ContainerWriter
from compressnet.errors import BeyondLimitsError, CorruptError, InputError
from compressnet.images.forms import Form
from compressnet.limits import Spending
from compressnet.native.adaptive import NativeAdaptiveModel
from compressnet.native.library import find_core
from compressnet.networks.costs import program_cost
from compressnet.networks.program import Node, Program
from compressnet.networks.proof import prove
from compressnet.wire import pack_varint
from conftest import CONFORMANCE
from run_commands import refused, run

SHAPE = PictureShape(height=28, width=28, channels=3, deep=True)
SETTINGS = AdaptiveSettings(table_bits=10, flags=1, bytes=0x89FF, histograms=0x13FF)


def archive_of(block: Block, form: Form, codec: CodecEntry | None = None, names: list[str] | None = None) -> bytes:
    stream = io.BytesIO()
    writer = ContainerWriter(stream, [] if codec is None else [codec], [form])
    writer.add(block)
    writer.finish(None, names)
    return stream.getvalue()


def stored(images: int, names: list[str] | None = None) -> bytes:
    """An archive of black images of one pixel."""
    payload = bytes([1, 1, 0]) + zlib.compress(bytes(images))
    return archive_of(
        Block(method=0, quality=100, kind=0, codec=0, images=images, payload=payload), Form(shape=(1, 1)), None, names
    )


def test_limits_are_whole_numbers_above_0() -> None:
    with pytest.raises(InputError, match="a limit on memory of 0"):
        Limits(memory=0)
    with pytest.raises(InputError, match=r"a limit on work of 1\.5"):
        Limits(work=1.5)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("limits", [Limits(memory=1000), Limits(work=1000)])
def test_an_image_that_takes_more_is_refused_and_read_with_higher_limits(limits: Limits) -> None:
    path = CONFORMANCE / "grey.cnet"
    archive = compressnet.open(path, CONFORMANCE / "grey.codec", limits=limits)
    with archive, pytest.raises(BeyondLimitsError, match=r"would take .* --limits"):
        archive[0]
    with compressnet.open(path, CONFORMANCE / "grey.codec", limits=Limits(memory=1 << 40, work=1 << 60)) as archive:
        assert archive[0].shape == (8, 12)


def test_limits_go_along_where_an_archive_is_pickled(tmp_path: Path) -> None:
    (tmp_path / "a.cnet").write_bytes(stored(3))
    with (
        compressnet.open(tmp_path / "a.cnet", limits=Limits(work=12345)) as archive,
        pickle.loads(pickle.dumps(archive)) as again,
    ):
        assert again.container.limits == Limits(work=12345)


def test_a_block_of_65536_images_is_refused_and_never_written(shipped: compressnet.Codec) -> None:
    coder = shipped.coder((28, 28, 1), 99)
    assert 256 < coder.block_images(1 << 16) < 1 << 16
    assert Limits().allow(coder.cost_of(coder.block_images(1 << 16)))
    entry = CodecEntry(identity=bytes.fromhex(shipped.identity), name="mnist", embedded=None)
    block = Block(method=1, quality=99, kind=0, codec=0, images=1 << 16, payload=b"")
    archive = compressnet.open(archive_of(block, Form(shape=(28, 28)), entry))
    with archive, pytest.raises(BeyondLimitsError, match="block 0: 65536 images of 28x28x1 would take"):
        archive[7]


def test_the_largest_images_stay_within_the_limits() -> None:
    coder = compressnet.load("any").coder((1024, 1024, 4), 60)
    assert Limits().allow(coder.cost_of(1))
    assert compressnet.load("any").why_not((1600, 1600, 3), 60) is not None
    assert compressnet.load("any", limits=Limits(memory=1 << 32, work=1 << 50)).why_not((1600, 1600, 3), 60) is None


def test_one_long_label_takes_no_room_for_the_others(tmp_path: Path) -> None:
    images, labels = np.zeros((3000, 1, 1), np.uint8), ["x" * 65_000, *[""] * 2999]
    compressnet.compress(images, tmp_path / "a.cnet", None, labels=labels)
    with compressnet.open(tmp_path / "a.cnet") as archive:
        found = archive.labels
        assert found is not None
        assert found.tolist() == labels
        assert found.nbytes < 1 << 20
    assert "too long for an array" in refused(1, "decompress", tmp_path / "a.cnet", "-o", tmp_path / "a.npz")
    run("decompress", tmp_path / "a.cnet", "-o", tmp_path / "one.npz", "--select", "0:1")


@pytest.mark.parametrize("label", ["\ud800", "a\nb", "x" * (1 << 16), "é" * (1 << 15)])
def test_labels_that_are_no_lines_of_text_are_refused(label: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lines of text of up to 65535 bytes"):
        compressnet.compress(np.zeros((1, 2, 2), np.uint8), tmp_path / "a.cnet", None, labels=[label])


def test_names_are_counted_while_they_are_inflated() -> None:
    data = stored(1000, ["x" * 1000] * 1000)
    with Container(BytesSource(data, "a")) as container:
        assert container.read_names() == ["x" * 1000] * 1000
    container = Container(BytesSource(data, "a"), Limits(memory=100_000))
    with container, pytest.raises(BeyondLimitsError, match="chunk name holds more than"):
        container.read_names()


def test_an_index_may_not_list_more_images_than_there_is_room_for() -> None:
    stream = io.BytesIO()
    writer = ContainerWriter(stream, [], [Form(shape=(1, 1))])
    payload = bytes([0, 1, 0]) + bytes(2)
    writer.add(Block(method=0, quality=100, kind=0, codec=0, images=2, payload=payload))
    writer.finish(None, positions_N=np.zeros(1 << 20, np.uint32))
    assert len(pack_positions(np.zeros(1 << 20, np.uint32))) < 1 << 13
    assert Container(BytesSource(stream.getvalue(), "a")).images == 1 << 20
    with pytest.raises(BeyondLimitsError, match="the order of 1048576 images"):
        Container(BytesSource(stream.getvalue(), "a"), Limits(memory=1 << 20))


def test_a_packed_codec_of_few_bytes_may_not_have_many_numbers() -> None:
    tiles = (CONFORMANCE / "tiles.packed").read_bytes()
    with pytest.raises(BeyondLimitsError, match="its structure of"):
        unpack_bundle(tiles, "a", spending=Spending(Limits(memory=1000)))
    node = {"out": "x", "arrays": {"weight": [1 << 10, 1 << 10]}}
    document = {"networks": [{"decoder": [node], "prior": {}, "tables": {}}]}
    structure = zlib.compress(json.dumps(document).encode())
    with pytest.raises(BeyondLimitsError, match="1048576 numbers in"):
        unpack_bundle(pack_varint(len(structure)) + structure, "a", spending=Spending(Limits(memory=1 << 25)))


def test_codecs_of_an_archive_pay_together() -> None:
    tiles, spending = (CONFORMANCE / "tiles.packed").read_bytes(), Spending(Limits(memory=400_000))
    unpack_bundle(tiles, "a", spending=spending)
    with pytest.raises(BeyondLimitsError, match="its structure of"):
        [unpack_bundle(tiles, "a", spending=spending) for _ in range(50)]


def conv(shape: tuple[int, ...] = (1, 1, 3, 3), **attributes: int) -> Node:
    arrays = {
        "weight": np.ones(shape, np.int8),
        "bias": np.zeros((1, shape[0]), np.int32),
        "shift": np.zeros(shape[0], np.int8),
    }
    return Node(
        op="conv", inputs=("x",), output="y", attributes={"stride": 1, "padding": 1} | attributes, arrays=arrays
    )


def program(*nodes: Node, shape: tuple[int, ...] = (1, 4, 4)) -> Program:
    return Program(nodes=nodes, input_range=(0, 1), input_shape=shape)


def test_registers_are_bounded_whatever_nodes_say() -> None:
    doubling = [
        Node(op="concat", inputs=(name, name), output=following)
        for name, following in zip(["x", *map(str, range(29))], [*map(str, range(29)), "y"], strict=True)
    ]
    with pytest.raises(CorruptError, match="more than 33554432 values"):
        prove(program(*doubling), (1 << 34,))
    with pytest.raises(CorruptError, match="more than 33554432 values"):
        prove(program(conv(padding=1 << 16)), (1, 131074, 131074))
    wide = program(conv(padding=1 << 16, stride=1 << 15))
    prove(wide, (1, 5, 5))
    assert not Limits().allow(program_cost(wide))


def gain(repeats: np.ndarray) -> Node:
    arrays = {"table": np.ones((100, *repeats.shape), np.int16), "shift": np.zeros(1, np.int8), "repeats": repeats}
    return Node(op="gain", inputs=("x",), output="y", arrays=arrays)


@pytest.mark.parametrize(
    ("node", "shape"),
    [
        (conv((1, 1, 0, 0)), (1, 7, 7)),
        (conv((1, 1, 0, 3)), (1, 4, 4)),
        (gain(np.full((2, 2), 1, np.int32)), (4,)),
        (gain(np.zeros((1, 0), np.int32)), (4,)),
        (gain(np.zeros(0, np.int32)), (4,)),
        (replace(gain(np.full(4, 1, np.int32)), inputs=("x", "x")), (4,)),
        (Node(op="add", inputs=("x",), output="y"), (4,)),
    ],
)
def test_odd_nodes_are_refused(node: Node, shape: tuple[int, ...]) -> None:
    with pytest.raises(CorruptError, match="network node 'y'"):
        prove(program(node, shape=(1, 4, 4) if node.op == "conv" else (4,)), shape)


def test_a_small_primer_may_not_have_many_pixels() -> None:
    shape = PictureShape(height=4096, width=4096, channels=4, deep=True)
    primer = Primer(settings=SETTINGS, error=0, shapes=(shape,) * 4, checksum=0, payload=b"")
    block = Block(method=3, quality=100, kind=0, codec=0, images=1, payload=b"\0\1")
    data = archive_of(block, Form(shape=(4096, 4096, 4), deep=True), primer_entry(pack_primer(primer)))
    assert len(data) < 200
    with pytest.raises(BeyondLimitsError, match="the primer of 67108864 pixels would take"):
        compressnet.open(data)


@pytest.mark.slow
def test_a_payload_pays_for_what_it_holds() -> None:
    ramp = np.arange(28 * 28).reshape(28, 28)
    image = np.stack([ramp >> 8] * 3 + [ramp & 255] * 3, -1).astype(np.uint8)
    definition = AdaptiveModel(SETTINGS)
    definition.allow(0)
    paid = definition.write(Picture(image, SHAPE))
    short = paid.rstrip(b"\0")
    assert len(paid) == -(-image.size // 64) > len(short)
    with pytest.raises(BeyondLimitsError, match="more work than its length tells"):
        definition.read(short, SHAPE)
    for core in (NativeAdaptiveModel(find_core(name), SETTINGS, 1 << 12) for name in CORES):
        assert core.write(Picture(image, SHAPE)) == short
        core.allow(0)
        assert core.write(Picture(image, SHAPE)) == paid
        for _ in range(2):
            with pytest.raises(BeyondLimitsError, match="more work than its length tells"):
                core.read(short, SHAPE)
            assert core.read(paid, SHAPE).values_HWB.tobytes() == image.tobytes()
        with pytest.raises(BeyondLimitsError, match="more work than its length tells"):
            core.copy(1 << 11).learn_read(short, [SHAPE])
        payload, _ = core.copy(1 << 11).learn_write([Picture(image, SHAPE)])
        assert core.learn_read(payload, [SHAPE])[0].values_HWB.tobytes() == image.tobytes()


def test_the_command_line_takes_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    path.write_bytes(stored(3))
    run("verify", path, "--limits", "memory=2G,work=1e12")
    assert "would take" in refused(3, "decompress", path, "-o", tmp_path / "a.npy", "--limits", "work=100")
    for wrong in ("memory", "memory=", "speed=3", "work=-1", "work=1,work=2", "memory=1Q"):
        assert "give memory=BYTES, work=STEPS or both" in refused(2, "verify", path, "--limits", wrong)


def test_opening_and_closing_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    path, broken = tmp_path / "a.cnet", tmp_path / "b.cnet"
    path.write_bytes(stored(3))
    broken.write_bytes(stored(3)[:-1])
    fds = Path("/proc/self/fd")
    if not fds.is_dir():
        pytest.skip("no /proc")
    before = len(list(fds.iterdir()))
    for _ in range(50):
        with compressnet.open(path) as archive:
            archive[1]
        with pytest.raises(CorruptError):
            compressnet.open(broken)
    assert len(list(fds.iterdir())) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_lock_that_is_taken_is_free_in_a_forked_process() -> None:
    from compressnet.threads import Lock

    lock = Lock()
    with lock:
        pid = os.fork()
        if pid == 0:
            with lock:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
