"""The library's verbs: which codec is used, what is written where, and what is said when it cannot
be."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest

import compressnet
from compressnet.codec.codec import Codec
from compressnet.errors import CodecNotFoundError, CompressnetError, CorruptError, FormatError, InputError


def test_public_names() -> None:
    for name in compressnet.__all__:
        assert getattr(compressnet, name) is not None
    assert {"load", "compress", "open", "errors"} <= set(compressnet.__all__)
    assert issubclass(compressnet.errors.CorruptError, compressnet.errors.CompressnetError)
    with pytest.raises(AttributeError, match="no_such_name"):
        compressnet.no_such_name  # noqa: B018


def test_shipped_codecs_by_name_and_version() -> None:
    assert compressnet.load("mnist").identity == compressnet.load("mnist-1").identity


def test_unknown_codecs_are_named() -> None:
    with pytest.raises(CodecNotFoundError, match=r"nothing: no such codec; .*mnist"):
        compressnet.load("nothing")


@pytest.mark.parametrize(("backend", "threads", "message"), [("cuda", 1, "'cuda'"), ("onnx", 0, "0 threads")])
def test_bad_settings(backend: str, threads: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compressnet.load("mnist", backend, threads)  # type: ignore[arg-type]


def test_a_codec_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "bad.codec"
    path.write_bytes(b"nothing of the sort")
    with pytest.raises(FormatError, match=r"bad\.codec: not a compressnet codec"):
        compressnet.load(path)


def test_a_replaced_codec_file_is_read_anew(tmp_path: Path, grey_path: Path) -> None:
    path = tmp_path / "a.codec"
    shutil.copy(grey_path, path)
    first = compressnet.load(path).identity
    shutil.copy(grey_path.with_name("rgb.codec"), path)
    assert compressnet.load(path).identity != first


def test_a_codec_of_ones_own_is_embedded_by_default(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path) -> None:
    compressnet.compress(tiny_images, tmp_path / "with.cnet", tiny)
    compressnet.compress(tiny_images, tmp_path / "without.cnet", tiny, embed_codec=False)
    with compressnet.open(tmp_path / "with.cnet") as archive:
        assert archive.codecs[0].identity == tiny.identity
    with pytest.raises(CodecNotFoundError, match=rf"without\.cnet: needs the codec .*{tiny.identity}.*--codec"):
        compressnet.open(tmp_path / "without.cnet")
    with compressnet.open(tmp_path / "without.cnet", tiny) as archive:
        assert np.array_equal(archive[:], tiny.autoencoder(tiny_images).reshape(tiny_images.shape))


@pytest.mark.parametrize("packed", [False, True])
def test_an_embedded_codec_of_another_identity_is_refused(tiny: Codec, packed: bool) -> None:
    from compressnet.codec.file import to_bytes
    from compressnet.codec.packed import pack_bundle
    from compressnet.container.entries import EMBEDDED_AS_FILE, EMBEDDED_PACKED, CodecEntry
    from compressnet.container.writer import ContainerWriter
    from compressnet.images.forms import Form

    embedded = pack_bundle(tiny.bundle) if packed else to_bytes(tiny.bundle, encoder=False)
    stream = io.BytesIO()
    entry = CodecEntry(
        identity=bytes(32), name="tiny", embedded=embedded, embedded_as=EMBEDDED_PACKED if packed else EMBEDDED_AS_FILE
    )
    ContainerWriter(stream, [entry], [Form(shape=tiny.kinds[0])]).finish(None)
    with pytest.raises(CorruptError, match="does not have the identity"):
        compressnet.open(stream.getvalue())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 8, 12), np.uint8), "no images"),
        (np.zeros((2, 8, 13), np.uint8), "8x13"),
        (np.zeros((2, 8, 12), np.float32), "uint8"),
        (np.zeros((2, 8), np.uint8), "shape"),
        ([np.zeros((1, 8, 12, 3), np.uint8), np.zeros((1, 12, 8), np.uint8)], "8x12x3"),
        (np.zeros((2, 8, 12, 5), np.uint8), "8x12x5"),
        ([np.zeros((1, 8, 12), np.uint8), np.zeros((1, 1, 5000), np.uint8)], "1x5000x1"),
        ([], "no images"),
    ],
)
def test_images_that_cannot_be_packed(grey_path: Path, tmp_path: Path, images: object, message: str) -> None:
    target = tmp_path / "a.cnet"
    target.write_bytes(b"what was there")
    with pytest.raises(InputError, match=message):
        compressnet.compress(images, target, grey_path)  # type: ignore[arg-type]
    assert target.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("option", "value"), [("quality", 100), ("quality", -1), ("effort", 0), ("effort", 10)])
def test_settings_out_of_range(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path, option: str, value: int) -> None:
    with pytest.raises(InputError, match=str(value)):
        compressnet.compress(tiny_images, tmp_path / "a.cnet", tiny, **{option: value})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_labels_have_to_match(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 labels for 23 images"):
        compressnet.compress(tiny_images, tmp_path / "a.cnet", tiny, labels=[1, 2, 3])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tiny: Codec, tiny_images: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        compressnet.compress(tiny_images, tmp_path / "no" / "a.cnet", tiny)
    with pytest.raises(CompressnetError, match=r"none\.cnet"):
        compressnet.open(tmp_path / "none.cnet")
