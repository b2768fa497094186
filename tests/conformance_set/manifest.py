"""Writes the files of the set, and the manifest of all files in tests/conformance."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

from conformance_set import broken, codecs, whole
from conformance_set.outcome import MANIFEST, entry_of

SET = "set"
"""The folder of the small files."""


def write_set(folder: Path) -> None:
    """Write the small files anew, and the manifest of these and of all that lies beside them."""
    codec_of = {path.name: path.stem.split("-")[0] for path in folder.glob("*.block")}
    shutil.rmtree(folder / SET, ignore_errors=True)
    (folder / SET).mkdir()
    read = ((f"{name}.cnet", data, codec) for name, data, codec in whole.archives())
    refused = ((f"refused-{name}.cnet", data, codec) for name, data, codec in broken.archives())
    for name, data, codec in itertools.chain(read, refused, codecs.files()):
        assert not (folder / SET / name).exists(), f"two files are called {name}"
        (folder / SET / name).write_bytes(data)
        if codec is not None:
            codec_of[f"{SET}/{name}"] = codec
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    names = [path.relative_to(folder).as_posix() for path in paths]
    document = {name: entry_of(folder, name, codec_of.get(name)) for name in names}
    for name, entry in document.items():
        expected = name.startswith(f"{SET}/refused-")
        assert not (expected and "error" not in entry), f"{name} is to be refused, but is read"
        assert name.startswith(f"{SET}/refused-") or not name.endswith(".cnet") or "error" not in entry, (name, entry)
    (folder / MANIFEST).write_text(json.dumps(document, indent=1) + "\n")
