"""Networks without a size: the same on every backend, at every size; and what they may not be."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from backends import BACKENDS, CORES
from coder_tests import CoderTests
from compressnet.archive.describe import describe
from compressnet.codec.bundle import Bundle, from_parts, make_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.export import export, make_any_size_models, make_models, network_at
from compressnet.codec.file import from_bytes
from compressnet.codec.loading import make_backend
from compressnet.coding.coder import Coder
from compressnet.coding.part import Tensors
from compressnet.errors import CodecRefusedError, CorruptError, InputError
from compressnet.images.alpha import clear_hidden, fill_hidden
from compressnet.limits import SIZELESS_SYMBOLS_LIMIT
from compressnet.lossy.arrays import to_parts
from compressnet.lossy.coder import CodecNetwork, LossyCoder
from compressnet.lossy.instances import KEPT_LAYOUTS, Instances
from compressnet.lossy.sizeless import SizelessNetwork, grid_of, prove_sizeless
from compressnet.native.backend import NativeBackend
from compressnet.native.library import find_core
from compressnet.networks.numpy import NumpyBackend
from compressnet.networks.onnx import ModelRunner, make_session
from compressnet.networks.program import Node
from compressnet.networks.proof import prove
from conftest import CONFORMANCE
from make_conformance import blobs, images_of_any_size

NAMES = ("any", "any8", "any16")
BUNDLES = {name: from_bytes((CONFORMANCE / f"{name}.codec").read_bytes(), name) for name in NAMES}
CODECS = {
    name: [Codec(bundle, make_backend(backend, 1), 1, name) for backend in BACKENDS] for name, bundle in BUNDLES.items()
}
SIDES = st.integers(1, 40) | st.sampled_from([63, 64, 65, 100])


def network_of(name: str) -> SizelessNetwork:
    (network,) = BUNDLES[name].networks
    assert isinstance(network, SizelessNetwork)
    return network


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, tuple[int, int, int], int]:
    """A codec, a kind that it codes, and a quality."""
    name = draw(st.sampled_from(NAMES))
    kind = draw(SIDES), draw(SIDES), draw(st.sampled_from(network_of(name).served))
    return name, kind, draw(st.integers(0, 99))


def check_all_backends(name: str, kind: tuple[int, int, int], quality: int) -> None:
    images = np.random.default_rng(quality).integers(0, 256, (2, *kind)).astype(np.uint8)
    images[0] = blobs(1, kind, quality)[0]
    found = []
    for codec in CODECS[name]:
        symbols = codec.encoder(images, quality)
        data = codec.compress(images, quality)
        decoded = codec.decoder(symbols, quality, kind)
        assert np.array_equal(codec.decompress(data).reshape(decoded.shape), decoded)
        assert decoded.reshape(images.shape).shape == images.shape
        found.append((symbols.tobytes(), data, decoded.tobytes()))
    assert len(set(found)) == 1


@settings(max_examples=8, deadline=None)
@given(case=cases())
def test_all_backends_give_the_same_symbols_payloads_and_pixels(case: tuple[str, tuple[int, int, int], int]) -> None:
    check_all_backends(*case)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_all_backends_agree_at_many_sizes(case: tuple[str, tuple[int, int, int], int]) -> None:
    check_all_backends(*case)


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_what_is_laid_out_is_proved(case: tuple[str, tuple[int, int, int], int]) -> None:
    """The proof at one tile says so; here each size is proved by itself."""
    name, kind, _ = case
    template = network_of(name)
    network = template.at(kind)
    assert prove(network.decoder, (kind[2], *kind[:2])) == (0, 255)
    assert network.encoder is not None
    prove(network.encoder, (network.symbols,))
    network.prior.prove(network.symbols)
    assert network.symbols == template.symbols_of(kind) == len(network.prior.order)
    weights = [{id(node.arrays.get("weight")) for node in each.decoder.nodes} for each in (template, network)]
    assert weights[0] <= weights[1] | {id(None)}


class TestCoderOfAnySize(CoderTests):
    @pytest.fixture(params=[("any", (13, 5, 3)), ("any8", (1, 9, 1))], ids=str)
    def coder(self, request: pytest.FixtureRequest) -> Coder:
        name, kind = request.param
        return CODECS[name][0].coder(kind, 60)

    @pytest.fixture
    def images_NHWC(self, coder: Coder) -> np.ndarray:
        return blobs(23, coder.kind, 5)


@pytest.mark.parametrize("name", NAMES)
def test_an_archive_of_many_sizes_and_modes_comes_back(name: str) -> None:
    codec, images = CODECS[name][0], images_of_any_size((1, 2, 3, 4) if name == "any" else (1, 3))
    stream = io.BytesIO()
    written = compressnet.compress(images, stream, codec, embed_codec=True)
    assert written.reasons == {}
    with compressnet.open(stream.getvalue()) as archive:
        expected = [image for array in images for image in codec.autoencoder(array)]
        assert archive.shapes == [image.shape for image in expected]
        assert all(np.array_equal(image, known) for image, known in zip(archive, expected, strict=True))


@pytest.mark.parametrize("effort", [1, 4])
def test_a_search_finds_nothing_worse(effort: int) -> None:
    coder, images = CODECS["any"][0].coder((11, 9, 4), 60), blobs(4, (11, 9, 4), 3)
    assert isinstance(coder, LossyCoder)
    lambdas = coder.runner.network.lambdas
    assert lambdas is not None
    found, first = (
        coder.runner.costs(images, coder.values_of(images, each).astype(np.int32), 60, float(lambdas[60]))
        for each in (effort, 1)
    )
    assert (found <= first).all()


def test_a_network_for_one_size_goes_first() -> None:
    odd = from_bytes((CONFORMANCE / "odd.codec").read_bytes(), "odd").networks[0]
    both = make_bundle((network_of("any"), odd), name="both", default_quality=60, about="")
    codec, images = Codec(both, NumpyBackend(), 1, "both"), blobs(3, odd.kind, 1)
    alone = Codec(make_bundle((odd,), name="odd", default_quality=60, about=""), NumpyBackend(), 1, "odd")
    assert codec.kinds == [odd.kind]
    assert codec.coded == ["any size x 1 or 2 or 3 or 4", "9x14x1"]
    assert np.array_equal(codec.encoder(images), alone.encoder(images))
    other = blobs(3, (9, 15, 1), 1)
    assert np.array_equal(codec.encoder(other), CODECS["any"][0].encoder(other))
    for some in (images, other):
        assert np.array_equal(codec.decompress(codec.compress(some)), codec.autoencoder(some))


def test_why_images_are_not_coded() -> None:
    rgb, all_modes = CODECS["any8"][0], CODECS["any"][0]
    assert rgb.why_not((9, 9, 3), 50) is None
    with pytest.raises(InputError, match=r"9x9x4 .* codes any size x 1 or 3; train one"):
        rgb.encoder(blobs(1, (9, 9, 4), 0))
    assert all_modes.why_not((1024, 1024, 4), 50) is None
    assert "is for any size, but images of 4097x8 are too large" in str(all_modes.why_not((4097, 8, 1), 50))
    kind = (4096, 4096, 3)
    assert network_of("any").symbols_of(kind) < SIZELESS_SYMBOLS_LIMIT
    assert "images of 4096x4096 are too large" in str(all_modes.why_not(kind, 50))
    assert not all_modes.knows(kind)
    some = replace(network_of("any"), qualities=(10, 20))
    codec = Codec(make_bundle((some,), name="some", default_quality=15, about=""), NumpyBackend(), 1, "some")
    assert codec.why_not((9, 9, 3), 50) == "quality 50: the codec some has qualities 10 to 20; choose one of these"
    with pytest.raises(InputError, match="say by `kind`"):
        all_modes.decoder(np.zeros((1, 12), np.int32))
    with pytest.raises(InputError, match="an image has 27 symbols"):
        all_modes.decoder(np.zeros((1, 12), np.int32), kind=(9, 9, 1))


def test_what_does_not_fit_is_stored() -> None:
    stream = io.BytesIO()
    images = [blobs(2, (9, 9, 3), 0), blobs(1, (9, 9, 4), 0)]
    written = compressnet.compress(images, stream, CODECS["any8"][0], embed_codec=False)
    assert written.reasons | written.learned_reasons == {"no network for 9x9x4": 1}
    with compressnet.open(stream.getvalue(), CODECS["any8"][0]) as archive:
        assert np.array_equal(archive[2], clear_hidden(images[1])[0])


def test_it_is_described() -> None:
    (told,) = describe(str(CONFORMANCE / "any.codec"))["networks"]
    assert (told["size"], told["channels"], told["tile_px"]) == (None, [1, 2, 3, 4], 4)
    assert not {"kind", "symbols"} & set(told)


def test_the_probe_is_run_before_anything_else() -> None:
    network = network_of("any")
    for name in ("encoded", "frequencies", "pixels"):
        hashes = getattr(network.probe, name).copy()
        hashes[1, 3] ^= 1
        changed = replace(network, probe=replace(network.probe, **{name: hashes}))
        codec = Codec(make_bundle((changed,), name="x", default_quality=60, about=""), NumpyBackend(), 1, "x")
        with pytest.raises(CodecRefusedError, match="of the probe differ at quality 99"):
            codec.encoder(blobs(1, (9, 9, 1), 0))


def test_so_many_layouts_are_kept() -> None:
    instances = Instances(network_of("any"), NumpyBackend())
    kinds = [(1 + i, 3, 1) for i in range(KEPT_LAYOUTS + 3)]
    first, *_ = [instances.at(kind) for kind in kinds]
    assert instances.at(kinds[-1]) is instances.at(kinds[-1])
    assert instances.at(kinds[0]) is not first
    large = instances.at((1500, 1500, 1))
    assert instances.at((1500, 1500, 1)) is large
    assert instances.at(kinds[-1]) is not large


@pytest.mark.parametrize(("side", "tile_px", "places"), [(1, 4, 2), (8, 4, 2), (9, 4, 3), (16, 8, 2), (1024, 8, 128)])
def test_grids(side: int, tile_px: int, places: int) -> None:
    assert grid_of(side, 1, tile_px) == (places, 2)


def in_node(part: str, op: str, **changes: object) -> Callable[[SizelessNetwork], SizelessNetwork]:
    """Changes the first node of an op."""

    def change(network: SizelessNetwork) -> SizelessNetwork:
        program = getattr(network, part)
        number = next(i for i, node in enumerate(program.nodes) if node.op == op)
        nodes = list(program.nodes)
        nodes[number] = replace(nodes[number], **changes)
        return replace(network, **{part: replace(program, nodes=tuple(nodes))})

    return change


def with_slice(network: SizelessNetwork) -> SizelessNetwork:
    """A decoder with an op of one size."""
    first, second, *rest = network.decoder.nodes
    taken = Node(op="slice", inputs=("dequantized",), output="some", attributes={"start": 0, "stop": 3})
    nodes = (first, taken, replace(second, inputs=("some",)), *rest)
    return replace(network, decoder=replace(network.decoder, nodes=nodes))


def with_wide_repeats(network: SizelessNetwork) -> SizelessNetwork:
    """Gains that are not of one channel each."""
    first, *rest = network.decoder.nodes
    arrays = {**first.arrays, "repeats": np.array([0, 1, 2], np.int32)}
    return replace(network, decoder=replace(network.decoder, nodes=(replace(first, arrays=arrays), *rest)))


FAULTS: list[tuple[Callable[[SizelessNetwork], SizelessNetwork], str]] = [
    (with_slice, r"'some' \(slice\) does not fit a network without a size"),
    (with_wide_repeats, r"\(gain\) does not fit a network without a size"),
    (in_node("decoder", "conv", attributes={"stride": 3, "padding": 1}), r"\(conv\) does not fit"),
    (in_node("decoder", "conv", attributes={"stride": 1, "padding": 2}), "does not fit|has shape"),
    (lambda network: replace(network, served=(3, 1)), "is for images of 3 or 1 channels"),
    (lambda network: replace(network, served=()), "is for images of"),
    (lambda network: replace(network, served=(5,)), "is for images of 5 channels"),
    (lambda network: replace(network, tile_px=17), "in tiles of 17 px"),
    (lambda network: replace(network, tile_px=8), "has shape"),
    (lambda network: replace(network, prior=replace(network.prior, bound=network.prior.bound[:, 1:])), "tables"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_what_would_not_hold_at_every_size_is_refused(
    change: Callable[[SizelessNetwork], SizelessNetwork], message: str
) -> None:
    prove_sizeless(network_of("any"))
    with pytest.raises(CorruptError, match=message):
        prove_sizeless(change(network_of("any")))


@pytest.mark.parametrize("kind", [(9, 13, 3), (3, 2, 1)])
def test_exported_models_of_a_size_compute_the_same(kind: tuple[int, int, int]) -> None:
    bundle: Bundle = BUNDLES["any"]
    sizeless = network_at(bundle, 60, kind)
    assert isinstance(sizeless, SizelessNetwork)
    network = sizeless.at(kind)
    images = blobs(3, kind, 2)
    images = images[..., 0] if kind[2] == 1 else images
    models = make_models(bundle, 60, network)
    assert np.array_equal(ModelRunner(models.encoder).run(images, 1), CODECS["any"][0].encoder(images))
    assert np.array_equal(ModelRunner(models.autoencoder).run(images, 1), CODECS["any"][0].autoencoder(images))


@pytest.mark.parametrize("name", NAMES)
def test_exported_models_of_any_size_compute_the_same(name: str) -> None:
    for channels in network_of(name).served:
        models = make_any_size_models(BUNDLES[name], 60, network_of(name), channels)
        for size in ((1, 1), (9, 21), (40, 16)):
            images = fill_hidden(blobs(3, (*size, channels), 2))
            images = images[..., 0] if channels == 1 else images
            symbols, decoded = CODECS[name][0].encoder(images, 60), CODECS[name][0].autoencoder(images, 60)
            assert np.array_equal(ModelRunner(models.encoder).run(images, 1), symbols)
            assert np.array_equal(ModelRunner(models.autoencoder).run(images, 1), decoded)
            session = make_session(models.decoder)
            found = session.run(None, {"symbols": symbols, "size": np.array(size, np.int64)})[0]
            assert np.array_equal(found, decoded)


def test_export_writes_models_of_any_size(tmp_path: Path) -> None:
    paths = export(BUNDLES["any8"], tmp_path, 60)
    images = blobs(2, (11, 4, 3), 2)
    assert np.array_equal(ModelRunner(paths[2].read_bytes()).run(images, 1), CODECS["any8"][0].autoencoder(images, 60))


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", NAMES)
def test_all_variants_of_the_core_share_weights_and_agree(name: str, core: str) -> None:
    instances = Instances(network_of(name), NativeBackend(find_core(core), 1))
    instances.check_probe()
    for kind in ((9, 9, 1), (1, 3, 3), (33, 20, 3), (64, 64, 1)):
        runner, known = instances.at(kind), CodecNetwork(network_of(name).at(kind), NumpyBackend())
        images = blobs(3, kind, 6)
        symbols = known.encode(images, 70)
        assert np.array_equal(runner.encode(images, 70), symbols)
        assert np.array_equal(runner.decode(symbols, 70), known.decode(symbols, 70))
        assert runner.entropy.write(symbols, [2, 1], 70) == known.entropy.write(symbols, [2, 1], 70)


def changed_entry(**changes: object) -> Callable[[dict[str, Any], Tensors], None]:
    return lambda entry, _: entry.update(changes)


def without(key: str) -> Callable[[dict[str, Any], Tensors], None]:
    return lambda entry, _: entry.pop(key) and None


def changed_tensor(name: str, array: np.ndarray) -> Callable[[dict[str, Any], Tensors], None]:
    return lambda _, tensors: tensors.update({name: array})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("tile"), "cannot be read"),
        (without("channels"), "cannot be read"),
        (changed_entry(tile="4"), "whole number"),
        (changed_entry(channels=[1, 1]), "is for images of 1 or 1 channels"),
        (changed_entry(kind=[0, 5, 4]), "codes images of 0x5x4"),
        (changed_tensor("0.prior.grid", np.array([3, 2, 2], np.int32)), "not for one place of a grid"),
        (changed_tensor("0.encoder.probe", np.zeros((2, 31), np.uint8)), "the probe does not fit"),
        (changed_tensor("0.prior.0.phase", np.zeros((4, 5), np.int32)), "weights do not fit its grid"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused(
    change: Callable[[dict[str, Any], Tensors], None], message: str
) -> None:
    (entry,), tensors = to_parts((network_of("any"),))
    change(entry, tensors)
    document = {"name": "x", "about": "", "default_quality": 60, "networks": [entry]}
    with pytest.raises(CorruptError, match=message):
        from_parts(document, tensors, "here")
