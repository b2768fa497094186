"""docs/FORMAT.md against compressnet, by way of a decoder written from that page alone."""

from __future__ import annotations

import ast
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import compressnet
from compressnet import api
from compressnet.archive.writing.settings import Settings
from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.file import from_bytes
from compressnet.codec.packed import pack_bundle
from compressnet.coding.mixture import make_tables
from compressnet.coding.range_coder import PayloadDecoder, PayloadEncoder
from compressnet.images import Collection
from compressnet.packing.sharding.recipe import make_recipe
from conftest import CONFORMANCE
from reference_decoder import (
    ONE,
    Network,
    RangeDecoder,
    code_symbols,
    coding_groups,
    crc16,
    decode_archive,
    decode_single,
    derived_symbols,
    laid_out,
    read_codec,
    read_packed,
    run_network,
    standard_tables,
)
from reference_encoder import RangeEncoder

Coded = list[tuple[int, np.ndarray]]
"""Symbols: an index each, and the frequencies (A,) of its alphabet."""


def random_frequencies(generator: np.random.Generator, alphabet: int, skew: int) -> np.ndarray:
    """(A,) integers >= 1 that sum to 2^24, in an order by chance.

    The larger `skew`, the more unequal.
    """
    shares = generator.exponential(1, alphabet) ** skew
    frequencies = np.floor(shares / shares.sum() * (ONE - alphabet)).astype(np.int64) + 1
    frequencies[np.argmax(frequencies)] += ONE - frequencies.sum()
    return frequencies


def write(coded: Coded) -> bytes:
    """The payload as compressnet writes it."""
    encoder = PayloadEncoder()
    for index, frequencies in coded:
        encoder.encode(np.array([index], np.int32), (frequencies - 1).astype(np.float64)[None])
    return encoder.finish()


def check_payload(coded: Coded) -> bytes:
    """compressnet's payload is the page's, to the byte; both decoders read it. Returns it."""
    payload = write(coded)
    encoder = RangeEncoder()
    for index, frequencies in coded:
        encoder.append(index, frequencies)
    assert payload == encoder.finish()
    decoder, fast = RangeDecoder(payload), PayloadDecoder(payload)
    for index, frequencies in coded:
        assert decoder.next(frequencies) == index
        assert fast.decode((frequencies - 1).astype(np.float64)[None]).tolist() == [index]
    return payload


def around(point: bytes, steps: int, widths: list[int]) -> Coded:
    """Symbols whose intervals all hold `point`, continued by zeros: (frequencies before, of, after
    the symbol)."""
    coded: Coded = []
    encoder = RangeEncoder()
    for step in range(steps):
        target = int.from_bytes(point.ljust(8 + 4 * encoder.n, b"\0")[: 8 + 4 * encoder.n], "big")
        quantile = (target - encoder.lower) // (encoder.range >> 24)
        if quantile >= ONE:
            break  # the bit of the range beyond all quantiles
        width = min(widths[step % len(widths)], ONE - 1)
        left = min(quantile, ONE - width)
        parts = [left, width, ONE - left - width]
        frequencies = np.array([part for part in parts if part], np.int64)
        coded.append((int(left > 0), frequencies))
        encoder.append(*coded[-1])
    return coded


Hashes = tuple[np.ndarray, bytes, bytes]
"""Symbols (P,D), SHA-256 of frequencies and of pixels ("Probe")."""


def probe_hashes(network: Network) -> Iterator[Hashes]:
    """At the lowest and the highest quality, of the probe's images."""
    images = network.tensors["probe.images"].transpose(0, 3, 1, 2).astype(np.int64)
    for quality in network.entry["qualities"]:
        yield hashes_of(network, run_network(network, "encoder", images, quality), quality)


def hashes_of(network: Network, symbols: np.ndarray, quality: int) -> Hashes:
    frequencies, pixels = decoding_of(network, symbols, quality)
    return symbols, frequencies, hashlib.sha256(pixels).digest()


def decoding_of(network: Network, symbols: np.ndarray, quality: int) -> tuple[bytes, bytes]:
    """SHA-256 of the frequencies of symbols (P,D), and the bytes of their pixels."""
    bounds = network.tensors["prior.bound"][quality].astype(np.int64)
    coded = [(g, i, b) for g, b in zip(coding_groups(network), bounds, strict=True) for i in range(len(symbols)) if b]
    indices = iter([int(symbols[i, d] + b) for group, i, b in coded for d in group])
    digest = hashlib.sha256()

    def pick(frequencies: np.ndarray) -> int:
        digest.update(frequencies.astype("<i4").tobytes())
        return next(indices)

    assert np.array_equal(code_symbols(network, len(symbols), quality, pick), symbols)
    pixels = run_network(network, "decoder", symbols, quality).transpose(0, 2, 3, 1).astype(np.uint8)
    return digest.digest(), pixels.tobytes()


def test_the_reference_decoder_stands_alone() -> None:
    """No float and nothing of compressnet: only then does it say anything about the page."""
    tree = ast.parse((Path(__file__).parent / "reference_decoder.py").read_text())
    nodes = list(ast.walk(tree))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not any(name.startswith("compressnet") for name in imported)
    assert not any(isinstance(node, ast.Constant) and isinstance(node.value, float) for node in nodes)
    assert not any(isinstance(node, ast.Div) for node in nodes)


def test_archives_decode_to_their_pixels(
    tiny_name: str, tiny_path: Path, tiny_arrays: dict[str, np.ndarray], tiny_bundle: Bundle
) -> None:
    archive = decode_archive(tiny_path.with_suffix(".cnet").read_bytes())
    assert all(image.dtype == np.uint8 for image in archive.images)
    assert np.array_equal(np.stack(archive.images), tiny_arrays["decoded"])
    assert archive.names is None
    assert archive.labels == (list(range(23)) if tiny_name == "grey" else [f"blob {i}" for i in range(23)])
    assert [codec.identity for codec in archive.codecs] == [tiny_bundle.identity]


def test_a_mixed_archive_decodes_to_its_pixels() -> None:
    archive = decode_archive((CONFORMANCE / "mixed.cnet").read_bytes())
    with np.load(CONFORMANCE / "mixed.npz") as arrays:
        expected = list(arrays.values())
    assert [image.shape for image in archive.images] == [image.shape for image in expected]
    assert all(np.array_equal(image, known) for image, known in zip(archive.images, expected, strict=True))
    assert archive.labels == list(range(len(expected)))
    assert archive.names == [f"folder/{i}.png" for i in range(len(expected))]


@pytest.mark.parametrize("name", ["deep", "tight"])
def test_archives_of_other_forms_decode_to_their_pictures(name: str) -> None:
    archive = decode_archive((CONFORMANCE / f"{name}.cnet").read_bytes())
    with np.load(CONFORMANCE / f"{name}.npz") as arrays:
        expected = list(arrays.values())
    assert [image.dtype for image in archive.images] == [known.dtype for known in expected]
    assert all(np.array_equal(image, known) for image, known in zip(archive.images, expected, strict=True))
    if name == "deep":
        assert archive.class_names == ["cat", "dog", "ünknown"]
        assert archive.labels == [i % 3 for i in range(len(expected))]


def test_single_blocks_decode_to_their_pixels(tiny_path: Path, tiny_arrays: dict[str, np.ndarray]) -> None:
    codec = read_codec(tiny_path.read_bytes())
    images = decode_single(tiny_path.with_suffix(".block").read_bytes(), codec)
    assert images.dtype == np.uint8
    assert np.array_equal(images, tiny_arrays["block"])


def test_a_changed_byte_of_a_single_block_is_seen(tiny_path: Path) -> None:
    codec = read_codec(tiny_path.read_bytes())
    block = tiny_path.with_suffix(".block").read_bytes()
    for i in range(len(block)):
        with pytest.raises(ValueError, match="broken: "):
            decode_single(block[:i] + bytes([block[i] ^ 4]) + block[i + 1 :], codec)


def test_a_changed_byte_of_an_archive_is_seen(tiny_path: Path) -> None:
    archive = tiny_path.with_suffix(".cnet").read_bytes()
    tail = len(archive) - 20
    for at in (0, 8, 12, 16, 40, tail - 10, tail, tail + 11, tail + 19):
        with pytest.raises(ValueError, match="broken: "):
            decode_archive(archive[:at] + bytes([archive[at] ^ 4]) + archive[at + 1 :])


def check_identity_and_probe(data: bytes, bundle: Bundle) -> None:
    """Of a codec file, and of the bundle that compressnet read from it."""
    codec = read_codec(data)
    assert codec.identity == bundle.identity
    for network, known in zip(codec.networks, bundle.networks, strict=True):
        for i, (symbols, frequencies, pixels) in enumerate(probe_hashes(network)):
            assert np.array_equal(symbols, known.probe.symbols[i])
            assert frequencies == known.probe.frequencies[i].tobytes()
            assert pixels == known.probe.pixels[i].tobytes()


def test_identity_and_probe(tiny_path: Path, tiny_bundle: Bundle) -> None:
    check_identity_and_probe(tiny_path.read_bytes(), tiny_bundle)


def test_packed_codecs(tiny_path: Path, tiny_bundle: Bundle) -> None:
    """Of the reference decoder: the same tensors as from the codec file, and the hashes of derived
    symbols."""
    packed = read_packed(tiny_path.with_suffix(".packed").read_bytes())
    assert packed.identity == tiny_bundle.identity
    (network,), (whole,) = packed.networks, read_codec(tiny_path.read_bytes()).networks
    parts = ("decoder.", "prior.", "tables.")
    assert all(
        np.array_equal(network.tensors[name], whole.tensors[name]) for name in whole.tensors if name.startswith(parts)
    )
    for i, quality in enumerate(network.entry["qualities"]):
        _, frequencies, pixels = hashes_of(network, derived_symbols(network, quality), quality)
        assert frequencies == network.tensors["probe.frequencies"][i].tobytes()
        assert pixels == network.tensors["probe.pixels"][i].tobytes()


def test_archives_with_packed_codecs(tiny: Codec, tiny_arrays: dict[str, np.ndarray]) -> None:
    stream = io.BytesIO()
    compressnet.compress(tiny_arrays["images"], stream, tiny, embed_codec=True)
    assert np.array_equal(decode_archive(stream.getvalue()).images, tiny_arrays["decoded"])


def test_archives_with_a_codec_in_a_file_beside_them(
    tiny: Codec, tiny_arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    images = tiny_arrays["images"]
    sample = Collection(name="all", count=len(images), batches=lambda: iter([images]))
    recipe = make_recipe(tmp_path, sample, tiny, Settings(), backend=None, threads=1)
    stream = io.BytesIO()
    api.write(images, stream, tiny, recipe.settings)
    with pytest.raises(ValueError, match="embedded, shared or given"):
        decode_archive(stream.getvalue())
    found = decode_archive(stream.getvalue(), beside=(tmp_path / "shared.cnet").read_bytes())
    assert np.array_equal(found.images, tiny_arrays["decoded"])


@pytest.mark.parametrize("name", ["any", "any8", "any16"])
def test_networks_without_a_size(name: str) -> None:
    """Of the reference decoder: the identity, an archive with a packed codec, and a block."""
    path = CONFORMANCE / f"{name}.codec"
    codec = read_codec(path.read_bytes())
    assert codec.identity == from_bytes(path.read_bytes(), name).identity
    assert read_packed((CONFORMANCE / f"{name}.packed").read_bytes()).identity == codec.identity
    with np.load(CONFORMANCE / f"{name}.npz") as arrays:
        expected = dict(arrays)
    block = decode_single((CONFORMANCE / f"{name}.block").read_bytes(), codec)
    known = expected.pop("block")
    assert np.array_equal(block.reshape(known.shape), known)
    images = decode_archive((CONFORMANCE / f"{name}.cnet").read_bytes()).images
    assert all(np.array_equal(image, known) for image, known in zip(images, expected.values(), strict=True))


@pytest.mark.parametrize("name", ["any", "any8", "any16"])
def test_probes_of_networks_without_a_size(name: str) -> None:
    """What the reference decoder makes of derived symbols, at three sizes."""
    (network,) = read_codec((CONFORMANCE / f"{name}.codec").read_bytes()).networks
    served = network.entry["channels"]
    for i, quality in enumerate(network.entry["qualities"]):
        frequencies, pixels = hashlib.sha256(), hashlib.sha256()
        for j, size in enumerate(((3, 5), (9, 13), (72, 40))):
            sized = laid_out(network, (*size, served[max(0, len(served) - 3 + j)]))
            symbols = derived_symbols(sized, quality, 4)
            of_size = decoding_of(sized, symbols, quality)
            frequencies.update(of_size[0])
            pixels.update(of_size[1])
        assert frequencies.digest() == network.tensors["probe.frequencies"][i].tobytes()
        assert pixels.digest() == network.tensors["probe.pixels"][i].tobytes()


def test_networks_of_a_packed_codec_that_share_tensors() -> None:
    tiles = from_bytes((CONFORMANCE / "tiles.codec").read_bytes(), "tiles").networks[0]
    bundle = make_bundle((tiles, tiles), name="two", default_quality=60, about="")
    packed = read_packed(pack_bundle(bundle))
    assert packed.identity == bundle.identity


def test_standard_tables() -> None:
    tables = standard_tables()
    for name, table in tables.items():
        assert np.array_equal(table, getattr(make_tables(), name))
    assert len(tables) == 3


def test_identity_and_probe_of_the_shipped_codec(shipped: Codec) -> None:
    check_identity_and_probe(Path(shipped.source).read_bytes(), shipped.bundle)


@pytest.mark.parametrize("quality", [0, 13, 40, 65, 98])
def test_the_shipped_codec_between_its_anchors(shipped: Codec, mnist: np.ndarray, quality: int) -> None:
    """Trained weights: biases differ from anchor to anchor, gains from segment to segment."""
    codec = read_codec(Path(shipped.source).read_bytes())
    images = mnist[quality : quality + 3]
    expected = shipped.autoencoder(images, quality)
    assert np.array_equal(decode_single(shipped.compress(images, quality), codec), expected)


def test_crc16_of_the_usual_text() -> None:
    assert crc16(b"123456789") == 0x29B1


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    parts=st.lists(st.tuples(st.integers(2, 257), st.integers(0, 20), st.sampled_from([0, 1, 4, 12])), max_size=4),
    probable=st.booleans(),
)
def test_payloads(seed: int, parts: list[tuple[int, int, int]], probable: bool) -> None:
    """Alphabets of 2 to 257 from equal to very unequal frequencies.

    The likeliest symbols, or any.
    """
    generator = np.random.default_rng(seed)
    coded: Coded = []
    for alphabet, count, skew in parts:
        for _ in range(count):
            frequencies = random_frequencies(generator, alphabet, skew)
            index = np.argmax(frequencies) if probable else generator.integers(alphabet)
            coded.append((int(index), frequencies))
    check_payload(coded)


@settings(max_examples=120, deadline=None)
@given(
    point=st.binary(max_size=24),
    steps=st.integers(0, 120),
    widths=st.lists(st.sampled_from([1, 2, 3, 255, 1 << 12, 1 << 20, ONE - 1]), min_size=1, max_size=3),
)
@example(point=b"\x80", steps=100, widths=[1])
@example(point=b"\x80", steps=100, widths=[2, 1 << 12])
@example(point=b"\x00\x00\x00\x01", steps=100, widths=[1, 3])
@example(point=b"\xff\xff\xff\xff\xff", steps=60, widths=[2])
@example(point=b"", steps=100, widths=[1])
def test_payloads_around_a_point(point: bytes, steps: int, widths: list[int]) -> None:
    """Bounds such as 7FFFFFFF..

    and 80000000.. stay open for many words: carries, and a payload of the point alone.
    """
    assert len(check_payload(around(point, steps, widths))) <= len(point)


@settings(max_examples=60, deadline=None)
@given(point=st.binary(min_size=1, max_size=12), steps=st.integers(0, 60), seed=st.integers(0, 2**32))
def test_payloads_that_leave_a_point(point: bytes, steps: int, seed: int) -> None:
    """After bounds were open for a while: symbols that settle them to either side."""
    generator = np.random.default_rng(seed)
    coded = around(point, steps, [1, 2, 3])
    for _ in range(int(generator.integers(1, 12))):
        frequencies = random_frequencies(generator, int(generator.integers(2, 6)), 4)
        coded.append((int(generator.choice([0, len(frequencies) - 1])), frequencies))
    check_payload(coded)


def test_a_carry_runs_through_many_words() -> None:
    """Bounds around 1/2 for some fifty words, then up: every word that was FFFFFFFF becomes
    00000000."""
    coded = around(b"\x80", 60, [2])
    lower, after = (check_payload([*coded, (index, np.array([ONE // 2, ONE // 2]))]) for index in (0, 1))
    assert {lower[:1], after[:1]} <= {b"\x7f", b"\x80"}
    assert min(map(len, (lower, after))) <= 1 < max(map(len, (lower, after)))


def test_probable_symbols_cost_nothing_or_a_byte() -> None:
    low, high = np.array([ONE - 1, 1]), np.array([1, ONE - 1])
    assert check_payload([]) == b""
    assert check_payload([(0, low)] * 3000) == b""
    assert check_payload([(1, high)] * 3000) == b"\x01"
    assert check_payload([(0, low)] * 1000 + [(1, low)] + [(0, low)] * 1000)[0] == 0xFF
