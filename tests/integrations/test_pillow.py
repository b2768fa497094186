"""Archives as pictures of many frames, held to what Pillow promises of a format."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence, UnidentifiedImageError

import compressnet
import compressnet.integrations.pillow
from compressnet.errors import InputError
from drawings import drawn, sprites


@pytest.fixture(scope="module")
def sets() -> list[np.ndarray]:
    """Six images: RGBA, grey of another size, and grey of 16 bits."""
    return [drawn(3), drawn(2, side_px=9, channels=1)[..., 0], np.arange(35, dtype=np.uint16).reshape(1, 5, 7) * 1800]


@pytest.fixture(scope="module")
def path(sets: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pillow") / "a.cnet"
    names = [f"{i}.png" for i in range(6)]
    compressnet.compress(
        iter(sets), path, None, labels=[2, 0, 1, 2, 0, 1], names=names, class_names=["x", "y", "z"], block_images=2
    )
    return path


@pytest.fixture
def broken(path: Path, tmp_path: Path) -> Path:
    """The second block is damaged."""
    data = bytearray(path.read_bytes())
    with compressnet.open(path) as archive:
        entry = archive.container.blocks[1]
    data[entry.offset + entry.chunk_bytes - 6] ^= 1
    (tmp_path / "broken.cnet").write_bytes(data)
    return tmp_path / "broken.cnet"


def test_an_archive_is_a_picture_of_many_frames(path: Path, sets: list[np.ndarray]) -> None:
    with Image.open(path) as picture:
        assert picture.format == "CNET"
        assert (picture.n_frames, picture.is_animated, picture.tell()) == (6, True, 0)
        expected = [image for images in sets for image in images]
        for frame, mode in ((5, "I;16"), (0, "RGBA"), (3, "L"), (4, "L"), (2, "RGBA")):
            picture.seek(frame)
            assert (picture.tell(), picture.mode) == (frame, mode)
            assert picture.size == expected[frame].shape[1::-1]
            assert picture.info["name"] == f"{frame}.png"
            assert picture.info["label"] == [2, 0, 1, 2, 0, 1][frame]
            assert np.array_equal(np.asarray(picture), expected[frame])


def test_seeking_beyond_the_end_is_an_error_that_changes_nothing(path: Path) -> None:
    with Image.open(path) as picture:
        picture.seek(4)
        for frame in (6, -1):
            with pytest.raises(EOFError):
                picture.seek(frame)
        assert picture.tell() == 4
        assert len(list(ImageSequence.Iterator(picture))) == 6


def test_copies_and_pickles_keep_their_frame(path: Path, sets: list[np.ndarray]) -> None:
    with Image.open(path) as picture:
        picture.seek(1)
        others = [picture.copy(), pickle.loads(pickle.dumps(picture))]
        picture.seek(3)
        picture.load()
    for other in others:
        assert other.info["name"] == "1.png"
        assert np.array_equal(other, sets[0][1])


@pytest.mark.parametrize("as_stream", [False, True])
def test_streams_and_paths_are_read_alike(path: Path, sets: list[np.ndarray], as_stream: bool) -> None:
    source = io.BytesIO(path.read_bytes()) if as_stream else path
    with Image.open(source) as picture:
        picture.seek(4)
        assert np.array_equal(picture, sets[1][1])
    if isinstance(source, io.BytesIO):
        assert not source.closed


def test_a_closed_picture_is_not_read(path: Path) -> None:
    with Image.open(path) as picture:
        pass
    with pytest.raises(ValueError, match="closed"):
        picture.load()


def test_verify_finds_damage_that_loading_names(broken: Path, path: Path) -> None:
    with Image.open(path) as picture:
        picture.verify()
    with Image.open(broken) as picture, pytest.raises(OSError, match=r"broken\.cnet: block 1"):
        picture.verify()
    with Image.open(broken) as picture:
        picture.load()
        picture.seek(2)
        with pytest.raises(OSError, match=r"broken\.cnet: block 1"):
            picture.load()
        picture.seek(0)
        picture.load()


def test_a_file_that_is_cut_off_is_an_os_error(path: Path) -> None:
    data = path.read_bytes()
    for length in range(0, len(data), max(1, len(data) // 40)):
        with pytest.raises(OSError, match=r"cut off|cannot identify"):
            Image.open(io.BytesIO(data[:length]))
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"no archive at all"))


def test_colour_of_16_bits_is_refused(tmp_path: Path) -> None:
    compressnet.compress(drawn(2, channels=3).astype(np.uint16), tmp_path / "a.cnet", None)
    with pytest.raises(OSError, match="image 0: 16 bits in several channels: Pillow has no mode"):
        Image.open(tmp_path / "a.cnet")


def test_saving_keeps_everything_by_default(path: Path, sets: list[np.ndarray], tmp_path: Path) -> None:
    with Image.open(path) as picture:
        picture.seek(2)
        picture.save(tmp_path / "b.cnet", save_all=True)
        assert picture.tell() == 2
    with compressnet.open(tmp_path / "b.cnet") as archive:
        assert archive.labels.tolist() == [2, 0, 1, 2, 0, 1]
        assert archive.names == [f"{i}.png" for i in range(6)]
        assert archive.class_names == ["x", "y", "z"]
        expected = [image for images in sets for image in images]
        assert all(np.array_equal(*pair) for pair in zip(archive, expected, strict=True))


def test_saving_one_frame(path: Path, sets: list[np.ndarray]) -> None:
    stream = io.BytesIO()
    with Image.open(path) as picture:
        picture.seek(3)
        picture.save(stream, format="CNET")
    with compressnet.open(stream.getvalue()) as archive:
        assert len(archive) == 1
        assert archive.names == ["3.png"]
        assert np.array_equal(archive[0], sets[1][0])


def test_pictures_are_appended(path: Path, tmp_path: Path) -> None:
    more = [Image.fromarray(image) for image in sprites(3, channels=3)]
    more[0].save(tmp_path / "b.cnet", save_all=True, append_images=iter(more[1:]), labels=["a", "b", "c"])
    with Image.open(tmp_path / "b.cnet") as picture:
        assert picture.n_frames == 3
        picture.seek(2)
        assert picture.info["label"] == "c"
        assert np.array_equal(picture, more[2])
    with Image.open(path) as first, pytest.raises(InputError, match="6 of 7 pictures have a label; give labels= for"):
        first.save(tmp_path / "c.cnet", save_all=True, append_images=more[:1])
    assert not (tmp_path / "c.cnet").exists()


def test_losses_are_asked_for(tmp_path: Path, mnist: np.ndarray) -> None:
    pictures = [Image.fromarray(image) for image in mnist[:8]]
    sizes = []
    for i, options in enumerate(({}, {"quality": 40, "codec": "mnist"}, {"max_error": 3}, {"quality": 30})):
        pictures[0].save(tmp_path / f"{i}.cnet", save_all=True, append_images=pictures[1:], **options)
        with compressnet.open(tmp_path / f"{i}.cnet") as archive:
            sizes.append((tmp_path / f"{i}.cnet").stat().st_size)
            errors = np.abs(archive.array().astype(int) - mnist[:8])
        assert (errors.max() == 0) == (not options)
        assert options.get("max_error", 255) >= errors.max()
    assert sizes[0] == max(sizes)
    with pytest.raises(InputError, match="lossless, and quality 40"):
        pictures[0].save(tmp_path / "b.cnet", lossless=True, quality=40)


@pytest.mark.parametrize(("mode", "kept"), [("1", "L"), ("P", "RGB"), ("LA", "LA"), ("RGB", "RGB"), ("I;16B", "I;16")])
def test_modes_come_back_with_the_same_colours(mode: str, kept: str, tmp_path: Path) -> None:
    picture = Image.fromarray(drawn(1, channels=3)[0]).convert("L" if mode.startswith("I") else "RGB").convert(mode)
    picture.save(tmp_path / "a.cnet")
    with Image.open(tmp_path / "a.cnet") as back:
        assert back.mode == kept
        assert np.array_equal(back, picture.convert(kept))


def test_palettes_with_transparency_come_back_as_rgba(tmp_path: Path) -> None:
    picture = Image.fromarray(drawn(1, channels=3)[0]).convert("P")
    picture.info["transparency"] = picture.getpixel((0, 0))
    picture.save(tmp_path / "a.cnet")
    with Image.open(tmp_path / "a.cnet") as back:
        assert back.mode == "RGBA"
        assert back.getpixel((0, 0))[3] == 0


@pytest.mark.parametrize("mode", ["F", "I", "CMYK", "YCbCr"])
def test_modes_that_would_be_rounded_are_refused(mode: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"cannot write mode {mode} as CNET"):
        Image.new(mode, (4, 4)).save(tmp_path / "a.cnet")
    assert not (tmp_path / "a.cnet").exists()
