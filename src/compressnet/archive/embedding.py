"""Which codec an archive names, what it carries of it, and which codec reads it."""

from __future__ import annotations

from compressnet.codec.codec import Codec
from compressnet.codec.file import from_bytes
from compressnet.codec.loading import BackendName, load, make_codec
from compressnet.codec.packed import pack_bundle, unpack_bundle
from compressnet.codec.shipped import PathLike, shipped_bundle
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.container.entries import CodecEntry
from compressnet.errors import CodecError, CodecNotFoundError, CorruptError, InputError


def chosen_quality(codec: Codec, quality: int | None, max_error: int | None = None) -> int:
    """The quality where one or none is asked for: the codec's own, or 100 where no value may change and it has that."""
    if quality is not None:
        return quality
    return LOSSLESS_QUALITY if max_error == 0 and codec.bundle.pixels else codec.default_quality


def codec_entry(codec: Codec, embed: bool | None, quality: int) -> CodecEntry:
    """What an archive says of the part of its codec that a quality needs.

    Embedded by default if the codec did not come with the package. Raises InputError where there is no such part.
    """
    bundle = codec.bundle
    identity = bundle.lossless_identity if quality == LOSSLESS_QUALITY else bundle.lossy_identity
    part = None if identity is None else bundle.part(identity)
    if identity is None or part is None:
        raise InputError(
            f"quality {quality}: the codec {codec.name} "
            + (
                "has no lossless part; train one with 'compressnet train --lossless'"
                if quality == LOSSLESS_QUALITY
                else "is lossless, its only quality is 100"
            )
        )
    if embed is None:
        embed = shipped_bundle(identity) is None
    return CodecEntry(identity=identity, name=codec.name, embedded=pack_bundle(part) if embed else None)


def resolve_codec(
    entry: CodecEntry, codec: PathLike | Codec | None, name: str, backend: BackendName, threads: int | None
) -> Codec:
    """The part of a codec that an archive's entry names: of the one given, else the embedded one, else a shipped one.

    name: the archive's, for errors. Raises CodecError, CodecNotFoundError, CorruptError.
    """
    if codec is not None:
        given = codec if isinstance(codec, Codec) else load(codec, backend, threads)
        part = given.part(entry.identity)
        if part is None:
            raise CodecError(
                f"{name}: needs the codec {entry.name} of identity {entry.identity.hex()}, "
                f"but {given.source} has {given.identity}"
            )
        return part
    if entry.embedded is not None:
        read = unpack_bundle if entry.packed else from_bytes
        bundle = read(entry.embedded, f"{name}: embedded codec")
        if bundle.part(entry.identity) is not bundle:
            raise CorruptError(f"{name}: the embedded codec does not have the identity {entry.identity.hex()} alone")
        return make_codec(bundle, backend, threads, f"{name}: embedded codec")
    bundle = shipped_bundle(entry.identity)
    if bundle is None:
        raise CodecNotFoundError(
            f"{name}: needs the codec {entry.name} of identity {entry.identity.hex()}, which is neither embedded nor "
            "shipped with compressnet; pass its file with --codec (codec= in Python)"
        )
    return make_codec(bundle, backend, threads, f"shipped codec {bundle.name}")
