"""Archives from archives: `concat`, `subset`, `append`.

Blocks are copied as they are; no image is coded again.

Where a subset takes a part of a block, that part's symbols are entropy-coded anew, or its pixels
stored: they stay the same.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.part import AdaptivePart
from compressnet.archive.archive import Archive
from compressnet.archive.checked import require_as_given
from compressnet.archive.embedding import CodecEntries, resolve_codec
from compressnet.archive.joining import changes_of, joined_classes, joined_labels, joined_names, require_same_codec
from compressnet.archive.selection import copy_blocks, copy_images
from compressnet.archive.sharing import open_file
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.learning import extended_codec, learned_codec
from compressnet.archive.writing.outcome import Written
from compressnet.archive.writing.router import Router
from compressnet.archive.writing.settings import BLOCK_IMAGES, Settings
from compressnet.archive.writing.tightness import Modes, chosen_tight
from compressnet.codec.codec import Codec
from compressnet.codec.loading import load
from compressnet.codec.shipped import shipped_name
from compressnet.coding.coder import ADAPTIVE, LOSSLESS_QUALITY, WITHOUT_CODEC
from compressnet.container.columns import as_class_names, as_labels, as_names
from compressnet.container.container import Container
from compressnet.container.entries import EMBEDDED_PRIMER
from compressnet.container.writer import ContainerWriter
from compressnet.errors import CodecError, InputError
from compressnet.files import locked, open_target
from compressnet.images.forms import Form
from compressnet.images.kinds import Pictures
from compressnet.images.modes import Tight
from compressnet.limits import DEFAULT_LIMITS, Limits, Spending
from compressnet.remote import located

PathLike = str | os.PathLike[str]
Report = Callable[[int], None]


def concat(
    paths: Sequence[PathLike],
    output: PathLike,
    *,
    limits: Limits = DEFAULT_LIMITS,
    report: Report = lambda _: None,
) -> Written:
    """Write the images of several archives, one after the other, into a new one.

    limits: as for `compressnet.open`. `report` is told the images done.

    Images of an archive without names are named by their numbers where others have names. Where
    classes have names, labels are numbered anew, by name, if need be. Raises InputError where only
    some archives have labels, or names of classes, or where labels differ in type; CodecError
    where the archives were made with different codecs.
    """
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(open_file(path, whole=True, limits=limits)) for path in paths]
        parts = [part for part in parts if part.kinds]  # others only carry what these share
        if not any(part.images for part in parts):
            raise InputError("there are no archives to put together, or no images in them")
        require_same_codec(parts)
        named = [(part.name, part.read_labels(), part.read_class_names()) for part in parts]
        renumbered, class_names = joined_classes(named)
        labels = joined_labels([(part.name, labels) for part, labels in zip(parts, renumbered, strict=True)])
        named_parts = [(part.read_names(), part.images) for part in parts]
        names, changed = joined_names(named_parts), changes_of(renumbered, named_parts)
        entries = sorted((entry for part in parts for entry in part.codecs), key=lambda entry: bool(entry.embedded))
        codecs = {entry.identity: entry for entry in entries}
        with open_target(output) as stream:
            writer = ContainerWriter(stream)
            places = np.concatenate([copy_blocks(part, writer, codecs, report) for part in parts])
            writer.finish(labels, names, places, class_names)
        return Written(images=len(places), archive_bytes=writer.bytes_written, changed=changed)


def append(
    path: PathLike,
    images: Pictures | Iterable[Pictures],
    *,
    codec: PathLike | Codec | None = None,
    quality: int | None = None,
    effort: int = 1,
    block_images: int = BLOCK_IMAGES,
    labels: Any = None,
    names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    modes: Modes | None = None,
    threads: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    report: Report = lambda _: None,
) -> Written:
    """Add images to the end of an archive, which is replaced when all went well.

    images, labels, names: as for `compressnet.compress`; labels are needed where the archive has
    some, and only there; images without names are named by their numbers where others have names.
    class_names: what the new labels stand for, where that differs from the archive's; they are
    then numbered as the archive does, and new classes follow. codec: the one that the archive was
    made with, where it does not ship with the package; what an archive embeds cannot encode, but
    for lossless codecs. Where the archive was learned from its images, what it has learned codes
    the new ones; where all of it is stored, the new ones are learned. quality: by default that of
    the archive's last block that is not stored. modes: as for `chosen_tight`;
    None: as images of the archive are coded. limits: as for `compressnet.open`. What is written
    tells of the new images, but for `images` and `archive_bytes`. Images that the codec has no
    network for are stored, but an error where the archive has one shape and none of them fits, and
    something may be lost.

    Raises InputError, CodecError, and DefectError where nothing may be lost but was.
    """
    with locked(located(path)) as require_unchanged, open_file(path, whole=True, limits=limits) as old:
        loaded = _encoding_codec(codec, old, threads)
        if loaded is None:
            quality = LOSSLESS_QUALITY if quality is None else quality
        settings = Settings(
            quality=_last_quality(old, loaded) if quality is None else quality,
            effort=effort,
            block_images=block_images,
            bounds=_bounds_of(loaded),
            store_unknown=len(old.kinds) > 1 or not old.codecs,
            tight=_tight_of(old.kinds) if modes is None else chosen_tight(list, loaded, quality, modes),
            threads=threads,
        )
        arrays: Iterable[Pictures] = [images] if isinstance(images, np.ndarray) else images
        arrays = (array[None] if array.ndim == 2 else array for array in arrays)
        if loaded is None:
            loaded, settings, arrays = learned_codec(arrays, settings)
        else:
            loaded, arrays = _extended(loaded, old, arrays, settings)
        entries = CodecEntries(loaded, None, old.codecs)
        new_labels = None if labels is None else as_labels(labels)
        old_classes = old.read_class_names()
        new_classes = old_classes if class_names is None else as_class_names(class_names)
        both, classes = joined_classes(
            [(str(path), old.read_labels(), old_classes), ("the new images", new_labels, new_classes)]
        )
        both_labels = joined_labels([(str(path), both[0]), ("the new images", both[1])])
        new_names = None if names is None else as_names(names)
        with open_target(path) as stream:
            writer = ContainerWriter(stream)
            places = copy_blocks(old, writer, {codec.identity: codec for codec in old.codecs})
            router = Router(writer, loaded, settings, entries, report)
            for array in arrays:
                router.add(array)
            if not router.images:
                raise InputError("there are no images to add")
            places = np.concatenate([places, router.finish()])
            named = [(old.read_names(), old.images), (new_names, router.images)]
            writer.finish(both_labels, joined_names(named), places, classes)
            if settings.loses_nothing:
                require_as_given(stream, router.given, loaded, first=old.images)
            require_unchanged()
        changed = changes_of(both, named)
        return replace(router.written(), images=len(places), lossless_checked=settings.loses_nothing, changed=changed)


def subset(
    archive: Archive,
    positions: slice | Sequence[int] | NDArray[Any],
    output: PathLike,
    *,
    report: Report = lambda _: None,
) -> Written:
    """Write some images of an open archive, in the order of `positions`, into a new one.

    positions: as `archive[positions]` takes them. Raises InputError where that selects nothing.
    """
    chosen = archive.positions(positions)
    if not len(chosen):
        raise InputError(f"{archive.name}: the selection is empty")
    labels, names = archive.labels, archive.names
    with open_target(output) as stream:
        writer = ContainerWriter(stream)
        places = copy_images(archive, chosen, writer, report)
        writer.finish(
            None if labels is None else labels[chosen],
            None if names is None else [names[int(position)] for position in chosen],
            places,
            archive.class_names,
        )
    return Written(
        images=len(chosen), archive_bytes=writer.bytes_written, duplicates=len(chosen) - len(np.unique(places))
    )


def _extended(
    codec: Codec, container: Container, arrays: Iterable[Pictures], settings: Settings
) -> tuple[Codec, Iterable[Pictures]]:
    """A codec with what its archive has learned, or else what new images teach that it lacks."""
    if codec.coders(ADAPTIVE) is not None:
        return codec, arrays
    for entry in reversed(container.codecs):
        if entry.embedded is not None and entry.embedded_as == EMBEDDED_PRIMER:
            part = AdaptivePart.of(entry.embedded, f"{container.name}: the primer", container.limits)
            return codec.with_part(part), arrays
    return extended_codec(codec, arrays, settings)


def _bounds_of(codec: Codec | None) -> Bounds:
    """What images that are added have to meet: the error of what was learned, where it has one."""
    low, high = (0, 0) if codec is None or codec.coders(ADAPTIVE) is None else codec.qualities
    return Bounds(max_error=high - low) if high == LOSSLESS_QUALITY and low < high else Bounds()


def _last_quality(container: Container, codec: Codec | None) -> int:
    """The quality of the last block that has symbols.

    If none has, it is that of the last block that is not stored; if all are stored, the codec's
    own.

    An image coded without loss in an archive of another quality was smaller that way.
    """
    coded: int | None = None
    for number in reversed(range(len(container.blocks))):
        block = container.read_block(number)
        if block.method not in WITHOUT_CODEC:
            if block.quality != LOSSLESS_QUALITY:
                return block.quality
            coded = coded or block.quality
    return coded or (LOSSLESS_QUALITY if codec is None else codec.default_quality)


def _tight_of(forms: Sequence[Form]) -> Tight:
    """What is left out of images of an archive."""
    return Tight(colour=any(form.grey for form in forms), alpha=any(form.opaque for form in forms))


def _encoding_codec(codec: PathLike | Codec | None, container: Container, threads: int | None) -> Codec | None:
    """The codec of an archive, with its encoder; None where it has none and none is given.

    It is the one given, a shipped one, or what is embedded where that is lossless and needs no
    encoder. Raises CodecError.
    """
    trained = [entry for entry in container.codecs if entry.embedded_as != EMBEDDED_PRIMER]
    spending = Spending(container.limits)
    if codec is None and not trained:
        primer = next(reversed(container.codecs), None)
        return None if primer is None else resolve_codec(primer, None, container.name, None, threads, spending)
    if codec is None:
        entry = trained[0]
        shipped = shipped_name(entry.identity, entry.name)
        embedded = shipped is None
        loaded = (
            resolve_codec(entry, None, container.name, None, threads, spending)
            if shipped is None
            else load(shipped, threads=threads)
        )
    else:
        embedded = False
        loaded = codec if isinstance(codec, Codec) else load(codec, threads=threads)
    missing = next((entry for entry in trained if loaded.only(entry.identity) is None), None)
    if embedded and (missing or any(network.encoder is None for network in loaded.bundle.networks)):
        raise CodecError(f"{container.name}: the codec that it embeds has no encoder; pass its file with --codec")
    if missing is not None:
        raise CodecError(
            f"{container.name}: needs the codec of identity {missing.identity.hex()}, "
            f"but {loaded.source} is another one"
        )
    return loaded
