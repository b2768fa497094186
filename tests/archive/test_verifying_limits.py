"""What reading all of a small file may take, and what joining archives may."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compressnet.coding.stored import pack_stored
from compressnet.images.forms import Form
from conformance_set.layout import Layout, block, kind
from conformance_set.whole import of_primer
from conftest import CONFORMANCE
from run_commands import refused, run


def test_all_blocks_of_a_small_file_may_take_so_much_and_no_more(tmp_path: Path) -> None:
    flat, path = np.zeros((1, 2048, 2048, 1), np.uint8), tmp_path / "a.cnet"
    layout = of_primer(flat[:, :9, :9], flat)[0]
    layout.entries *= 120
    path.write_bytes(layout.data())
    message = refused(3, "verify", path, "--limits", "work=1e10")
    assert "together, too many for so small a file" in message
    assert "--limits work=" in message
    layout.entries = layout.entries[:2]
    path.write_bytes(layout.data())
    assert "all well" in run("verify", path).stdout


@pytest.mark.parametrize("command", ["concat", "append"])
def test_archives_that_are_joined_may_take_more_where_the_user_says_so(command: str, tmp_path: Path) -> None:
    path, images = tmp_path / "a.cnet", np.zeros((1, 6, 5, 3), np.uint8)
    if command == "concat":  # the order of its images takes memory
        entries = [block(pack_stored(images, 1), 1)]
        path.write_bytes(Layout(front=[kind(Form(shape=(6, 5, 3)))], entries=entries, places=[0] * (1 << 16)).data())
        arguments = ["concat", path, "-o", tmp_path / "b.cnet"]
    else:  # the primer does
        path.write_bytes((CONFORMANCE / "set/count-adaptive-3.cnet").read_bytes())
        np.save(tmp_path / "in.npy", images)
        arguments = ["append", path, tmp_path / "in.npy"]
    assert "--limits memory=" in refused(3, *arguments, "--limits", "memory=1")
    run(*arguments)
