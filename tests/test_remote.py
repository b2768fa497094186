"""Archives, codecs and collections by URL: over HTTP with counted requests, S3, memory and ZIP."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmarks.urls import Served, measure, serving
from hypothesis import given
from hypothesis import strategies as st

import compressnet
from compressnet.archive.verifying import verify
from compressnet.errors import CodecError, CompressnetError, FormatError, InputError
from compressnet.files import atomic_open
from compressnet.images import open_collection, read_labels, write_collection
from compressnet.remote import Url, is_url, located

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

BLOCK_FSSPEC = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "fsspec":
            raise ModuleNotFoundError("No module named 'fsspec'", name="fsspec")
sys.meta_path.insert(0, Block())
from compressnet.commands.cli import run
sys.argv = ["compressnet", *sys.argv[1:]]
run()
"""


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as server:
        yield server


@pytest.fixture
def memory() -> Iterator[str]:
    """The start of URLs in memory; nothing is there at first, nor at the end."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield "memory://"
    system.store.clear()


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return open_collection("mnist").load(600)


@pytest.fixture(scope="module")
def archives(digits: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Coded by a codec, and learned from the images, each alone: in blocks of 100, with labels."""
    folder = tmp_path_factory.mktemp("archives")
    for name, codec in (("coded", "mnist"), ("learned", None)):
        compressnet.compress(digits, folder / name, codec, block_images=100, labels=range(600), effort=1)
    return {name: (folder / name).read_bytes() for name in ("coded", "learned")}


@pytest.mark.parametrize("name", ["coded", "learned"])
def test_an_image_takes_four_requests_and_the_next_one_none(archives: dict[str, bytes], name: str) -> None:
    steps = {step.name: step.requests for step in measure(archives[name])}
    assert steps["open"] + steps["an image"] <= 4
    assert steps["the next image"] == 0
    assert steps["an image far away"] == 1


def test_images_over_http_are_those_of_the_file(
    archives: dict[str, bytes], digits: np.ndarray, served: Served, tmp_path: Path
) -> None:
    (tmp_path / "a.cnet").write_bytes(archives["coded"])
    served.files["a.cnet"] = archives["coded"]
    with compressnet.open(f"{served.url}/a.cnet") as far, compressnet.open(tmp_path / "a.cnet") as near:
        served.taken()
        assert (far[:] == near[:]).all()
        assert served.taken()[0] == 1  # all blocks, as they follow one another
        assert (far[[3, 599, 3]] == near[[3, 599, 3]]).all()
        assert (far.symbols[:10] == near.symbols[:10]).all()
        assert far.labels is not None
        assert far.labels.tolist() == list(range(600))
        assert verify(far).is_well


def test_one_image_of_100_000_takes_a_hundredth_of_the_file(tmp_path: Path) -> None:
    images = open_collection("mnist").load(1024)
    compressnet.compress(images, tmp_path / "part.cnet", "mnist")
    compressnet.concat([tmp_path / "part.cnet"] * 98, tmp_path / "all.cnet")
    opened, read, after, away, _ = measure((tmp_path / "all.cnet").read_bytes())
    assert opened.requests + read.requests <= 4
    assert opened.share + read.share < 0.01
    assert (after.requests, away.requests) == (0, 1)


def test_an_archive_by_url_serves_processes(archives: dict[str, bytes], digits: np.ndarray, served: Served) -> None:
    served.files["a.cnet"] = archives["learned"]
    with compressnet.open(f"{served.url}/a.cnet", threads=1) as archive:
        again = pickle.loads(pickle.dumps(archive))
        assert (again[5] == digits[5]).all()
        again.close()
        assert (archive[550] == digits[550]).all()
        receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
        child = os.fork()
        if child == 0:
            try:
                sender.send_bytes(np.ascontiguousarray(archive[250]).tobytes())
            finally:
                os._exit(0)
        sender.close()
        assert receiver.poll(60)
        assert receiver.recv_bytes() == digits[250].tobytes()
        os.waitpid(child, 0)
        assert (archive[450] == digits[450]).all()


def test_workers_of_a_dataloader_read_by_url(archives: dict[str, bytes], digits: np.ndarray, served: Served) -> None:
    data = pytest.importorskip("torch.utils.data")
    from compressnet.integrations.torch import CompressnetDataset

    served.files["a.cnet"] = archives["learned"]
    dataset = CompressnetDataset(f"{served.url}/a.cnet", tensors=True)
    batches = [images.numpy() for images, _ in data.DataLoader(dataset, batch_size=300, num_workers=1)]
    assert (np.concatenate(batches)[:, 0] == digits).all()


def test_what_cannot_be_read_is_one_error_that_names_the_url(archives: dict[str, bytes], served: Served) -> None:
    served.files |= {"a.cnet": archives["coded"], "b.cnet": b"no archive" * 9000, "cut.cnet": archives["coded"][:-9]}
    for name, error in (("none.cnet", InputError), ("b.cnet", FormatError), ("cut.cnet", FormatError)):
        with pytest.raises(error, match=f"{served.url}/{name}: "):
            compressnet.open(f"{served.url}/{name}")
    with pytest.raises(InputError, match=f"{served.url}/new: cannot be written"):
        compressnet.compress(np.zeros((2, 28, 28), np.uint8), f"{served.url}/new", "mnist")
    served.ranged = False
    with pytest.raises(InputError, match="download it first"):
        compressnet.open(f"{served.url}/a.cnet")
    for url in ("nosuch://a.cnet", "http://127.0.0.1:9/a.cnet", "http://[/a.cnet", "zip://a::nosuch://b"):
        with pytest.raises(CompressnetError) as raised:
            compressnet.open(url)
        assert url in str(raised.value)
        assert "\n" not in str(raised.value)


def test_without_fsspec_the_extra_is_named(tmp_path: Path) -> None:
    for command in (["info", "memory://a.cnet"], ["compress", "s3://b/icons", "-o", "a.cnet"]):
        result = subprocess.run(
            [sys.executable, "-c", BLOCK_FSSPEC, *command], capture_output=True, text=True, cwd=tmp_path
        )
        assert result.returncode == 1
        assert "pip install 'compressnet[remote]'" in result.stderr
        assert result.stderr.count("\n") == 1


def test_archives_are_made_from_archives_in_memory(digits: np.ndarray, memory: str) -> None:
    url = f"{memory}a.cnet"
    compressnet.compress(digits[:200], url, "mnist", labels=range(200))
    compressnet.append(url, digits[200:300], labels=range(200, 300))
    with compressnet.open(url) as archive:
        assert archive.shape == (300, 28, 28)
        pixels = archive[:]
        compressnet.subset(archive, [7, 250], f"{memory}folder/two.cnet")
    compressnet.concat([url, f"{memory}folder/two.cnet"], f"{memory}all.cnet")
    with compressnet.open(f"{memory}all.cnet") as archive:
        assert (archive[:] == pixels[[*range(300), 7, 250]]).all()
        assert archive.labels is not None
        assert archive.labels.tolist() == [*range(300), 7, 250]
    system = fsspec.filesystem("memory")
    data = bytearray(system.cat_file("/all.cnet"))
    data[-20] ^= 1
    system.pipe_file("/all.cnet", bytes(data))
    assert compressnet.repair(f"{memory}all.cnet", f"{memory}saved.cnet").kept == 302
    with pytest.raises(InputError, match="the damaged archive itself"):
        compressnet.repair(f"{memory}all.cnet", f"{memory}all.cnet")


def test_what_fails_leaves_what_was_there(digits: np.ndarray, memory: str) -> None:
    def images() -> Iterator[np.ndarray]:
        yield digits[:10]
        raise InputError("the source is gone")

    compressnet.compress(digits[:20], f"{memory}a.cnet", "mnist")
    before = fsspec.filesystem("memory").cat_file("/a.cnet")
    with pytest.raises(InputError, match="the source is gone"):
        compressnet.compress(images(), f"{memory}a.cnet", "mnist")
    assert fsspec.filesystem("memory").cat_file("/a.cnet") == before


def test_a_change_meanwhile_is_seen(digits: np.ndarray, memory: str) -> None:
    compressnet.compress(digits[:20], f"{memory}a.cnet", "mnist")

    def images() -> Iterator[np.ndarray]:
        compressnet.compress(digits[:30], f"{memory}a.cnet", "mnist")
        yield digits[:10]

    with pytest.raises(InputError, match="changed it meanwhile"):
        compressnet.append(f"{memory}a.cnet", images())
    with compressnet.open(f"{memory}a.cnet") as archive:
        assert len(archive) == 30


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.parquet", "a.npz", "a.npy", "a-ubyte"])
def test_collections_are_written_to_urls_and_read_from_there(digits: np.ndarray, memory: str, name: str) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    labels = np.arange(9)
    write_collection(f"{memory}deep/{name}", [digits[:9]], count=9, labels=labels)
    with pytest.raises(InputError, match=f"{memory}deep/{name}: exists already"):
        write_collection(f"{memory}deep/{name}", [digits[:9]], count=9)
    collection = open_collection(f"{memory}deep/{name}")
    assert (collection.load() == digits[:9]).all()
    assert collection.labels is not None
    assert collection.labels.tolist() == labels.tolist()
    assert collection.name == f"{memory}deep/{name}"
    assert any(f"{memory}deep/{name}, to a temporary folder" in line for line in collection.account.lines())


def test_labels_of_before_do_not_stay_beside_arrays(digits: np.ndarray, memory: str) -> None:
    write_collection(f"{memory}a.npy", [digits[:9]], count=9, labels=np.arange(9))
    write_collection(f"{memory}a.npy", [digits[:5]], count=5, overwrite=True)
    assert open_collection(f"{memory}a.npy").labels is None


def test_folders_and_labels_are_read_from_urls(digits: np.ndarray, memory: str, tmp_path: Path) -> None:
    write_collection(tmp_path / "icons", [digits[:9]], count=9, names=[f"{i % 2}/{i}.png" for i in range(9)])
    fsspec.filesystem("memory").put(str(tmp_path / "icons"), "/icons", recursive=True)
    collection = open_collection(f"{memory}icons")
    assert collection.count == 9
    assert list(collection.names or []) == list(open_collection(tmp_path / "icons").names or [])
    fsspec.filesystem("memory").pipe_file("/labels.txt", b"3\n4\n")
    assert read_labels(f"{memory}labels.txt").tolist() == [3, 4]
    with pytest.raises(InputError, match="folders are not written to URLs"):
        write_collection(f"{memory}out", [digits[:9]], count=9)


def test_a_broken_picture_is_named_by_its_url(memory: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("bad.png", b"\x89PNG\r\n\x1a\nno picture")
    fsspec.filesystem("memory").pipe_file("/a.zip", stream.getvalue())
    with pytest.raises(InputError, match=rf"{memory}a\.zip") as raised:
        open_collection(f"{memory}a.zip").load()
    assert "compressnet-" not in str(raised.value)


def test_copies_vanish_with_their_collection(
    digits: np.ndarray, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    write_collection(f"{memory}a.zip", [digits[:9]], count=9)
    collection = open_collection(f"{memory}a.zip")
    assert len(list(tmp_path.iterdir())) == 1
    assert len(collection.load()) == 9
    del collection
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_leads_out_of_a_folder_is_refused(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system = fsspec.filesystem("memory")
    system.pipe_file("/icons/a.png", b"")
    monkeypatch.setattr(type(system), "find", lambda _, path: [f"{path}/../../evil.png"])
    with pytest.raises(InputError, match="leads out of the folder"):
        open_collection(f"{memory}icons")


def test_codecs_are_read_from_urls(digits: np.ndarray, memory: str, grey_path: Path, tiny_arrays: object) -> None:
    fsspec.filesystem("memory").pipe_file("/grey.codec", grey_path.read_bytes())
    images = np.zeros((3, 8, 12), np.uint8)
    compressnet.compress(images, f"{memory}a.cnet", f"{memory}grey.codec", embed_codec=False)
    with compressnet.open(f"{memory}a.cnet", f"{memory}grey.codec") as archive:
        assert archive.shape == (3, 8, 12)
    with pytest.raises(CodecError):
        compressnet.open(f"{memory}a.cnet")
    with pytest.raises(InputError, match="no such file"):
        compressnet.load(f"{memory}none.codec")


def test_an_archive_in_a_zip_behind_a_url(archives: dict[str, bytes], digits: np.ndarray, served: Served) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("sub/a.cnet", archives["learned"])
    served.files["x.zip"] = stream.getvalue()
    with compressnet.open(f"zip://sub/a.cnet::{served.url}/x.zip") as archive:
        assert (archive[77] == digits[77]).all()


def test_s3(digits: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in (
            ("ENDPOINT_URL", f"http://{host}:{port}"),
            ("ACCESS_KEY_ID", "a"),
            ("SECRET_ACCESS_KEY", "b"),
        ):
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3").mkdir("icons")
        compressnet.compress(digits[:100], "s3://icons/deep/a.cnet", "mnist")
        compressnet.append("s3://icons/deep/a.cnet", digits[100:200])
        with compressnet.open("s3://icons/deep/a.cnet") as archive:
            assert archive.shape == (200, 28, 28)
            batch = archive[:]
        write_collection(tmp_path / "folder", [batch[:5]], count=5)
        fsspec.filesystem("s3").put(str(tmp_path / "folder"), "s3://icons/folder", recursive=True)
        fsspec.filesystem("s3").pipe_file("icons/folder/", b"")
        assert (open_collection("s3://icons/folder").load() == batch[:5]).all()
        write_collection("s3://icons/folder.zip", [batch], count=200)
        assert (open_collection("s3://icons/folder.zip").load() == batch).all()
        with pytest.raises(InputError, match=r"s3://icons/none\.cnet: no such file"):
            compressnet.open("s3://icons/none.cnet")
        with (
            pytest.raises(InputError, match=r"s3://nobody/a\.cnet: cannot be written"),
            atomic_open(Url("s3://nobody/a.cnet")),
        ):
            pass
    finally:
        server.stop()


def test_what_is_a_url() -> None:
    for url in ("s3://b/a.cnet", "https://h/a", "zip://a.cnet::https://h/x.zip", "simplecache::s3://b/a"):
        assert is_url(url)
    for path in ("a.cnet", "C:\\a.cnet", "C:/a.cnet", "a::b", "dir/s3://b", "-", ""):
        assert not is_url(path)
    assert located("file:///tmp/a%20b.cnet") == Path("/tmp/a b.cnet")
    assert located(Path("a.cnet")) == Path("a.cnet")


@pytest.mark.parametrize(
    ("url", "name", "beside"),
    [
        ("s3://bucket/deep/a.npy", "a.npy", "s3://bucket/deep/b"),
        ("https://h/a.zip?key=x/y.z", "a.zip", "https://h/b?key=x/y.z"),
        ("zip://in/a.cnet::https://h/x.zip", "a.cnet", "zip://in/b::https://h/x.zip"),
        ("simplecache::s3://bucket/a.cnet", "a.cnet", "simplecache::s3://bucket/b"),
        ("memory://a.cnet", "a.cnet", "memory://b"),
        ("s3://bucket/what?.npy", "what?.npy", "s3://bucket/b"),
    ],
)
def test_names_of_urls(url: str, name: str, beside: str) -> None:
    assert Url(url).name == name
    assert str(Url(url).with_name("b")) == beside


@given(st.data())
def test_whatever_is_asked_of_a_url_is_what_the_file_has(data: st.DataObject) -> None:
    from compressnet.container.sources import UrlSource, WindowSource

    content = data.draw(st.binary(min_size=1, max_size=60))
    fsspec.filesystem("memory").pipe_file("/any", content)
    source = UrlSource(Url("memory://any"))
    place = st.tuples(st.integers(0, 70), st.integers(0, 70))
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.booleans()):
            source.expect(*data.draw(place))
        ranges = data.draw(st.lists(place, max_size=4))
        expected = [content[start : start + count] for start, count in ranges]
        assert source.read_each(ranges) == expected
        assert WindowSource(source).read_each(ranges) == expected
