"""The command export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compressnet.commands.console import console, guarded
from compressnet.commands.options import QualityOption, QuietOption, local_path


@guarded
def export(
    codec: Annotated[str, typer.Argument(metavar="CODEC", help="A shipped codec's name, or a .codec file.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", parser=local_path, help="The folder to write into.")
    ],
    quality: QualityOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write encoder.onnx, decoder.onnx and autoencoder.onnx."""
    from compressnet.codec.export import export as export_models
    from compressnet.codec.shipped import read_bundle

    bundle = read_bundle(codec)
    for path in export_models(bundle, output, bundle.default_quality if quality is None else quality):
        if not quiet:
            console.print(str(path))
