"""Sets of archives: the same files whoever writes them, and what is missing is done again."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

import compressnet
from compressnet.archive.manifest import read_manifest
from compressnet.errors import InputError
from compressnet.images import Account, Reading
from compressnet.images.formats.pictures.pictures import encode_png
from compressnet.packing.sharding.plan import Survey, cut
from compressnet.packing.sources import open_source
from sets import Here, contents, drawn, write

IMAGES = drawn(250)


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """An array and a tar of pictures, of which the latter is read from its start."""
    np.save(tmp_path / "a.npy", IMAGES[:140])
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        for i, image in enumerate(IMAGES[140:]):
            data = encode_png(image)
            member = tarfile.TarInfo(f"{i:03d}.png")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return [tmp_path / "a.npy", tmp_path / "b.tar"]


def test_the_order_of_tasks_changes_no_byte(inputs: list[Path], tmp_path: Path) -> None:
    write(inputs, tmp_path / "one", shard_images=40)
    write(inputs, tmp_path / "other", shard_images=40, engine=Here(backwards=True))
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    with compressnet.open(tmp_path / "one") as archives:
        assert np.array_equal(archives[:], IMAGES)


def test_a_rerun_writes_what_is_missing_and_what_is_damaged(inputs: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(inputs, folder, shard_images=40)
    before = contents(folder)
    shards = [shard.file for shard in read_manifest(folder).shards]
    (folder / shards[0]).unlink()
    (folder / shards[4]).write_bytes(before[shards[4]][:-30])
    (folder / shards[6]).write_bytes(before[shards[6]][:200] + b"?" + before[shards[6]][201:])
    (folder / f".{shards[5]}.1234.tmp").write_bytes(b"what a killed worker leaves")
    done = write(inputs, folder, shard_images=40)
    assert done.reused == len(shards) - 3
    assert done.written.images == 35 + 36 + 37
    assert contents(folder) == before


def test_a_run_that_stops_goes_on(inputs: list[Path], tmp_path: Path) -> None:
    class Stops(Here):
        def each(self, function, items):
            for number, result in super().each(function, items):
                yield number, result
                if function.__name__ == "write_shards" and number == 1:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(inputs, tmp_path / "out", shard_images=40, engine=Stops())
    assert (tmp_path / "out" / "plan.json").is_file()
    with pytest.raises(InputError, match="not finished"):
        compressnet.open(tmp_path / "out")
    assert write(inputs, tmp_path / "out", shard_images=40).reused == 2
    write(inputs, tmp_path / "other", shard_images=40)
    assert contents(tmp_path / "out") == contents(tmp_path / "other")


def test_another_command_does_not_mix_with_a_set(inputs: list[Path], tmp_path: Path) -> None:
    write(inputs, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(InputError, match="other inputs or options"):
        write(inputs[:1], tmp_path / "out")
    assert contents(tmp_path / "out") == before
    write(inputs[:1], tmp_path / "out", force=True)
    write(inputs[:1], tmp_path / "other")
    assert contents(tmp_path / "out") == contents(tmp_path / "other")


def test_a_folder_with_something_else_stays(inputs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not empty, it has a.npy"):
        write(inputs, tmp_path)


def test_an_input_given_twice_is_a_mistake(inputs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.npy: is given twice"):
        write([inputs[0], inputs[0]], tmp_path / "out")


def test_labels_that_some_inputs_lack_are_left_out_with_a_word(inputs: list[Path], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy.labels.npy", np.arange(140))
    done = write(inputs, tmp_path / "out")
    with compressnet.open(tmp_path / "out") as archives:
        assert archives.labels is None
    assert any("dropped, labels, as others have none" in line for line in done.account.lines())
    with pytest.raises(InputError, match="--strict"):
        write(inputs, tmp_path / "strict", strict=True)


def test_shards_of_an_input_are_alike_in_length() -> None:
    about = {"seekable": True, "labels": None, "class_names": None, "names": False, "account": Account()}
    surveys = [Survey(source=name, images=images, **about) for name, images in (("a", 250), ("b", 7), ("c", 100))]
    shards = [(shard.source, shard.start, shard.stop) for shard in cut(surveys, 100)]
    assert shards == [("a", 0, 83), ("a", 83, 166), ("a", 166, 250), ("b", 0, 7), ("c", 0, 100)]


def test_a_zarr_array_is_an_input(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.create_array(tmp_path / "a.zarr", data=IMAGES, chunks=(64, 16, 16, 3))
    zarr.create_group(tmp_path / "group.zarr")
    collection = open_source(str(tmp_path / "a.zarr"), Reading())
    assert np.array_equal(collection.load(), IMAGES)
    assert np.array_equal(np.concatenate(list(collection.between(60, 200))), IMAGES[60:200])
    with pytest.raises(InputError, match=r"group.zarr: cannot be opened as a Zarr array"):
        open_source(str(tmp_path / "group.zarr"), Reading())
