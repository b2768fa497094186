"""A decoder of adaptive payloads from docs/FORMAT.md, "Adaptive payload", alone: an implementation
to compare with.

It imports nothing of compressnet. Quoted names are the section's parts.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from typing import NamedTuple

U64 = (1 << 64) - 1
UNKNOWN = U64
WEIGHT_MOST = (1 << 19) - 1
PARTS = (0, 4, 1, 5, 2, 6, 3, 7)
"""All roles in the order of coding."""


class Settings(NamedTuple):
    table_bits: int
    flags: int
    bytes: int
    histograms: int


class Size(NamedTuple):
    """Of an image."""

    height: int
    width: int
    channels: int
    deep: bool

    @property
    def has_alpha(self) -> bool:
        return self.channels % 2 == 0

    def roles(self) -> list[int]:
        main = {1: {1}, 2: {0, 1}, 3: {1, 2, 3}, 4: {0, 1, 2, 3}}[self.channels]
        return [role for role in PARTS if role % 4 in main and (role < 4 or self.deep)]


def clamp(x: int, low: int, high: int) -> int:
    return min(max(x, low), high)


def trunc(a: int, b: int) -> int:
    return abs(a) // b * (1 if a >= 0 else -1)


def signed(x: int) -> int:
    x %= 256
    return x - 256 if x > 127 else x


def bits(numbers: int) -> list[int]:
    return [k for k in range(16) if numbers & 1 << k]


def byte_of(pixel: int, role: int) -> int:
    return pixel.to_bytes(8, "little")[role]


# "Hashes and buckets"


def joined(a: int, b: int) -> int:
    h = (a * 0x2545F4914F6CDD1D) & U64
    h ^= (b + 0x9E3779B97F4A7C15) & U64
    h = (h * 0xD6E8FEB86659FD93) & U64
    return h ^ (h >> 31)


def hashed(c: int, s: int) -> int:
    h = (c + 0x9E3779B97F4A7C15 * (s + 1)) & U64
    h ^= h >> 29
    h = (h * 0xBF58476D1CE4E5B9) & U64
    return h ^ (h >> 32)


# "States and maps"

MOST = {0: 40, 1: 20, 2: 10, 3: 7, 4: 5}


def possible(z: int, o: int) -> bool:
    return min(z, o) in MOST and max(z, o) <= MOST[min(z, o)]


COUNTS = [(z, t - z, d) for t in range(99) for z in range(t + 1) for d in (0, 1) if possible(z, t - z)]
COUNTS = [(z, o, d) for z, o, d in COUNTS if d == 0 or z * o > 0]
STATES = {counts: number for number, counts in enumerate(COUNTS)}


def after(state: int, d: int) -> int:
    z, o, _ = COUNTS[state]
    s, t = (o, z) if d else (z, o)
    if t > 2:
        t = t - 1 if t <= 4 else next((v for most, v in ((7, 4), (13, 5), (24, 6)) if t <= most), 7)
    s = s + 1 if possible(s + 1, t) else s
    while not possible(s, t):
        t -= 1
    z, o = (t, s) if d else (s, t)
    return STATES[z, o, d if z * o else 0]


def first_entry(state: int) -> list[int]:
    z, o, _ = COUNTS[state]
    return [((10 * o + 4) << 22) // (10 * (z + o) + 8), 0]


def learn_entry(entry: list[int], d: int) -> None:
    p, k = entry
    entry[:] = p + ((d * (2**22 - 1) - p) * (131072 // (2 * k + 3)) >> 16), min(k + 1, 255)


# "Decisions"


def nearest(x: float) -> int:
    return math.floor(x + 0.5)


SQUASH = [clamp(nearest(65536 / (1 + math.exp((2048 - i) / 256))), 16, 65520) for i in range(4096)]
STRETCH = [clamp(nearest(256 * math.log((i + 0.5) / (4095.5 - i))), -2047, 2047) for i in range(4096)]
LOGARITHM = [nearest(256 * math.log(i + 1)) for i in range(4096)]


def ln(s: int) -> int:
    return LOGARITHM[s] if s < 4096 else LOGARITHM[min(s >> 3, 4095)] + 532


def limited(v: int) -> int:
    return clamp(v, -2047, 2047)


class Arithmetic:
    """The section's "Arithmetic coder"."""

    def __init__(self, payload: bytes) -> None:
        self.bytes = iter(payload)
        self.low, self.high, self.code = 0, 2**32 - 1, 0
        for _ in range(4):
            self.code = self.code * 256 + next(self.bytes, 0)

    def decide(self, p: int) -> int:
        middle = self.low + ((self.high - self.low) * p >> 16)
        d = int(self.code <= middle)
        self.low, self.high = (self.low, middle) if d else (middle + 1, self.high)
        while self.low >> 24 == self.high >> 24:
            self.low = self.low * 256 % 2**32
            self.high = self.high * 256 % 2**32 + 255
            self.code = self.code * 256 % 2**32 + next(self.bytes, 0)
        return d


def kernel(top: int, first: int, ratio: int, floor: int) -> list[int]:
    shares, f = {0: top}, first
    for j in range(1, 129):
        shares[j] = shares[256 - j] = f + floor
        f = f * ratio >> 6
    return [shares[j] for j in range(256)]


WIDE, NARROW = kernel(2147, 1825, 54, 21), kernel(10474, 4609, 35, 4)


class Histogram:
    def __init__(self) -> None:
        self.shares, self.count = WIDE.copy(), 0

    def learn(self, e: int) -> None:
        rate = 32768 // (self.count + 2)
        self.shares = [s + ((((NARROW[(d - e) % 256] - s) * rate) >> 14) + 1 >> 1) for d, s in enumerate(self.shares)]
        self.count = min(self.count + 1, 20)


class Model:
    """All that is learned; what is not there yet is made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.table: dict[int, list[int]] = defaultdict(lambda: [0] * 16)
        self.maps: dict[tuple, list[int]] = {}
        self.agreement: dict[int, list[int]] = defaultdict(lambda: [2**21, 0])
        self.weights: dict[tuple, list[int]] = {}
        self.histograms: dict[tuple, Histogram] = defaultdict(Histogram)
        self.linear: dict[int, list[int]] = defaultdict(lambda: [0] * 8)
        self.colour: dict[tuple, int] = {}
        self.between: dict[int, int] = {}
        self.position: dict[int, int] = {}
        self.seen = [0]

    def learned(self, payload: bytes, sizes: list[Size]) -> list[bytes]:
        """The values (H,W,bytes) of images in one payload."""
        coder = Arithmetic(payload)
        return [Image(self, coder, size).decode() for size in sizes]

    def alone(self, payload: bytes, size: Size) -> bytes:
        kept = copy.deepcopy(self.__dict__)
        values = Image(self, Arithmetic(payload), size).decode()
        self.__dict__.update(kept)
        return values

    def bucket(self, h: int) -> list[int]:
        c = h % 256 or 1
        p = (h >> 32) % (1 << self.settings.table_bits)
        first, second = self.table[p], self.table[p ^ 1]
        for bucket in (first, second):
            if bucket[0] == c:
                return bucket
        if first[0] == 0:
            chosen = first
        else:
            chosen = second if second[0] == 0 or second[1] < first[1] else first
        chosen[:] = [c] + [0] * 15
        return chosen

    def entry(self, name: tuple, state: int) -> list[int]:
        return self.maps.setdefault((*name, state), first_entry(state))

    def said(self, name: tuple, state: int) -> int:
        return STRETCH[self.entry(name, state)[0] >> 10] if state else 0

    def decide(self, coder: Arithmetic, inputs: list[int], names: list[tuple], rate: int) -> int:
        sets = [self.weights.setdefault(name, [6553] * len(inputs)) for name in names]
        m = [limited(sum(x * w >> 8 for x, w in zip(inputs, weights, strict=True)) >> 8) for weights in sets]
        d = coder.decide(SQUASH[2048 + limited(sum(m) * 21846 >> 16)])
        for weights, own in zip(sets, m, strict=True):
            e = ((d * 65536 - SQUASH[2048 + own]) >> 2) * rate
            for i, x in enumerate(inputs):
                weights[i] = clamp(weights[i] + ((x * e + 8192) >> 14), -WEIGHT_MOST, WEIGHT_MOST)
        return d

    def learn(self, used: list[tuple[tuple, list[int], int]], d: int) -> None:
        """Learn a decision. used: a map's name, a bucket, and the place of a state in it."""
        for name, bucket, place in used:
            learn_entry(self.entry(name, bucket[place]), d)
            bucket[place] = after(bucket[place], d)


class Image:
    """An image while it is decoded: "Pixels of a model" and "Coding a pixel"."""

    def __init__(self, model: Model, coder: Arithmetic, size: Size) -> None:
        self.model, self.coder, self.size = model, coder, size
        self.m = self.l = 0

    def decode(self) -> bytes:
        values = bytearray()
        for y in range(self.size.height):
            for x in range(self.size.width):
                self.look(x, y)
                self.follow()
                self.pixel = self.foretold if self.flag(x, y) else self.code_bytes()
                self.end()
                values += self.values_of(self.pixel)
        return bytes(values)

    def values_of(self, pixel: int) -> bytes:
        deep, channels = self.size.deep, self.size.channels
        modulus = 65536 if deep else 256
        alpha, green, red, blue = (
            byte_of(pixel, r) * 256 + byte_of(pixel, r + 4) if deep else byte_of(pixel, r) for r in range(4)
        )
        colours = [(green + red) % modulus, green, (green + blue) % modulus] if channels > 2 else [green]
        values = colours + [alpha] * self.size.has_alpha
        return bytes([v >> 8 for v in values] + [v & 255 for v in values] if deep else values)

    def look(self, x: int, y: int) -> None:
        seen, width = self.model.seen, self.size.width
        row = seen[len(seen) - x :] if x else []
        above = seen[len(seen) - x - width :][:width] if y else []
        self.west = row[-1] if x else above[0] if y else 0
        self.north = above[x] if y else self.west
        self.northwest = above[x - 1] if x and y else self.north
        self.northeast = above[x + 1] if y and x + 1 < width else self.north
        self.far_west = row[-2] if x > 1 else self.west
        self.far_north = seen[-2 * width] if y > 1 else self.north
        self.mirrored = row[width - 1 - x] if width - 1 - x < x else UNKNOWN
        self.beside = row[width - x] if width - x < x else UNKNOWN
        pairs = [(self.west, self.north), (self.north, self.northeast), (self.west, self.northwest)]
        pairs += [(self.north, self.northwest), (self.west, self.far_west), (self.north, self.far_north)]
        self.equal = sum(1 << i for i, (a, b) in enumerate(pairs) if a == b)

    def follow(self) -> None:
        """The section's "Match", "Between" and "Foretold"."""
        seen, position = self.model.seen, self.model.position
        first = joined(self.west, self.north)
        i = hashed(joined(first, joined(self.northeast, self.far_west)), 1) >> 48
        if self.l == 0 and i in position:
            self.m = position[i]
            while self.l < min(32, self.m) and seen[self.m - self.l - 1] == seen[-self.l - 1]:
                self.l += 1
        position[i] = len(seen)
        self.matched = seen[self.m] if self.l else UNKNOWN
        self.match_class = min(6, len(f"{self.l:b}")) if self.l else 0
        self.b = hashed(joined(first, joined(self.northeast, self.northwest)), 2) >> 48
        self.memory = self.model.between.get(self.b, UNKNOWN)
        order = [self.matched, self.memory] if self.l >= 16 else [self.memory, self.matched]
        self.foretold = next((pixel for pixel in order if pixel != UNKNOWN), self.west)

    def flag(self, x: int, y: int) -> int:
        model, size = self.model, self.size
        f = [joined(joined(self.west, self.north), joined(self.northwest, self.northeast))]
        f += [joined(self.west, self.far_west) + 1, joined(self.north, self.far_north) + 2]
        f += [joined(x * 4096 | y, size.width * 4096 | size.height), joined(self.matched, self.match_class) + 3]
        f += [joined(joined(f[0], self.far_west), self.far_north)]
        self.f = f
        others = [self.matched, self.memory, self.west, self.north, self.northeast, self.northwest]
        agrees = sum(1 << i for i, pixel in enumerate(others) if pixel == self.foretold) + 64 * (self.l >= 16)
        place = 1 + ((hashed(self.foretold, 3) >> 48) * 15 >> 16)
        inputs, used = [], []
        for k in bits(model.settings.flags):
            bucket = model.bucket(hashed(f[k], 64 + k))
            inputs.append(model.said(("flag", k), bucket[place]))
            used.append((("flag", k), bucket, place))
        inputs += [STRETCH[model.agreement[agrees][0] >> 10], 256]
        sets = [("flag equal", self.equal), ("flag match", self.match_class), ("flag agrees", agrees)]
        d = model.decide(self.coder, inputs, sets, 6)
        model.learn(used, d)
        learn_entry(model.agreement[agrees], d)
        return d

    def end(self) -> None:
        """The section's "The end of a pixel"."""
        self.model.between[self.b] = self.pixel
        self.model.seen.append(self.pixel)
        if self.l:
            self.m, self.l = (self.m + 1, min(self.l + 1, 60)) if self.pixel == self.matched else (0, 0)

    def code_bytes(self) -> int:
        """The section's "Coding a byte", for all of them."""
        value = dict.fromkeys(range(8), 0)
        if not self.size.has_alpha:
            value[0], value[4] = 255, 255 * self.size.deep
        self.known, self.r, self.r2 = 0, 0, 0
        self.v, self.v2 = (0 if self.size.has_alpha else 255), 0
        agrees = self.matched != UNKNOWN
        for role in self.size.roles():
            expected = byte_of(self.matched, role)
            byte = Byte(self, role, value[role - 4] if role > 3 else 0)
            u = value[role] = byte.decode(expected if agrees else None)
            agrees = agrees and u == expected
            self.known = joined(self.known, u + 1)
            self.r2, self.r = self.r, signed(u - byte.M)
            self.v2, self.v = self.v, u
        return int.from_bytes(bytes(value[role] for role in range(8)), "little")


class Byte:
    """The section's "Coding a byte", for one of them."""

    def __init__(self, image: Image, role: int, high: int) -> None:
        self.image, self.role, self.high, self.wraps = image, role, high, role in (2, 3)
        near = (image.west, image.north, image.northwest, image.northeast, image.far_west, image.far_north)
        self.w, self.n, self.nw, self.ne, self.ww, self.nn = self.near = [self.sees(pixel) for pixel in near]
        plane = self.w + self.n - self.nw
        if self.wraps:
            self.g, self.M = plane % 256, sorted(map(signed, (self.w, self.n, plane)))[1] % 256
        else:
            self.g, self.M = clamp(plane, 0, 255), sorted((self.w, self.n, plane))[1]
        self.changes = abs(self.D(self.w, self.nw)) + abs(self.D(self.n, self.nw))
        self.activity = self.changes + abs(self.D(self.n, self.ne))
        self.d = [self.D(a, self.M) for a in self.near] + [image.r, image.r2]
        self.L = sum(a * d for a, d in zip(image.model.linear[role], self.d, strict=True))

    def sees(self, pixel: int) -> int:
        if self.role < 4:
            return byte_of(pixel, self.role)
        number = 256 * (byte_of(pixel, self.role - 4) - self.high) + byte_of(pixel, self.role)
        if self.role >= 6:
            number = (number + 2**15) % 2**16 - 2**15
        return clamp(number, 0, 255)

    def D(self, a: int, b: int) -> int:
        return signed(a - b) if self.wraps else a - b

    def contexts(self) -> list[int]:
        image, known, q = self.image, self.image.known, self.image.r % 256
        w, n, nw, ne, g, f = self.w, self.n, self.nw, self.ne, self.g, image.f
        t = byte_of(image.matched, self.role)
        return [
            *(joined(f[1], known), joined(f[2], known), joined(image.north, known + 1), joined(f[3], known)),
            *(joined(self.M, q), known + 2**40, joined((g >> 2) * 256 + (self.changes >> 3), q)),
            joined((2 * n - self.nn) % 512, (2 * w - self.ww) % 512),
            joined(w, 13) if image.matched == UNKNOWN else joined(256 * t + w, known + 13),
            *(joined(256 * w + n, 1), joined(256 * g + w, 2), joined(256 * n + ne, q + 512), joined(f[0], known)),
            joined(256 * w + n, joined(256 * ne + nw, known)),
            *(joined((w + ne - n) % 256, q + 3), joined(image.west, known + 2)),
        ]

    def foretold(self) -> dict[int, tuple[int, int]]:
        """The section's "Histograms": what foretells the byte, and the class, of each."""
        image, role, wraps, M, r = self.image, self.role, self.wraps, self.M, self.image.r
        w, n, nw, ne = self.w, self.n, self.nw, self.ne
        busy = sum(self.activity >= least for least in (1, 3, 8, 16, 32, 64, 128))
        if role == 0 or r == 0:
            off = sign = int(role > 0)
        else:
            off = 2 if abs(r) < 4 else 3
            sign = 2 if r < -8 else 3 if r < 0 else 4 if r > 8 else 5
        usual, v, v2 = 4 * busy + off, image.v, image.v2
        turn = w + (signed(ne - n) >> 1) if wraps else w + trunc(ne - n, 2)
        linear = M + ((self.L + 32768) >> 16)
        side = 0 if image.mirrored == UNKNOWN else 8 if image.beside == image.west else 4
        self.colour_place = role, hashed(image.known, 77) >> 52
        colour = image.model.colour.get(self.colour_place)
        return {
            0: (self.g, 4 * sign + (busy >> 1)),
            1: (w, usual),
            2: (n, usual),
            3: (M if image.matched == UNKNOWN else self.sees(image.matched), 4 * image.match_class + off),
            4: (turn if wraps or turn in range(256) else M, usual),
            5: (linear if wraps else clamp(linear, 0, 255), usual),
            6: (0, v >> 3),
            7: (ne if wraps else (w + n + ne + nw + 2) >> 2, usual),
            8: (0, {0: 0, 1: v >> 3}.get(role % 4, 8 * (v >> 6) + (v2 >> 5))),
            9: (M if image.mirrored == UNKNOWN else self.sees(image.mirrored), off + side),
            10: (M, usual),
            11: (w + (signed(n - w) >> 1) if wraps else (w + n + 1) >> 1, usual),
            12: (M if colour is None else colour, off if colour is None else off + 4),
        }

    def decode(self, expected: int | None) -> int:
        image, model, role = self.image, self.image.model, self.role
        contexts, foretold = self.contexts(), self.foretold()
        numbers = bits(model.settings.histograms)
        histograms = {k: model.histograms[role, k, foretold[k][1]] for k in numbers}
        shares = {k: [histograms[k].shares[(u - foretold[k][0]) % 256] for u in range(256)] for k in numbers}
        text, buckets, says = "", {}, None if expected is None else f"{expected:08b}"
        for bit in range(7, -1, -1):
            node, half = int("1" + text, 2), int(bit < 4)
            if bit in (7, 3):
                salts = {k: 128 + k + 32 * role + 256 * node for k in bits(model.settings.bytes)}
                buckets = {k: model.bucket(hashed(contexts[k], salt)) for k, salt in salts.items()}
            place = int("1" + text[4 * half :], 2)
            used = [(("byte", role, half, k), bucket, place) for k, bucket in buckets.items()]
            inputs = [model.said(name, bucket[place]) for name, bucket, _ in used]
            for k in numbers:
                z, o = (sum(shares[k][int(text + d + "0" * bit, 2) : int(text + d + "1" * bit, 2) + 1]) for d in "01")
                inputs.append(limited(ln(o) - ln(z)))
            match = 1 + int(says[len(text)]) if says is not None and says.startswith(text) else 0
            sets = [("node", role, node), ("follows", role, bit, match), ("equal", role, image.equal)]
            d = model.decide(image.coder, [*inputs, 256], sets, 4)
            model.learn(used, d)
            text += str(d)
        u = int(text, 2)
        for k in numbers:
            histograms[k].learn((u - foretold[k][0]) % 256)
        self.learn(u)
        return u

    def learn(self, u: int) -> None:
        model = self.image.model
        error = clamp(256 * self.D(u, self.M) - (self.L >> 8), -20000, 20000)
        norm = 9 + sum(d * d for d in self.d)
        weights = model.linear[self.role]
        for i, d in enumerate(self.d):
            weights[i] = clamp(weights[i] + trunc(error * d * 5, norm), -WEIGHT_MOST, WEIGHT_MOST)
        model.colour[self.colour_place] = u


def value_of_level(k: int, error: int, *, alpha: bool) -> int:
    """The section "Adaptive block", "Levels"."""
    if error == 0 or (alpha and k in (0, 255)):
        return k
    step = 2 * error + 1
    return min((k - 1) * step + error + 1, 254) if alpha else min(k * step, 255)
