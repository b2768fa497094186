"""A decoder of archives and single blocks from docs/FORMAT.md alone, in integers: an
implementation to compare with.

It imports nothing of compressnet and uses no float. It trusts its input more than a reader should:
of what the page tells readers to refuse it refuses what costs a line. Quoted names are the page's
sections.

Axes: N images, C channels, H rows, W columns, D symbols, O outputs, n symbols of a group, A
alphabet.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import lzma
import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Pick = Callable[[np.ndarray], int]
"""Takes the frequencies (A,) of a symbol's values, gives the index of its value."""

DTYPES = {"I8": "<i1", "U8": "<u1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "F32": "V4"}
ONE = 1 << 24
MASK = (1 << 64) - 1


def must(holds: bool, rule: str) -> None:
    """Raises ValueError, naming the rule, where it does not hold."""
    if not holds:
        raise ValueError(f"broken: {rule}")


class Reader:
    """Takes numbers and bytes off the front of a buffer."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        must(self.at + count <= len(self.data), "enough bytes")
        self.at += count
        return self.data[self.at - count : self.at]

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:  # "Notation"
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                must(byte > 0 or shift == 0, "a varint is in its shortest form")
                return value
            shift += 7


# "Range coder"


class RangeDecoder:
    """Gives back the indices of a payload's symbols."""

    def __init__(self, payload: bytes) -> None:
        self.payload, self.words = payload, 0
        self.lower, self.range = 0, MASK
        self.point = self._word() << 32
        self.point |= self._word()

    def _word(self) -> int:
        word = self.payload[4 * self.words : 4 * self.words + 4].ljust(4, b"\0")
        self.words += 1
        return int.from_bytes(word, "big")

    def next(self, frequencies: np.ndarray) -> int:
        scale = self.range >> 24
        quantile = ((self.point - self.lower) & MASK) // scale
        must(quantile < ONE, "a quantile is below 2^24")
        ends = np.cumsum(frequencies).tolist()
        index = bisect.bisect_right(ends, quantile)
        frequency = int(frequencies[index])
        self.lower = (self.lower + scale * (ends[index] - frequency)) & MASK
        self.range = scale * frequency
        while self.range < 1 << 32:
            self.lower = (self.lower << 32) & MASK
            self.range <<= 32
            self.point = ((self.point << 32) & MASK) | self._word()
        return index


# "Codec file"


@dataclass(frozen=True)
class Network:
    """One network: its entry in the JSON, and its tensors by their names without its number."""

    entry: dict[str, Any]
    tensors: dict[str, np.ndarray]


@dataclass(frozen=True)
class Codec:
    networks: list[Network]
    identity: bytes
    pixels: list[Any]
    """Pixel models, of reference_lossless.py."""
    lossless_identity: bytes

    def network(self, kind: tuple[int, ...], quality: int) -> Network:
        """The first one with this kind and quality ("Block")."""
        for network in self.networks:
            low, high = network.entry["qualities"]
            if tuple(network.entry["kind"]) == kind and low <= quality <= high:
                return network
        for network in self.networks:
            low, high = network.entry["qualities"]
            if kind[2] in network.entry.get("channels", []) and low <= quality <= high:
                return laid_out(network, kind)
        raise ValueError(f"no network for {kind} at quality {quality}")


def read_codec(data: bytes) -> Codec:
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__")
    must(metadata["compressnet"] == "1", "the codec's version is 1")
    document = json.loads(metadata["codec"])
    tensors = {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        raw = data[start + begin : start + end]
        tensors[name] = np.frombuffer(raw, DTYPES[about["dtype"]]).reshape(about["shape"])
    return make_codec(document, tensors)


def make_codec(document: dict[str, Any], tensors: dict[str, np.ndarray]) -> Codec:
    """The networks with their tensors, pixel models with theirs, and the identities."""
    from reference_lossless import lossless_identity, pixel_models

    entries = document["networks"]
    pixels = pixel_models(document.get("pixels", []), tensors)
    tensors = {name: array for name, array in tensors.items() if not name.startswith("pixels.")}
    nodes = ("activation", "attributes", "clamp", "in", "op", "out")
    decoding = [
        {
            "decoder": [{key: node[key] for key in nodes} for node in entry["decoder"]],
            **{key: entry[key] for key in ("channels", "kind", "qualities", "tile") if key in entry},
        }
        for entry in entries
    ]
    digest = hashlib.sha256(json.dumps(decoding, sort_keys=True, separators=(",", ":")).encode())
    networks = [Network(entry, {}) for entry in entries]
    for name, array in sorted(tensors.items()):
        number, _, rest = name.partition(".")
        networks[int(number)].tensors[rest] = array
        if rest.startswith(("decoder.", "prior.", "tables.")):
            digest.update(f"\n{name} {array.dtype.name} {list(array.shape)}\n".encode() + array.tobytes())
    return Codec(networks, digest.digest(), pixels, lossless_identity(pixels))


# "Networks"


def requantize(sums: np.ndarray, shift: np.ndarray, leaky: bool, low: int, high: int) -> np.ndarray:
    t = np.where((sums < 0) & leaky, shift + 3, shift)
    halves = np.left_shift(1, np.maximum(t - 1, 0))
    rounded = np.where(t > 0, (sums + halves) >> np.maximum(t, 0), sums << np.maximum(-t, 0))
    return np.clip(rounded, low, high)


def bias_at(bias: np.ndarray, quality: int) -> np.ndarray:
    bias = bias.astype(np.int64)
    a, r = divmod(quality, 9)
    if len(bias) == 1:
        return bias[0]
    return bias[a] if r == 0 else (2 * (bias[a] * (9 - r) + bias[a + 1] * r) + 9) // 18


def shuffle(x: np.ndarray, f: int) -> np.ndarray:
    n, c, h, w = x.shape
    split = x.reshape(n, c // f**2, f, f, h, w)  # in[c*f*f + i*f + j, y, x]
    return split.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // f**2, h * f, w * f)


def unshuffle(x: np.ndarray, f: int) -> np.ndarray:
    n, c, h, w = x.shape
    split = x.reshape(n, c, h // f, f, w // f, f)  # in[c, y*f + i, x*f + j]
    return split.transpose(0, 1, 3, 5, 2, 4).reshape(n, c * f**2, h // f, w // f)


def convolve(x: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.tensordot(windows, weight, ([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2)


def run_node(node: dict[str, Any], arrays: dict[str, np.ndarray], inputs: list[np.ndarray], quality: int) -> np.ndarray:
    x, at, op = inputs[0], node["attributes"], node["op"]
    low, high = node["clamp"]
    leaky = node["activation"] == "leaky"
    flat = [part.reshape(len(part), -1) for part in inputs]
    if op == "conv":
        sums = convolve(x, arrays["weight"].astype(np.int64), at["stride"], at["padding"])
        sums = sums + bias_at(arrays["bias"], quality)[:, None, None]
        return requantize(sums, arrays["shift"].astype(np.int64)[:, None, None], leaky, low, high)
    if op == "dense":
        sums = flat[0] @ arrays["weight"].astype(np.int64).T + bias_at(arrays["bias"], quality)
        return requantize(sums, arrays["shift"].astype(np.int64), leaky, low, high)
    if op == "add":
        return requantize(x + inputs[1], np.zeros(1, np.int64), leaky, low, high)
    if op == "gain":
        factors = np.repeat(arrays["table"][quality].astype(np.int64), arrays["repeats"])
        values = requantize(x * factors, arrays["shift"].astype(np.int64), False, low, high)
        if "bound" not in arrays:
            return values
        bound = np.repeat(arrays["bound"][quality].astype(np.int64), arrays["repeats"])
        return np.clip(values, -bound, bound)
    if op == "concat":
        return np.concatenate(flat, axis=1)
    if op == "slice":
        return x[:, at["start"] : at["stop"]]
    if op == "reshape":
        return x.reshape(len(x), at["channels"], at["height"], at["width"])
    if op == "crop":
        return x[:, :, : at["height"], : at["width"]]
    if op == "to c":
        return to_channels(x, at["inner"], at["c"])
    if op == "extend":
        return np.pad(x, ((0, 0), (0, 0), (0, at["rows"]), (0, at["columns"])), mode="edge")
    must(op in ("shuffle", "unshuffle"), f"the op {op} is known")
    return (shuffle if op == "shuffle" else unshuffle)(x, at["factor"])


def node_arrays(network: Network, part: str, register: str) -> dict[str, np.ndarray]:
    names = ("weight", "bias", "shift", "table", "bound", "repeats")
    found = {name: network.tensors.get(f"{part}.{register}.{name}") for name in names}
    return {name: array for name, array in found.items() if array is not None}


def run_network(network: Network, part: str, x: np.ndarray, quality: int) -> np.ndarray:
    """`part`: `decoder`, symbols (N,D) to pixels (N,C,H,W), or `encoder`, the reverse."""
    registers = {"x": x}
    for node in network.entry[part]:
        inputs = [registers[name] for name in node["in"]]
        registers[node["out"]] = run_node(node, node_arrays(network, part, node["out"]), inputs, quality)
    return registers["y"]


# "Networks without a size"


def laid_out(network: Network, kind: tuple[int, ...]) -> Network:
    """The decoder and the entropy model of a network without a size, for a kind."""
    height, width, c = kind
    tile, inner = network.entry["tile"], network.entry["kind"][2]
    rows, columns = max(2, -(-height // tile)), max(2, -(-width // tile))
    nodes, tensors = [], dict(network.tensors)
    for node in network.entry["decoder"]:
        at = dict(node["attributes"])
        if node["op"] == "reshape":
            at |= {"height": at["height"] * rows, "width": at["width"] * columns}
        if node["op"] == "gain":
            tensors[f"decoder.{node['out']}.repeats"] = tensors[f"decoder.{node['out']}.repeats"] * rows * columns
        nodes.append({**node, "attributes": at, "out": "whole y" if node["out"] == "y" else node["out"]})
    crop = {"op": "crop", "in": ["whole y"], "out": "mapped y", "attributes": {"height": height, "width": width}}
    mapping = {"op": "to c", "in": ["mapped y"], "out": "y", "attributes": {"inner": inner, "c": c}}
    nodes += [{"activation": "linear", "clamp": [0, 255], **node} for node in (crop, mapping)]
    tensors["prior.grid"] = tensors["prior.grid"] * [1, rows, columns]
    parts = [str(s) for s in range(len(tensors["prior.slice_channels"]))]
    if "prior.pyramid.weight" in tensors:
        parts.append("pyramid")
        groups = [len(lattices(rows, columns, has_pyramid=True)) - 3] + [1] * (4 * len(parts) - 5)
        tensors["prior.bound"] = np.repeat(tensors["prior.bound"], groups, axis=1)
    for part in parts:
        units = len(tensors[f"prior.{part}.shift"])
        tensors[f"prior.{part}.row"] = np.zeros((rows, units), np.int64)
        tensors[f"prior.{part}.column"] = np.zeros((columns, units), np.int64)
    return Network({**network.entry, "kind": list(kind), "decoder": nodes}, tensors)


def to_channels(x: np.ndarray, inner: int, c: int) -> np.ndarray:
    """Pixels (N,C,H,W) of a network as those of images of c channels."""
    if inner == c:
        return x
    colours, alpha = x[:, : 3 if inner > 2 else 1], x[:, -1:]
    if inner > 2 >= c:
        colours = (colours[:, :1] + 2 * colours[:, 1:2] + colours[:, 2:3] + 2) >> 2
    return np.concatenate([colours, alpha], axis=1) if c in (2, 4) else colours


# "Entropy model"


def coding_groups(network: Network) -> list[np.ndarray]:
    """The numbers of each group's symbols, in the order of coding."""
    prior = {name[6:]: array.astype(np.int64) for name, array in network.tensors.items() if name.startswith("prior.")}
    return (convolutional if "grid" in prior else masked)(prior, 0)[0]


Outputs = Callable[[int, np.ndarray], np.ndarray]
"""A group's number and all values dequantized so far (N,D), 0 elsewhere, to its outputs (N,5,n);
called in turn."""


def code_symbols(network: Network, images: int, quality: int, pick: Pick) -> np.ndarray:
    """All symbols (N,D) of a block.

    `pick` is asked for each that is coded, in the order of coding.
    """
    tensors = network.tensors
    prior = {name[6:]: array.astype(np.int64) for name, array in tensors.items() if name.startswith("prior.")}
    first = network.entry["decoder"][0]
    must(first["op"] == "gain" and first["out"] == "dequantized", "the decoder's first node is a gain")
    gain = {name: array.astype(np.int64) for name, array in node_arrays(network, "decoder", "dequantized").items()}
    segments = np.repeat(np.arange(len(gain["repeats"])), gain["repeats"])
    groups, outputs_of = (convolutional if "grid" in prior else masked)(prior, quality)
    symbols, v = (np.zeros((images, len(segments)), np.int64) for _ in range(2))
    for g, members in enumerate(groups):
        outputs = outputs_of(g, v)
        bound = int(prior["bound"][quality, g])
        if bound:
            frequencies = frequencies_of(network, prior, outputs, segments[members], quality, bound)
            for i in range(images):
                for j, member in enumerate(members):
                    symbols[i, member] = pick(frequencies[i, j]) - bound
        dequantized = symbols[:, members] * gain["table"][quality][segments[members]]
        v[:, members] = requantize(dequantized, gain["shift"], False, *first["clamp"])
    return symbols


def masked(prior: dict[str, np.ndarray], quality: int) -> tuple[list[np.ndarray], Outputs]:
    """The masked network: its groups, and what computes their outputs."""
    order, units = prior["order"], prior["group_units"].tolist()
    ends = np.cumsum(prior["group_symbols"])
    groups = [order[end - n : end] for end, n in zip(ends, prior["group_symbols"], strict=True)]
    weights_read, rows_read = dict.fromkeys(("hidden1", "hidden2", "output"), 0), {}
    hidden: dict[str, list[np.ndarray]] = {"hidden1": [], "hidden2": []}

    def layer(name: str, rows: int, seen: np.ndarray, leaky: bool, clamp: tuple[int, int]) -> np.ndarray:
        start, row = weights_read[name], rows_read.setdefault(name, 0)
        weights_read[name], rows_read[name] = start + rows * seen.shape[1], row + rows
        weight = prior[f"{name}.weight"][start : weights_read[name]].reshape(rows, seen.shape[1])
        sums = seen @ weight.T + bias_at(prior[f"{name}.bias"], quality)[row : row + rows]
        return requantize(sums, prior[f"{name}.shift"][row : row + rows], leaky, *clamp)

    def outputs_of(g: int, v: np.ndarray) -> np.ndarray:
        known = v[:, order[: ends[g] - len(groups[g])]]
        hidden["hidden1"].append(layer("hidden1", units[g], known, True, (-32, 223)))
        h1 = np.concatenate(hidden["hidden1"], axis=1)
        hidden["hidden2"].append(layer("hidden2", units[g], h1, True, (-32, 223)))
        h2 = np.concatenate(hidden["hidden2"], axis=1)
        return layer("output", 5 * len(groups[g]), h2, False, (-2047, 2047)).reshape(len(v), 5, -1)

    return groups, outputs_of


def lattices(rows: int, columns: int, *, has_pyramid: bool) -> list[tuple[bool, int, int, int, int]]:
    """A slice's groups: of the pyramid or not, row of `phase`, first row and column, step."""
    step = 2
    while has_pyramid and step < max(rows, columns):
        step *= 2
    found = [(has_pyramid, 0, 0, 0, step)]
    while step > 1:
        far = step // 2
        for p, (row, column) in enumerate(((1, 1), (0, 1), (1, 0)), 1):
            if row * far < rows and column * far < columns:
                level = min(int(math.log2(far)) - 1, 3) if far > 1 else 0
                found.append((far > 1, 3 * level + p, row * far, column * far, step))
        step = far
    return found


def convolutional(prior: dict[str, np.ndarray], quality: int) -> tuple[list[np.ndarray], Outputs]:
    """The convolutional network: its groups, and what computes their outputs."""
    channels, rows, columns = prior["grid"].tolist()
    ends = np.cumsum(prior["slice_channels"]).tolist()
    must(ends[-1] == channels, "the slices are all of the channels")
    number = np.arange(channels * rows * columns).reshape(channels, rows, columns)
    places = [
        ("pyramid" if is_pyramid else s, p, slice(end - int(size), end), row, column, step)
        for s, (end, size) in enumerate(zip(ends, prior["slice_channels"], strict=True))
        for is_pyramid, p, row, column, step in lattices(
            rows, columns, has_pyramid=s == 0 and "pyramid.weight" in prior
        )
    ]
    groups = [number[part, row::step, column::step].ravel() for _, _, part, row, column, step in places]

    def outputs_of(g: int, v: np.ndarray) -> np.ndarray:
        s, p, part, row, column, step = places[g]
        far = max(1, step // 2)
        named = {name: prior[f"{s}.{name}"] for name in ("weight", "bias", "phase", "row", "column", "shift")}
        border = (far, far)
        grid = np.pad(v.reshape(-1, channels, rows, columns), ((0, 0), (0, 0), border, border))[:, : part.stop]
        sums = np.zeros((len(v), rows, columns, len(named["weight"])), np.int64)
        sums += bias_at(named["bias"], quality) + named["phase"][p]
        sums += named["row"][:, None] + named["column"][None]
        for i in range(3):
            for j in range(3):
                seen = grid[:, :, i * far : i * far + rows, j * far : j * far + columns].transpose(0, 2, 3, 1)
                sums += seen @ named["weight"][:, :, i, j].T
        h = requantize(sums[:, row::step, column::step], named["shift"], True, -32, 223)
        for name, leaky, clamp in (("hidden", True, (-32, 223)), ("output", False, (-2047, 2047))):
            weight, bias, shift = (prior[f"{s}.{name}.{a}"] for a in ("weight", "bias", "shift"))
            h = requantize(h @ weight.T + bias[0], shift, leaky, *clamp)
        kinds = h.reshape(len(v), -1, 5, part.stop - part.start)
        return kinds.transpose(0, 2, 3, 1).reshape(len(v), 5, -1)

    return groups, outputs_of


def frequencies_of(
    network: Network, prior: dict[str, np.ndarray], outputs: np.ndarray, s: np.ndarray, quality: int, b: int
) -> np.ndarray:
    """Outputs (N,5,n) of a group of symbols in the segments s (n,) to frequencies (N,n,A)."""
    cdf, reciprocal, weights = (
        network.tensors[f"tables.{t}"].astype(np.int64) for t in ("cdf", "reciprocal", "weight")
    )
    alphabet = 2 * b + 1
    k = np.arange(-b, b)
    weight = weights[np.clip(outputs[:, 4], -128, 127) + 128][..., None]
    big_c = []
    for j in (0, 2):
        mean = np.clip((outputs[:, j] * prior["inverse_gain"][quality][s] + 256) >> 9, -4096, 4096)
        scale = np.clip(np.clip(outputs[:, j + 1], -64, 63) + prior["scale_offset"][quality][s] + 40, 0, 80)
        z = ((32 * k + 16 - mean[..., None]) * reciprocal[scale][..., None]) >> 10
        big_c.append((cdf[np.clip(z, -1536, 1536) + 1536] * (65536 - alphabet)) >> 16)
    inner = weight * big_c[0] + (256 - weight) * big_c[1]
    first, last = np.zeros_like(inner[..., :1]), np.full_like(inner[..., :1], 256 * (65536 - alphabet))
    frequencies = np.diff(np.concatenate([first, inner, last], axis=-1), axis=-1) + 256
    must(bool((frequencies >= 256).all() and (frequencies.sum(axis=-1) == ONE).all()), "frequencies sum to 2^24")
    return frequencies


def decode_payload(network: Network, payload: bytes, images: int, quality: int) -> np.ndarray:
    """A payload to pixels uint8 (N,H,W,C)."""
    symbols = code_symbols(network, images, quality, RangeDecoder(payload).next)
    return run_network(network, "decoder", symbols, quality).transpose(0, 2, 3, 1).astype(np.uint8)


# "Packed codec"


FIXED = 1 << 128
"""One, as a number of fixed point."""


def standard_tables() -> dict[str, np.ndarray]:
    """The tables' formulas in numbers of fixed point."""

    def exponentials(step: int, count: int) -> list[int]:
        """e^(i / step), i from 0 to count."""
        root = term = FIXED
        for k in range(1, 60):
            term = term // (step * k)
            root += term
        values = [FIXED]
        for _ in range(count):
            values.append(values[-1] * root // FIXED)
        return values

    def logistic(one: int, step: int, count: int) -> list[int]:
        """one / (1 + e^(-i / step)), i from -count to count."""
        powers = exponentials(step, count)
        rising = [(2 * one * e + FIXED + e) // (2 * (FIXED + e)) for e in powers]
        falling = [(2 * one * FIXED + FIXED + e) // (2 * (FIXED + e)) for e in powers]
        return falling[:0:-1] + rising

    eighth = FIXED * 2
    for _ in range(3):
        eighth = math.isqrt(eighth * FIXED)
    halves = [(1 << 17) * FIXED]
    for _ in range(80):
        halves.append(halves[-1] * FIXED // eighth)
    return {
        "cdf": np.minimum(logistic(1 << 16, 128, 1536), 65535).astype("<u2"),
        "reciprocal": np.array([(value + FIXED // 2) // FIXED for value in halves], "<i4"),
        "weight": np.clip(logistic(1 << 8, 16, 128)[:256], 1, 255).astype("u1"),
    }


def logistic_frequencies(tables: dict[str, np.ndarray], scale: int) -> np.ndarray:
    """L(c): of -128 to 128."""
    z = ((32 * np.arange(-128, 128) + 16) * int(tables["reciprocal"][scale])) >> 10
    inner = 256 * ((tables["cdf"].astype(np.int64)[np.clip(z, -1536, 1536) + 1536] * (65536 - 257)) >> 16)
    return np.diff([0, *inner.tolist(), 256 * (65536 - 257)]) + 256


def dtype_of(name: str) -> str:
    """Of a tensor by its name without the network's number ("Codec file")."""
    part, array = name.split(".")[0], name.split(".")[-1]
    if part == "tables":
        return {"cdf": "<u2", "reciprocal": "<i4", "weight": "u1"}[array]
    small = {"table": "<i2", "bound": "<i2", "inverse_gain": "<i2", "scale_offset": "<i2"}
    pixels = ("near", "far", "across", "near_table", "far_table", "across_table", "seen_table", "seen_shift")
    return {"weight": "i1", "shift": "i1", **dict.fromkeys(pixels, "i1"), **small}.get(array, "<i4")


def shapes_of(prefix: str, tree: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in tree.items():
        found |= shapes_of(f"{prefix}.{key}", value) if isinstance(value, dict) else {f"{prefix}.{key}": value}
    return found


def derived_symbols(network: Network, quality: int, images: int = 8) -> np.ndarray:
    """The symbols (8,D), or (4,D) without a size, of a probe without images ("Probe")."""
    bounds = network.tensors["prior.bound"][quality].tolist()
    groups = coding_groups(network)
    symbols = np.zeros((images, sum(map(len, groups))), np.int64)
    for b, group in zip(bounds, groups, strict=True):
        for p in range(images):
            for d in group.tolist():
                x = (p * symbols.shape[1] + d) * 0x9E3779B1 % (1 << 32)
                x = (x ^ x >> 15) * 0x85EBCA77 % (1 << 32)
                m = min(b, (1 << p * 8 // images) - 1)
                symbols[p, d] = (x ^ x >> 13) % (2 * m + 1) - m
    return symbols


def completions(tensors: dict[str, np.ndarray], i: int) -> dict[str, np.ndarray]:
    """What is added to two tensors of network i at last, each after the one before it."""
    t = np.maximum(tensors[f"{i}.decoder.dequantized.table"].astype(np.int64), 1)
    g = np.maximum(tensors[f"{i}.prior.inverse_gain"], 1)
    digits = [(value**16).bit_length() for value in g.ravel().tolist()]
    return {
        f"{i}.prior.inverse_gain": ((1 << 14) + (t >> 1)) // t,
        f"{i}.prior.scale_offset": ((np.array(digits) - 112) >> 1).reshape(g.shape),
    }


def base_numbers(base: Codec, names: list[str]) -> dict[str, np.ndarray]:
    """The base's tensors of these names, those that are completed at last without that."""
    tensors = {f"{i}.{name}": t for i, network in enumerate(base.networks) for name, t in network.tensors.items()}
    less = {name: added for i in range(len(base.networks)) for name, added in completions(tensors, i).items()}
    return {name: (tensors[name] - less.get(name, 0)).astype(tensors[name].dtype) for name in names}


def read_difference(data: bytes, bases: Sequence[bytes]) -> Codec:
    """A codec as its difference from one of the codec files that are at hand."""
    found = [base for base in map(read_codec, bases) if base.identity == data[:32]]
    must(bool(found), "the base is at hand")
    return read_packed(data[32:], found[0])


def read_packed(data: bytes, base: Codec | None = None) -> Codec:
    reader = Reader(data)
    document = json.loads(zlib.decompress(reader.take(reader.varint())))
    entries, pixels = document["networks"], document.get("pixels", [])
    tensors = {}
    for i in range(len(entries)):
        for name in ("frequencies", "pixels"):
            tensors[f"{i}.probe.{name}"] = np.frombuffer(reader.take(64), "u1").reshape(2, 32)
    for m in range(len(pixels)):
        tensors[f"pixels.{m}.probe"] = np.frombuffer(reader.take(32), "u1")
    named = []
    for entry in entries:
        shapes = shapes_of("prior", entry["prior"]) | shapes_of("tables", entry["tables"])
        for node in entry["decoder"]:
            shapes |= shapes_of(f"decoder.{node['out']}", node["arrays"])
        named.append(dict(sorted(shapes.items())))
    stored = {f"{i}.{name}": s for i, shapes in enumerate(named) for name, s in shapes.items() if isinstance(s, list)}
    for m, entry in enumerate(pixels):
        stored |= {f"pixels.{m}.{name}": shape for name, shape in sorted(entry["arrays"].items())}
    tensors |= read_numbers(reader, stored)
    if base is not None:
        tensors |= {name: tensors[name] + number for name, number in base_numbers(base, list(stored)).items()}
    for i, shapes in enumerate(named):
        tensors |= {f"{i}.{name}": tensors[f"{j}.{name}"] for name, j in shapes.items() if isinstance(j, int)}
        inverse, offset = f"{i}.prior.inverse_gain", f"{i}.prior.scale_offset"
        for name in (inverse, offset):
            if name in stored:
                tensors[name] = (tensors[name] + completions(tensors, i)[name]).astype("<i2")
        if not entries[i]["tables"]:
            tensors |= {f"{i}.tables.{name}": table for name, table in standard_tables().items()}
    return make_codec(document, tensors)


def read_numbers(reader: Reader, stored: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The stored tensors, from their names with the network's number and their shapes."""
    scales = reader.take(4)
    coder = RangeDecoder(reader.take(reader.varint()))
    low = int.from_bytes(reader.data[reader.at :], "big")
    low_bits = 8 * len(reader.rest())
    tables = standard_tables()
    frequencies = [logistic_frequencies(tables, scale) for scale in range(81)]
    sides = []
    for shape in stored.values():
        n = math.prod(shape)
        split = (-(-n // 64), 1, 1) if len(shape) == 1 else (shape[0], shape[1], math.prod(shape[2:]))
        sides.append(split if n else (0, 1, 1))
    lists = []
    for counts, scale in zip(([1] * len(sides), *zip(*sides, strict=True)), scales, strict=True):
        number, numbers = 0, []
        for count in counts:
            part = []
            for _ in range(count if len(lists) < 2 or count > 1 else 0):
                number += coder.next(frequencies[scale]) - 128
                part.append(number)
            numbers.append(part)
        lists.append(numbers)
    elements = []
    for name, (_, columns, places), rows_of, columns_of, places_of in zip(stored, sides, *lists[1:], strict=True):
        small = dtype_of(name.partition(".")[2])[-1] == "1"
        for e in range(math.prod(stored[name])):
            row = e // 64 if len(stored[name]) == 1 else e // (columns * places)
            level = rows_of[row] + (columns_of or [0] * columns)[e // places % columns]
            level = min(max(level + (places_of or [0] * places)[e % places], 0), 40 if small else 128)
            k = 0 if small else max(0, (level - 29) >> 2)
            elements.append([2 * (level - 4 * k), k, 0])
    for scale in range(81):
        for element in elements:
            if element[0] == scale:
                element[2] = coder.next(frequencies[scale]) - 128
    residuals = []
    for _, k, v in elements:
        low_bits -= k
        residuals.append((v << k) + (low >> low_bits & ((1 << k) - 1)) - ((1 << k) >> 1))
    must(0 <= low_bits < 8 and low & ((1 << low_bits) - 1) == 0, "zeros fill the last byte")
    tensors, at = {}, 0
    for (name, shape), (predictor,) in zip(stored.items(), lists[0], strict=True):
        array = np.array(residuals[at : at + math.prod(shape)], np.int64).reshape(shape)
        at += math.prod(shape)
        for axis, times in ((-1, predictor // 3), (0, predictor % 3)):
            for _ in range(times):
                array = np.cumsum(array, axis=axis)
        tensors[name] = array.astype(dtype_of(name.partition(".")[2]))
    return tensors


# "Archive", "Block", "Stored payload", "Single block"


def read_chunk(data: bytes, at: int) -> tuple[str, bytes, int]:
    """Type, payload and end of the chunk at an offset."""
    length = int.from_bytes(data[at + 4 : at + 8], "big")
    body, end = data[at : at + 8 + length], at + 12 + length
    must(end <= len(data), "a chunk lies inside of the file")
    must(zlib.crc32(body) == int.from_bytes(data[end - 4 : end], "big"), "a chunk's checksum")
    must(re.fullmatch(rb"[A-Za-z]{4}", body[:4]) is not None, "a chunk's type is four letters")
    return body[:4].decode(), body[8:], end


def read_labels(payload: bytes, images: int) -> list[int] | list[str]:
    must(payload[0] in (0, 1, 2), "the labels' encoding is known")
    if payload[0] == 2:
        return front_coded(payload[1:], images)
    raw = zlib.decompress(payload[1:])
    labels = raw.decode().split("\n") if payload[0] else np.frombuffer(raw, "<i8").tolist()
    must(len(labels) == images, "a label for each image")
    return labels


def front_coded(data: bytes, images: int) -> list[str]:
    """Lines, each by what it adds to the one before it."""
    raw = unpack(2, data)
    texts = raw[images:].split(b"\n")
    must(len(texts) == images, "a text for each line")
    lines = [b""]
    for shared, text in zip(raw[:images], texts, strict=True):
        before = lines[-1]
        if shared == 255:
            start, digits, rest = re.fullmatch(rb"(?s)(.*?)([0-9]+)([^0-9]*)", before).groups()
            must(not text and set(digits) != {ord("9")}, "a line that counts up has no text of its own")
            lines.append(start + str(int(digits) + 1).zfill(len(digits)).encode() + rest)
        else:
            must(shared <= len(before), "a line shares no more than there is")
            lines.append(before[:shared] + text)
    return [line.decode() for line in lines[1:]]


def unpack(packing: int, data: bytes) -> bytes:
    """Packed bytes that end where the data does."""
    must(packing in (0, 1, 2), "the packing is known")
    if packing == 0:
        return data
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 23}]
    unpacker = zlib.decompressobj() if packing == 1 else lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    raw = unpacker.decompress(data)
    must(unpacker.eof and not unpacker.unused_data, "packed bytes end with the data")
    return raw


def decode_stored(payload: bytes, images: int, kind: tuple[int, int, int]) -> np.ndarray:
    """A stored payload to pixels uint8 (N,H,W,C)."""
    (height, width, channels), (packing, step, arrangement) = kind, payload[:3]
    must(step % 2 == 1 and arrangement < 16, "step and arrangement are known")
    levels = (255 + (step - 1) // 2) // step + 1
    flat = np.frombuffer(unpack(packing, payload[3:]), np.uint8).astype(np.int64)
    must(len(flat) == images * height * width * channels and bool((flat < levels).all()), "a value below L each")
    if arrangement & 8:
        values = flat.reshape(images, height, width, channels)
    else:
        values = flat.reshape(channels, images, height, width).transpose(1, 2, 3, 0).copy()
    if arrangement & 4:
        must(channels >= 3, "there is a channel on each side of channel 1")
        values[..., 0], values[..., 2] = values[..., 0] + values[..., 1], values[..., 2] + values[..., 1]
    k = np.zeros((images, height + 1, width + 1, channels), np.int64)
    for y in range(height):
        for x in range(width):
            a, b, c = k[:, y + 1, x], k[:, y, x + 1], k[:, y, x]
            middle = np.sort(np.stack([a, b, a + b - c]), axis=0)[1]
            predicted = (np.zeros_like(a), a, b, middle)[arrangement & 3]
            k[:, y + 1, x + 1] = (values[:, y, x] + predicted) % levels
    return np.minimum(k[:, 1:, 1:] * step, 255).astype(np.uint8)


@dataclass(frozen=True)
class Archive:
    images: list[np.ndarray]
    labels: list[int] | list[str] | None
    names: list[str] | None
    class_names: list[str] | None
    codecs: list[Codec]


def decode_archive(data: bytes, bases: Sequence[bytes] = (), beside: bytes | None = None) -> Archive:
    """All images of an archive with embedded codecs: uint8 or uint16, (H,W) or (H,W,C) each.

    bases: codec files that are not embedded, or that embedded ones may be the difference from.
    beside: the file shared.cnet in its folder, which has others ("Shared codecs and primers").
    """
    shared = [] if beside is None else decode_archive(beside, bases).codecs
    must(data[:8] == bytes.fromhex("89434E540D0A1A0A"), "the signature")
    kind, payload, end = read_chunk(data, len(data) - 20)
    must(kind == "TAIL" and end == len(data), "TAIL is the last 20 bytes")
    index_at = int.from_bytes(payload, "big")
    kind, payload, end = read_chunk(data, index_at)
    must(kind == "INDX" and end == len(data) - 20, "INDX ends where TAIL begins")
    index = Reader(payload)
    images, entries, at, extra_bytes, order = (index.varint() for _ in range(5))
    must(order in (0, 1), "the order of the images is 0 or 1")
    codecs, kinds = read_front(data, at, bases, shared)
    must(bool(kinds) or not images, "an archive of images has a KIND")
    stored: list[np.ndarray] = []
    for _ in range(entries):
        chunk_bytes, count = index.varint(), index.varint()
        kind, payload, end = read_chunk(data, at)
        must(end - at == chunk_bytes, "the index agrees with the chunk")
        at = end
        if count:
            must(kind == "BLOK", "an entry with images is a block")
            stored += read_block(payload, count, codecs, kinds)
        else:
            read_description(kind, payload, codecs, kinds, bases, shared)
    places = read_places(index.rest(), images) if order else list(range(len(stored)))
    must(len(places) == images and not index.rest(), "the index agrees with the blocks")
    must(at + extra_bytes == index_at, "the index agrees with the file")
    labels = names = class_names = None
    while at < index_at:
        kind, payload, at = read_chunk(data, at)
        if kind == "labl":
            labels = read_labels(payload, images)
        elif kind == "clas":
            must(payload[0] == 1 and isinstance(labels, list), "names of classes are text, and follow labels")
            class_names = zlib.decompress(payload[1:]).decode().split("\n")
            must(all(isinstance(label, int) for label in labels or []), "classes are numbered by integers")
            must(len(set(class_names)) == len(class_names), "no two classes have one name")
        elif kind == "name":
            must(payload[0] in (1, 2), "names are text")
            names = [str(name) for name in read_labels(payload, images)]
        else:
            must(kind[0].islower(), f"the critical chunk {kind} is known")
    return Archive([stored[place] for place in places], labels, names, class_names, codecs)


def read_places(packed: bytes, images: int) -> list[int]:
    """The place of each image of the collection (order 1)."""
    steps, place, places = np.frombuffer(unpack(1, packed), "<u4").tolist(), -1, []
    must(len(steps) == images, "a place for each image")
    for step in steps:
        place = (step + place + 1) % (1 << 32)
        places.append(place)
    return places


@dataclass(frozen=True)
class ImageKind:
    """What a KIND says: the channels that are coded, and the flags."""

    height: int
    width: int
    channels: int
    flags: int

    @property
    def coded(self) -> tuple[int, int, int]:
        """Height, width and channels of bytes, as the block's payload has them."""
        return self.height, self.width, self.channels * (2 if self.flags & 2 else 1)

    def shown(self, pixels: np.ndarray) -> np.ndarray:
        """Decoded images (N,H,W,channels of bytes) as they are shown ("Shown images")."""
        channels, highest = list(np.moveaxis(pixels.astype(np.int64), -1, 0)), 255
        if self.flags & 2:
            highest = 65535
            channels = [256 * channels[i] + channels[self.channels + i] for i in range(self.channels)]
        if self.flags & 4:
            channels = channels[:1] * 3 + channels[1:]
        if self.flags & 8:
            channels.append(np.full_like(channels[0], highest))
        images = np.stack(channels, axis=-1).astype(np.uint16 if self.flags & 2 else np.uint8)
        return images if self.flags & 1 else images[..., 0]


def read_block(payload: bytes, count: int, codecs: list[Codec], kinds: list[ImageKind]) -> list[np.ndarray]:
    """The images of a block."""
    block = Reader(payload)
    method, quality, which, codec, block_images = block.byte(), *(block.varint() for _ in range(4))
    must(block_images == count, "a block as in the index")
    must(method in (0, 1, 2) and (quality < 100 if method == 1 else quality == 100), "a method, and a quality for it")
    payload = block.take(block.varint())
    must(not block.rest(), "a block ends with its payload")
    kind = height, width, _ = kinds[which].coded
    must(method == 0 or not kinds[which].flags & 2, "images of 16 bits are stored")
    if method == 0:
        pixels = decode_stored(payload, count, kind)
    elif method == 2:
        from reference_lossless import decode_lossless

        model = next(model for model in codecs[codec].pixels if model.fits(kind))
        pixels = decode_lossless(model, Reader(payload), count, height, width)
    else:
        pixels = decode_payload(codecs[codec].network(kind, quality), payload, count, quality)
    return list(kinds[which].shown(pixels))


def read_front(
    data: bytes, first_block: int, bases: Sequence[bytes], shared: Sequence[Codec]
) -> tuple[list[Codec], list[ImageKind]]:
    """Codecs, and kinds of images, of those before the first block."""
    kind, payload, at = read_chunk(data, 8)
    must(kind == "HEAD" and payload == b"\x01", "the format's version is 1")
    codecs: list[Codec] = []
    kinds: list[ImageKind] = []
    while at < first_block:
        kind, payload, at = read_chunk(data, at)
        read_description(kind, payload, codecs, kinds, bases, shared)
    must(at == first_block, "blocks begin where the index says")
    return codecs, kinds


def read_description(
    kind: str,
    payload: bytes,
    codecs: list[Codec],
    kinds: list[ImageKind],
    bases: Sequence[bytes],
    shared: Sequence[Codec],
) -> None:
    """A chunk that is no block: one more codec or kind."""
    reader = Reader(payload)
    if kind == "CODC":
        identity = reader.take(32)
        reader.take(reader.varint()).decode()
        encoding = reader.byte()
        must(encoding in (0, 1, 2, 3), "the encoding is known")
        embedded = reader.rest()
        if encoding == 0:
            must(not embedded, "nothing follows")
            known = [*shared, *map(read_codec, bases)]
            found = [codec for codec in known if identity in (codec.identity, codec.lossless_identity)]
            must(bool(found), "the codec is embedded, shared or given")
            codecs.append(found[0])
        elif encoding == 3:
            codecs.append(read_difference(embedded, bases))
        else:
            codecs.append((read_codec if encoding == 1 else read_packed)(embedded))
        must(identity in (codecs[-1].identity, codecs[-1].lossless_identity), "the codec's identity")
    elif kind == "KIND":
        known = ImageKind(reader.varint(), reader.varint(), reader.byte(), reader.byte())
        shown = known.channels + (2 if known.flags & 4 else 0) + (1 if known.flags & 8 else 0)
        must(known.flags < 16 and 1 <= shown <= 4 and (shown == 1 or known.flags & 1), "a kind's flags")
        must(not known.flags & 4 or shown > 2, "grey is shown in 3 or 4 channels")
        must(not known.flags & 8 or shown in (2, 4), "there is alpha")
        kinds.append(known)
    else:
        must(kind[0].islower(), f"the critical chunk {kind} is known")


def crc16(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def decode_single(data: bytes, codec: Codec) -> np.ndarray:
    """The images of a single block: uint8, (N,H,W) or (N,H,W,C)."""
    reader = Reader(data)
    if data[0] == 100:
        from reference_lossless import decode_single_lossless

        return decode_single_lossless(data, codec.pixels, reader)
    quality, kind_axis, images = reader.byte(), reader.varint(), reader.varint()
    head = data[: reader.at]
    checksum, payload = reader.take(2), reader.rest()
    must(crc16(codec.identity + head + payload) == int.from_bytes(checksum, "big"), "the block's checksum")
    must(quality < 100, "a lossy block")
    kinds = list(dict.fromkeys(tuple(network.entry["kind"]) for network in codec.networks if network.entry["kind"][0]))
    if kind_axis >> 1 < len(kinds):
        kind = kinds[kind_axis >> 1]
    else:
        inner = Reader(payload)
        kind, payload = (inner.varint(), inner.varint(), (kind_axis >> 1) - len(kinds) + 1), inner.rest()
    pixels = decode_payload(codec.network(kind, quality), payload, images, quality)
    return pixels if kind_axis & 1 else pixels[..., 0]
