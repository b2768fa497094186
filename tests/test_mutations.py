"""Whatever is changed in a file, readers give something or raise one of our errors.

Checksums and lengths are put right again, so that changes reach what is behind them.
`tests/run_mutations.py` runs as many as one likes.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.codec.file import from_bytes
from compressnet.errors import CompressnetError
from conftest import CONFORMANCE
from mutated_archives import archive_data, changed_archive, read_archive, taken_apart, whole_archives
from mutated_codecs import CODECS, backends, changed_codec, use
from mutations import run_mutation

LARGE = ("grey", "tiles", "any", "lossless", "mixed", "deep", "near", "tight", "adaptive")
SEEDS = st.integers(0, 1 << 32)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(CODECS), seed=SEEDS)
def test_changed_codecs(name: str, seed: int) -> None:
    with suppress(CompressnetError):
        use(from_bytes(changed_codec(name, random.Random(seed)), "changed"), backends())


@pytest.mark.filterwarnings("ignore::compressnet.errors.SlowerWarning")
@pytest.mark.parametrize("name", LARGE)
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_changed_archives(name: str, seed: int) -> None:
    read_archive(f"{name}.cnet", *changed_archive(f"{name}.cnet", random.Random(seed)))


@pytest.mark.filterwarnings("ignore::compressnet.errors.SlowerWarning")
@settings(max_examples=200, deadline=None)
@given(seed=SEEDS)
def test_changed_files_of_all_kinds(seed: int) -> None:
    run_mutation(seed)


@pytest.mark.parametrize("name", list(whole_archives()))
def test_an_archive_that_is_taken_apart_comes_together_again(name: str) -> None:
    assert taken_apart(archive_data(name)).data() == archive_data(name)


def test_a_mutation_is_the_same_each_time() -> None:
    made = [changed_archive("grey.cnet", random.Random(seed)) for seed in range(20)]
    assert made == [changed_archive("grey.cnet", random.Random(seed)) for seed in range(20)]
    assert len({data for data, _ in made}) > 10


@pytest.mark.slow
def test_the_script_counts_what_it_ran(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(CONFORMANCE.parent / "run_mutations.py"), "60", "--figures", str(figures)]
    subprocess.run(command, check=True, capture_output=True)
    document = json.loads(figures.read_text())
    assert (document["mutations"], document["faults"]) == (60, 0)
    assert sum(document["kinds"].values()) == 60
