"""Writing an archive from a stream of images of any shapes, in bounded memory.

images -> equal ones once -> bins by shape and quality -> full groups: coded, checked where there are bounds
       -> bins of symbols, or for a higher quality, or to be stored -> blocks

A group is coded when it is full, so images stand in blocks in another order than in the collection where they have
several shapes or qualities; the index lists where each one is.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.writing.bins import CODE, STORE, TRY, Bins, Way
from compressnet.archive.writing.distinct import DistinctImages
from compressnet.archive.writing.outcome import WorstImage, Written
from compressnet.archive.writing.settings import (
    GROUP_BYTES,
    LOSSLESS_BLOCK_VALUES,
    QUALITY_STEPS,
    STORED_BLOCK_BYTES,
    WAITING_BYTES,
    WRITE_IMAGES,
    Settings,
)
from compressnet.codec.codec import SEARCH_IMAGES, Codec
from compressnet.coding.coder import LOSSLESS, LOSSLESS_QUALITY, LOSSY, STORED, STORED_QUALITY
from compressnet.coding.lockstep import LOCKSTEP_IMAGES
from compressnet.coding.stored import in_steps, pack_stored
from compressnet.container.block import Block
from compressnet.container.columns import Labels
from compressnet.container.entries import CodecEntry, KindEntry
from compressnet.container.writer import ContainerWriter
from compressnet.errors import InputError
from compressnet.images.alpha import clear_hidden, hidden_colour
from compressnet.images.kinds import Images, Symbols, kind_of
from compressnet.images.metrics import WORST_IMAGES, psnr_of_mse
from compressnet.limits import BLOCK_IMAGES_LIMIT, BLOCK_PIXELS_LIMIT, CHANNELS_LIMIT, SIDE_LIMIT_PX
from compressnet.threads import spread


def write_archive(
    stream: BinaryIO,
    images: Iterable[Images],
    codec: Codec | None,
    entry: CodecEntry | None,
    settings: Settings,
    *,
    labels: Labels | None = None,
    names: Sequence[str] | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write an archive of arrays (n,H,W[,C]), each of one shape; `report` is told the images done so far.

    entry: what the archive says of the codec. Raises InputError where the codec codes none of the images, for none at
    all, or where labels or names do not match.
    """
    writer = ContainerWriter(stream)
    router = Router(writer, codec, entry, settings, report)
    for array in images:
        router.add(array)
    positions_N = router.finish()
    writer.finish(labels, names, positions_N)
    return router.written()


class Router:
    """Sends images to the blocks of an archive: by shape, quality, and whether they are stored.

    `add` arrays, `finish`, then ask what was `written`.
    """

    def __init__(
        self,
        writer: ContainerWriter,
        codec: Codec | None,
        entry: CodecEntry | None,
        settings: Settings,
        report: Callable[[int], None] = lambda _: None,
    ) -> None:
        """codec: None to store all images; entry: what the archive says of it.

        Raises InputError for impossible settings.
        """
        if not 1 <= settings.block_images <= BLOCK_IMAGES_LIMIT:
            raise InputError(f"{settings.block_images} images a block: 1 to {BLOCK_IMAGES_LIMIT} are possible")
        self._writer, self._codec, self._entry, self._settings = writer, codec, entry, settings
        self._bounds, self._report = settings.bounds, report
        self._threads = settings.threads if codec is None else codec.threads
        self._is_lossless = codec is not None and settings.quality == LOSSLESS_QUALITY
        self._keeps_hidden = settings.bounds.keep_hidden_colour or self._is_lossless
        self._images = DistinctImages()
        self._places = np.zeros(0, np.uint32)
        self._bins = Bins()
        self._raised = 0
        self._reasons: dict[str, int] = {}
        self._worst: list[tuple[float, int, Way]] = []
        self._some_fit = False
        self._unfit: InputError | None = None

    @property
    def _coder(self) -> Codec:
        """The codec, where something is coded."""
        assert self._codec is not None
        return self._codec

    @property
    def images(self) -> int:
        """Images that were added."""
        return self._images.images

    def add(self, array: Images) -> None:
        """Take an array (n,H,W) or (n,H,W,C) of images. Raises InputError for what cannot be written."""
        kind = kind_of(array)
        if not (0 < kind[0] <= SIDE_LIMIT_PX and 0 < kind[1] <= SIDE_LIMIT_PX and 0 < kind[2] <= CHANNELS_LIMIT):
            raise InputError(
                f"images of {'x'.join(map(str, kind))} (height, width, channels): 1 to {SIDE_LIMIT_PX} pixels a side "
                f"and 1 to {CHANNELS_LIMIT} channels are possible"
            )
        way = Way(TRY, array.shape[1:], self._settings.quality)
        together = self._group_images(way)
        for start in range(0, len(array), together):
            self._add_some(way, array[start : start + together].reshape(-1, *kind))

    def _add_some(self, way: Way, images_NHWC: Images) -> None:
        """Take images (n,H,W,C) that are wished at a way."""
        if not self._keeps_hidden:
            images_NHWC = clear_hidden(images_NHWC)
        rows, numbers = self._images.add(images_NHWC.reshape(-1, *way.shape))
        images_NHWC = images_NHWC if len(rows) == len(images_NHWC) else images_NHWC[rows]
        if self._codec is None or not self._codes(way):
            if self._unfit is None and self._codec is not None:
                self._unfit = self._unfit_error(way)
            reason = "no codec" if self._codec is None else f"no network for {'x'.join(map(str, way.kind))}"
            self._store(way.shape, images_NHWC, numbers, self._bounds.steps(images_NHWC), reason)
        else:
            if not self._is_lossless:
                self._coder.network(way.kind, way.quality)
            self._some_fit = True
            hidden_N = np.zeros(len(numbers), np.bool_)
            if self._bounds.keep_hidden_colour and not self._is_lossless:
                hidden_N |= hidden_colour(images_NHWC).any(axis=(1, 2))
            hidden = images_NHWC[hidden_N]
            self._store(way.shape, hidden, numbers[hidden_N], self._bounds.steps(hidden), "colour under alpha 0")
            self._bins.put(way, images_NHWC[~hidden_N], numbers[~hidden_N])
        self._write_full_groups()

    def _codes(self, way: Way) -> bool:
        """Whether the codec codes images that are wished at a way."""
        return self._coder.codes_lossless(way.kind) if self._is_lossless else way.kind in self._coder.kinds

    def _unfit_error(self, way: Way) -> InputError:
        try:
            if self._is_lossless:
                self._coder.lossless_network(way.kind)
            else:
                self._coder.network(way.kind, way.quality)
        except InputError as error:
            return error
        raise AssertionError("the codec has no network for this kind")

    def finish(self) -> NDArray[np.uint32]:
        """Write what waits; the place in the archive's blocks of each image. Raises InputError."""
        if not self._images.images:
            raise InputError("there are no images to compress")
        if self._unfit is not None and not self._some_fit and not self._settings.store_unknown:
            raise self._unfit
        for what in (TRY, CODE, STORE):
            while (way := self._bins.next_of(what)) is not None:
                self._write_group(way, self._bins.images_of(way))
        self._report(self._images.images)
        return self._places[self._images.of_image]

    def written(self) -> Written:
        """What was written so far."""
        return Written(
            images=self._images.images,
            archive_bytes=self._writer.bytes_written,
            duplicates=self._images.images - self._images.distinct,
            stored=sum(self._reasons.values()),
            raised=self._raised,
            reasons=self._reasons,
            worst=[
                WorstImage(
                    image=image,
                    psnr=psnr_of_mse(mse),
                    quality=None if way.what == STORE else way.quality,
                    step=way.step if way.what == STORE else None,
                )
                for mse, image, way in self._worst
            ],
        )

    def _store(
        self,
        shape: tuple[int, ...],
        images_NHWC: Images,
        numbers: NDArray[np.int64],
        steps_N: NDArray[np.int64],
        reason: str,
    ) -> None:
        """Have images stored, each in its step."""
        if len(numbers):
            self._reasons[reason] = self._reasons.get(reason, 0) + len(numbers)
        for step in np.unique(steps_N).tolist():
            way, chosen = Way(STORE, shape, STORED_QUALITY, step), steps_N == step
            self._bins.put(way, images_NHWC[chosen], numbers[chosen])
            if self._bounds.are_set and step > 1:
                errors = self._bounds.errors(images_NHWC[chosen], in_steps(images_NHWC[chosen], step))
                self._remember(way, errors.mse_N, numbers[chosen])

    def _write_full_groups(self) -> None:
        """Write every group that is full, and the largest ones where too much waits."""
        while touched := self._bins.touched():
            for way in touched:
                while self._may_write(way) and self._bins.images_of(way) >= self._group_images(way):
                    self._write_group(way, self._group_images(way))
        if self._bins.array_bytes > WAITING_BYTES:
            for way in self._bins.largest_first():
                if self._bins.array_bytes > WAITING_BYTES // 2:
                    self._write_group(way, self._bins.images_of(way))

    def _may_write(self, way: Way) -> bool:
        """False for images to store while none fits the codec: that may be a mistake, to be told at once."""
        return way.what != STORE or self._some_fit or self._settings.store_unknown

    def _group_images(self, way: Way) -> int:
        """How many images are written together."""
        settings, block_images = self._settings, self._block_images(way)
        together = WRITE_IMAGES if settings.effort == 1 else SEARCH_IMAGES * self._threads
        together = min(together, max(1, GROUP_BYTES // math.prod(way.shape)))
        return max(block_images, together // block_images * block_images)

    def _block_images(self, way: Way) -> int:
        image_bytes = math.prod(way.shape)
        limit = LOSSLESS_BLOCK_VALUES if self._is_lossless else BLOCK_PIXELS_LIMIT
        largest = (STORED_BLOCK_BYTES if way.what == STORE else limit) // image_bytes
        return max(1, min(self._settings.block_images, largest))

    def _write_group(self, way: Way, images: int) -> None:
        """Take images of a bin a step further."""
        array, numbers = self._bins.take(way, images)
        block_images, quality = self._block_images(way), way.quality
        if way.what == STORE:
            self._add_blocks(way, self._stored_payloads(way, array.astype(np.uint8, copy=False)), numbers)
        elif way.what == CODE:
            symbols = array.astype(np.int32, copy=False)
            payloads = self._coder.write_symbol_blocks(symbols, way.kind, block_images, quality)
            self._add_blocks(way, payloads, numbers)
        elif self._is_lossless:
            self._write_lossless(way, array.astype(np.uint8, copy=False), numbers)
        elif self._bounds.are_set:
            self._try(way, array.astype(np.uint8, copy=False), numbers)
        else:
            images_NHWC = array.astype(np.uint8, copy=False)
            payloads = self._coder.write_blocks(images_NHWC, block_images, quality, self._settings.effort)
            self._add_blocks(way, payloads, numbers)

    def _write_lossless(self, way: Way, images_NHWC: Images, numbers: NDArray[np.int64]) -> None:
        """Code images without loss; those that take less packed by zlib, or as they are, are stored."""
        block_images = self._block_images(way)
        payloads, bits_N = self._coder.write_lossless(images_NHWC, block_images)
        better_N = bits_N < _bits_without_codec(images_NHWC)
        if not better_N.all():
            stored = images_NHWC[~better_N]
            self._store(way.shape, stored, numbers[~better_N], self._bounds.steps(stored), "smaller without the codec")
            images_NHWC, numbers = images_NHWC[better_N], numbers[better_N]
            if not len(numbers):
                return
            payloads = self._coder.write_lossless(images_NHWC, block_images)[0]
        self._add_blocks(way, payloads, numbers)

    def _add_blocks(self, way: Way, payloads: list[tuple[int, bytes]], numbers: NDArray[np.int64]) -> None:
        """Append blocks of (images, payload) to the archive."""
        method = STORED if way.what == STORE else LOSSLESS if self._is_lossless else LOSSY
        codec = 0
        if method != STORED:
            assert self._entry is not None
            codec = self._writer.codec_number(self._entry)
        height, width, channels = way.kind
        shape = KindEntry(height=height, width=width, channels=channels, channels_axis=len(way.shape) == 3)
        kind = self._writer.kind_number(shape)
        if len(self._places) < self._images.distinct:
            self._places = np.concatenate([self._places, np.zeros(self._images.distinct, np.uint32)])
        self._places[numbers] = np.arange(self._writer.images, self._writer.images + len(numbers), dtype=np.uint32)
        for images, payload in payloads:
            self._writer.add(
                Block(method=method, quality=way.quality, kind=kind, codec=codec, images=images, payload=payload)
            )
        self._report(self._images.images - self._bins.images)

    def _stored_payloads(self, way: Way, images_NHWC: Images) -> list[tuple[int, bytes]]:
        starts = range(0, len(images_NHWC), self._block_images(way))
        parts = [images_NHWC[start : start + starts.step] for start in starts]
        payloads = spread(lambda part: pack_stored(part, way.step), parts, self._threads)
        return list(zip(map(len, parts), payloads, strict=True))

    def _try(self, way: Way, images_NHWC: Images, numbers: NDArray[np.int64]) -> None:
        """Code images; what meets the bounds stays so, the others go to the next quality, or are stored."""
        symbols_ND, decoded_NHWC = self._code(way, images_NHWC)
        errors = self._bounds.errors(images_NHWC, decoded_NHWC)
        met_N = self._bounds.met(errors)
        is_raised = way.quality != self._settings.quality
        if is_raised:
            met_N &= self._cost_less_than_stored(way, images_NHWC, symbols_ND, met_N)
            self._raised += int(met_N.sum())
        self._remember(way, errors.mse_N[met_N], numbers[met_N])
        self._bins.put(Way(CODE, way.shape, way.quality), symbols_ND[met_N], numbers[met_N])
        missed, numbers = images_NHWC[~met_N], numbers[~met_N]
        quality = self._next_quality(way)
        if quality is None:
            self._store(way.shape, missed, numbers, self._bounds.steps(missed), "bounds missed at any quality")
        else:
            self._bins.put(Way(TRY, way.shape, quality), missed, numbers)

    def _code(self, way: Way, images_NHWC: Images) -> tuple[Symbols, Images]:
        """Symbols (N,D) of images, and what they decode to (N,H,W,C)."""
        network, effort = self._coder.network(way.kind, way.quality), self._settings.effort
        searched = None if effort == 1 else self._coder.best_symbols(images_NHWC, way.quality, effort)

        def code(start: int) -> tuple[Symbols, Images]:
            rows = slice(start, start + LOCKSTEP_IMAGES)
            symbols = network.encode(images_NHWC[rows], way.quality) if searched is None else searched[rows]
            return symbols, network.decode(symbols, way.quality)

        parts = spread(code, range(0, len(images_NHWC), LOCKSTEP_IMAGES), self._threads)
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _cost_less_than_stored(
        self, way: Way, images_NHWC: Images, symbols_ND: Symbols, chosen_N: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Which of the chosen images take less than their pixels would, unpacked in the coarsest step."""
        less_N = chosen_N.copy()
        if chosen_N.any():
            bits = self._coder.network(way.kind, way.quality).bits_per_image(symbols_ND[chosen_N], way.quality)
            levels = 255 / self._bounds.steps(images_NHWC[chosen_N]) + 1
            less_N[chosen_N] = bits < np.log2(levels) * math.prod(way.shape)
        return less_N

    def _next_quality(self, way: Way) -> int | None:
        """The next quality to try, None behind the highest one."""
        first = self._settings.quality
        ranges = [network.qualities for network in self._coder.bundle.networks if network.kind == way.kind]
        highest = max(high for _, high in ranges)
        steps = [first + step for step in QUALITY_STEPS if first + step < highest] + [highest]
        possible = (quality for quality in steps if any(low <= quality <= high for low, high in ranges))
        return next((quality for quality in possible if quality > way.quality), None)

    def _remember(self, way: Way, mse_N: NDArray[np.float64], numbers: NDArray[np.int64]) -> None:
        """Keep the worst images."""
        worst = np.argsort(-mse_N, kind="stable")[:WORST_IMAGES]
        found = [(float(mse_N[i]), self._images.first_image(int(numbers[i])), way) for i in worst if mse_N[i] > 0]
        self._worst = sorted([*self._worst, *found], key=lambda one: (-one[0], one[1]))[:WORST_IMAGES]


def _bits_without_codec(images_NHWC: Images) -> NDArray[np.int64]:
    """What each image takes as it is, or packed by zlib, whichever is less: (N,)."""
    raw = images_NHWC[0].nbytes
    return np.array([8 * min(raw, len(zlib.compress(image.tobytes()))) for image in images_NHWC], np.int64)
