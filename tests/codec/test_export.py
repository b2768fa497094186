"""The three exported models: valid ONNX that gives, alone, what the codec gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from compressnet.codec.bundle import Bundle
from compressnet.codec.codec import Codec
from compressnet.codec.export import export
from compressnet.codec.file import from_bytes, to_bytes
from compressnet.errors import CodecError, InputError


def run(path: Path, batch: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: batch})[0]


@pytest.mark.parametrize("quality", [0, 60, 99])
def test_models_give_what_the_codec_gives(tiny: Codec, tiny_images: np.ndarray, quality: int, tmp_path: Path) -> None:
    paths = export(tiny.bundle, tmp_path / "models", quality)
    assert [path.name for path in paths] == ["encoder.onnx", "decoder.onnx", "autoencoder.onnx"]
    encoder, decoder, autoencoder = paths
    symbols = run(encoder, tiny_images)
    assert symbols.dtype == np.int32
    assert np.array_equal(symbols, tiny.encoder(tiny_images, quality))
    decoded = run(decoder, symbols)
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, tiny.decoder(symbols, quality))
    assert np.array_equal(run(autoencoder, tiny_images), decoded)
    assert np.array_equal(run(autoencoder, tiny_images[:1]), decoded[:1])


def test_models_are_checked_old_enough_and_described(tiny_bundle: Bundle, tmp_path: Path) -> None:
    network = tiny_bundle.networks[0]
    for path in export(tiny_bundle, tmp_path, 42):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert [opset.version for opset in model.opset_import] == [13]
        assert {entry.key: entry.value for entry in model.metadata_props} == {
            "compressnet.codec": tiny_bundle.name,
            "compressnet.identity": tiny_bundle.identity.hex(),
            "compressnet.quality": "42",
            "compressnet.kind": "x".join(map(str, network.kind)),
            "compressnet.symbols": str(len(network.prior.order)),
        }
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_a_codec_without_encoder_or_quality_is_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    part = from_bytes(to_bytes(tiny_bundle, encoder=False), "part")
    with pytest.raises(CodecError, match="has no encoder"):
        export(part, tmp_path, 60)
    with pytest.raises(InputError, match="quality 100"):
        export(tiny_bundle, tmp_path, 100)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="file: cannot be written"):
        export(tiny_bundle, tmp_path / "file", 60)
