"""What importing costs and brings: no torch, no ONNX, no Pillow, no command line, until they are
used; and what opening an archive and the command line's first words do without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import compressnet

HEAVY = (
    *("torch", "onnx", "onnxruntime", "PIL", "pyarrow", "typer", "rich", "constriction", "skimage"),
    *("zarr", "numcodecs", "datasets", "sklearn", "dask", "distributed", "fsspec", "aiohttp"),
)

NOT_FOR_READING = (
    *(name for name in HEAVY if name != "constriction"),
    *("png", "tifffile", "unittest", "multiprocessing", "tempfile", "numpy.ma", "numpy.testing"),
    *("compressnet.archive.writing", "compressnet.bench", "compressnet.images.formats", "compressnet.packing"),
)
"""`constriction` is what reads payloads."""

BLOCK_TORCH = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, Block())
from compressnet.commands.cli import run
sys.argv = ["compressnet", *sys.argv[1:]]
run()
"""


def python(program: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=cwd)


def test_import_brings_nothing_heavy() -> None:
    program = f"import compressnet, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert python(program).stdout.strip() == "[]"


def test_opening_and_reading_bring_nothing_that_they_do_not_need(tmp_path: Path) -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    images[:, 9:20, 9] = 255
    program = (
        "import compressnet, sys\n"
        "archive = compressnet.open(sys.argv[1], backend='numpy')\n"
        "archive[0]; archive[1]\n"
        f"print([name for name in {NOT_FOR_READING!r} if name in sys.modules])"
    )
    for quality in (46, 100):
        compressnet.compress(images, tmp_path / "a.cnet", quality=quality)
        result = python(program, str(tmp_path / "a.cnet"))
        assert result.stdout.strip() == "[]", result.stderr


def test_help_and_version_bring_neither_numpy_nor_rich() -> None:
    program = (
        "import sys\n"
        "from compressnet.commands.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        f"print([name for name in ('numpy', *{HEAVY!r}) if name in sys.modules])"
    )
    for option in ("--help", "--version"):
        result = python(program, option)
        assert result.stdout.splitlines()[-1] == "['typer']", result.stderr


def test_coding_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; import numpy as np; import compressnet\n"
        "images = np.zeros((2, 28, 28), np.uint8)\n"
        "compressnet.compress(images, 'a.cnet'); compressnet.open('a.cnet')[1]\n"
        "print([name for name in ('torch', 'PIL', 'typer') if name in sys.modules])"
    )
    result = python(program, cwd=tmp_path)
    assert result.stdout.strip() == "[]", result.stderr


def test_training_without_torch_names_the_extra(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((100, 8, 8), np.uint8))
    result = python(BLOCK_TORCH, "train", "a.npy", "-o", "a.codec", cwd=tmp_path)
    assert result.returncode == 1
    assert "compressnet[train]" in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
