"""Quality 100: every pixel back, on any path; what is damaged, refused or stored instead."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from backends import BACKENDS
from coder_tests import CoderTests
from compressnet.archive import maintain
from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.file import from_bytes, to_bytes
from compressnet.codec.packed import pack_bundle, unpack_bundle
from compressnet.codec.shipped import read_bundle
from compressnet.codec.single import Single, pack_single
from compressnet.coding.coder import Coder
from compressnet.errors import CodecError, CodecRefusedError, CorruptError, FormatError, InputError
from compressnet.lossless.coder import LosslessNetwork
from compressnet.lossless.model import taps
from compressnet.lossless.payload import pack_payload
from compressnet.lossless.proof import prove_pixels
from compressnet.networks.numpy import NumpyBackend
from pixel_models import images_for, make_lossless_bundle, make_pixel_model

MODELS = {channels: make_pixel_model(channels, counts=channels != 2) for channels in (1, 2, 3, 4)}
ALL = make_lossless_bundle(*MODELS.values(), name="all")


def codec_of(bundle: Bundle, threads: int = 1) -> Codec:
    return Codec(bundle, NumpyBackend(), threads, "test")


def archive_of(images: list[np.ndarray], codec: Codec, **options: object) -> bytes:
    stream = io.BytesIO()
    compressnet.compress(images, stream, codec, quality=100, **options)  # type: ignore[arg-type]
    return stream.getvalue()


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 4),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    share=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 1000),
)
def test_every_pixel_comes_back(
    channels: int, height: int, width: int, counts: list[int], share: float, seed: int
) -> None:
    model = MODELS[channels]
    images = images_for(model, sum(counts), (height, width), seed, share)
    network = LosslessNetwork(model, NumpyBackend())
    payloads, bits_N = network.write_blocks(images, counts)
    assert np.array_equal(network.read_payloads(payloads, counts, (height, width)), images)
    assert sum(map(len, payloads)) <= 1.01 * bits_N.sum() / 8 + 4 * len(images)
    assert bits_N == pytest.approx(network.pixels.bits(images))
    alone, _ = network.write_blocks(images, [1] * len(images))
    bounds = np.cumsum([0, *counts])
    assert payloads == [pack_payload(alone[start:stop]) for start, stop in pairwise(bounds)]


def test_a_table_may_have_no_columns() -> None:
    (plane,) = MODELS[1].planes
    first, near_inputs = plane.layers[0], len(taps(plane.near)) * plane.near_table.shape[1]
    layers = (replace(first, weight=first.weight[:, near_inputs:]), *plane.layers[1:])
    model = replace(MODELS[1], planes=(replace(plane, near_table=plane.near_table[:, :0], layers=layers),))
    prove_pixels(model)
    images = images_for(model, 3, (5, 6), share=0.3)
    network = LosslessNetwork(model, NumpyBackend())
    payloads, _ = network.write_blocks(images, [3])
    assert np.array_equal(network.read_payloads(payloads, [3], (5, 6)), images)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 99))
def test_damaged_payloads_give_other_pixels_or_one_error(data: st.DataObject, seed: int) -> None:
    model = MODELS[3]
    images = images_for(model, 3, (4, 6), seed, 0.3)
    network = LosslessNetwork(model, NumpyBackend())
    (payload,), _ = network.write_blocks(images, [3])
    at = data.draw(st.integers(0, len(payload) - 1))
    cut = data.draw(st.booleans())
    damaged = payload[:at] if cut else payload[:at] + bytes([payload[at] ^ data.draw(st.integers(1, 255))])
    with contextlib.suppress(CorruptError):
        assert network.read_payloads([damaged], [3], (4, 6)).shape == images.shape


def mixed() -> list[np.ndarray]:
    return [
        images_for(MODELS[1], 5, (7, 6))[..., 0],
        images_for(MODELS[4], 6, (5, 8)),
        images_for(MODELS[3], 4, (7, 6)),
        images_for(MODELS[4], 3, (9, 4), 7),
        images_for(MODELS[1], 5, (7, 6))[..., 0],
    ]


@pytest.mark.slow
def test_archives_of_all_sizes_and_modes(tmp_path: Path) -> None:
    images = mixed()
    expected = [image for array in images for image in array]
    written = {archive_of(images, codec_of(ALL, threads), block_images=4) for threads in (1, 2)}
    assert len(written) == 1
    (data,) = written
    for backend in BACKENDS:
        with compressnet.open(data, backend=backend, threads=2) as archive:
            archive.check()
            assert all(np.array_equal(image, known) for image, known in zip(archive, expected, strict=True))
            assert np.array_equal(archive[9], expected[9])
            assert 0 < archive.ideal_bytes() < len(data)
            with pytest.raises(InputError, match="has no symbols"):
                archive.symbols[0]


def test_hidden_colour_is_kept() -> None:
    images = images_for(MODELS[4], 6, (6, 6), 3, 0.1)
    images[:, 1, 2] = (1, 2, 3, 0)
    with compressnet.open(archive_of([images], codec_of(ALL))) as archive:
        assert np.array_equal(archive[:], images)


def test_what_would_grow_is_stored() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 28, 28), dtype=np.uint8)
    stream = io.BytesIO()
    written = compressnet.compress(
        [noise, images_for(MODELS[1], 40, (28, 28), 0, 0.001)[..., 0]], stream, codec_of(ALL)
    )
    assert written.reasons == {"smaller as they are": written.stored}
    assert 300 <= written.stored < 340
    assert len(stream.getvalue()) < 1.01 * noise.size + len(pack_bundle(ALL)) + 40 * 100
    with compressnet.open(stream.getvalue()) as archive:
        assert np.array_equal(archive[:300], noise)


@pytest.mark.filterwarnings("ignore::compressnet.errors.SlowerWarning")
def test_images_without_a_model() -> None:
    sized = codec_of(make_lossless_bundle(make_pixel_model(1, (7, 6))))
    other = images_for(MODELS[1], 3, (6, 7))[..., 0]
    with pytest.raises(InputError, match=r"codes 7x6x1 without loss; train one .*compressnet train --lossless"):
        sized.compress(other, quality=100)
    with pytest.raises(InputError, match="too large for quality 100"):
        codec_of(ALL).compress(np.zeros((1, 257, 257), np.uint8), quality=100)
    for images, codec in ((other, sized), (np.ones((1, 257, 257), np.uint8), codec_of(ALL))):
        with compressnet.open(archive_of([images], codec)) as archive:
            assert np.array_equal(archive[:], images)


def test_codecs_of_one_part(mnist: np.ndarray, shipped: Codec) -> None:
    lossy = codec_of(make_bundle(shipped.bundle.networks, name="lossy", default_quality=46, about="{}"))
    with pytest.raises(InputError, match="has no lossless part; train one with 'compressnet train --lossless'"):
        archive_of([mnist[:2]], lossy)
    with pytest.raises(InputError, match="has no lossless part"):
        lossy.compress(mnist[:2], 100)
    lossless = codec_of(ALL)
    assert (lossless.default_quality, lossless.qualities, lossless.kinds) == (100, (100, 100), [])
    with pytest.raises(InputError, match="is lossless, its only quality is 100"):
        compressnet.compress(mnist[:2], io.BytesIO(), lossless, quality=50)
    with pytest.raises(InputError, match="is lossless, its only quality is 100"):
        lossless.encoder(mnist[:2], 50)


def test_a_largest_error_of_0_is_quality_100() -> None:
    images = images_for(MODELS[1], 9, (8, 8))[..., 0]
    stream = io.BytesIO()
    compressnet.compress(images, stream, codec_of(ALL), max_error=0)
    with compressnet.open(stream.getvalue()) as archive:
        assert {archive.container.read_block(i).quality for i in range(len(archive.container.blocks))} == {100}
        assert np.array_equal(archive[:], images)


def test_single_blocks() -> None:
    codec = codec_of(ALL)
    for images in (images_for(MODELS[1], 3, (7, 6))[..., 0], images_for(MODELS[4], 2, (3, 9))):
        block = codec.compress(images, 100)
        assert block[0] == 100
        assert np.array_equal(codec.decompress(block), images)
        for i in range(len(block)):
            damaged = block[:i] + bytes([block[i] ^ 0x55]) + block[i + 1 :]
            with pytest.raises(CorruptError):
                codec.decompress(damaged)
        with pytest.raises(CorruptError, match="made with another codec"):
            codec_of(make_lossless_bundle(MODELS[1], MODELS[4])).decompress(block)


def single(kind: int, images: int, payload: bytes) -> Single:
    return Single(kind=kind, channels_axis=False, quality=100, images=images, payload=payload)


def test_a_single_block_names_its_model() -> None:
    models = (MODELS[1], make_pixel_model(1, seed=5))
    bundle = make_lossless_bundle(*models)
    assert bundle.lossless_identity is not None
    images = images_for(models[1], 3, (7, 6))
    (payload,), _ = LosslessNetwork(models[1], NumpyBackend()).write_blocks(images, [3])
    block = pack_single(single(1, 3, bytes([7, 6]) + payload), bundle.lossless_identity)
    assert np.array_equal(codec_of(bundle).decompress(block), images[..., 0])
    colour = images_for(MODELS[3], 1, (7, 6))
    (payload,), _ = LosslessNetwork(MODELS[3], NumpyBackend()).write_blocks(colour, [1])
    assert ALL.lossless_identity is not None
    block = pack_single(single(2, 1, bytes([7, 6]) + payload), ALL.lossless_identity)
    with pytest.raises(CorruptError, match="3 channels without an axis"):
        codec_of(ALL).decompress(block)


def test_what_is_not_background_has_another_value() -> None:
    network = LosslessNetwork(MODELS[1], NumpyBackend())
    refused = 0
    for seed in range(60):
        payload = np.random.default_rng(seed).integers(0, 256, 100, dtype=np.uint8).tobytes()
        with contextlib.suppress(CorruptError):
            images = network.read_payloads([payload], [1], (6, 6))
            (again,), _ = network.write_blocks(images, [1])
            assert np.array_equal(network.read_payloads([again], [1], (6, 6)), images)
            continue
        refused += 1
    assert refused < 60


def test_a_machine_that_does_not_reproduce_the_probe_is_refused() -> None:
    changed = replace(MODELS[1], probe=MODELS[1].probe ^ np.uint8(1))
    bundle = make_lossless_bundle(changed)
    with pytest.raises(CodecRefusedError, match="does not reproduce"):
        codec_of(bundle).compress(images_for(MODELS[1], 1, (7, 6)), 100)
    with pytest.raises(CodecRefusedError, match="cannot be embedded"):
        pack_bundle(bundle)


def test_damage_names_the_block(tmp_path: Path) -> None:
    images = images_for(MODELS[1], 12, (9, 9), 0, 0.05)[..., 0]
    data = archive_of([images], codec_of(ALL), block_images=4, embed_codec=False)
    with compressnet.open(data, codec_of(ALL)) as archive:
        blocks = archive.container.blocks
        assert {archive.container.read_block(i).method_name for i in range(len(blocks))} == {"lossless"}
        second = int(blocks.offsets[1])
    damaged = data[: second + 30] + bytes([data[second + 30] ^ 9]) + data[second + 31 :]
    with compressnet.open(damaged, codec_of(ALL)) as archive:
        assert np.array_equal(archive[:4], images[:4])
        with pytest.raises(CorruptError, match="block 1"):
            archive[4]


def test_maintenance(tmp_path: Path) -> None:
    images = images_for(MODELS[1], 20, (9, 9), 0, 0.03)[..., 0]
    codec = codec_of(ALL)
    for name, part in (("a", images[:9]), ("b", images[9:])):
        (tmp_path / f"{name}.cnet").write_bytes(archive_of([part], codec, block_images=4))
    maintain.concat([tmp_path / "a.cnet", tmp_path / "b.cnet"], tmp_path / "ab.cnet")
    with compressnet.open(tmp_path / "ab.cnet") as archive:
        assert np.array_equal(archive[:], images)
        maintain.subset(archive, [17, 2, 3, 11], tmp_path / "some.cnet")
    with compressnet.open(tmp_path / "some.cnet") as archive:
        assert np.array_equal(archive[:], images[[17, 2, 3, 11]])
        methods = {archive.container.read_block(i).method_name for i in range(len(archive.container.blocks))}
        assert methods == {"lossless"}
    maintain.append(tmp_path / "a.cnet", images[9:15], codec=codec)
    maintain.append(tmp_path / "a.cnet", images[15:])  # what is embedded is all that quality 100 needs
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert np.array_equal(archive[:], images)


def test_codec_files_keep_both_parts(shipped: Codec) -> None:
    networks = shipped.bundle.networks
    both = make_bundle(networks, (MODELS[1], MODELS[4]), name="both", default_quality=46, about="{}")
    again = from_bytes(to_bytes(both), "again")
    assert (again.lossy_identity, again.lossless_identity) == (both.lossy_identity, both.lossless_identity)
    assert to_bytes(again) == to_bytes(both)
    assert both.lossy_identity == read_bundle("mnist").lossy_identity
    assert both.lossless_identity == make_lossless_bundle(MODELS[1], MODELS[4]).lossless_identity
    assert both.only(b"?" * 32) is None


FILE, PACKED = to_bytes(make_lossless_bundle(MODELS[2])), pack_bundle(make_lossless_bundle(MODELS[2]))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_codecs_give_one_error_or_another_codec(data: st.DataObject) -> None:
    packed = data.draw(st.booleans())
    whole = PACKED if packed else FILE
    at, value = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    damaged = whole[:at] if data.draw(st.booleans()) else whole[:at] + bytes([value]) + whole[at + 1 :]
    with contextlib.suppress(FormatError, CodecError, InputError):
        bundle = (unpack_bundle if packed else from_bytes)(damaged, "damaged")
        images = images_for(MODELS[2], 1, (4, 4))
        codec = codec_of(bundle)
        assert np.array_equal(codec.decompress(codec.compress(images, 100)), images)


class TestLosslessCoder(CoderTests):
    @pytest.fixture(params=[1, 2, 3, 4], ids=lambda channels: f"{channels} channels")
    def coder(self, request: pytest.FixtureRequest) -> Coder:
        return codec_of(ALL).coder((7, 6, request.param), 100)

    @pytest.fixture
    def images_NHWC(self, coder: Coder) -> np.ndarray:
        return images_for(MODELS[coder.kind[2]], 23, coder.kind[:2], share=0.3)
