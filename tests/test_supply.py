"""What the package brings and uses: codecs that are what they were, and no pickle."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import pytest

import compressnet
from compressnet.codec.shipped import read_bundle, shipped_codecs

SOURCE = Path(compressnet.__file__).parent
SHIPPED = {
    "any-1.codec": "18b9fbd11e57c1d1b6b2e7c9b4927b09c89cd27df8e4c6bf77e6946e5839c0a7",
    "fashion-mnist-1.codec": "4728576c9f823067cee1ba9fc7c4558e3fa1a3495f7fd22f0c47f26eae12f345",
    "mnist-1.codec": "c9c6727098bc97182a906e025b5c9f190f882b56cdb48e9f9c550d029af4b183",
    "photo-1.codec": "5489364cc8ffa948cc45e4611e4eac5def09df4593ff02b2254ff3b2d7b8c8a4",
}
"""SHA-256 of each codec's file: a new version of a codec has a new name."""
RUNS_WHAT_IT_READS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"}
EVALUATES = {"eval", "exec", "compile", "__import__"}


def test_shipped_codecs_are_what_they_were() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shipped_codecs().values()}
    assert found == SHIPPED
    for name, path in shipped_codecs().items():
        assert read_bundle(name).name == path.stem


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_reader_runs_what_it_reads(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & RUNS_WHAT_IT_READS
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in RUNS_WHAT_IT_READS
        elif isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            called = f"{ast.unparse(node.func)}" if isinstance(node.func, ast.Attribute) else called
            assert called not in EVALUATES
            given = {each.arg: ast.unparse(each.value) for each in node.keywords}
            assert given.get("allow_pickle", "False") == "False"
            if called == "torch.load":
                assert given["weights_only"] == "True"
            if called in ("np.load", "numpy.load", "read_array", "format.read_array"):
                assert given["allow_pickle"] == "False"
