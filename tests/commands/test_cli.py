"""The command line as people and scripts use it: round trips, pipes, exit codes, one line for each
error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import compressnet
from compressnet.native.library import core_name
from conftest import CONFORMANCE
from run_commands import GREY, IDENTITY, read, refused, run


def piped(arguments: list[object], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "compressnet.commands.cli", *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True)


@pytest.fixture(scope="module")
def grey() -> dict[str, np.ndarray]:
    with np.load(CONFORMANCE / "grey.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def images(tmp_path: Path, grey: dict[str, np.ndarray]) -> Path:
    path = tmp_path / "images.npy"
    np.save(path, grey["images"])
    return path


@pytest.fixture
def archive(tmp_path: Path, images: Path) -> Path:
    (tmp_path / "labels.txt").write_text("\n".join(f"name {i}" for i in range(23)))
    path = tmp_path / "a.cnet"
    run("compress", images, "-o", path, "--codec", GREY, "--labels", tmp_path / "labels.txt", "--block-images", 5)
    return path


@pytest.mark.parametrize(
    "ending", ["b.npy", "b.npz", "b-idx3-ubyte", "b-idx3-ubyte.gz", "b.zip", "b.tar", "b.parquet", "folder"]
)
def test_round_trip(archive: Path, tmp_path: Path, grey: dict[str, np.ndarray], ending: str) -> None:
    result = run("decompress", archive, "-o", tmp_path / ending)
    assert "23 images" in result.stdout
    assert np.array_equal(read(tmp_path / ending), grey["decoded"])
    run("decompress", archive, "-o", tmp_path / ending, "--select", "3:7", "-f", "--backend", "numpy", "-q")
    if ending != "folder":
        assert np.array_equal(read(tmp_path / ending), grey["decoded"][3:7])


def test_labels_come_back(archive: Path, tmp_path: Path) -> None:
    run("decompress", archive, "-o", tmp_path / "b.npz", "--select", "20:")
    with np.load(tmp_path / "b.npz") as arrays:
        assert arrays["labels"].tolist() == ["name 20", "name 21", "name 22"]


def test_labels_come_from_folders_and_by_name(tmp_path: Path, grey: dict[str, np.ndarray]) -> None:
    for name, image in zip(("cat/a.png", "cat/b.png", "dog/a.png"), grey["images"], strict=False):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "in" / name)
    run("compress", tmp_path / "in", "-o", tmp_path / "a.cnet", "--codec", GREY)
    with compressnet.open(tmp_path / "a.cnet") as opened:
        assert opened.labels is not None
        assert opened.labels.tolist() == ["cat", "cat", "dog"]
    (tmp_path / "x.csv").write_text("name,label\ndog/a.png,3\ncat/a.png,1\ncat/b.png,2\n")
    run("compress", tmp_path / "in", "-o", tmp_path / "a.cnet", "-f", "--codec", GREY, "--labels", tmp_path / "x.csv")
    with compressnet.open(tmp_path / "a.cnet") as opened:
        assert opened.labels is not None
        assert opened.labels.tolist() == [1, 2, 3]


def test_compress_says_what_it_wrote(images: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    said = run("compress", images, "-o", path, "--codec", GREY, "--no-embed-codec").stdout
    size = path.stat().st_size
    assert f"23 images, {size} bytes, {size / 23:.2f} an image" in said
    assert run("compress", images, "-o", path, "--codec", GREY, "-f", "-q").stdout == ""
    assert path.stat().st_size > 10 * size  # its codec is in it


def test_compress_with_bounds(tmp_path: Path) -> None:
    path, source = tmp_path / "a.cnet", tmp_path / "noise.npy"
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28)).astype(np.uint8)
    np.save(source, images)
    said = run("compress", source, "-o", path, "--codec", "mnist", "--min-psnr", 30).stdout
    assert "30 images stored: bounds missed at any quality" in said
    assert "the worst images:" in said
    told = json.loads(run("compress", source, "-o", path, "-f", "--max-error", 0, "--json").stdout)
    assert told["stored"] == told["images"] == 30
    assert told["archive_bytes"] == path.stat().st_size
    assert told["worst"] == []
    run("decompress", path, "-o", tmp_path / "b.npy")
    assert np.array_equal(np.load(tmp_path / "b.npy"), images)
    told = json.loads(run("compress", source, "-o", path, "-f", "--min-psnr", 30, "--json").stdout)
    assert told["picked"]["compared"][0]["codec"] == told["codec"] == "adaptive"
    assert told["stored"] == 0


def test_a_mixed_archive_becomes_a_folder(tmp_path: Path) -> None:
    run("decompress", CONFORMANCE / "mixed.cnet", "-o", tmp_path / "folder")
    with np.load(CONFORMANCE / "mixed.npz") as arrays:
        images = list(arrays.values())
    files = {path.relative_to(tmp_path / "folder").as_posix() for path in (tmp_path / "folder").rglob("*.png")}
    assert files == {f"folder/{i}.png" for i in range(len(images))}
    for i, image in enumerate(images):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "folder" / "folder" / f"{i}.png")), image)
    for ending in ("a.npy", "a.npz", "a-ubyte"):
        refused(1, "decompress", CONFORMANCE / "mixed.cnet", "-o", tmp_path / ending)
        assert not (tmp_path / ending).exists()
    assert "images of one shape, these have 3" in refused(1, "decompress", CONFORMANCE / "mixed.cnet", "-o", "-")
    assert "21 images, all well" in run("verify", CONFORMANCE / "mixed.cnet").stdout


def test_nothing_is_overwritten_without_force(images: Path, archive: Path) -> None:
    before = archive.read_bytes()
    assert "exists already; -f overwrites" in refused(1, "compress", images, "-o", archive, "--codec", GREY)
    assert archive.read_bytes() == before
    assert "exists already; -f overwrites" in refused(1, "decompress", archive, "-o", images)


def test_pipes(images: Path, archive: Path, grey: dict[str, np.ndarray]) -> None:
    packed = piped(["compress", "-", "-o", "-", "--codec", GREY], images.read_bytes())
    assert packed.returncode == 0
    assert packed.stderr == b"labels: none: an array alone has none\nnames: none: an array alone has none\n"
    assert piped(["compress", "-", "-o", "-", "--codec", GREY, "-q"], images.read_bytes()).stderr == b""
    with compressnet.open(packed.stdout) as opened:
        assert np.array_equal(opened[:], grey["decoded"])
    unpacked = piped(["decompress", "-", "-o", "-"], packed.stdout)
    assert unpacked.stderr == b""
    header = unpacked.stdout[: -grey["decoded"].size]
    assert header.startswith(b"\x93NUMPY")
    assert unpacked.stdout[len(header) :] == grey["decoded"].tobytes()
    assert piped(["verify", "-"], packed.stdout).returncode == 0
    assert piped(["verify", "-"], packed.stdout[:-1]).returncode == 3


@pytest.mark.slow
def test_targets(tmp_path: Path) -> None:
    path, source = tmp_path / "a.cnet", tmp_path / "mnist.npy"
    np.save(source, read(Path("mnist"))[:100])
    for option, value in (("--target-psnr", 27), ("--target-bytes", 14), ("--max-mse", 0.002)):
        said = run("compress", source, "-o", path, option, value, "-f").stdout
        told = json.loads(run("evaluate", source, option, value, "--json").stdout)
        assert f"{path.stat().st_size} bytes" in said
        assert f"quality {told['quality']}" in said
        assert told["archive_bytes"] == path.stat().st_size
        row = told["rows"][0]
        if option == "--target-psnr":
            assert row["psnr"] == pytest.approx(27, abs=0.15)
        elif option == "--target-bytes":
            assert told["bytes_per_image"] == pytest.approx(14, rel=0.02)
        else:
            assert row["mse"] <= 0.002
    target = ("--target-psnr", 60)
    assert "60 dB" in refused(1, "compress", source, "-o", tmp_path / "b.cnet", "--codec", "mnist", *target)
    assert json.loads(run("compress", source, "-o", path, "-f", *target, "--json").stdout)["codec"] == "adaptive"
    assert "give one of" in refused(
        2, "compress", "mnist", "-o", tmp_path / "b.cnet", "--target-psnr", 25, "--quality", 3
    )


def test_evaluate_json(images: Path) -> None:
    for quality in (0, 60, 99):
        told = json.loads(run("evaluate", images, "--codec", GREY, "--quality", quality, "--json").stdout)
        assert told["images"] == 23
        assert told["codec"] == "tiny-grey"
        assert told["quality"] == quality
        assert told["effort"] == 1
        assert len({row["pixels_sha256"] for row in told["rows"]}) == 1
    limited = json.loads(run("evaluate", images, "--codec", GREY, "--limit", 4, "--json").stdout)
    assert limited["images"] == 4


def test_evaluate_for_people(images: Path) -> None:
    said = run("evaluate", images, "--codec", GREY).stdout
    for words in ("autoencoder", "encoder+decoder", "onnx", "archive", "dB", "all four ways gave the same pixels"):
        assert words in said


def test_evaluate_with_effort(images: Path) -> None:
    said = run("evaluate", images, "--codec", GREY, "--effort", 3).stdout
    assert "as its symbols were searched for" in said
    assert "THE PIXELS DIFFER" not in said


def test_evaluate_of_several_sizes_and_modes(tmp_path: Path) -> None:
    folder, codec = tmp_path / "sprites", CONFORMANCE / "any8.codec"
    folder.mkdir()
    for i, (mode, size) in enumerate((("L", (9, 12)), ("RGB", (20, 11)), ("RGBA", (8, 8)), ("RGB", (20, 11)))):
        Image.effect_noise(size, 40 + i).convert(mode).save(folder / f"{i}.png")
    Image.fromarray(np.full((9, 9), 700, np.uint16)).save(folder / "deep.png")
    assert "--skip-bad leaves" in refused(1, "evaluate", folder, "--codec", codec)
    options = ("evaluate", folder, "--codec", codec, "--skip-bad")
    told = json.loads(run(*options, "--json").stdout)
    assert (told["images"], told["kinds"], told["without_network"]) == (4, 3, {"8x8x4": 1})
    assert [note["what"] for note in told["account"]["skipped"]] == ["16-bit pixels"]
    said = run(*options, "--report", tmp_path / "a.html").stdout
    for words in ("all four ways", "1 skipped, 16-bit pixels", "1 image in the archive alone", "images of 3 sizes"):
        assert words in said
    page = (tmp_path / "a.html").read_text()
    assert "1 image in the archive alone" in page
    assert page.count("<figure") >= 4
    assert json.loads(run(*options, "--convert", "--json").stdout)["images"] == 5
    (folder / "deep.png").unlink()
    assert "'evaluate' and 'bench --lossless' take any" in refused(
        1, "bench", folder, "--codec", codec, "-o", tmp_path / "b", "--limit", 2
    )


def test_evaluate_writes_a_page(images: Path, tmp_path: Path) -> None:
    run("evaluate", images, "--codec", GREY, "--report", tmp_path / "a.html", "-q")
    page = (tmp_path / "a.html").read_text()
    assert "encoder+decoder" in page
    assert "http" not in page


@pytest.mark.slow
def test_bench(tmp_path: Path) -> None:
    told = run("bench", "mnist", "--limit", 40, "--rivals", "webp", "--efforts", 1, "-o", tmp_path / "b", "--json")
    document = json.loads(told.stdout)
    assert document == json.loads((tmp_path / "b" / "bench.json").read_text())
    assert "nothing: there are jpeg" in refused(1, "bench", "mnist", "--rivals", "nothing", "-o", tmp_path / "c")
    assert "--efforts x" in refused(2, "bench", "mnist", "--efforts", "x", "-o", tmp_path / "c")


def test_bench_of_lossless_codecs_alone(tmp_path: Path) -> None:
    options = ("bench", "mnist", "--limit", 30, "--rivals", "bz2,jpegls", "--quality", 100)
    told = json.loads(run(*options, "-o", tmp_path / "b", "--json").stdout)
    assert told == json.loads((tmp_path / "b" / "bench.json").read_text())
    assert {"bz2", "jpegls"} <= {row["name"] for row in told["lossless"]}
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["bench.json", "report.html"]
    said = run(*options, "-o", tmp_path / "b").stdout
    for words in ("bits/pixel", "stream", "mosaic", "single", "wrote bench.json and report.html into"):
        assert words in said
    refusal = refused(2, "bench", "mnist", "--quality", 50, "-o", tmp_path / "c")
    assert "--quality 50: give 100, for lossless codecs alone" in refusal


def test_info(archive: Path) -> None:
    told = json.loads(run("info", archive, "--json").stdout)
    assert told["images"] == 23
    assert told["codecs"][0]["identity"] == IDENTITY
    assert "images: 23" in run("info", archive).stdout
    assert json.loads(run("info", GREY, "--json").stdout)["identity"] == IDENTITY
    assert json.loads(run("info", "mnist", "--json").stdout)["name"] == "mnist-1"


def test_a_contact_sheet(archive: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert f"contact_sheet: {sheet}, 23 of 23 images" in run("info", archive, "--contact-sheet", sheet).stdout
    with Image.open(sheet) as picture:
        assert picture.width == 728
    assert "exists already; -f overwrites it" in refused(1, "info", archive, "--contact-sheet", sheet)
    told = json.loads(run("info", archive, "--contact-sheet", sheet, "--select", "3,5:9", "-f", "--json").stdout)
    assert told["contact_sheet"] == {"file": str(sheet), "images": 5, "of": 23}
    assert "give a name that ends in .png" in refused(1, "info", archive, "--contact-sheet", tmp_path / "a.jpg")
    assert "contact sheets are of archives" in refused(1, "info", "mnist", "--contact-sheet", tmp_path / "b.png")
    assert "give --contact-sheet, too" in refused(2, "info", archive, "--select", "1")


def test_verify(archive: Path) -> None:
    assert "23 images, all well" in run("verify", archive).stdout


def test_export(tmp_path: Path) -> None:
    run("export", GREY, "-o", tmp_path / "models", "--quality", 30)
    names = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert names == ["autoencoder.onnx", "decoder.onnx", "encoder.onnx"]
    for name in names:
        model = onnx.load(tmp_path / "models" / name)
        onnx.checker.check_model(model, full_check=True)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        assert IDENTITY in metadata.values()
        assert "30" in metadata.values()


def test_version() -> None:
    name = core_name()
    core = f"native, {name}" if name else "none (no compiled core in this install; NumPy runs everything)"
    assert run("--version").stdout == f"compressnet {compressnet.__version__}\ncore: {core}\n"


def test_version_with_a_variant_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESSNET_CPU", "6502")
    assert refused(1, "--version").startswith("compressnet: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "mnist"],
        ["compress", "mnist", "-o", "a.cnet", "--quality", "101"],
        ["compress", "mnist", "-o", "a.cnet", "--effort", "0"],
        ["compress", "mnist", "-o", "a.cnet", "--threads", "0"],
        ["compress", "mnist", "-o", "a.cnet", "--backend", "cuda"],
        ["nonsense"],
        ["train", "mnist", "-o", "name.txt"],
        ["train", "mnist", "-o", "a.codec", "--epochs", "1", "--minutes", "1"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments, code=2).stderr != ""
    assert list(tmp_path.iterdir()) == []


def test_inputs_that_cannot_be_used_end_with_1(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    target = tmp_path / "a.cnet"
    assert "pictures: no pictures in it" in refused(1, "compress", folder, "-o", target)
    Image.new("L", (28, 28)).save(folder / "a.png")
    Image.fromarray(np.zeros((28, 28), np.uint16)).save(folder / "c.png")
    assert "c.png: 16-bit" in refused(1, "compress", folder, "-o", target)
    (folder / "c.png").write_text("text")
    assert "c.png: not a picture" in refused(1, "compress", folder, "-o", target)
    assert "nowhere: no such file" in refused(1, "compress", tmp_path / "nowhere", "-o", target)
    np.save(tmp_path / "wide.npy", np.zeros((3, 28, 30), np.uint8))
    assert "28x30" in refused(1, "compress", tmp_path / "wide.npy", "-o", target, "--codec", "mnist")
    assert not target.exists()


def test_corrupt_archives_end_with_3(archive: Path, tmp_path: Path) -> None:
    data = archive.read_bytes()
    bad = tmp_path / "bad.cnet"
    for i in (3, 12, 25, 200, len(data) // 2, len(data) - 200, len(data) - 3):
        bad.write_bytes(data[:i] + bytes([data[i] ^ 0xFF]) + data[i + 1 :])
        for command in (["verify", bad, "-q"], ["decompress", bad, "-o", tmp_path / "out.npy"]):
            assert "bad.cnet: " in refused(3, *command)
    for length in (0, 10, 1000, len(data) - 1):
        bad.write_bytes(data[:length])
        assert "bad.cnet: " in refused(3, "decompress", bad, "-o", tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()
    for content in (b"\x89PNG\r\n\x1a\n" + bytes(200), b"some text"):
        bad.write_bytes(content)
        for command in (["verify", bad], ["info", bad], ["decompress", bad, "-o", tmp_path / "out.npy"]):
            assert "bad.cnet: not a compressnet archive" in refused(3, *command)


def test_corrupt_codecs_end_with_3(images: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.codec"
    bad.write_bytes(Path(GREY).read_bytes()[:-10])
    assert "bad.codec: not a compressnet codec" in refused(3, "compress", images, "-o", tmp_path / "b", "--codec", bad)
    assert "bad.codec" in refused(3, "export", bad, "-o", tmp_path / "models")


def test_missing_and_wrong_codecs_end_with_4(images: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.cnet"
    run("compress", images, "-o", path, "--codec", GREY, "--no-embed-codec")
    for command in (["verify", path], ["decompress", path, "-o", tmp_path / "out.npy"]):
        assert IDENTITY in refused(4, *command)
        assert IDENTITY in refused(4, *command, "--codec", "mnist")
        run(*command, "--codec", GREY)
    assert "nothing: no such codec" in refused(4, "compress", images, "-o", tmp_path / "b.cnet", "--codec", "nothing")


@pytest.mark.parametrize(("select", "code"), [("x:y", 2), ("5", 2), ("1:2:3", 2), ("9:3", 1), ("30:40", 1)])
def test_bad_selections(archive: Path, tmp_path: Path, select: str, code: int) -> None:
    assert f"--select {select}" in refused(code, "decompress", archive, "-o", tmp_path / "o.npy", "--select", select)


def test_train_refuses_too_few_images_and_bad_ranges(images: Path, tmp_path: Path) -> None:
    assert "too few" in refused(1, "train", images, "-o", tmp_path / "a.codec", "--epochs", 1)
    for text in ("9:3", "0:100", "5"):
        assert f"--quality-range {text}" in refused(
            2, "train", images, "-o", tmp_path / "a.codec", "--quality-range", text
        )
    assert not (tmp_path / "a.codec").exists()


def test_concat_subset_and_append(images: Path, tmp_path: Path) -> None:
    first, both, some = (tmp_path / f"{name}.cnet" for name in ("first", "both", "some"))
    run("compress", images, "-o", first, "--codec", GREY)
    run("concat", first, first, "-o", both)
    count = len(np.load(images))
    assert json.loads(run("info", both, "--json").stdout)["images"] == 2 * count
    run("subset", both, "-o", some, "--select", f"1:3,-1,{count}")
    run("decompress", some, "-o", tmp_path / "some.npy")
    run("decompress", first, "-o", tmp_path / "first.npy")
    assert np.array_equal(np.load(tmp_path / "some.npy"), np.load(tmp_path / "first.npy")[[1, 2, -1, 0]])
    run("append", some, images, "--codec", GREY)
    assert json.loads(run("info", some, "--json").stdout)["images"] == 4 + count
    assert "exists" in refused(1, "concat", first, "-o", both)
    assert "is not among the" in refused(2, "subset", both, "-o", tmp_path / "a.cnet", "--select", "999")
    assert "such as 3,10:20,-1" in refused(2, "subset", both, "-o", tmp_path / "a.cnet", "--select", "1:x")
