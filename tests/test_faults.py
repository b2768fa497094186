"""What goes wrong around a command leaves its target as it was, and is told in one line."""

from __future__ import annotations

import io
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import compressnet
from compressnet.archive.maintain import append
from compressnet.errors import CompressnetError, CorruptError, InputError
from compressnet.files import TEMPORARY, atomic_open, atomic_write, temporary_folder
from conftest import CONFORMANCE
from kills import COMMANDS, kill_some
from picture_files import grey
from run_commands import GREY, read, refused, run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, locks and limits of POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images in `in.npy`, and an archive of others in `out.cnet`."""
    images = np.random.default_rng(1).integers(0, 256, (60, 8, 12), np.uint8)
    np.save(tmp_path / "in.npy", images[:40])
    compressnet.compress(images[40:], tmp_path / "out.cnet", GREY)
    return tmp_path


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(TEMPORARY)]


@pytest.mark.parametrize("command", ["compress", "append", "concat"])
def test_a_killed_command_leaves_the_old_or_the_new(command: str, tmp_path: Path) -> None:
    _, faults = kill_some(command, 2, CONFORMANCE / "grey.codec", tmp_path)
    assert not faults


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_forty_kills_leave_the_old_or_the_new(command: str, tmp_path: Path) -> None:
    times = 2 if command in ("pack", "train") else 12
    killed, faults = kill_some(command, times, CONFORMANCE / "grey.codec", tmp_path)
    assert not faults
    assert killed


def kill_while_writing(target: Path, *, is_folder: bool) -> None:
    """What a process leaves that is killed while it writes."""
    child = os.fork()
    if child == 0:
        with temporary_folder(target) if is_folder else atomic_open(target):
            os._exit(0)
    os.waitpid(child, 0)


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_killed_processes_left_is_removed_by_the_next(tmp_path: Path, *, is_folder: bool) -> None:
    kill_while_writing(tmp_path / "a.cnet", is_folder=is_folder)
    assert len(left(tmp_path)) == 1
    atomic_write(tmp_path / "other", b"")
    assert not left(tmp_path)


def test_what_others_are_writing_stays(tmp_path: Path) -> None:
    with atomic_open(tmp_path / "a") as stream, temporary_folder(tmp_path / "b") as folder:
        (folder / "file").write_bytes(b"1")
        atomic_write(tmp_path / "c", b"")
        assert len(left(tmp_path)) == 2
        stream.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert not left(tmp_path)


def test_a_link_that_is_called_as_temporary_files_are_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"1")
    (tmp_path / f".a.{TEMPORARY}").symlink_to("precious")
    atomic_write(tmp_path / "other", b"")
    assert (tmp_path / "precious").read_bytes() == b"1"


def test_a_target_with_the_longest_name_is_written(tmp_path: Path) -> None:
    atomic_write(tmp_path / ("x" * 250), b"1")
    assert [len(path.name) for path in tmp_path.iterdir()] == [250]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def noise(path: Path, images: int = 300) -> None:
    """Images that take 96 bytes each, however they are coded."""
    np.save(path, np.random.default_rng(2).integers(0, 256, (images, 8, 12), np.uint8))


def test_a_full_disk_leaves_the_old_target(folder: Path, full: Path) -> None:
    noise(folder / "large.npy", 8000)
    shutil.copy(folder / "out.cnet", full / "out.cnet")
    before = (full / "out.cnet").read_bytes()
    for arguments in (
        ("compress", folder / "large.npy", "-o", full / "out.cnet", "-f", "--lossless"),
        ("append", full / "out.cnet", folder / "large.npy", "--codec", GREY, "--quality", 99),
    ):
        assert "out.cnet: cannot be written (No space left on device)" in refused(1, *arguments)
        assert (full / "out.cnet").read_bytes() == before
        assert not left(full)


def test_files_that_may_not_grow_leave_the_old_target(folder: Path) -> None:
    noise(folder / "large.npy")
    before = (folder / "out.cnet").read_bytes()
    program = "import sys; from compressnet.commands.cli import run; run()"
    for arguments in (
        ["compress", "large.npy", "-o", "out.cnet", "-f", "--lossless"],
        ["append", "out.cnet", "large.npy", "--codec", GREY, "--quality", "99"],
        ["decompress", "out.cnet", "-o", "out.cnet.npy"],
    ):
        result = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)),
        )
        assert result.returncode == 1, result
        assert result.stderr.startswith("compressnet: ")
        assert "cannot be written (File too large)" in result.stderr
        assert result.stderr.count("\n") == 1
        assert (folder / "out.cnet").read_bytes() == before
        assert not (folder / "out.cnet.npy").exists()
        assert not left(folder)


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    locked = folder / "locked"
    locked.mkdir(mode=0o500)
    message = refused(1, "compress", folder / "in.npy", "-o", locked / "a.cnet", "--codec", GREY)
    assert "a.cnet: cannot be written (Permission denied)" in message


@pytest.mark.parametrize(
    "command",
    [
        ("compress", "in.npy", "-o", "TARGET", "-f", "--codec", GREY),
        ("concat", "out.cnet", "-o", "TARGET", "-f"),
        ("subset", "out.cnet", "-o", "TARGET", "--select", "0", "-f", "--codec", GREY),
        ("repair", "out.cnet", "-o", "TARGET", "-f", "--codec", GREY),
        ("append", "TARGET", "in.npy", "--codec", GREY),
        ("verify", "TARGET"),
    ],
)
def test_targets_that_are_folders_or_pipes(
    command: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("directory").mkdir()
    os.mkfifo("pipe")
    for target in ("directory", "pipe"):
        message = refused(1, *(target if each == "TARGET" else each for each in command))
        assert message.startswith(f"compressnet: {target}: ")
    assert Path("directory").is_dir()
    assert Path("pipe").is_fifo()


def test_links_are_followed(folder: Path) -> None:
    (folder / "link.cnet").symlink_to("out.cnet")
    (folder / "nowhere.cnet").symlink_to("made.cnet")
    run("compress", folder / "in.npy", "-o", folder / "link.cnet", "-f", "--codec", GREY)
    run("compress", folder / "in.npy", "-o", folder / "nowhere.cnet", "--codec", GREY)
    assert (folder / "link.cnet").is_symlink()
    assert (folder / "out.cnet").read_bytes() == (folder / "made.cnet").read_bytes()


@pytest.mark.parametrize("damage", ["removed", "emptied", "changed"])
def test_pictures_that_vanish_or_change_while_they_are_read(folder: Path, damage: str) -> None:
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(4):
        (pictures / f"{number}.png").write_bytes(grey(number, 8, 12))
    from compressnet.images import open_collection

    collection = open_collection(pictures)
    last = pictures / "3.png"
    if damage == "removed":
        last.unlink()
    else:
        last.write_bytes(b"" if damage == "emptied" else grey(9, 70, 70))
    if damage == "changed":  # it is what it is when its turn comes
        assert sum(len(batch) for batch in collection.batches()) == 4
        return
    before = (folder / "out.cnet").read_bytes()
    with pytest.raises(InputError, match=r"3\.png"):
        compressnet.compress(collection.batches(), folder / "out.cnet", GREY, store_unknown=True)
    assert (folder / "out.cnet").read_bytes() == before
    assert not left(folder)


def test_an_archive_that_is_cut_while_it_is_open(folder: Path) -> None:
    path = folder / "out.cnet"
    with compressnet.open(path, GREY) as archive:
        os.truncate(path, 60)
        with pytest.raises(CorruptError, match=r"out\.cnet"):
            archive[:]


def test_an_archive_that_is_replaced_while_it_is_open_stays_what_it_was(folder: Path) -> None:
    path = folder / "out.cnet"
    with compressnet.open(path, GREY) as archive:
        first = archive[0]
        run("compress", folder / "in.npy", "-o", path, "-f", "--codec", GREY)
        assert len(archive) == 20
        assert np.array_equal(archive[0], first)
    with compressnet.open(path, GREY) as archive:
        assert len(archive) == 40


def test_an_archive_that_is_written_over_gives_its_images_or_an_error(folder: Path) -> None:
    path = folder / "out.cnet"
    with compressnet.open(path, GREY) as archive:
        known = archive[:]
    with compressnet.open(path, GREY) as archive:
        path.write_bytes(np.random.default_rng(3).bytes(path.stat().st_size))
        with pytest.raises(CorruptError):
            assert not np.array_equal(archive[:], known)


def test_two_that_write_one_target(folder: Path) -> None:
    path, images = folder / "both.cnet", [np.load(folder / "in.npy")[:20], np.load(folder / "in.npy")[20:]]
    known = [compressnet.load(GREY).autoencoder(some) for some in images]
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda some: compressnet.compress(some, path, GREY, threads=1), images))
        found = read_with_codec(path)
        assert any(np.array_equal(found, each) for each in known)
    assert not left(folder)


def read_with_codec(path: Path) -> np.ndarray:
    with compressnet.open(path, GREY, threads=1) as archive:
        return archive.array()


def test_reading_while_others_append(folder: Path) -> None:
    path, images = folder / "out.cnet", np.load(folder / "in.npy")
    before = read_with_codec(path)

    def add(number: int) -> None:
        append(path, images[5 * number : 5 * number + 5], codec=GREY, threads=1)

    with ThreadPoolExecutor(3) as pool:
        adding = [pool.submit(add, number) for number in range(4)]
        while not all(one.done() for one in adding):
            found = read_with_codec(path)
            assert len(found) in range(20, 41, 5)
            assert np.array_equal(found[:20], before)
    errors = [one.exception() for one in adding]
    assert all(error is None or isinstance(error, CompressnetError) for error in errors)
    assert len(read_with_codec(path)) == 20 + 5 * errors.count(None)


def test_exit_codes_of_what_is_not_there(folder: Path) -> None:
    assert "no such file or folder" in refused(1, "compress", folder / "none", "-o", folder / "a.cnet")
    assert "cannot be opened (No such file or directory)" in refused(1, "verify", folder / "none.cnet")
    assert "none" in refused(1, "append", folder / "none.cnet", folder / "in.npy")
    assert "cannot be written" in refused(1, "compress", folder / "in.npy", "-o", folder / "no" / "a.cnet")
    assert read(folder / "in.npy").shape == (40, 8, 12)


def test_a_damaged_tiff_is_told_in_one_line(folder: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.ones((3, 4), np.float32)).save(stream, "tiff")
    data = bytearray(stream.getvalue())
    data[72] = 255  # the type of a tag, which tifffile would tell of in lines of its own
    (folder / "a.tif").write_bytes(data)
    assert "missing data offset" in refused(1, "compress", folder / "a.tif", "-o", folder / "a.cnet", "--lossless")
