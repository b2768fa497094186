"""Files changed by chance, with checksums and lengths put right again, and read.

A mutation is a number: the same number changes the same file in the same way. `mutated_codecs` and
`mutated_archives` change files and use all that there is in them.
"""

from __future__ import annotations

import binascii
import random
from contextlib import suppress

from compressnet.codec.file import from_bytes
from compressnet.codec.packed import unpack_bundle
from compressnet.errors import CompressnetError
from compressnet.wire import Reader
from conftest import CONFORMANCE
from mutated_archives import changed_archive, changed_bytes, codec_of, read_archive, whole_archives
from mutated_codecs import CODECS, PACKED, backends, changed_codec, changed_packed, use


def changed_single(data: bytes, identity: bytes, chance: random.Random) -> bytes:
    """A single block changed, its checksum put right."""
    reader = Reader(data, "it")
    reader.take(1)
    reader.varint(1 << 40)
    reader.varint(1 << 40)
    head, payload = data[: reader.position], data[reader.position + 2 :]
    if chance.randrange(2):
        head = changed_bytes(head, chance)
    else:
        payload = changed_bytes(payload, chance)
    return head + binascii.crc_hqx(identity + head + payload, 0xFFFF).to_bytes(2, "big") + payload


def run_mutation(seed: int) -> str:
    """Change a file and read it; gives what kind it was. Raises what no reader may raise."""
    chance = random.Random(seed)
    kind = chance.choice(["archive"] * 6 + ["codec"] * 2 + ["packed", "single"])
    if kind == "archive":
        name = chance.choice(list(whole_archives()))
        read_archive(name, *changed_archive(name, chance))
    elif kind == "codec":
        data = changed_codec(chance.choice(CODECS), chance)
        with suppress(CompressnetError):
            use(from_bytes(data, "changed"), backends())
    elif kind == "packed":
        data = changed_packed((CONFORMANCE / f"{chance.choice(PACKED)}.packed").read_bytes(), chance)
        with suppress(CompressnetError):
            use(unpack_bundle(data, "changed"), backends())
    else:
        name, block, method = chance.choice(
            [("grey", "set/grey-99", 1), ("any", "set/sizeless", 1), ("lossless", "set/lossless", 2)]
        )
        codec = codec_of(name)
        assert codec is not None
        identity = codec.bundle.identity_of(method)
        assert identity is not None
        with suppress(CompressnetError):
            codec.decompress(changed_single((CONFORMANCE / f"{block}.block").read_bytes(), identity, chance))
    return kind
