"""One battery for every way of coding: a coder's tests inherit it, and give coders and images."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compressnet.coding.coder import METHODS, Coder
from compressnet.coding.lockstep import block_counts, write_images, write_values
from compressnet.errors import CorruptError

SLACK_BITS = 8 * 3
"""By how much what is coded alone, a block or an image, may exceed the ideal code length."""
EXAMPLES = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class CoderTests:
    """What every coder does.

    A subclass has the fixtures `coder` and `images_NHWC`, 23 images of its kind.
    """

    def test_says_what_it_is(self, coder: Coder, images_NHWC: np.ndarray) -> None:
        values = coder.values_of(images_NHWC)
        assert coder.method in METHODS
        assert images_NHWC.shape[1:] == coder.kind
        assert values.ndim == (2 if coder.has_symbols else 4)
        assert len(values) == len(images_NHWC)
        assert 0 <= coder.quality <= 100
        assert 0 < coder.written_values <= coder.read_values

    def test_round_trip(self, coder: Coder, images_NHWC: np.ndarray) -> None:
        values = coder.values_of(images_NHWC)
        payloads = coder.write(values, [len(values)])
        read = coder.read(payloads, [len(values)])
        assert np.array_equal(read, values)
        decoded = coder.images_of(read)
        assert decoded.dtype == np.uint8
        assert decoded.shape == images_NHWC.shape
        assert np.array_equal(decoded, coder.images_of(values))
        if coder.exact:
            assert np.array_equal(decoded, images_NHWC)

    @EXAMPLES
    @given(block_images=st.integers(1, 30), threads=st.integers(1, 4))
    def test_blocks_of_any_size_on_any_threads(
        self, coder: Coder, images_NHWC: np.ndarray, block_images: int, threads: int
    ) -> None:
        values = coder.values_of(images_NHWC)
        written = write_values(coder, values, block_images, threads)
        counts = block_counts(len(values), block_images)
        assert [images for images, _ in written.blocks] == counts
        alone = [coder.write(part, [len(part)])[0] for part in np.split(values, np.cumsum(counts)[:-1])]
        assert [payload for _, payload in written.blocks] == alone
        both, kept = write_images(coder, images_NHWC, block_images, 1, threads)
        assert both.blocks == written.blocks
        assert np.array_equal(kept, values)
        assert np.array_equal(coder.read(alone, counts), values)

    def test_the_same_images_give_the_same_payloads(self, coder: Coder, images_NHWC: np.ndarray) -> None:
        def payload(_: int) -> bytes:
            return coder.write(coder.values_of(images_NHWC), [len(images_NHWC)])[0]

        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(payload, range(8)))) == 1

    def test_no_images_are_no_blocks(self, coder: Coder, images_NHWC: np.ndarray) -> None:
        values = coder.values_of(images_NHWC[:0])
        assert len(values) == 0
        assert coder.images_of(values).shape == (0, *coder.kind)
        assert coder.bits(values).shape == (0,)

    @EXAMPLES
    @given(data=st.data())
    def test_some_images_of_blocks_are_read_as_among_all(
        self, coder: Coder, images_NHWC: np.ndarray, data: st.DataObject
    ) -> None:
        values = coder.values_of(images_NHWC)
        counts = block_counts(len(values), data.draw(st.integers(1, 23)))
        chosen = [np.array(sorted(data.draw(st.sets(st.integers(0, n - 1)))), np.int64) for n in counts]
        read = coder.read_some(coder.write(values, counts), counts, chosen)
        blocks = np.split(values, np.cumsum(counts)[:-1])
        assert np.array_equal(read, np.concatenate([block[some] for block, some in zip(blocks, chosen, strict=True)]))

    @settings(EXAMPLES, max_examples=20)
    @given(data=st.data())
    def test_damaged_payloads_are_refused_or_read_as_other_images(
        self, coder: Coder, images_NHWC: np.ndarray, data: st.DataObject
    ) -> None:
        count = data.draw(st.integers(1, 4))
        payload = bytearray(coder.write(coder.values_of(images_NHWC[:count]), [count])[0])
        if data.draw(st.booleans()):
            payload = payload[: data.draw(st.integers(0, len(payload)))]
        elif payload:
            payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            values = coder.read([bytes(payload)], [count])
        except CorruptError:
            return
        assert coder.images_of(values).shape == (count, *coder.kind)

    def test_ideal_bits_are_what_is_written(self, coder: Coder, images_NHWC: np.ndarray) -> None:
        values = coder.values_of(images_NHWC)
        bits_N = np.full(len(values), np.nan)
        (payload,) = coder.write(values, [len(values)], bits_N)
        assert bits_N == pytest.approx(coder.bits(values))
        assert bits_N.min() > 0
        slack_bits = SLACK_BITS * (len(values) if coder.codes_alone else 1)
        assert 8 * len(payload) <= bits_N.sum() * (1 + self.overhead) + slack_bits

    overhead = 0.01
    """By how much of the ideal code length a payload may exceed it."""

    def test_its_probe_is_reproduced(self, coder: Coder, images_NHWC: np.ndarray) -> None:
        del images_NHWC
        coder.check_probe()
