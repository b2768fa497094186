"""Archives from archives: `concat`, `subset`, `append`. Blocks are copied as they are; no image is coded again.

Where a subset takes a part of a block, that part's symbols are entropy-coded anew: the pixels stay the same.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet import api
from compressnet.archive import Archive, Written, encode_blocks
from compressnet.codec import Codec, check_effort
from compressnet.container import Container, ContainerWriter, FileSource, Labels, as_labels
from compressnet.errors import CodecError, InputError
from compressnet.files import writing
from compressnet.network import Images

PathLike = str | os.PathLike[str]
Report = Callable[[int], None]


def concat(paths: Sequence[PathLike], output: PathLike, *, report: Report = lambda _: None) -> Written:
    """Write the images of several archives, one after the other, into a new one; `report` is told the images done.

    Raises InputError for images of different sizes, or where only some archives have labels or these differ in type;
    CodecError where the archives were made with different codecs.
    """
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(Container(FileSource(Path(path)))) for path in paths]
        if not parts:
            raise InputError("there are no archives to put together")
        for part in parts:
            _require_same(parts[0], part)
        labels = _joined_labels([(part.name, part.read_labels()) for part in parts])
        codecs = next((part for part in parts if all(codec.embedded for codec in part.codecs)), parts[0]).codecs
        with writing(Path(output)) as stream:
            writer = ContainerWriter(stream, codecs, parts[0].kinds)
            for part in parts:
                _copy(part, writer, report)
            writer.finish(labels)
        return Written(images=writer.images, archive_bytes=writer.bytes_written)


def append(
    path: PathLike,
    images: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    *,
    codec: PathLike | Codec | None = None,
    quality: int | None = None,
    effort: int = 1,
    block_images: int = api.BLOCK_IMAGES,
    labels: Any = None,
    threads: int | None = None,
    report: Report = lambda _: None,
) -> Written:
    """Add images to the end of an archive, which is replaced when all went well.

    images, labels: as for `compressnet.compress`; labels are needed where the archive has some, and only there.
    codec: the one that the archive was made with, where it does not ship with the package; what an archive embeds
    cannot encode.
    quality: by default that of the archive's last block. Raises InputError, CodecError.
    """
    check_effort(effort)
    with Container(FileSource(Path(path))) as old:
        if len(old.codecs) != 1 or len(old.kinds) != 1:
            raise InputError(f"{path}: images can be added to archives of one codec and one size of images")
        entry, kind = old.codecs[0], old.kinds[0]
        loaded = _encoding_codec(codec, entry.identity, str(path), threads)
        if quality is None:
            quality = old.read_block(len(old.blocks) - 1).quality if old.blocks else loaded.default_quality
        arrays: Iterable[Images] = [images] if isinstance(images, np.ndarray) else images
        checked = (_of_shape(array, kind.shape, str(path)) for array in arrays)
        new_labels = None if labels is None else as_labels(labels)
        both = _joined_labels([(str(path), old.read_labels()), ("the new images", new_labels)])
        with writing(Path(path)) as stream:
            writer = ContainerWriter(stream, old.codecs, old.kinds)
            _copy(old, writer)
            for block in encode_blocks(checked, loaded, quality, effort=effort, block_images=block_images):
                writer.add(block)
                report(writer.images - old.images)
            if writer.images == old.images:
                raise InputError("there are no images to add")
            writer.finish(both)
        return Written(images=writer.images, archive_bytes=writer.bytes_written)


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
    labels = archive.labels
    container = archive.container
    with writing(Path(output)) as stream:
        writer = ContainerWriter(stream, container.codecs, container.kinds)
        for block in archive.blocks_of(chosen):
            writer.add(block)
            report(writer.images)
        writer.finish(None if labels is None else labels[chosen])
    return Written(images=writer.images, archive_bytes=writer.bytes_written)


def _copy(part: Container, writer: ContainerWriter, report: Report = lambda _: None) -> None:
    for number in range(len(part.blocks)):
        writer.add(part.read_block(number))
        report(writer.images)


def _require_same(first: Container, other: Container) -> None:
    """Raises CodecError, InputError where blocks of one archive would not be readable in the other."""
    if [codec.identity for codec in first.codecs] != [codec.identity for codec in other.codecs]:
        names = (", ".join(codec.name for codec in part.codecs) for part in (first, other))
        raise CodecError(
            f"{other.name}: made with another codec than {first.name} ({' and '.join(names)}); decompress it and "
            "compress its images with the same codec first"
        )
    if first.kinds != other.kinds:
        sizes = ("x".join(map(str, part.kinds[0].shape)) for part in (other, first))
        raise InputError(f"{other.name}: images of {' and not '.join(sizes)}, as in {first.name}")


def _joined_labels(parts: Sequence[tuple[str, Labels | None]]) -> Labels | None:
    """All labels one after the other. Raises InputError where some are missing or they differ in type."""
    present = [labels for _, labels in parts if labels is not None]
    if not present:
        return None
    without = [name for name, labels in parts if labels is None]
    if without:
        raise InputError(f"{without[0]}: has no labels, others have; give labels to all of them or to none")
    if len({labels.dtype.kind for labels in present}) > 1:
        raise InputError("some labels are integers and some are texts")
    return as_labels(np.concatenate(present))


def _of_shape(array: Images, shape: tuple[int, ...], name: str) -> Images:
    """An array (n,...) of images, or one image as such. Raises InputError for images of another shape."""
    images = array[None] if array.shape == shape else array
    if images.shape[1:] != shape:
        raise InputError(f"images of shape {images.shape[1:]}, but {name} has images of shape {shape}")
    return images


def _encoding_codec(codec: PathLike | Codec | None, identity: bytes, name: str, threads: int | None) -> Codec:
    """The codec of an identity, with its encoder: the one given, or a shipped one. Raises CodecError."""
    if codec is None:
        shipped = [path for path in api.shipped_codecs().values() if api.read_bundle(path).identity == identity]
        if not shipped:
            raise CodecError(f"{name}: its codec does not ship with compressnet; pass its file with --codec")
        codec = shipped[0]
    loaded = codec if isinstance(codec, Codec) else api.load(codec, threads=threads)
    if loaded.bundle.identity != identity:
        raise CodecError(f"{name}: needs the codec of identity {identity.hex()}, but {loaded.source} is another one")
    return loaded
