"""Writing an archive from a stream of images of any shapes, in bounded memory.

    intake: new images by form -> bins by form and coder -> full groups: coded, checked where there
    are bounds, compared with a coder that may be cheaper -> bins of values -> blocks

A group is coded when it is full, so images stand in blocks in another order than in the collection
where they have several forms, qualities or coders; the index lists where each one is.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.embedding import CodecEntries
from compressnet.archive.writing.bins import Bins, Way
from compressnet.archive.writing.bounded import as_shown, next_coder, steps_of, stored_bits, unpacked_bits
from compressnet.archive.writing.bounds import Bounds
from compressnet.archive.writing.cheaper import (
    Choice,
    alternative,
    better_learned,
    learned_rival,
    why_learned,
    without_loss,
)
from compressnet.archive.writing.intake import Intake, Portion
from compressnet.archive.writing.outcome import NO_NETWORK, Outcome, Written
from compressnet.archive.writing.placing import BlockPlacer
from compressnet.archive.writing.settings import Settings
from compressnet.archive.writing.tightness import way_out
from compressnet.codec.codec import Codec
from compressnet.coding.coder import ADAPTIVE, LOSSLESS_QUALITY, STORED, Coder
from compressnet.coding.lockstep import SEARCH_IMAGES, Payloads, values_of, write_images, write_values
from compressnet.coding.stored import StoredCoder
from compressnet.container.writer import ContainerWriter
from compressnet.errors import InputError
from compressnet.images.alpha import hidden_colour
from compressnet.images.forms import Form
from compressnet.images.kinds import Images, Pictures, size_text

WRITE_IMAGES = 4096
"""Images that are encoded together."""
GROUP_BYTES = 1 << 25
"""Of images that are encoded together, where these are large."""
WAITING_BYTES = 1 << 29
"""Images and values that wait for their groups to fill, at most; then the largest group is
written."""


class Router:
    """Sends images to the blocks of an archive, each by a coder.

    `add` arrays, `finish`, then ask what was `written`.
    """

    def __init__(
        self,
        writer: ContainerWriter,
        codec: Codec,
        settings: Settings,
        entries: CodecEntries | None = None,
        report: Callable[[int], None] = lambda _: None,
    ) -> None:
        """entries: what the archive says of the codec, by default as the settings ask."""
        assert settings.quality is not None
        self._codec, self._settings, self._quality, self._report = codec, settings, settings.quality, report
        # At quality 100 all bounds hold, and must not make images coarser that are stored.
        self._bounds = settings.bounds if self._quality != LOSSLESS_QUALITY else Bounds(exact_alpha=True)
        self._threads = codec.threads
        self._placer = BlockPlacer(writer, entries or CodecEntries(codec, settings.embed_codec, shared=settings.shared))
        self._choice = Choice(self._placer.fixed_bytes)
        self._images, self._values = Bins(), Bins()
        self._outcome = Outcome()
        self._intake = Intake(settings, self._outcome)
        self._distinct = self._intake.distinct
        self._some_fit = False
        self._stores_all = settings.store_unknown or settings.loses_nothing
        self._unfit: str | None = None

    @property
    def images(self) -> int:
        """Images that were added."""
        return self._distinct.images

    @property
    def given(self) -> bytes:
        """The digests of all images as they were given, where nothing may be lost."""
        return bytes(self._intake.given)

    def add(self, pictures: Pictures) -> None:
        """Take images (n,H,W[,C]). Raises InputError, also for a quality that the codec lacks."""
        for portion in self._intake.take(pictures):
            self._add_some(portion)
            self._write_full_groups()

    def _add_some(self, portion: Portion) -> None:
        """Let new images of a form wait for the coder that suits them."""
        form, images_NHWC, numbers = portion.form, portion.images_NHWC, portion.numbers
        coder, reason = self._coder_for(portion)
        self._some_fit |= coder is not None
        if coder is None:
            coder = self._codec.learned_coder(form.kind, deep=form.deep)
        if coder is None:
            self._store(form, images_NHWC, numbers, steps_of(form, images_NHWC, self._bounds), reason)
            return
        hidden_N = np.zeros(len(numbers), np.bool_)
        if self._bounds.keep_hidden_colour and not coder.keeps_hidden_colour:
            hidden_N |= hidden_colour(images_NHWC).any(axis=(1, 2))
        hidden = images_NHWC[hidden_N]
        self._store(form, hidden, numbers[hidden_N], steps_of(form, hidden, self._bounds), "colour under alpha 0")
        self._images.put(Way(form, coder), images_NHWC[~hidden_N], numbers[~hidden_N])

    def _coder_for(self, portion: Portion) -> tuple[Coder | None, str]:
        """The coder of the quality asked for, or none and why. Raises InputError."""
        form, quality = portion.form, self._quality
        if not any(part.has_quality(quality) for part in self._codec.bundle.parts):
            known = form.kind if self._codec.knows(form.kind) else next(iter(self._codec.kinds), form.kind)
            raise InputError(self._codec.why_not(known, quality))
        reason = self._codec.why_not(form.kind, quality, deep=form.deep)
        if reason is None:
            return self._codec.coder(form.kind, quality, deep=form.deep), ""
        if form.deep:
            return None, "16 bits"
        if self._codec.knows(form.kind) and quality != LOSSLESS_QUALITY:
            raise InputError(reason)
        if self._unfit is None:
            self._unfit = reason + way_out(self._codec, quality, form, portion.images_NHWC)
        return None, f"{NO_NETWORK}{size_text(form.kind)}"

    def finish(self) -> NDArray[np.uint32]:
        """Write what waits; the place in the archive's blocks of each image. Raises InputError."""
        if not self._distinct.images:
            raise InputError("there are no images to compress")
        if self._unfit is not None and not self._some_fit and not self._stores_all:
            raise InputError(self._unfit)
        while ways := self._images.ways():
            self._code_group(ways[0], self._images.images_of(ways[0]))
        for way in sorted(self._values.ways(), key=lambda way: way.coder.method == STORED):
            self._write_group(way, self._values.images_of(way))
        self._report(self._distinct.images)
        return self._placer.places(self._distinct.of_image)

    def written(self) -> Written:
        """What was written so far."""
        return self._outcome.written(self._distinct, self._placer.bytes_written)

    def _store(
        self,
        form: Form,
        images_NHWC: Images,
        numbers: NDArray[np.int64],
        steps_N: NDArray[np.int64],
        reason: str,
    ) -> None:
        """Let images be stored, each in its step."""
        self._outcome.stored(reason, len(numbers))
        for step in np.unique(steps_N).tolist():
            coder, chosen_N = StoredCoder(form.kind, step), steps_N == step
            values = coder.values_of(images_NHWC[chosen_N])
            self._values.put(Way(form, coder), values, numbers[chosen_N])
            if self._bounds.are_set and step > 1:
                errors = self._bounds.errors(*as_shown(form, images_NHWC[chosen_N], values))
                self._outcome.remember(errors.mse_N, numbers[chosen_N], step=step)

    def _write_full_groups(self) -> None:
        """Write every group that is full, and the largest ones where too much waits."""
        while True:
            images, values = self._images.touched(), self._values.touched()
            for way in images:
                while self._images.images_of(way) >= self._group_images(way):
                    self._code_group(way, self._group_images(way))
            for way in values:
                while self._may_write(way) and self._values.images_of(way) >= self._group_images(way):
                    self._write_group(way, self._group_images(way))
            if not images and not values:
                break
        if self._waiting_bytes() > WAITING_BYTES:
            for way in sorted(self._images.ways(), key=self._images.bytes_of, reverse=True):
                if self._waiting_bytes() > WAITING_BYTES // 2:
                    self._code_group(way, self._images.images_of(way))
            for way in sorted(self._values.ways(), key=self._values.bytes_of, reverse=True):
                if self._waiting_bytes() > WAITING_BYTES // 2:
                    self._write_group(way, self._values.images_of(way))

    def _waiting_bytes(self) -> int:
        return self._images.array_bytes + self._values.array_bytes

    def _may_write(self, way: Way) -> bool:
        """Whether what waits for a way may be written now.

        Images to store have to wait while none fits the codec: that may be a mistake, of which the
        user should hear at once.
        """
        return way.coder.method != STORED or self._some_fit or self._stores_all

    def _group_images(self, way: Way) -> int:
        """How many images are coded, or written, together."""
        block_images = way.coder.block_images(self._settings.block_images)
        together = WRITE_IMAGES if self._settings.effort == 1 else SEARCH_IMAGES * self._threads
        together = min(together, max(1, GROUP_BYTES // math.prod(way.coder.kind)))
        return max(block_images, together // block_images * block_images)

    def _code_group(self, way: Way, images: int) -> None:
        """Code images that wait; they become blocks, or wait as values or for another coder."""
        images_NHWC, numbers = self._images.take(way, images)
        coder = way.coder
        if self._bounds.are_set and not coder.exact:
            self._try(way, images_NHWC, numbers)
            return
        other = alternative(self._codec, coder)
        block_images, effort = coder.block_images(self._settings.block_images), self._settings.effort
        most_mse = self._settings.network_mse
        rival = None if most_mse is None else learned_rival(self._codec, coder)
        counts = other is not None or rival is not None
        written, values = write_images(coder, images_NHWC, block_images, effort, self._threads, bits=counts)
        bits_N, kept_N = written.bits_N, np.ones(len(numbers), np.bool_)
        if rival is not None and bits_N is not None and most_mse is not None:
            learned, moved_N = better_learned(rival, images_NHWC, coder.images_of(values), bits_N, most_mse)
            self._values.put(Way(way.form, rival), learned, numbers[moved_N])
            kept_N = ~moved_N
        if other is not None and bits_N is not None and kept_N.any():
            some = images_NHWC[kept_N], numbers[kept_N]
            kept_N[kept_N] = ~self._move_cheaper(way, other, bits_N[kept_N], *some)
        if not kept_N.all():
            written = write_values(coder, values[kept_N], block_images, self._threads)
        self._add_blocks(way, written, numbers[kept_N])

    def _move_cheaper(
        self,
        way: Way,
        other: Coder,
        bits_N: NDArray[np.float64],
        images_NHWC: Images,
        numbers: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Which images another coder takes into no more bytes, (N,); they then wait for it."""
        moved_N = self._choice.cheaper(bits_N, other, other.bits(images_NHWC))
        if other.method == STORED:
            steps_N = np.ones(int(moved_N.sum()), np.int64)
            reason = "smaller as they are"
            self._store(way.form, images_NHWC[moved_N], numbers[moved_N], steps_N, reason)
        else:
            self._outcome.lossless += int(moved_N.sum())
            self._values.put(Way(way.form, other), other.values_of(images_NHWC[moved_N]), numbers[moved_N])
        return moved_N

    def _write_group(self, way: Way, images: int) -> None:
        """Write values that wait."""
        values, numbers = self._values.take(way, images)
        block_images = way.coder.block_images(self._settings.block_images)
        self._add_blocks(way, write_values(way.coder, values, block_images, self._threads), numbers)

    def _add_blocks(self, way: Way, written: Payloads, numbers: NDArray[np.int64]) -> None:
        """Append blocks to the archive."""
        if way.coder.method == ADAPTIVE and len(self._codec.bundle.parts) > 1:
            self._outcome.learned(why_learned(self._codec, way.form, self._quality), len(numbers))
        self._placer.add(way, written, numbers)
        self._report(self._distinct.images - self._images.images - self._values.images)

    def _try(self, way: Way, images_NHWC: Images, numbers: NDArray[np.int64]) -> None:
        """Code images.

        Those that meet the bounds are done; others go to the next quality, or are stored.
        """
        coder = way.coder
        values = values_of(coder, images_NHWC, self._settings.effort, self._threads)
        errors = self._bounds.errors(*as_shown(way.form, images_NHWC, coder.images_of(values)))
        met_N = self._bounds.met(errors)
        is_raised = coder.has_symbols and coder.quality != self._quality
        moved_N, other = np.zeros(len(met_N), np.bool_), alternative(self._codec, coder)
        if met_N.any() and (is_raised or other is not None):
            bits_N = coder.bits(values)
            if is_raised:
                met_N &= bits_N < unpacked_bits(images_NHWC, self._bounds)
            if other is not None and met_N.any():
                moved_N[met_N] = self._move_cheaper(way, other, bits_N[met_N], images_NHWC[met_N], numbers[met_N])
        kept_N = met_N & ~moved_N
        self._outcome.raised += int(kept_N.sum()) if is_raised else 0
        self._outcome.remember(errors.mse_N[kept_N], numbers[kept_N], quality=coder.quality)
        self._values.put(way, values[kept_N], numbers[kept_N])
        self._go_on(way, images_NHWC[~met_N], numbers[~met_N])

    def _go_on(self, way: Way, images_NHWC: Images, numbers: NDArray[np.int64]) -> None:
        """Let images that missed their bounds be tried at the next quality, or stored."""
        coder = next_coder(self._codec, way.coder, self._quality) if way.coder.has_symbols else None
        if coder is not None:
            self._images.put(Way(way.form, coder), images_NHWC, numbers)
            return
        steps_N, other = steps_of(way.form, images_NHWC, self._bounds), without_loss(self._codec, way.coder.kind)
        if other is not None and len(numbers):
            bits_N = stored_bits(images_NHWC, steps_N)
            kept_N = ~self._move_cheaper(way, other, bits_N, images_NHWC, numbers)
            images_NHWC, numbers, steps_N = images_NHWC[kept_N], numbers[kept_N], steps_N[kept_N]
        self._store(way.form, images_NHWC, numbers, steps_N, "bounds missed at any quality")
