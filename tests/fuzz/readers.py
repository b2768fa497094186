"""Fuzzes a reader of bytes by Atheris (libFuzzer, guided by coverage of compressnet's Python).

    python tests/fuzz/readers.py TARGET [CORPUS ... -max_total_time=SECONDS ...]

TARGET is one of `TARGETS`. Whatever is no error of compressnet's is a finding. Needs `atheris`;
`.ci/fuzz` runs all of them. The compiled core has targets of its own, in libcompressnet/tests.
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["compressnet"]):
    import compressnet
    from compressnet.codec.file import from_bytes
    from compressnet.codec.packed import unpack_bundle
    from compressnet.errors import CompressnetError
    from compressnet.images.opening import open_collection
    from fuzz.seeds import ENDINGS
    from mutated_archives import codec_of
    from mutated_codecs import backends, use

IMAGES_READ = 50
PLAIN = backends()[-2:-1]
"""One backend, as what is fuzzed is what stands before it."""


def with_checksums(data: bytes) -> bytes:
    """An archive with the checksum of each of its chunks put right, as far as there are chunks."""
    fixed, position = bytearray(data), 8
    while position + 12 <= len(fixed):
        end = position + 8 + int.from_bytes(fixed[position + 4 : position + 8], "big")
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = zlib.crc32(fixed[position:end]).to_bytes(4, "big")
        position = end + 4
    return bytes(fixed)


def read_archive(data: bytes) -> None:
    """An archive, and all that it can be asked."""
    with suppress(CompressnetError), compressnet.open(with_checksums(data), codec_of("grey"), threads=1) as archive:
        for position in range(min(len(archive), IMAGES_READ)):
            with suppress(CompressnetError):
                archive[position]
        for ask in (lambda: archive.labels, lambda: archive.names, lambda: archive.shapes, archive.with_symbols):
            with suppress(CompressnetError):
                ask()
        if len(archive) <= IMAGES_READ:
            with suppress(CompressnetError):
                archive.check()


def read_codec(data: bytes) -> None:
    """A codec file."""
    with suppress(CompressnetError):
        use(from_bytes(data, "fuzzed"), PLAIN)


def read_packed(data: bytes) -> None:
    """A packed codec: a document, which is deflated here, a byte 0, and what follows it."""
    document, _, rest = data.partition(b"\0")
    structure = zlib.compress(document, 1)
    length = bytearray()
    left = len(structure)
    while left >= 0x80:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    length.append(left)
    with suppress(CompressnetError):
        use(unpack_bundle(bytes(length) + structure + rest, "fuzzed"), PLAIN)


def read_pictures(data: bytes) -> None:
    """A file of pictures; its first byte says what it is called."""
    if not data:
        return
    path = FOLDER / f"fuzzed{ENDINGS[data[0] % len(ENDINGS)]}"
    path.write_bytes(data[1:])
    with suppress(CompressnetError):
        collection = open_collection(path)
        for number, batch in enumerate(collection.batches()):
            if number >= IMAGES_READ:
                break
            assert batch.ndim in (3, 4)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "archive": read_archive,
    "codec": read_codec,
    "packed": read_packed,
    "pictures": read_pictures,
}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="compressnet-fuzz-") as name:
        FOLDER = Path(name)
        target = TARGETS[sys.argv.pop(1)]
        atheris.Setup(sys.argv, target)
        atheris.Fuzz()
