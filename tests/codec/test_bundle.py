"""Codec files: exact round trips, the identity, and a refusal for every malformation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.codec.file import from_bytes, to_bytes
from compressnet.errors import CompressnetError, CorruptError, FormatError
from conftest import CONFORMANCE

GREY = CONFORMANCE / "grey.codec"


def parts(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and the JSON document of a codec file."""
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    return safetensors.numpy.load(data), json.loads(metadata["codec"])


def joined(tensors: dict[str, np.ndarray], document: Any, version: str = "1") -> bytes:
    return safetensors.numpy.save(tensors, {"compressnet": version, "codec": json.dumps(document)})


def test_round_trip(tiny_bundle: Bundle) -> None:
    again = from_bytes(to_bytes(tiny_bundle), "again")
    assert again.identity == tiny_bundle.identity
    assert to_bytes(again) == to_bytes(tiny_bundle)
    assert (again.name, again.default_quality, again.about) == (
        tiny_bundle.name,
        tiny_bundle.default_quality,
        tiny_bundle.about,
    )


def test_identity_is_of_what_decoding_needs(tiny_bundle: Bundle) -> None:
    without = from_bytes(to_bytes(tiny_bundle, encoder=False), "without")
    assert without.networks[0].encoder is None
    assert without.identity == tiny_bundle.identity
    renamed = make_bundle(tiny_bundle.networks, name="another", default_quality=3, about="")
    assert renamed.identity == tiny_bundle.identity
    network = tiny_bundle.networks[0]
    table = network.prior.bound.copy()
    table[50, 0] += 1
    changed = replace(network, prior=replace(network.prior, bound=table))
    assert make_bundle((changed,), name="", default_quality=0, about="").identity != tiny_bundle.identity


def test_identity_does_not_depend_on_the_order_in_the_file() -> None:
    data = GREY.read_bytes()
    tensors, document = parts(data)
    turned = joined(dict(reversed(tensors.items())), document)
    assert from_bytes(turned, "turned").identity == from_bytes(data, "grey").identity


def test_identity_of_the_committed_codec() -> None:
    expected = "b7fa25a9538cee751fd8879088f6cbfe75b5e4deb5b3c1cf8864ec5bd2d7e555"
    assert from_bytes(GREY.read_bytes(), "grey").identity.hex() == expected


def set_at(*path: Any, value: Any) -> Callable[[dict[str, np.ndarray], Any], None]:
    """A change of one place in the document."""

    def change(_: dict[str, np.ndarray], document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def tensor(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict[str, np.ndarray], Any], None]:
    """A change of one tensor."""

    def apply(tensors: dict[str, np.ndarray], _: Any) -> None:
        tensors[name] = change(tensors[name])

    return apply


MALFORMATIONS: list[tuple[Callable[[dict[str, np.ndarray], Any], None], str]] = [
    (set_at("networks", value=[]), "has no network"),
    (set_at("networks", 0, "kind", value=[8, 12, 5]), "beyond the limits"),
    (set_at("networks", 0, "kind", value=[8, 16, 1]), "does not fit"),
    (set_at("networks", 0, "qualities", value=[5, 4]), "codes the qualities 5 to 4"),
    (set_at("networks", 0, "qualities", value=[0, 100]), "codes the qualities 0 to 100"),
    (set_at("networks", 0, "decoder", 1, "op", value="softmax"), "'softmax'.*unknown to this version"),
    (set_at("networks", 0, "decoder", 1, "activation", value="tanh"), "'tanh'.*unknown to this version"),
    (set_at("networks", 0, "decoder", 1, "attributes", value={"start": -1, "stop": 5}), "has the attributes"),
    (set_at("networks", 0, "decoder", 1, "attributes", value={"gain": 1}), "has the attributes"),
    (set_at("networks", 0, "decoder", 1, "out", value="a b"), "no register's name"),
    (set_at("networks", 0, "decoder", 1, "in", value=["nowhere"]), "before it is written"),
    (set_at("networks", 0, "decoder", 0, "op", value="add"), "does not begin with a gain"),
    (set_at("networks", 0, "decoder", -2, "clamp", value=[0, 254]), "not clamped to 0..255"),
    (set_at("networks", 0, "decoder", value={}), "cannot be read"),
    (set_at("networks", 0, "decoder", value=[{}] * 5000), "more than 4096 nodes"),
    (set_at("networks", value=None), "cannot be read"),
    (set_at("name", value=None), "stands where a text should"),
    (tensor("0.prior.order", lambda order: np.zeros_like(order)), "not a permutation"),
    (tensor("0.prior.order", lambda order: order[:-1]), r"has shape \(11,\), not \(10,\)"),
    (tensor("0.prior.hidden1.weight", lambda weight: weight[:-1]), "weights do not fit"),
    (tensor("0.decoder.pixels.weight", lambda weight: weight.astype(np.float32)), "array 'weight' of dtype float32"),
    (tensor("0.decoder.pixels.weight", lambda weight: weight.astype(np.int32)), "array 'weight' of dtype int32"),
    (tensor("0.decoder.pixels.bias", lambda bias: bias + (1 << 24)), "float32 is exact below"),
    (tensor("0.tables.cdf", lambda cdf: cdf[::-1].copy()), "has to rise"),
    (tensor("0.probe.images", lambda images: images[:, :-1].copy()), "probe's images"),
    (tensor("0.probe.pixels", lambda pixels: pixels[:1].copy()), "probe does not fit"),
]


@pytest.mark.parametrize(("change", "message"), MALFORMATIONS, ids=[message for _, message in MALFORMATIONS])
def test_malformed_codecs_are_refused(change: Callable[..., None], message: str) -> None:
    tensors, document = parts(GREY.read_bytes())
    change(tensors, document)
    with pytest.raises(CorruptError, match=f"here: .*{message}"):
        from_bytes(joined(tensors, document), "here")


def test_a_missing_tensor_is_named() -> None:
    tensors, document = parts(GREY.read_bytes())
    del tensors["0.prior.hidden1.shift"]
    with pytest.raises(CorruptError, match=r"here: .*0\.prior\.hidden1\.shift"):
        from_bytes(joined(tensors, document), "here")


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(40), b"text, only text, nothing but text" * 9])
def test_what_is_no_codec_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="here: not a compressnet codec"):
        from_bytes(data, "here")


def test_other_safetensors_files_and_versions_are_refused() -> None:
    with pytest.raises(FormatError, match="here: not a compressnet codec of version 1"):
        from_bytes(safetensors.numpy.save({"a": np.zeros(3)}), "here")
    with pytest.raises(FormatError, match="here: not a compressnet codec of version 1"):
        from_bytes(joined(*parts(GREY.read_bytes()), version="2"), "here")


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 44_000), value=st.integers(0, 255), cut=st.booleans())
def test_damage_is_refused_or_changes_the_identity(position: int, value: int, cut: bool) -> None:
    """A codec file has no checksum; its identity is one for what decoding needs."""
    data = GREY.read_bytes()
    position = min(position, len(data) - 1)
    damaged = data[:position] if cut else data[:position] + bytes([value]) + data[position + 1 :]
    try:
        bundle = from_bytes(damaged, "damaged")
    except CompressnetError:
        return
    original = from_bytes(data, "grey")
    if bundle.identity == original.identity:
        assert decoding_tensors(damaged) == decoding_tensors(data)


def decoding_tensors(data: bytes) -> dict[str, bytes]:
    return {
        name: array.tobytes()
        for name, array in parts(data)[0].items()
        if name.split(".")[1] in ("decoder", "prior", "tables")
    }
