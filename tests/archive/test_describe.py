"""What `info` tells of archives and codecs, and that it takes no network to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import compressnet
from compressnet.archive.describe import describe
from compressnet.codec.codec import Codec
from compressnet.errors import CodecNotFoundError, FormatError
from conftest import CONFORMANCE


def test_an_archive(tiny_name: str, tiny: Codec, tiny_images: np.ndarray) -> None:
    path = CONFORMANCE / f"{tiny_name}.cnet"
    told = describe(str(path))
    assert told["type"] == "archive"
    assert told["format_version"] == 1
    assert told["images"] == 23
    assert told["shape"] == list(tiny_images.shape)
    assert told["archive_bytes"] == path.stat().st_size
    assert told["bytes_per_image"] == path.stat().st_size / 23
    assert told["blocks"] == 3
    assert told["methods"] == {"lossy": 3}
    assert told["qualities"] == [60]
    assert told["codecs"][0]["identity"] == tiny.identity
    assert told["codecs"][0]["embedded_bytes"] > 0


def test_an_archive_without_its_codec_is_described_all_the_same(
    tiny: Codec, tiny_images: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "a.cnet"
    compressnet.compress(tiny_images, path, tiny, embed_codec=False)
    told = describe(str(path))
    assert told["codecs"] == [{"name": tiny.name, "identity": tiny.identity, "embedded_bytes": None}]
    assert told["labels"] is None


def test_a_mixed_archive() -> None:
    told = describe(str(CONFORMANCE / "mixed.cnet"))
    assert told["images"] == 21
    assert told["shape"] == [21]
    assert told["kinds"] == [
        {"shape": [8, 8, 4], "bits": 8, "coded_channels": 4, "images": 11},
        {"shape": [5, 7, 3], "bits": 8, "coded_channels": 3, "images": 8},
        {"shape": [4, 4], "bits": 8, "coded_channels": 1, "images": 2},
    ]
    assert told["duplicates"] == 4
    assert told["stored_images"] == 8
    assert told["methods"] == {"lossy": 3, "stored": 3}
    assert told["names"] is True


def test_a_codec(tiny_path: Path, tiny: Codec) -> None:
    told = describe(str(tiny_path))
    assert told["type"] == "codec"
    assert told["identity"] == tiny.identity
    assert told["codec_bytes"] == tiny_path.stat().st_size > told["embedded_bytes"]
    assert told["networks"][0]["kind"] == list(tiny.kinds[0])
    assert told["networks"][0]["qualities"] == [0, 99]


def test_a_shipped_codec_by_name(shipped: Codec) -> None:
    assert describe("mnist")["identity"] == shipped.identity


def test_what_is_neither(tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    path.write_bytes(b"text")
    with pytest.raises(FormatError, match=r"a\.cnet: not a compressnet archive"):
        describe(str(path))
    path = tmp_path / "a.txt"
    path.write_bytes(b"text")
    with pytest.raises(FormatError, match=r"a\.txt: not a compressnet codec"):
        describe(str(path))
    with pytest.raises(CodecNotFoundError, match="no such codec"):
        describe(str(tmp_path / "none"))
