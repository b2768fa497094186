"""A host that is not installed is named, with the line that installs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {module!r}:
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Block())
from compressnet.errors import CompressnetError
try:
    import compressnet.integrations.{module}
except ImportError as error:
    assert isinstance(error, CompressnetError)
    print(error)
"""


@pytest.mark.parametrize("module", ["torch", "zarr", "numcodecs", "datasets", "sklearn", "dask"])
def test_a_missing_host_gives_the_line_that_installs_it(module: str) -> None:
    program = BLOCKED.format(module=module)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert f"is not installed, and compressnet.integrations.{module} is for it" in result.stdout, result.stderr
    assert f"pip install 'compressnet[{module}]'" in result.stdout
