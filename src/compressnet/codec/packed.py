"""The packed codec: what decoding needs of a codec, as small as it gets, for archives to embed.

    structure   varint length, zlib stream of JSON: the codec file's document, with the shapes
                of tensors
    hashes      of the probes, part by part
    numbers     all tensors, part by part: `compressnet.codec.arrays`

Which of its tensors a part stores is up to the part: `compressnet.lossy.packing`,
`compressnet.lossless.packing`. Networks that began as those of another codec, the base, may store
how they differ from it. docs/FORMAT.md, "Packed codec".
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from numpy.typing import NDArray

from compressnet.codec.arrays import elements_limit, pack_arrays, unpack_arrays
from compressnet.codec.bundle import PARTS, Bundle, from_parts
from compressnet.coding.part import Tensors
from compressnet.errors import CorruptError, InputError
from compressnet.limits import (
    CODEC_BYTES_LIMIT,
    DEFAULT_LIMITS,
    PACKED_NETWORKS_LIMIT,
    PACKED_STRUCTURE_BYTES_LIMIT,
    Cost,
    Spending,
    paid,
)
from compressnet.lossy.packing import stored_numbers
from compressnet.lossy.part import LossyPart
from compressnet.wire import Reader, pack_varint

STRUCTURE_BYTES, STRUCTURE_WORK = 40, 4000
"""Of a byte of JSON, at most."""
ELEMENT_BYTES, ELEMENT_WORK = 64, 4000
"""Of a number, while all are unpacked."""
ELEMENTS_PAID = 2
"""A codec has about one number for each byte. Others are as good as free, and are few."""


def differs_in_numbers(bundle: Bundle, base: Bundle) -> bool:
    """Whether a codec has networks of a base's shapes, and nothing else."""
    if bundle.pixels or not bundle.networks or len(bundle.networks) != len(base.networks):
        return False
    own, others = (_shapes(stored_numbers(networks)) for networks in (bundle.networks, base.networks))
    return own == others


def pack_bundle(bundle: Bundle, base: Bundle | None = None) -> bytes:
    """The decoding part of a codec, packed; `unpack_bundle` gives a codec of the same identity.

    base: a codec that it `differs_in_numbers` from; what is stored is the difference, modulo each
    dtype's range. Raises CodecRefusedError where this machine does not reproduce the codec's
    probe, so that no wrong one is written; InputError for a codec that is too large.
    """
    packed = {part.key: part.packed(bundle.name) for part in bundle.parts}
    arrays = [array for part in packed.values() for array in part.numbers]
    if base is not None:
        arrays = [array - other for array, other in zip(arrays, stored_numbers(base.networks), strict=True)]
    document: dict[str, Any] = {
        "about": bundle.about,
        "default_quality": bundle.default_quality,
        "name": bundle.name,
        LossyPart.key: [],  # there in every codec
    }
    document |= {key: part.entries for key, part in packed.items()}
    structure = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    deflated = zlib.compress(structure, 9)
    numbers = pack_arrays(arrays)
    hashes = b"".join(part.hashes for part in packed.values())
    data = pack_varint(len(deflated)) + deflated + hashes + numbers
    elements = sum(part.elements for part in packed.values())
    if elements > elements_limit(len(data)) or len(structure) > PACKED_STRUCTURE_BYTES_LIMIT:
        raise InputError(f"the codec {bundle.name} is too large to be embedded, with {elements} numbers; leave it out")
    if sum(len(part.entries) for part in packed.values()) > PACKED_NETWORKS_LIMIT:
        raise InputError(f"the codec {bundle.name} has more than {PACKED_NETWORKS_LIMIT} networks; leave it out")
    return data


def unpack_bundle(data: bytes, source: str, base: Bundle | None = None, spending: Spending | None = None) -> Bundle:
    """The codec, without its encoder; `source` names it in errors.

    base: what it was packed with. spending: what the archive's codecs take so far. Raises
    CorruptError for bytes that are no packed codec, or one that would not run exactly.
    """
    what = f"{source}: the packed codec"
    spending = Spending(DEFAULT_LIMITS) if spending is None else spending
    reader = Reader(data, what)
    structure = _inflate(reader.take(reader.varint(CODEC_BYTES_LIMIT)), what)
    cost = Cost(memory=STRUCTURE_BYTES * len(structure), work=STRUCTURE_WORK * len(structure))
    spending.add(cost, f"{what}: its structure of {len(structure)} bytes")
    try:
        document = json.loads(structure)
        entries = [list(document.get(part.key, [])) for part in PARTS]
        count = sum(map(len, entries))
        if count > PACKED_NETWORKS_LIMIT:
            raise CorruptError(f"{what} has {count} networks, the limit is {PACKED_NETWORKS_LIMIT}")
        plans = [part.packed_plan(own, what) for part, own in zip(PARTS, entries, strict=True)]
    except CorruptError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise CorruptError(f"{what} has a structure that cannot be read ({error!r})") from error
    elements = sum(plan.elements for plan in plans)
    if elements > elements_limit(len(data)):
        raise CorruptError(f"{what} claims {elements} numbers in {len(data)} bytes")
    free = paid(elements, len(data), ELEMENTS_PAID)
    spending.add(
        Cost(memory=ELEMENT_BYTES * free, work=ELEMENT_WORK * free), f"{what}: {elements} numbers in {len(data)} bytes"
    )
    hashes = [reader.take(plan.hash_bytes) for plan in plans]
    layouts = [layout for plan in plans for layout in plan.layouts]
    numbers = unpack_arrays(reader.take(reader.left), layouts, what)
    if base is not None:
        others = stored_numbers(base.networks)
        if _shapes(numbers) != _shapes(others):
            raise CorruptError(f"{what} says how it differs from the codec {base.name}, but has other tensors")
        numbers = [array + other for array, other in zip(numbers, others, strict=True)]
    tensors: Tensors = {}
    for plan, own in zip(plans, hashes, strict=True):
        tensors |= plan.tensors(own, numbers[: len(plan.layouts)], what)
        numbers = numbers[len(plan.layouts) :]
    return from_parts(document, tensors, source)


def _shapes(arrays: list[NDArray[Any]]) -> list[tuple[tuple[int, ...], Any]]:
    return [(array.shape, array.dtype) for array in arrays]


def _inflate(data: bytes, what: str) -> bytes:
    """A zlib stream of the structure's size at most. Raises CorruptError."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, PACKED_STRUCTURE_BYTES_LIMIT)
    except zlib.error as error:
        raise CorruptError(f"{what} is damaged: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise CorruptError(f"{what} is damaged: its structure does not end where it should")
    return raw
