"""subset, concat and append against plain lists, over archives of all that may be in one."""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.archive import selection
from compressnet.archive.archive import Archive
from compressnet.codec import packed
from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.file import from_bytes
from compressnet.codec.loading import make_codec
from compressnet.codec.packed import pack_bundle
from compressnet.coding.coder import ADAPTIVE, LOSSLESS, LOSSLESS_QUALITY, LOSSY, STORED
from compressnet.errors import InputError
from compressnet.images.alpha import clear_hidden
from compressnet.images.kinds import Kind, kind_of
from conftest import CONFORMANCE
from pixel_models import images_for, make_pixel_model

QUALITIES = (30, 60, LOSSLESS_QUALITY)
LIMITS = (1, 2, 3, 5, selection.NEW_BLOCK_IMAGES)
"""Images of a new block, at most: as it is, and so few that a few images exceed it."""
DOTS = "dots"
"""The sort of which there are more than two new blocks full."""
GREY, ALPHA, COLOUR = make_pixel_model(1, (6, 7)), make_pixel_model(2), make_pixel_model(4)
Labels = list[int] | list[str] | None


@dataclass(slots=True, kw_only=True)
class Shelf:
    """What an archive has to hold, as plain lists."""

    images: list[np.ndarray]
    symbols: list[np.ndarray | None]
    labels: Labels
    names: list[str] | None

    def take(self, positions: list[int]) -> Shelf:
        return Shelf(
            images=[self.images[i] for i in positions],
            symbols=[self.symbols[i] for i in positions],
            labels=None if self.labels is None else [self.labels[i] for i in positions],
            names=None if self.names is None else [self.names[i] for i in positions],
        )

    def __add__(self, other: Shelf) -> Shelf:
        names = None
        if self.names is not None or other.names is not None:
            first, last = len(self.images), len(self.images) + len(other.images)
            names = list(map(str, range(first))) if self.names is None else self.names
            names = names + (list(map(str, range(first, last))) if other.names is None else other.names)
        return Shelf(
            images=self.images + other.images,
            symbols=self.symbols + other.symbols,
            labels=None if self.labels is None or other.labels is None else [*self.labels, *other.labels],
            names=names,
        )


@functools.cache
def everything() -> Codec:
    """A codec with lossy networks for two kinds, and pixel models for others."""
    lossy = [from_bytes((CONFORMANCE / name).read_bytes(), name) for name in ("grey.codec", "rgb.codec")]
    networks = tuple(network for bundle in lossy for network in bundle.networks)
    bundle = make_bundle(networks, (GREY, ALPHA, COLOUR), name="everything", default_quality=60, about="{}")
    return make_codec(bundle, None, 1, "everything")


@functools.cache
def sorts() -> dict[str, np.ndarray]:
    """Images (n,H,W[,C]) that differ, a few of each sort."""
    generator = np.random.default_rng(5)

    def noise(*shape: int) -> np.ndarray:
        return generator.integers(0, 256, shape, dtype=np.uint8)

    distinct = np.indices((25, 25)).reshape(2, -1).T.astype(np.uint8)
    return {
        "lossy grey": noise(6, 8, 12),
        "lossy grey with an axis": noise(4, 8, 12, 1),
        "lossy colour": noise(5, 12, 8, 3),
        "lossless grey": np.unique(images_for(GREY, 9, (6, 7), share=0.05), axis=0)[..., 0],
        "lossless grey alpha": np.unique(images_for(ALPHA, 9, (5, 4), share=0.04), axis=0),
        "lossless colour alpha": np.unique(images_for(COLOUR, 9, (4, 3), share=0.04), axis=0),
        "stored grey": noise(5, 3, 4),
        "stored colour alpha": noise(5, 2, 3, 4),
        "stored": noise(5, 2, 3, 3),
        DOTS: distinct[:, None, :],
    }


@functools.cache
def decoded(sort: str, quality: int) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """What images of a sort come back as, and their symbols."""
    images, codec = sorts()[sort], everything()
    kind = kind_of(images)
    images_NHWC = images.reshape(-1, *kind)
    if quality != LOSSLESS_QUALITY:
        images_NHWC = clear_hidden(images_NHWC)
    if quality == LOSSLESS_QUALITY or codec.why_not(kind, quality) is not None:
        return list(images_NHWC.reshape(images.shape)), [None] * len(images)
    coder = codec.coder(kind, quality)
    symbols = coder.values_of(images_NHWC)
    return list(coder.images_of(symbols).reshape(images.shape)), list(symbols)


@dataclass(frozen=True, slots=True)
class Run:
    """Images of a sort, some of them equal."""

    sort: str
    numbers: tuple[int, ...]

    def array(self) -> np.ndarray:
        return sorts()[self.sort][list(self.numbers)]

    @property
    def kind(self) -> Kind:
        return kind_of(sorts()[self.sort])


@st.composite
def runs(draw: st.DrawFn, quality: int, sort: str | None = None) -> Run:
    """Of a sort; half of them of one that the codec codes at a quality."""
    coded = [sort for sort in sorts() if everything().why_not(kind_of(sorts()[sort]), quality) is None]
    chosen = draw(st.sampled_from(coded) | st.sampled_from(list(sorts()))) if sort is None else sort
    count = len(sorts()[chosen])
    if chosen == DOTS:
        first, images = draw(st.integers(0, 99)), draw(st.integers(1, 30) if sort is None else st.integers(200, 600))
        return Run(chosen, tuple((first + i) % count for i in range(images)))
    return Run(chosen, tuple(draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=8))))


@st.composite
def selections(draw: st.DrawFn, images: int) -> slice | list[int] | np.ndarray:
    """What may select some of so many images, at least one."""
    position = st.integers(-images, images - 1)
    span = st.tuples(st.integers(0, images - 1), st.integers(1, images))
    spans = st.lists(span, min_size=1, max_size=3).map(
        lambda spans: [i for first, length in spans for i in range(first, min(first + length, images))]
    )
    mask = st.integers(1, 2**images - 1).map(lambda bits: np.array([bits >> i & 1 for i in range(images)], np.bool_))
    return draw(
        st.one_of(
            st.slices(images).filter(lambda chosen: len(range(images)[chosen]) > 0),
            st.lists(position, min_size=1, max_size=12),
            spans,
            spans.map(lambda chosen: np.array(chosen[::-1], np.int16)),
            mask,
        )
    )


def positions_of(chosen: slice | list[int] | np.ndarray, images: int) -> list[int]:
    """The numbers that a selection stands for, as Python understands it."""
    if isinstance(chosen, slice):
        return list(range(images)[chosen])
    if isinstance(chosen, np.ndarray) and chosen.dtype == np.bool_:
        return [i for i, taken in enumerate(chosen.tolist()) if taken]
    return [range(images)[int(i)] for i in chosen]


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


def verify(path: Path, expected: Shelf) -> None:
    """An archive opens anew and holds what it has to."""
    with compressnet.open(path, everything()) as archive:
        archive.check()
        assert same(list(archive), expected.images)
        assert same([archive[i] for i in (0, -1)], [expected.images[i] for i in (0, -1)])
        assert archive.shapes == [image.shape for image in expected.images]
        assert (None if archive.labels is None else archive.labels.tolist()) == expected.labels
        assert (None if archive.names is None else list(archive.names)) == expected.names
        assert archive.with_symbols().tolist() == [symbols is not None for symbols in expected.symbols]
        positions_by_width: dict[int, list[int]] = {}
        for position, symbols in enumerate(expected.symbols):
            if symbols is not None:
                positions_by_width.setdefault(len(symbols), []).append(position)
        for positions in positions_by_width.values():
            assert same(list(archive.symbols[positions]), [expected.symbols[i] for i in positions])


class Maker:
    """Makes archives in a folder by random steps.

    With each comes what it has to hold.
    """

    def __init__(self, folder: Path, data: st.DataObject) -> None:
        self._folder, self._data = folder, data
        self._labelled = data.draw(st.sampled_from([None, int, str]), label="labels")
        self._numbers, self._files = itertools.count(), itertools.count()

    def path(self) -> Path:
        return self._folder / f"{next(self._files)}.cnet"

    def any(self, steps: int) -> tuple[Path, Shelf]:
        """An archive made in so many steps, at most."""
        if steps == 0:
            return self.new()
        step: Callable[[int], tuple[Path, Shelf]]
        step = self._data.draw(st.sampled_from([self.any, self.subset, self.append, self.concat]), label="step")
        return step(steps - 1)

    def new(self, sort: str | None = None) -> tuple[Path, Shelf]:
        path, (quality, drawn, shelf) = self.path(), self._draw(sort, 3 if sort is None else 1)
        compressnet.compress(
            [run.array() for run in drawn],
            path,
            everything(),
            quality=quality,
            block_images=self._block_images(sort),
            labels=shelf.labels,
            names=shelf.names,
            embed_codec=self._data.draw(st.booleans(), label="embedded"),
            store_unknown=True,
        )
        return path, shelf

    def subset(self, steps: int) -> tuple[Path, Shelf]:
        """Some images of an archive made in so many steps."""
        path, shelf = self.any(steps)
        return self.subset_of(path, shelf)

    def subset_of(self, path: Path, shelf: Shelf) -> tuple[Path, Shelf]:
        output, images = self.path(), len(shelf.images)
        chosen = self._data.draw(selections(images), label="chosen")
        expected = shelf.take(positions_of(chosen, images))
        with compressnet.open(path, everything()) as archive:
            written = compressnet.subset(archive, chosen, output)
            assert same(list(archive[chosen]), expected.images)
            assert parts_of_codec(output).items() <= parts_of_codec(path).items()
            assert images_of_blocks(output) == len(set(archive.container.places_of(archive.positions(chosen)).tolist()))
        assert written.images == len(expected.images)
        assert written.duplicates == written.images - images_of_blocks(output)
        assert written.archive_bytes == output.stat().st_size
        return output, expected

    def append(self, steps: int) -> tuple[Path, Shelf]:
        """An archive made in so many steps, and images at its end."""
        path, shelf = self.any(steps)
        quality, drawn, new = self._draw(None, 2)
        before = path.read_bytes()
        with compressnet.open(path, everything()) as archive:
            # Without loss, what no network codes is stored.
            is_refused = quality != 100 and is_of_one_kind(archive)
            is_refused = is_refused and all(everything().why_not(run.kind, quality) for run in drawn)
        options = {"quality": quality, "block_images": self._block_images(), "labels": new.labels, "names": new.names}
        arrays = [run.array() for run in drawn]
        if is_refused:
            with pytest.raises(InputError, match="images of "):
                compressnet.append(path, arrays, codec=everything(), **options)
            assert path.read_bytes() == before
            return path, shelf
        written = compressnet.append(path, arrays, codec=everything(), **options)
        assert (written.images, written.archive_bytes) == (len(shelf.images + new.images), path.stat().st_size)
        return path, shelf + new

    def concat(self, steps: int) -> tuple[Path, Shelf]:
        """Some archives one after the other, the first of which was made in so many steps."""
        parts = [self.any(steps), *(self.any(0) for _ in range(self._data.draw(st.integers(0, 2), label="others")))]
        if self._data.draw(st.booleans(), label="first again at the end"):
            parts.append(parts[0])
        output, expected = self.path(), parts[0][1]
        for _, shelf in parts[1:]:
            expected = expected + shelf
        written = compressnet.concat([path for path, _ in parts], output)
        found = [parts_of_codec(path) for path, _ in parts]
        assert parts_of_codec(output) == {
            identity: any(part.get(identity, False) for part in found) for part in found for identity in part
        }
        assert (written.images, written.archive_bytes) == (len(expected.images), output.stat().st_size)
        return output, expected

    def long(self) -> tuple[Path, Shelf]:
        """An archive of as many images as new blocks are made of, and some others."""
        (first, longer), (second, shorter) = self.new(DOTS), self.any(0)
        output = self.path()
        compressnet.concat([first, second], output)
        return output, longer + shorter

    def _draw(self, sort: str | None, at_most: int) -> tuple[int, list[Run], Shelf]:
        """A quality, images, and what they are at it, with labels and names that occur once."""
        quality = self._data.draw(st.sampled_from(QUALITIES), label="quality")
        drawn = self._data.draw(st.lists(runs(quality, sort), min_size=1, max_size=at_most), label="images")
        pairs = [(decoded(run.sort, quality), number) for run in drawn for number in run.numbers]
        numbers = [next(self._numbers) for _ in pairs]
        is_named = self._data.draw(st.booleans(), label="named")
        labels: Labels = None
        if self._labelled is not None:
            labels = [5**i % 2**64 - 2**63 for i in numbers] if self._labelled is int else list(map(text, numbers))
        shelf = Shelf(
            images=[images[number] for (images, _), number in pairs],
            symbols=[symbols[number] for (_, symbols), number in pairs],
            labels=labels,
            names=[f"folder/{text(number)}.png" for number in numbers] if is_named else None,
        )
        return quality, drawn, shelf

    def _block_images(self, sort: str | None = None) -> int:
        sizes = (1, 2, 3, 4, 256) if sort is None else (50, 64, 100, 128, 200, 255, 256, 257, 300)
        return self._data.draw(st.sampled_from(sizes), label="images of a block")


def text(number: int) -> str:
    return "" if number == 0 else f"{number} ä\t日 {'x' * (number % 5)}"


def images_of_blocks(path: Path) -> int:
    with compressnet.open(path, everything()) as archive:
        return archive.container.images_in_blocks


def parts_of_codec(path: Path) -> dict[bytes, bool]:
    """The parts of its codec that an archive needs, and whether it embeds them."""
    with compressnet.open(path, everything()) as archive:
        return {entry.identity: entry.embedded is not None for entry in archive.container.codecs}


def is_of_one_kind(archive: Archive) -> bool:
    """Whether images that no network codes are refused, when they come alone."""
    return len(archive.container.kinds) == 1 and bool(archive.codecs)


@contextmanager
def making(data: st.DataObject, limit: int = selection.NEW_BLOCK_IMAGES) -> Iterator[Maker]:
    """A maker of archives whose new blocks hold so many images at most."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(selection, "NEW_BLOCK_IMAGES", limit),
        mock.patch.object(packed, "pack_bundle", packed_once),
    ):
        yield Maker(Path(folder), data)


PACKED: dict[bytes, bytes] = {}


def packed_once(bundle: Bundle) -> bytes:
    """`pack_bundle`, which takes more time than all else here."""
    if bundle.identity not in PACKED:
        PACKED[bundle.identity] = pack_bundle(bundle)
    return PACKED[bundle.identity]


@settings(max_examples=25, deadline=None)
@given(data=st.data(), limit=st.sampled_from(LIMITS))
def test_a_subset_is_a_slice_of_a_list(data: st.DataObject, limit: int) -> None:
    with making(data, limit) as maker:
        verify(*maker.subset_of(*maker.append(1)))
        verify(*maker.subset(2))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), limit=st.sampled_from(LIMITS))
def test_archives_put_together_are_a_sum_of_lists(data: st.DataObject, limit: int) -> None:
    with making(data, limit) as maker:
        verify(*maker.concat(2))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), limit=st.sampled_from(LIMITS))
def test_images_added_are_at_the_end_of_a_list(data: st.DataObject, limit: int) -> None:
    with making(data, limit) as maker:
        verify(*maker.append(2))


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_parts_of_blocks_that_fill_new_ones(data: st.DataObject) -> None:
    with making(data) as maker:
        verify(*maker.subset_of(*maker.subset_of(*maker.long())))


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["subset", "concat", "append", "any"])
@settings(max_examples=80, deadline=None)
@given(data=st.data(), limit=st.sampled_from(LIMITS))
def test_many_steps(verb: str, data: st.DataObject, limit: int) -> None:
    with making(data, limit) as maker:
        verify(*getattr(maker, verb)(5))


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_many_parts_of_blocks_that_fill_new_ones(data: st.DataObject) -> None:
    with making(data) as maker:
        verify(*maker.subset_of(*maker.subset_of(*maker.long())))


def test_these_images_are_coded_by_all_methods(tmp_path: Path) -> None:
    for quality, methods in ((30, {ADAPTIVE, LOSSY}), (LOSSLESS_QUALITY, {ADAPTIVE, LOSSLESS})):
        path = tmp_path / f"{quality}.cnet"
        compressnet.compress(sorts().values(), path, everything(), quality=quality, embed_codec=False)
        with compressnet.open(path, everything()) as archive:
            container = archive.container
            found = {container.read_block(number).method for number in range(len(container.blocks))}
            assert found | {STORED} == methods | {STORED}
            assert len(archive.codecs) == 2


def test_append_takes_as_many_images_as_compress_does(tmp_path: Path) -> None:
    """Two grey images are not one of their colour, though their array has its shape."""
    colour, grey = sorts()["stored colour alpha"][:1], sorts()["stored grey"][:2]
    compressnet.compress(colour, tmp_path / "a.cnet", None, exact_alpha=True)
    assert grey.shape == colour[0].shape
    compressnet.append(tmp_path / "a.cnet", grey, codec=everything(), quality=LOSSLESS_QUALITY)
    with compressnet.open(tmp_path / "a.cnet", everything()) as archive:
        assert same(list(archive), [*colour, *grey])
