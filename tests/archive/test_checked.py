"""Without loss: every value of every image is as it was given, or there is no archive."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.adaptive.coder import AdaptiveCoder
from compressnet.archive import checked
from compressnet.codec.codec import Codec
from compressnet.coding.stored import StoredCoder
from compressnet.errors import DefectError, InputError
from compressnet.images import Collection
from compressnet.images.forms import Form
from compressnet.lossless.coder import LosslessCoder
from compressnet.packing.options import PackOptions
from compressnet.packing.pack import pack
from conftest import CONFORMANCE

SHAPES = [(3, 4), (3, 4, 1), (3, 4, 2), (3, 4, 3), (3, 4, 4), (28, 28), (28, 28, 3), (5, 2, 4)]
Images = list[np.ndarray]


class Silent:
    """A watcher that says nothing."""

    def training(self, progress: Any, /) -> None: ...

    def step(self, text: str) -> None: ...

    def packed(self, images: int) -> None: ...


def picture(shape: tuple[int, ...], dtype: str, look: str, seed: int) -> np.ndarray:
    """Noise, or few values, or grey saved in other modes; with colour under alpha 0."""
    top = np.iinfo(dtype).max
    generator = np.random.default_rng(seed)
    values = generator.integers(0, top + 1, shape) if look == "noise" else generator.integers(0, 2, shape) * top
    if look == "grey" and shape[2:] in ((3,), (4,)):
        values[..., 1:3] = values[..., :1]
    if look == "opaque" and shape[2:] in ((2,), (4,)):
        values[..., -1] = top
    if look == "hidden" and shape[2:] in ((2,), (4,)):
        values[..., -1] *= generator.integers(0, 2, shape[:2])
    return values.astype(dtype)


PICTURES = st.lists(
    st.builds(
        picture,
        st.sampled_from(SHAPES),
        st.sampled_from(["uint8", "uint8", "uint16"]),
        st.sampled_from(["noise", "few", "grey", "opaque", "hidden"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=50,
)


def require_same(path: Path, images: Images) -> None:
    with compressnet.open(path) as archive:
        assert len(archive) == len(images)
        assert archive.shapes == [image.shape for image in images]
        for i, (image, known) in enumerate(zip(archive, images, strict=True)):
            assert image.dtype == known.dtype
            assert np.array_equal(image, known)
            assert np.array_equal(archive[i], known)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    images=PICTURES,
    options=st.sampled_from([{"quality": 100}, {"max_error": 0}, {"quality": 100, "codec": None}, {"max_error": 0}]),
    modes=st.sampled_from(["as-is", "tight"]),
    block_images=st.integers(1, 9),
)
def test_any_collection_goes_through_bit_for_bit(
    images: Images, options: dict[str, Any], modes: Any, block_images: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.cnet"
        batches = [image[None] for image in images]
        written = compressnet.compress(batches, path, **options, modes=modes, block_images=block_images)
        assert written.lossless_checked
        assert written.hidden_cleared == 0
        assert f"without loss: all {len(images)} images were read back" in written.remarks()[-1]
        require_same(path, images)
        stream = io.BytesIO()
        compressnet.compress(batches, stream, **options, modes=modes, block_images=block_images)
        assert stream.getvalue() == path.read_bytes()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(images=PICTURES, modes=st.sampled_from([None, "as-is", "tight"]))
def test_any_collection_is_packed_bit_for_bit(images: Images, modes: Any) -> None:
    batches = [image[None] for image in images]
    collection = Collection(name="any", count=len(images), batches=lambda: iter(batches))
    options = PackOptions(lossless=True, advise=False, modes=modes, preset="fast")
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(collection, Path(folder) / "a.cnet", options, Silent())
        assert packed.written.lossless_checked
        require_same(Path(folder) / "a.cnet", images)


def flipped(images: np.ndarray) -> np.ndarray:
    other = np.array(images)
    other[0, 1, 1, -1] ^= 1
    return other


@pytest.fixture(params=["stored", "lossless", "adaptive", "form", "reading"])
def defect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fault in what writes images, in one of its parts."""
    if request.param == "stored":
        was = StoredCoder.values_of
        monkeypatch.setattr(StoredCoder, "values_of", lambda *args: flipped(was(*args)))
    elif request.param == "lossless":
        wrote = LosslessCoder.values_of
        monkeypatch.setattr(LosslessCoder, "values_of", lambda *args: flipped(wrote(*args)))
    elif request.param == "adaptive":
        learned = AdaptiveCoder.values_of
        monkeypatch.setattr(AdaptiveCoder, "values_of", lambda *args: flipped(learned(*args)))
    elif request.param == "form":
        coded = Form.coded
        monkeypatch.setattr(Form, "coded", lambda *args: flipped(coded(*args)))
    else:
        monkeypatch.setattr(checked, "digests_of", lambda images: [bytes(16)] * len(images))
    return request.param


@pytest.mark.parametrize("options", [{"quality": 100}, {"max_error": 0}])
def test_a_defect_leaves_what_was_there(
    defect: str, options: dict[str, Any], mnist: np.ndarray, tmp_path: Path
) -> None:
    path, stream = tmp_path / "a.cnet", io.BytesIO()
    path.write_bytes(b"what was there")
    images = np.concatenate([mnist[:20], np.random.default_rng(0).integers(0, 256, (9, 28, 28)).astype(np.uint8)])
    codec = None if defect == "adaptive" else "mnist"
    for target in (path, stream):
        with pytest.raises(DefectError, match=r"did not come back as it was given, .*report it"):
            compressnet.compress(images, target, codec, **options)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]
    assert stream.getvalue() == b""


def test_append_and_subset_check_what_they_write(
    mnist: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.cnet"
    compressnet.compress(mnist[:20], path, quality=100)
    assert compressnet.append(path, mnist[20:25]).lossless_checked
    before = path.read_bytes()
    was = LosslessCoder.write
    monkeypatch.setattr(LosslessCoder, "write", lambda self, values, *args: was(self, flipped(values), *args))
    with pytest.raises(DefectError, match=r"image (2[5-9]|3[0-4]) did not come back"):
        compressnet.append(path, mnist[25:35])
    assert path.read_bytes() == before
    with compressnet.open(path) as archive, pytest.raises(DefectError, match="does not hold the same values"):
        compressnet.subset(archive, slice(1, 9), tmp_path / "b.cnet")
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_read_back_is_a_defect(mnist: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(_self: object, _values: object, counts: list[int], _bits: object = None) -> list[bytes]:
        return [b"\xff" * 9] * len(counts)

    monkeypatch.setattr(LosslessCoder, "write", write)
    with pytest.raises(DefectError, match="report it"):
        compressnet.compress(mnist[:3], io.BytesIO(), quality=100)


def test_quality_100_is_not_made_coarser_by_bounds(mnist: np.ndarray, tmp_path: Path) -> None:
    images = [mnist[:5], np.random.default_rng(0).integers(0, 256, (3, 7, 7, 4)).astype(np.uint8)]
    for bounds in ({"max_error": 9}, {"min_psnr": 20.0}):
        written = compressnet.compress(images, tmp_path / "a.cnet", quality=100, **bounds)
        assert written.lossless_checked
        require_same(tmp_path / "a.cnet", [image for array in images for image in array])


def test_images_that_no_network_fits_are_learned_where_nothing_may_be_lost(tmp_path: Path) -> None:
    grey = compressnet.load(CONFORMANCE / "grey.codec", threads=1)
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] + np.full((3, 7, 7, 4), 9, np.uint8)
    for codec, options in (("mnist", {"quality": 100}), (grey, {"max_error": 0}), ("mnist", {"max_error": 0})):
        written = compressnet.compress(images, tmp_path / "a.cnet", codec, **options)
        assert (written.learned, written.lossless_checked) == (3, True)
        assert "3 images coded without the codec, learned from themselves: no network for 7x7x4" in written.remarks()
        require_same(tmp_path / "a.cnet", list(images))
    with pytest.raises(InputError, match="7x7x4"):
        compressnet.compress(images, tmp_path / "a.cnet", grey, quality=60)


def test_lossy_archives_say_nothing_of_that(shipped: Codec, mnist: np.ndarray) -> None:
    written = compressnet.compress(mnist[:5], io.BytesIO(), shipped)
    assert not written.lossless_checked
    assert written.remarks() == []


def test_hidden_colour_that_is_not_kept_is_counted() -> None:
    images = np.random.default_rng(0).integers(1, 256, (6, 4, 4, 4)).astype(np.uint8)
    images[:4, 1, 1, 3] = 0
    images[3, 1, 1] = 0
    doubled = np.concatenate([images, images])
    for options, expected in (({"quality": 92}, 6), ({}, 0), ({"max_error": 3}, 0), ({"quality": 100}, 0)):
        written = compressnet.compress(doubled, io.BytesIO(), None, **options)
        assert written.hidden_cleared == written.as_json()["hidden_cleared"] == expected
    remark = "6 images lost the colour under alpha 0, which nobody sees; --exact-alpha keeps it"
    assert remark in compressnet.compress(doubled, io.BytesIO(), None, 92).remarks()
