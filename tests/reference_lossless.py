"""Lossless blocks from docs/FORMAT.md, "Lossless payload", alone: the other half of
reference_decoder.py.

It imports nothing of compressnet and uses no float but for the table of exponentials. Slow: pixel
by pixel, image by image.

Axes: H rows, W columns, A alphabet, O outputs, I inputs.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference_decoder import ONE, Pick, RangeDecoder, crc16, must, requantize

RELATIVE = [(-2, -2, 2), (-1, -2, 2), (0, -2, -1)]
EXP = [math.floor(2**20 * math.exp(-i / 64) + 0.5) for i in range(1024)]


@dataclass(frozen=True)
class PixelModel:
    """An entry of `pixels` in the JSON, and its tensors by their names without `pixels.m.`."""

    entry: dict[str, Any]
    tensors: dict[str, np.ndarray]

    def fits(self, kind: tuple[int, ...]) -> bool:
        return self.entry["channels"] == kind[2] and self.entry["size"] in ([], list(kind[:2]))


def pixel_models(entries: list[dict[str, Any]], tensors: dict[str, np.ndarray]) -> list[PixelModel]:
    """The models of a codec's JSON and tensors."""
    models = []
    for m, entry in enumerate(entries):
        start = f"pixels.{m}."
        own = {name[len(start) :]: array for name, array in tensors.items() if name.startswith(start)}
        models.append(PixelModel({key: entry[key] for key in ("channels", "planes", "size")}, own))
    return models


def lossless_identity(models: list[PixelModel]) -> bytes:
    text = json.dumps([model.entry for model in models], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode())
    for m, model in enumerate(models):
        for name, array in sorted(model.tensors.items()):
            if name != "probe":
                digest.update(f"\n{m}.{name} {array.dtype.name} {list(array.shape)}\n".encode() + array.tobytes())
    return digest.digest()


@dataclass
class Plane:
    """One plane of one image, as far as it is known."""

    values: np.ndarray
    """(H,W), -1 where a pixel is not known."""
    background: int
    before: list[Plane]
    counts: list[int] = field(default_factory=lambda: [0] * 256)

    def code(self, y: int, x: int) -> int:
        height, width = self.values.shape
        if not (0 <= y < height and 0 <= x < width):
            return 256
        must(self.values[y, x] >= 0, "a neighbour is known")
        return int(self.values[y, x])

    def codes(self, template: Any, y: int, x: int) -> list[int]:
        return [self.code(y + dy, x + dx) for dy, first, last in template for dx in range(first, last + 1)]


class PlaneNetwork:
    """The network of plane p of a model."""

    def __init__(self, model: PixelModel, p: int) -> None:
        start = f"{p}."
        self.t = {
            name[len(start) :]: array.astype(np.int64)
            for name, array in model.tensors.items()
            if name.startswith(start)
        }
        self.layers, self.sized = model.entry["planes"][p]["layers"], model.entry["size"] != []
        self.templates = {name: self.t[name].tolist() for name in ("near", "far", "across")}

    def is_quiet(self, plane: Plane, y: int, x: int) -> bool:
        own = plane.codes(self.templates["far"], y, x)
        if any(code not in (plane.background, 256) for code in own):
            return False
        around = [(other, other.codes(self.templates["across"], y, x)) for other in plane.before]
        return all(code in (other.background, 256) for other, codes in around for code in codes)

    def quiet(self, y: int, x: int) -> np.ndarray:
        frequency = self.t["quiet"][y, x] if self.sized else self.t["quiet"][0, 0]
        return np.array([frequency, ONE - frequency])

    def dense(self, layer: str, x: np.ndarray, bias: int = 0, more: Any = 0, leaky: bool = True) -> np.ndarray:
        sums = self.t[f"{layer}.weight"] @ x + self.t[f"{layer}.bias"][bias] + more
        low, high = (-32, 223) if leaky else (-2047, 2047)
        return requantize(sums, self.t[f"{layer}.shift"], leaky, low, high)

    def hidden(self, plane: Plane, y: int, x: int) -> np.ndarray:
        inputs = [self.t["near_table"][plane.codes(self.templates["near"], y, x)].ravel()]
        inputs += [self.t["far_table"][plane.codes(self.templates["far"], y, x)].ravel()]
        for table, other in zip(self.t["across_table"], plane.before, strict=True):
            inputs.append(table[other.codes(self.templates["across"], y, x)].ravel())
        others = [v for v in range(256) if v != plane.background]
        seen = self.t["seen_bias"] + sum(plane.counts[v] * self.t["seen_table"][v] for v in others)
        inputs.append(requantize(np.clip(seen, -(2**22), 2**22), self.t["seen_shift"], True, -32, 223))
        place = (y, x) if self.sized else (0, 0)
        more = self.t["row"][place[0]] + self.t["column"][place[1]]
        h = np.concatenate(inputs)
        for i in range(self.layers):
            h = self.dense(f"layers.{i}", h, more=more if i == 0 else 0)
        return h

    def flag(self, h: np.ndarray) -> np.ndarray:
        return frequencies([0, *self.dense("flag", h, leaky=False).tolist()])

    def high(self, h: np.ndarray) -> np.ndarray:
        return frequencies(self.dense("high", h, leaky=False).tolist())

    def low(self, h: np.ndarray, plane: Plane, y: int, x: int, high: int) -> np.ndarray:
        known = [0 if code == 256 else code for code in plane.codes(RELATIVE, y, x)]
        extra = [max(-31, min(31, v - 16 * high - 8)) for v in known]
        values = range(16 * high, 16 * high + 16)
        counts = [0 if v == plane.background else min(plane.counts[v], 3) for v in values]
        if self.t["low1.weight"].shape[1] > len(h) + len(extra):
            extra += counts
        units = self.dense("low1", np.concatenate([h, extra]), bias=high)
        return frequencies(self.dense("low2", units, leaky=False).tolist())


def frequencies(logits: list[int]) -> np.ndarray:
    """Of A logits."""
    largest = max(logits)
    e = [EXP[min(largest - logit, 1023)] for logit in logits]
    f = [16 + e_i * (ONE - 16 * len(e)) // sum(e) for e_i in e]
    f[logits.index(largest)] += ONE - sum(f)
    return np.array(f, np.int64)


def code_image(model: PixelModel, height: int, width: int, pick: Pick) -> np.ndarray:
    """All pixels of an image in their order, (H,W,C); `pick` gives the index of each symbol."""
    planes: list[Plane] = []
    for p, about in enumerate(model.entry["planes"]):
        network, background = PlaneNetwork(model, p), about["background"]
        plane = Plane(np.full((height, width), -1), background, list(planes))
        for y, x in np.ndindex(height, width):
            quiet = network.is_quiet(plane, y, x)
            h = network.hidden(plane, y, x)
            value = background
            if pick(network.quiet(y, x) if quiet else network.flag(h)):
                high = pick(network.high(h))
                value = 16 * high + pick(network.low(h, plane, y, x, high))
                must(value != background, "what is not background has another value")
                plane.counts[value] += 1
            plane.values[y, x] = value
        planes.append(plane)
    return from_planes([plane.values for plane in planes])


def from_planes(planes: list[np.ndarray]) -> np.ndarray:
    """(H,W,C)."""
    alpha, colours = (planes[:1], planes[1:]) if len(planes) in (2, 4) else ([], planes)
    if len(colours) == 3:
        green, red, blue = colours
        colours = [(red + green - 128) % 256, green, (blue + green - 128) % 256]
    return np.stack([*colours, *alpha], axis=-1)


def to_planes(image: np.ndarray) -> list[np.ndarray]:
    """The inverse."""
    channels = [image[..., c].astype(np.int64) for c in range(image.shape[-1])]
    alpha, colours = (channels[-1:], channels[:-1]) if len(channels) in (2, 4) else ([], channels)
    if len(colours) == 3:
        red, green, blue = colours
        colours = [green, (red - green + 128) % 256, (blue - green + 128) % 256]
    return [*alpha, *colours]


def symbols_of(model: PixelModel, image: np.ndarray) -> Iterator[int]:
    """The indices of all symbols of an image (H,W,C), in their order."""
    for values, about in zip(to_planes(image), model.entry["planes"], strict=True):
        for value in values.ravel().tolist():
            yield int(value != about["background"])
            if value != about["background"]:
                yield value // 16
                yield value % 16


def payloads_of(read: Any, images: int) -> list[bytes]:
    """The payload of each image of a block. read: a Reader of the block's."""
    lengths = [read.varint() for _ in range(images - 1)]
    return [*(read.take(length) for length in lengths), read.rest()]


def decode_lossless(model: PixelModel, read: Any, images: int, height: int, width: int) -> np.ndarray:
    """The pixels of a block, uint8 (n,H,W,C). read: a Reader of its payload."""
    values = height * width * model.entry["channels"]
    must(0 < values <= 1 << 16 and images * values <= 1 << 22, "a lossless block within its limits")
    must(model.fits((height, width, model.entry["channels"])), "a model for the block's kind")
    payloads = payloads_of(read, images)
    decoded = [code_image(model, height, width, RangeDecoder(payload).next) for payload in payloads]
    return np.stack(decoded).astype(np.uint8)


def probe_images(model: PixelModel) -> np.ndarray:
    """What the probe is made of: (3,H,W,C)."""
    height, width = (min(side, 12) for side in model.entry["size"] or (12, 12))
    shape, s, v, data = (3, height, width, model.entry["channels"]), 1, 0, []
    for _ in range(math.prod(shape)):
        s = (1103515245 * s + 12345) % 2**31
        if (s >> 16) % 4 == 0:
            v = (s >> 20) % 256 if (s >> 18) % 4 > 0 else 0
        data.append(v)
    return np.array(data, np.uint8).reshape(shape)


def decode_single_lossless(data: bytes, models: list[PixelModel], read: Any) -> np.ndarray:
    """The images of a single block of quality 100. read: a Reader of it."""
    quality, kind_axis, images = read.byte(), read.varint(), read.varint()
    head = data[: read.at]
    checksum = read.take(2)
    must(quality == 100, "a lossless block")
    must(crc16(lossless_identity(models) + head + data[read.at :]) == int.from_bytes(checksum, "big"), "the checksum")
    model = models[kind_axis >> 1]
    height, width = model.entry["size"] or (read.varint(), read.varint())
    pixels = decode_lossless(model, read, images, height, width)
    return pixels if kind_axis & 1 else pixels[..., 0]
