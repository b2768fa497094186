"""Codecs that began as a shipped one: archives embed how they differ from it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import compressnet
from compressnet import api
from compressnet.archive.embedding import CodecEntries, resolve_codec
from compressnet.archive.writing.settings import Settings
from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.codec.loading import make_codec
from compressnet.codec.packed import differs_in_numbers, pack_bundle, unpack_bundle
from compressnet.codec.shipped import GENERAL_CODEC, read_bundle, shipped_codecs
from compressnet.coding.coder import LOSSY
from compressnet.container.entries import EMBEDDED_DIFFERENCE, EMBEDDED_PACKED, IDENTITY_BYTES
from compressnet.errors import CodecNotFoundError, CorruptError
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.training.freeze.sizeless import with_own_probe
from reference_decoder import decode_archive

BASE = read_bundle(GENERAL_CODEC)


@pytest.fixture(scope="module")
def own() -> Bundle:
    """The shipped codec with the biases of a decoder's layer moved by one."""
    (network,) = BASE.networks
    assert isinstance(network, SizelessNetwork)
    nodes = list(network.decoder.nodes)
    number = next(i for i, node in enumerate(nodes) if node.op == "conv")
    arrays = dict(nodes[number].arrays)
    arrays["bias"] = arrays["bias"] + np.int32(1)
    nodes[number] = replace(nodes[number], arrays=arrays)
    moved = with_own_probe(replace(network, decoder=replace(network.decoder, nodes=tuple(nodes))))
    return make_bundle((moved,), name="own", default_quality=60, about="")


def test_a_difference_is_small_and_gives_the_same_codec(own: Bundle) -> None:
    assert differs_in_numbers(own, BASE)
    difference = pack_bundle(own, BASE)
    assert len(difference) < 3000 < len(pack_bundle(own)) // 100
    again = unpack_bundle(difference, "it", BASE)
    assert again.identity == own.identity != BASE.identity


def test_another_base_is_refused(own: Bundle) -> None:
    mnist = read_bundle("mnist")
    assert not differs_in_numbers(mnist, BASE)
    assert not differs_in_numbers(own, mnist)
    with pytest.raises(CorruptError, match="differs from the codec mnist-1, but has other tensors"):
        unpack_bundle(pack_bundle(own, BASE), "it", mnist)


def images() -> np.ndarray:
    rows, columns = np.mgrid[:9, :14]
    return np.stack([(rows * 20 + columns * shift) % 256 for shift in (5, 9, 13)]).astype(np.uint8)


def written(own: Bundle, embed: bool | None) -> bytes:
    stream = io.BytesIO()
    api.write(images(), stream, make_codec(own, None, 1, "own"), Settings(quality=60, embed_codec=embed))
    return stream.getvalue()


def test_an_archive_with_a_difference_opens_alone(own: Bundle, tmp_path: Path) -> None:
    small, whole = written(own, None), written(own, True)
    assert len(small) < len(whole) // 100
    (tmp_path / "a.cnet").write_bytes(small)
    (tmp_path / "b.cnet").write_bytes(whole)
    with compressnet.open(tmp_path / "a.cnet") as archive, compressnet.open(tmp_path / "b.cnet") as other:
        assert archive.container.codecs[0].embedded_as == EMBEDDED_DIFFERENCE
        assert other.container.codecs[0].embedded_as == EMBEDDED_PACKED
        pixels = archive.array()
        assert np.array_equal(pixels, other.array())
    shipped = [path.read_bytes() for path in {*shipped_codecs().values()}]
    assert np.array_equal(np.stack(decode_archive(small, shipped).images), pixels)


def test_a_base_that_is_not_here_is_named(own: Bundle) -> None:
    entry = CodecEntries(make_codec(own, None, 1, "own")).entry(LOSSY)
    assert entry.embedded is not None
    other = replace(entry, embedded=bytes(IDENTITY_BYTES) + entry.embedded[IDENTITY_BYTES:])
    with pytest.raises(CodecNotFoundError, match=r"a\.cnet: its codec own is stored as the difference from .* 000000"):
        resolve_codec(other, None, "a.cnet", None, 1)
    cut = replace(entry, embedded=entry.embedded[: IDENTITY_BYTES + 40])
    with pytest.raises(CorruptError, match="embedded codec"):
        resolve_codec(cut, None, "a.cnet", None, 1)
