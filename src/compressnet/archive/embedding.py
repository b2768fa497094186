"""Which codec an archive names, what it carries of it, and which codec reads it."""

from __future__ import annotations

from collections.abc import Sequence

from compressnet.adaptive.part import AdaptivePart
from compressnet.codec.bundle import Bundle, adaptive_bundle
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.file import from_bytes
from compressnet.codec.loading import load, make_codec
from compressnet.codec.shipped import BASES, GENERAL_CODEC, PathLike, read_bundle, shipped_bundle
from compressnet.coding.coder import ADAPTIVE, LOSSLESS, LOSSLESS_QUALITY
from compressnet.container.entries import (
    EMBEDDED_AS_FILE,
    EMBEDDED_DIFFERENCE,
    EMBEDDED_PRIMER,
    IDENTITY_BYTES,
    CodecEntry,
    primer_entry,
)
from compressnet.errors import CodecError, CodecNotFoundError, CorruptError
from compressnet.limits import DEFAULT_LIMITS, Spending


def chosen_quality(codec: Codec, quality: int | None, max_error: int | None = None) -> int:
    """The quality that is asked for; where none is, the codec's own.

    Where none is asked for and no value may change, it is 100 if the codec has that.
    """
    if quality is not None:
        return quality
    return LOSSLESS_QUALITY if max_error == 0 and codec.coders(LOSSLESS) else codec.default_quality


class CodecEntries:
    """What an archive says of the parts of its codec; a part is packed when it is first needed."""

    def __init__(self, codec: Codec, embed: bool | None = None, known: Sequence[CodecEntry] = ()) -> None:
        """embed: whether parts are embedded, by default those that did not come with the package.

        By default those that began as a shipped codec are embedded as their difference from it,
        where that is smaller. known: entries that the archive has already.
        """
        self._codec, self._embed = codec, embed
        self._of_identity = {entry.identity: entry for entry in known}

    def entry(self, method: int) -> CodecEntry:
        """The entry of the part of a method, which the codec has.

        Raises CodecRefusedError, InputError.
        """
        bundle = self._codec.bundle
        identity = bundle.identity_of(method)
        assert identity is not None
        if identity not in self._of_identity:
            self._of_identity[identity] = self._made(method, identity)
        return self._of_identity[identity]

    def _made(self, method: int, identity: bytes) -> CodecEntry:
        bundle = self._codec.bundle
        part = bundle.only(identity)
        assert part is not None
        if method == ADAPTIVE:
            (primer,) = part.parts
            assert isinstance(primer, AdaptivePart)
            return primer_entry(primer.data)
        embed = shipped_bundle(identity, bundle.name) is None if self._embed is None else self._embed
        if embed:
            return _embedded(part, identity, whole=self._embed is True)
        return CodecEntry(identity=identity, name=bundle.name, embedded=None)


def _embedded(part: Bundle, identity: bytes, *, whole: bool) -> CodecEntry:
    """The entry that carries a part of a codec.

    Unless it has to be whole, that may be how it differs from a codec that comes with the package.
    """
    from compressnet.codec.packed import differs_in_numbers, pack_bundle  # most archives neither pack nor unpack one

    packed = pack_bundle(part)
    bases = () if whole else map(read_bundle, BASES)
    differences = [base.identity + pack_bundle(part, base) for base in bases if differs_in_numbers(part, base)]
    difference = min(differences, key=len, default=packed)
    if len(difference) < len(packed):
        return CodecEntry(identity=identity, name=part.name, embedded=difference, embedded_as=EMBEDDED_DIFFERENCE)
    return CodecEntry(identity=identity, name=part.name, embedded=packed)


def _unpacked(entry: CodecEntry, name: str, spending: Spending) -> Bundle:
    """The codec that an entry carries. Raises CodecNotFoundError, CorruptError."""
    from compressnet.codec.packed import unpack_bundle

    assert entry.embedded is not None
    source = f"{name}: embedded codec"
    if entry.embedded_as == EMBEDDED_AS_FILE:
        return from_bytes(entry.embedded, source)
    if entry.embedded_as != EMBEDDED_DIFFERENCE:
        return unpack_bundle(entry.embedded, source, spending=spending)
    identity, difference = entry.embedded[:IDENTITY_BYTES], entry.embedded[IDENTITY_BYTES:]
    base = shipped_bundle(identity, GENERAL_CODEC)
    if base is None:
        raise CodecNotFoundError(
            f"{name}: its codec {entry.name} is stored as the difference from the codec of identity "
            f"{identity.hex()}, which does not come with this version of compressnet"
        )
    return unpack_bundle(difference, source, base, spending)


def resolve_codec(
    entry: CodecEntry,
    codec: PathLike | Codec | None,
    name: str,
    backend: BackendName | None,
    threads: int | None,
    spending: Spending | None = None,
) -> Codec:
    """The part of a codec that an archive's entry names, ready to run.

    It is taken from the codec that is given. If none is given, it is what the archive embeds; if
    the archive embeds none, a shipped codec has to have it. Either comes without its encoder.

    name: the archive's, for errors. spending: what its codecs take so far. Raises CodecError,
    CodecNotFoundError, CorruptError.
    """
    spending = Spending(DEFAULT_LIMITS) if spending is None else spending
    if entry.embedded is not None and entry.embedded_as == EMBEDDED_PRIMER:
        bundle = adaptive_bundle(AdaptivePart.of(entry.embedded, f"{name}: the primer", spending.limits))
        return make_codec(bundle, backend, threads, f"{name}: the primer", spending.limits)
    if codec is not None:
        given = codec if isinstance(codec, Codec) else load(codec, backend, threads, spending.limits)
        part = given.only(entry.identity)
        if part is None:
            raise CodecError(
                f"{name}: needs the codec {entry.name} of identity {entry.identity.hex()}, "
                f"but {given.source} has {given.identity}"
            )
        return part
    if entry.embedded is not None:
        what = f"{name}: embedded codec"
        bundle = _unpacked(entry, name, spending)
        if bundle.only(entry.identity) is not bundle:
            raise CorruptError(f"{name}: the embedded codec does not have the identity {entry.identity.hex()} alone")
        return make_codec(bundle, backend, threads, what, spending.limits)
    bundle = shipped_bundle(entry.identity, entry.name)
    if bundle is None:
        raise CodecNotFoundError(
            f"{name}: needs the codec {entry.name} of identity {entry.identity.hex()}, which is neither embedded nor "
            "shipped with compressnet; pass its file with --codec (codec= in Python)"
        )
    return make_codec(bundle.without_encoder(), backend, threads, f"shipped codec {bundle.name}", spending.limits)
