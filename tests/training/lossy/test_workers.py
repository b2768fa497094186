"""Jobs: what trains is the same wherever it runs."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

import pytest

from compressnet.codec.file import from_bytes
from compressnet.training.common.options import Options
from compressnet.training.freeze.thaw import design_of, hash_of, thaw
from compressnet.training.lossy.workers import Job
from conftest import CONFORMANCE
from make_conformance import blobs


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "refined"])
def test_a_job_is_the_same_in_another_process(tmp_path: Path, is_new: bool) -> None:
    """It is pickled on its way there."""
    path = CONFORMANCE / "grey.codec"
    network = from_bytes(path.read_bytes(), str(path)).networks[0]
    design = design_of(network, "grey")
    job = Job(
        sets=[blobs(40, network.kind, 5)],
        output=tmp_path / "a.codec",
        options=Options(epochs=1, holdout=10, batch=8),
        design=design,
        thawed=None if is_new else partial(thaw, network, design),
        origin=None if is_new else hash_of(network),
    )
    here, there = job.trainer(), pickle.loads(pickle.dumps(job)).trainer()
    assert here.quantized == there.quantized == (not is_new)
    assert here.measure(50, 10) == there.measure(50, 10)
