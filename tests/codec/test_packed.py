"""Packed codecs: nothing is lost, they are small, equal tensors count once, and damage is
refused."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.codec.arrays import pack_arrays
from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.file import from_bytes, to_bytes
from compressnet.codec.packed import pack_bundle, unpack_bundle
from compressnet.codec.shipped import read_bundle
from compressnet.errors import CodecRefusedError, CorruptError
from compressnet.lossy.arrays import to_parts
from compressnet.lossy.coder import CodecNetwork
from compressnet.lossy.network import Network
from compressnet.lossy.probe import Probe, derived_symbols
from compressnet.networks.numpy import NumpyBackend
from compressnet.wire import Reader, pack_varint
from conftest import CONFORMANCE

TILES = (CONFORMANCE / "tiles.packed").read_bytes()


def bundle_of(name: str) -> Bundle:
    path = CONFORMANCE / f"{name}.codec"
    return from_bytes(path.read_bytes(), str(path))


def decoding_tensors(bundle: Bundle) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    tensors = to_parts(bundle.networks)[1]
    parts = ("decoder", "prior", "tables")
    return {
        name: (array.dtype.name, array.shape, array.tobytes())
        for name, array in tensors.items()
        if name.split(".")[1] in parts
    }


def structure_of(packed: bytes) -> tuple[Any, bytes]:
    """The JSON document of a packed codec, and what follows it."""
    reader = Reader(packed, "packed")
    return json.loads(zlib.decompress(reader.take(reader.varint(1 << 20)))), reader.take(reader.left)


def with_structure(structure: bytes, rest: bytes) -> bytes:
    deflated = zlib.compress(structure)
    return pack_varint(len(deflated)) + deflated + rest


def check_round_trip(bundle: Bundle) -> bytes:
    packed = pack_bundle(bundle)
    again = unpack_bundle(packed, "again")
    assert again.identity == bundle.identity
    assert decoding_tensors(again) == decoding_tensors(bundle)
    assert (again.name, again.about, again.default_quality) == (bundle.name, bundle.about, bundle.default_quality)
    assert all(network.encoder is None and network.lambdas is None for network in again.networks)
    return packed


def test_round_trip(tiny_bundle: Bundle) -> None:
    packed = check_round_trip(tiny_bundle)
    assert len(packed) < 0.36 * len(to_bytes(tiny_bundle, encoder=False))
    assert pack_bundle(unpack_bundle(packed, "again")) == packed


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_round_trip_of_shipped_codecs(name: str) -> None:
    bundle = read_bundle(name)
    assert len(check_round_trip(bundle)) < 0.72 * len(to_bytes(bundle, encoder=False))


def test_committed_packed_codecs_unpack(tiny_name: str, tiny_bundle: Bundle) -> None:
    unpacked = unpack_bundle((CONFORMANCE / f"{tiny_name}.packed").read_bytes(), "committed")
    assert unpacked.identity == tiny_bundle.identity
    Codec(unpacked, NumpyBackend(), 1, "committed")


def test_an_unpacked_codec_decodes_and_becomes_a_file(tiny: Codec, tiny_arrays: dict[str, np.ndarray]) -> None:
    unpacked = unpack_bundle(pack_bundle(tiny.bundle), "unpacked")
    again = from_bytes(to_bytes(unpacked), "again")
    assert again.identity == tiny.bundle.identity
    assert to_bytes(again) == to_bytes(unpacked)
    decoded = Codec(again, tiny.backend, 1, "again").decoder(tiny_arrays["symbols"])
    assert np.array_equal(decoded.reshape(tiny_arrays["decoded"].shape), tiny_arrays["decoded"])


@pytest.mark.parametrize("name", ["frequencies", "pixels"])
@pytest.mark.parametrize("quality", [0, 1])
def test_a_backend_that_does_not_reproduce_the_derived_probe_is_refused(name: str, quality: int) -> None:
    unpacked = unpack_bundle(TILES, "tiles")
    network = unpacked.networks[0]
    hashes = getattr(network.probe, name).copy()
    hashes[quality, 5] ^= 1
    changed = replace(network, probe=replace(network.probe, **{name: hashes}))
    codec = Codec(made(changed), NumpyBackend(), 1, "here")
    with pytest.raises(CodecRefusedError, match=f"{name} of the probe differ"):
        codec.decompress((CONFORMANCE / "tiles.block").read_bytes())


def test_a_machine_that_does_not_reproduce_the_codec_packs_nothing(tiny_bundle: Bundle) -> None:
    network = tiny_bundle.networks[0]
    changed = replace(network, probe=replace(network.probe, pixels=np.zeros((2, 32), np.uint8)))
    with pytest.raises(CodecRefusedError, match=f"{tiny_bundle.name} cannot be embedded"):
        pack_bundle(make_bundle((changed,), name=tiny_bundle.name, default_quality=60, about=""))


def with_own_probe(network: Network) -> Network:
    """The decoding part of a changed network, with a probe that fits it."""
    symbols = derived_symbols(network.prior, network.qualities)
    runner = CodecNetwork(network, NumpyBackend())
    pairs = [(k.astype(np.int32), quality) for k, quality in zip(symbols, network.qualities, strict=True)]
    frequencies = b"".join(runner.entropy.frequencies_sha256(*pair) for pair in pairs)
    pixels = b"".join(hashlib.sha256(runner.decode(*pair).tobytes()).digest() for pair in pairs)
    hashes = {
        name: np.frombuffer(digests, np.uint8).reshape(2, 32)
        for name, digests in (("frequencies", frequencies), ("pixels", pixels))
    }
    return replace(network, encoder=None, lambdas=None, probe=Probe(images=None, symbols=symbols, **hashes))


def made(*networks: Network) -> Bundle:
    return make_bundle(networks, name="made", default_quality=40, about="")


def test_equal_tensors_count_once(tiny_bundle: Bundle) -> None:
    network = tiny_bundle.networks[0]
    prior = replace(network.prior, scale_offset=network.prior.scale_offset + np.int16(1))
    other = with_own_probe(replace(network, prior=prior, qualities=(network.qualities[0], 50)))
    assert len(check_round_trip(made(other, network, other))) < len(pack_bundle(tiny_bundle)) + 700


def test_a_gain_of_an_earlier_network_with_an_inverse_of_its_own() -> None:
    network = bundle_of("tiles").networks[0]
    prior = replace(network.prior, inverse_gain=network.prior.inverse_gain + np.int16(3))
    check_round_trip(made(network, with_own_probe(replace(network, prior=prior))))


def test_tables_of_its_own() -> None:
    network = bundle_of("tiles").networks[0]
    tables = network.prior.tables
    changed = replace(tables, cdf=np.minimum(tables.cdf, 65000), weight=tables.weight[::-1].copy())
    own = with_own_probe(replace(network, prior=replace(network.prior, tables=changed)))
    check_round_trip(made(own))
    check_round_trip(made(network, own, own))


def set_at(*path: Any, value: Any) -> Callable[[Any], None]:
    """A change of one place in the structure."""

    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


MALFORMATIONS: list[tuple[Callable[[Any], None], str]] = [
    (set_at("networks", value=None), "structure that cannot be read"),
    (set_at("networks", value=[{}] * 256), "256 networks, the limit is 255"),
    (set_at("networks", 0, "kind", value=[8, 16]), "cannot be read"),
    (set_at("networks", 0, "decoder", value=7), "structure that cannot be read"),
    (set_at("networks", 0, "prior", value={}), "damaged"),
    (set_at("networks", 0, "prior", "new", value=[1]), r"structure that cannot be read.*new"),
    (set_at("networks", 0, "prior", "bound", value=0), r"0\.prior\.bound of shape 0"),
    (set_at("networks", 0, "prior", "bound", value=True), "of shape True"),
    (set_at("networks", 0, "prior", "bound", value=[-1, 12]), "of shape"),
    (set_at("networks", 0, "prior", "bound", value=[1.0, 12]), "of shape"),
    (set_at("networks", 0, "prior", "bound", value=[]), "without axes"),
    (set_at("networks", 0, "prior", "bound", value=[1] * 5), "more than 4"),
    (set_at("networks", 0, "prior", "bound", value=[1 << 14, 1 << 10]), "claims 16[0-9]* numbers in"),
    (set_at("networks", 0, "prior", "bound", value=[1 << 28] * 4), "claims [0-9]* numbers in"),
    (set_at("networks", 0, "decoder", 0, "op", value="softmax"), "softmax"),
]


@pytest.mark.parametrize(("change", "message"), MALFORMATIONS, ids=[message for _, message in MALFORMATIONS])
def test_malformed_packed_codecs_are_refused(change: Callable[[Any], None], message: str) -> None:
    document, rest = structure_of(TILES)
    change(document)
    with pytest.raises(CorruptError, match=f"here: .*{message}"):
        unpack_bundle(with_structure(json.dumps(document).encode(), rest), "here")


@pytest.mark.parametrize(
    "structure",
    [
        b"",
        b"{",
        b"null",
        b"[" * 200_000,
        b" " * (1 << 23),
        b'{"networks": [[]]}',
        b"9" * 5000,
        b'{"networks": [{"decoder": [], "prior": ' + b'{"a":' * 900 + b"1" + b"}" * 902,
        b"\xff",
    ],
)
def test_structures_that_are_none_are_refused(structure: bytes) -> None:
    with pytest.raises(CorruptError, match=r"here: the packed codec (is|has)"):
        unpack_bundle(with_structure(structure, b""), "here")


def test_a_shared_tensor_counts_towards_the_limit_each_time() -> None:
    document, rest = structure_of(TILES)
    document["networks"][0]["prior"]["bound"] = [1 << 14, 16]
    shared = json.loads(json.dumps(document["networks"][0]))
    shared["prior"] = {"bound": 0}
    document["networks"] += [shared] * 254
    with pytest.raises(CorruptError, match=r"here: the packed codec claims 6\d* numbers"):
        unpack_bundle(with_structure(json.dumps(document).encode(), rest), "here")


def test_tables_that_do_not_fit_each_other() -> None:
    gain, inverse = np.ones((2, 3), np.int16), np.ones((3, 2), np.int16)
    node = {"out": "dequantized", "arrays": {"table": gain.shape}}
    network = {"decoder": [node], "prior": {"inverse_gain": inverse.shape}, "tables": {}}
    rest = bytes(128) + pack_arrays([gain, inverse])
    with pytest.raises(
        CorruptError, match=r"here: .* prior\.inverse_gain that does not fit decoder\.dequantized\.table"
    ):
        unpack_bundle(with_structure(json.dumps({"networks": [network]}).encode(), rest), "here")


@settings(max_examples=100, deadline=None)
@given(position=st.integers(0, len(TILES) - 1), flip=st.integers(1, 255), cut=st.booleans())
def test_damage_is_refused_or_changes_the_identity(position: int, flip: int, cut: bool) -> None:
    flipped = TILES[:position] + bytes([TILES[position] ^ flip]) + TILES[position + 1 :]
    try:
        bundle = unpack_bundle(TILES[:position] if cut else flipped, "damaged")
    except CorruptError:
        return
    original = unpack_bundle(TILES, "tiles")
    if bundle.identity == original.identity:
        assert decoding_tensors(bundle) == decoding_tensors(original)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    for damaged in (data, with_structure(data, data), with_structure(json.dumps({"networks": []}).encode(), data)):
        with pytest.raises(CorruptError):
            unpack_bundle(damaged, "noise")
