"""The library's verbs: `load` a codec, `compress` images into an archive, `open` one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from compressnet.archive.checked import write_checked
from compressnet.archive.embedding import chosen_quality
from compressnet.archive.opening import open  # noqa: A004 - the library's name for it, as in gzip.open
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.choosing import pick
from compressnet.archive.writing.learning import extended_codec, learned_codec, looked_at
from compressnet.archive.writing.outcome import Written
from compressnet.archive.writing.settings import BLOCK_IMAGES, LEARNING_EFFORT, Settings
from compressnet.archive.writing.tightness import Modes, chosen_tight
from compressnet.archive.writing.write import Columns
from compressnet.codec.codec import BackendName, Codec
from compressnet.codec.loading import load
from compressnet.codec.shipped import PathLike
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.container.columns import as_class_names, as_labels, as_names
from compressnet.errors import InputError
from compressnet.files import open_target
from compressnet.images.kinds import Pictures

__all__ = ["AUTO", "compress", "load", "open", "write"]

AUTO = "auto"
"""The codec that `compress` chooses itself."""


def compress(
    images: Pictures | Iterable[Pictures],
    path: PathLike | BinaryIO,
    codec: PathLike | Codec | None = AUTO,
    quality: int | None = None,
    effort: int | None = None,
    block_images: int = BLOCK_IMAGES,
    labels: Any = None,
    embed_codec: bool | None = None,
    *,
    names: Sequence[str] | None = None,
    max_error: int | None = None,
    min_psnr: float | None = None,
    class_names: Sequence[str] | None = None,
    exact_alpha: bool = False,
    lossless: bool = False,
    solid: bool = False,
    modes: Modes = "as-is",
    store_unknown: bool = False,
    backend: BackendName | None = None,
    threads: int | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write images into an archive.

    Equal images are written once; those that the codec has no network for are coded without it.

    images: uint8 (N,H,W) or (N,H,W,C), or an iterable of such arrays, of any shapes, or of single
    images (H,W). uint16 likewise, where nothing may be lost: at quality 100, with a max_error of
    0, or without a codec.
    path: a path or URL, which is replaced at the end and only if all went well; or a binary
    stream, such as a pipe.
    codec: a name, a path or a loaded `Codec`; None learns from the images themselves, without
    loss, or with the largest error that `max_error`, `min_psnr` or `quality` leave: 100 less the
    quality. `auto` compares on a sample of the first images: the codecs that ship, at one PSNR,
    and the best of them with what is learned, at the same error. Where `max_error` is given, it is
    always None.
    quality: 0 to 99, or 100 without loss; by default the codec's own. Where nothing may be lost,
    at 100 or with a max_error of 0, the archive is read back and compared before it is there.
    Above 70, an image that takes no more bytes without loss is coded so, where the codec can.
    labels: integers or texts, one for each image. names: texts, likewise. class_names: what the
    labels 0, 1, 2 and so on stand for.
    max_error: the largest error of any channel of any pixel; 0 is quality 100, where no quality is
    given and the codec has it. min_psnr: the lowest PSNR of any image, in dB. Images that miss
    them are coded at a higher quality, or stored.
    exact_alpha: whether colour under alpha 0 is kept; a `max_error` implies it.
    lossless: the same as quality 100.
    solid: whether images without a trained codec become one stream, the smallest there is, of
    which none can be read alone.
    effort: 1 to 9; by default 1 with a trained codec, and 5 without one.
    modes: `tight` codes images in 3 or 4 channels that are grey as grey, and leaves out alpha that
    is opaque; they come back as they came. `as-is` codes the channels that there are.
    store_unknown: whether images are stored even if the codec has a network for none of them;
    otherwise that is an error where something may be lost.
    embed_codec: whether the archive carries what decoding needs; by default if the codec did not
    come with the package.
    Raises InputError, CodecError, DefectError; `path` then holds no archive, or still the old one.
    """
    if lossless and (quality not in (None, LOSSLESS_QUALITY) or max_error):
        raise InputError(f"lossless, and quality {quality} or a max_error of {max_error}: give one of them")
    quality = LOSSLESS_QUALITY if lossless else quality
    bounds = Bounds(max_error=max_error, min_psnr=min_psnr, exact_alpha=exact_alpha)
    network_mse = None
    if isinstance(codec, str) and codec == AUTO:
        sample, images = looked_at([images] if isinstance(images, np.ndarray) else map(_as_batch, images))
        picked = pick(sample, quality, bounds, backend=backend, threads=threads)
        codec, quality, network_mse = picked.codec, picked.quality, picked.network_mse
    settings = Settings(
        network_mse=network_mse,
        quality=quality,
        effort=1 if effort is None else effort,
        learning_effort=LEARNING_EFFORT if effort is None else effort,
        solid=solid,
        block_images=block_images,
        bounds=bounds,
        store_unknown=store_unknown,
        embed_codec=embed_codec,
        tight=chosen_tight(list, None, quality, modes),
        threads=threads,
    )
    if codec is not None and not isinstance(codec, Codec):
        codec = load(codec, backend, threads)
    return write(
        *(images, path, codec, settings),
        labels=labels,
        names=names,
        class_names=class_names,
        backend=backend,
        report=report,
    )


def write(
    images: Pictures | Iterable[Pictures],
    path: PathLike | BinaryIO,
    codec: Codec | None,
    settings: Settings,
    *,
    labels: Any = None,
    names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    backend: BackendName | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Written:
    """`compress` with a loaded codec, or none, and with all settings of writing in one record.

    `report` is told how many images are done so far. Raises InputError, CodecError, and
    DefectError where nothing may be lost but was.
    """
    arrays = [images] if isinstance(images, np.ndarray) else map(_as_batch, images)
    codec, settings, arrays = fitted(arrays, codec, settings, backend)
    columns = Columns(
        labels=None if labels is None else as_labels(labels),
        names=None if names is None else as_names(names),
        class_names=None if class_names is None else as_class_names(class_names),
    )
    if not isinstance(path, (str, os.PathLike)):
        return write_checked(path, arrays, codec, settings, columns, is_ours=False, report=report)
    with open_target(path) as stream:
        return write_checked(stream, arrays, codec, settings, columns, is_ours=stream.readable(), report=report)


def fitted(
    arrays: Iterable[Pictures], codec: Codec | None, settings: Settings, backend: BackendName | None = None
) -> tuple[Codec, Settings, Iterator[Pictures]]:
    """The codec for some arrays (n,H,W[,C]), with what it learns from the first of them.

    Gives the settings with a quality, and all arrays, as well. codec: None for what is learned
    alone. Raises InputError.
    """
    if codec is None:
        return learned_codec(arrays, settings, backend)
    settings = replace(settings, quality=chosen_quality(codec, settings.quality, settings.bounds.max_error))
    codec, images = extended_codec(codec, arrays, settings)
    return codec, settings, images


def _as_batch(array: Pictures) -> Pictures:
    return array[None] if array.ndim == 2 else array
