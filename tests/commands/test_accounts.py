"""What commands say of what they read: nothing lost, nothing wrong, nothing in silence."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import compressnet
from picture_files import png, put_folder, put_tar
from run_commands import GREY, refused, run

DIGIT = np.zeros((28, 28), np.uint8)
DIGIT[4:24, 12:16] = 200
DEEP = (np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8)


def digits(count: int) -> list[tuple[str, bytes]]:
    return [(f"{i}.png", png(np.roll(DIGIT, i, axis=1))) for i in range(count)]


def deep_png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(DEEP).save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Five digits, one of them of 16 bits, and a file that is no picture."""
    put_folder(tmp_path / "odd", [*digits(4), ("4.png", deep_png()), ("notes.txt", b"notes")])
    return tmp_path / "odd"


def test_one_odd_picture_is_named_and_counted(odd: Path, tmp_path: Path) -> None:
    error = refused(1, "compress", odd, "-o", tmp_path / "a.cnet")
    assert "4.png: 16-bit pixels; --quality 100 keeps them without loss, --convert makes 8 of them" in error
    assert "(1 of 5 pictures is so; --skip-bad leaves them out)" in error
    assert not (tmp_path / "a.cnet").exists()


def test_skipped_pictures_are_named_counted_and_listed(odd: Path, tmp_path: Path) -> None:
    skipped = tmp_path / "skipped.txt"
    out = run("compress", odd, "-o", tmp_path / "a.cnet", "--skip-bad", "--skipped", skipped).stdout
    assert "4 images, " in out
    assert "1 skipped, 16-bit pixels (1 .png): 4.png\n" in out
    assert "1 left out, no picture, or of a format that is not read (1 .txt): notes.txt\n" in out
    assert skipped.read_text() == "4.png\t16-bit pixels\n"
    assert "give both" in refused(2, "compress", odd, "-o", tmp_path / "b.cnet", "--skipped", skipped)


def test_converted_pictures_are_said(odd: Path, tmp_path: Path) -> None:
    document = json.loads(
        run("compress", odd, "-o", tmp_path / "a.cnet", "--convert", "--max-error", 1, "--json").stdout
    )
    account = document["account"]
    assert account["images"] == document["images"] == 5
    assert account["changed"] == [{"what": "16 bits made 8", "count": 1, "endings": {".png": 1}, "first": ["4.png"]}]
    assert account["left_out"][0]["endings"] == {".txt": 1}
    assert account["labels"].startswith("none")
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert archive[4].dtype == np.uint8
        assert np.abs(archive[4] - (DEEP.astype(int) + 128) // 257).max() <= 1


def test_sixteen_bits_without_loss(odd: Path, tmp_path: Path) -> None:
    out = run("compress", odd, "-o", tmp_path / "a.cnet", "--quality", "100").stdout
    assert "without loss: all 5 images were read back, and every value is as it was\n" in out
    with compressnet.open(tmp_path / "a.cnet") as archive:
        assert archive[4].dtype == np.uint16
        assert np.array_equal(archive[4], DEEP)
        assert archive[0].dtype == np.uint8
    run("decompress", tmp_path / "a.cnet", "-o", tmp_path / "back.zip")
    run("compress", tmp_path / "back.zip", "-o", tmp_path / "b.cnet", "--quality", "100")
    assert (tmp_path / "a.cnet").read_bytes() == (tmp_path / "b.cnet").read_bytes()


def test_strict_stops_before_anything_is_written(odd: Path, tmp_path: Path) -> None:
    error = refused(1, "compress", odd, "-o", tmp_path / "a.cnet", "--strict", "--quality", "100")
    assert "--strict: 1 left out, no picture" in error
    assert not (tmp_path / "a.cnet").exists()
    (odd / "notes.txt").unlink()
    run("compress", odd, "-o", tmp_path / "a.cnet", "--strict", "--quality", "100")


def test_quiet_is_quiet(odd: Path, tmp_path: Path) -> None:
    result = run("compress", odd, "-o", tmp_path / "a.cnet", "--skip-bad", "-q")
    assert result.output == ""


def classes(folder: Path, *names: str) -> Path:
    put_folder(folder, [(name, png(np.roll(DIGIT, i, axis=1))) for i, name in enumerate(names)])
    return folder


def test_append_takes_labels_and_names_as_compress_does(tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    run("compress", classes(tmp_path / "first", "cat/0.png", "dog/0.png"), "-o", path)
    out = run("append", path, classes(tmp_path / "more", "cat/1.png", "dog/1.png")).stdout
    assert "labels: 2 class folders (cat, dog)\n" in out
    document = json.loads(run("append", path, tmp_path / "more", "--json").stdout)
    assert document["account"]["images"] == 2
    assert document["images"] == 6
    with compressnet.open(path) as archive:
        assert archive.labels is not None
        assert archive.labels.tolist() == ["cat", "dog"] * 3
        assert archive.names is not None
        assert list(archive.names) == ["cat/0.png", "dog/0.png", *["cat/1.png", "dog/1.png"] * 2]


def test_append_of_numbers_to_texts_makes_them_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    run("compress", classes(tmp_path / "first", "01/0.png", "1/0.png"), "-o", path)
    said = run("append", path, classes(tmp_path / "more", "1/1.png", "2/1.png")).stdout
    assert "labels that are integers became texts, as the first ones are\n" in said
    with compressnet.open(path) as archive:
        assert archive.labels is not None
        assert archive.labels.tolist() == ["01", "1", "1", "2"]


def test_append_of_labels_where_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    run("compress", classes(tmp_path / "plain", "0.png"), "-o", path)
    before = path.read_bytes()
    labelled = classes(tmp_path / "more", "cat/1.png", "dog/1.png")
    assert "has no labels, others have" in refused(1, "append", path, labelled)
    assert path.read_bytes() == before
    run("append", path, labelled, "--no-labels")
    with compressnet.open(path) as archive:
        assert archive.labels is None
        assert len(archive) == 3


@pytest.mark.parametrize("saved", ["RGB", "P", "RGBA"])
def test_grey_saved_in_more_channels_is_coded_as_grey_and_comes_back(tmp_path: Path, saved: str) -> None:
    expected = []
    for name, data in digits(3):
        image = Image.open(io.BytesIO(data))
        mode = image.convert("RGB").quantize(8) if saved == "P" else image.convert(saved)
        (tmp_path / "in").mkdir(exist_ok=True)
        mode.save(tmp_path / "in" / name)
        expected.append(np.asarray(mode.convert("RGB") if saved == "P" else mode))
    path = tmp_path / "a.cnet"
    out = run("compress", tmp_path / "in", "-o", path, "--codec", "mnist").stdout
    assert "grey" in out
    with compressnet.open(path) as archive:
        assert archive.shape == (3, 28, 28, 4 if saved == "RGBA" else 3)
        found = archive.array().astype(int)
        assert np.abs(found - np.stack(expected)).mean() < 40
    error = refused(1, "compress", tmp_path / "in", "-o", tmp_path / "b.cnet", "--codec", "mnist", "--modes", "as-is")
    assert "--modes tight" in error


def test_webdataset_and_its_links(tmp_path: Path) -> None:
    put_tar(tmp_path / "a.tar", [("img.v0.png", png(DIGIT)), ("img.v0.cls", b"10"), ("x.json", b"{}")])
    with tarfile.open(tmp_path / "a.tar", "a") as archive:
        info = tarfile.TarInfo("gone.png")
        info.type, info.linkname = tarfile.SYMTYPE, "nowhere.png"
        archive.addfile(info)
    out = run("compress", tmp_path / "a.tar", "-o", tmp_path / "a.cnet").stdout
    assert "1 left out, link to nothing (1 .png): gone.png\n" in out
    assert "labels: files .cls\n" in out


def test_training_tells_its_account(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2, (420, 8, 8), np.uint8) * 255
    files = [(f"{i}.png", png(image)) for i, image in enumerate(noise)]
    put_folder(tmp_path / "in", [*files, ("bad.png", b"text")])
    arguments = ("train", tmp_path / "in", "-o", tmp_path / "a.codec", "--epochs", "0.01", "--preset", "fast")
    assert "bad.png: not a picture, though it is named like one" in refused(1, *arguments)
    document = json.loads(run(*arguments, "--skip-bad", "--json", "--no-advise", "--threads", "1").stdout)
    assert document["account"]["images"] == 420
    assert document["account"]["skipped"][0]["first"] == ["bad.png"]
    assert document["bytes"] == (tmp_path / "a.codec").stat().st_size


def test_archives_keep_what_their_codec_does_not_know(tmp_path: Path) -> None:
    """At quality 100 nothing is refused for its size: what has no network is stored."""
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    image[..., 3] = 0
    put_folder(tmp_path / "in", [("a.png", png(image))])
    run("compress", tmp_path / "in", "-o", tmp_path / "a.cnet", "--codec", GREY, "--max-error", "0")
    with compressnet.open(tmp_path / "a.cnet", codec=GREY) as archive:
        assert np.array_equal(archive[0], image)


def test_the_input_is_never_overwritten(odd: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=DIGIT[None])
    before = (tmp_path / "a.npz").read_bytes()
    assert "a.npz: is the input" in refused(1, "compress", tmp_path / "a.npz", "-o", tmp_path / "a.npz", "-f")
    options = ("-o", tmp_path / "a.cnet", "-f", "--skip-bad", "--skipped", tmp_path / "a.npz")
    assert "a.npz: is the input" in refused(1, "compress", tmp_path / "a.npz", *options)
    assert (tmp_path / "a.npz").read_bytes() == before
    options = ("-o", tmp_path / "a.cnet", "--skip-bad", "--skipped", odd / "notes.txt")
    assert "notes.txt: exists already; -f overwrites it" in refused(1, "compress", odd, *options)
    assert (odd / "notes.txt").read_bytes() == b"notes"


def test_an_archive_on_standard_output_tells_its_account_beside_it(odd: Path) -> None:
    result = run("compress", odd, "-o", "-", "--skip-bad")
    assert "1 skipped, 16-bit pixels (1 .png): 4.png\n" in result.stderr
    assert "notes.txt" in result.stderr


def test_labels_of_nobody_are_said(tmp_path: Path) -> None:
    put_folder(tmp_path / "in", digits(1))
    (tmp_path / "l.csv").write_text("0.png,1\nghost.png,2\n")
    options = ("-o", tmp_path / "a.cnet", "--labels", tmp_path / "l.csv")
    assert "--strict: 1 dropped, label without a picture" in refused(
        1, "compress", tmp_path / "in", *options, "--strict"
    )
    assert (
        "1 dropped, label without a picture (1 .png): ghost.png\n" in run("compress", tmp_path / "in", *options).stdout
    )


def test_a_folder_called_like_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_folder(tmp_path / "mnist", digits(1))
    monkeypatch.chdir(tmp_path)
    assert "give ./mnist for the latter" in refused(1, "compress", "mnist", "-o", "a.cnet")
    assert "a.cnet: 1 image, " in run("compress", "./mnist", "-o", "a.cnet").stdout


def test_names_by_number_are_said(tmp_path: Path) -> None:
    np.save(tmp_path / "more.npy", DIGIT[None])
    run("compress", classes(tmp_path / "in", "a.png"), "-o", tmp_path / "a.cnet")
    run("compress", tmp_path / "more.npy", "-o", tmp_path / "b.cnet")
    line = "1 image without a name named by number, as others have names\n"
    assert line in run("concat", tmp_path / "b.cnet", tmp_path / "a.cnet", "-o", tmp_path / "c.cnet").stdout
    assert line in run("append", tmp_path / "a.cnet", tmp_path / "more.npy").stdout
