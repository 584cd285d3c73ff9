"""Small pictures: of one size, made once, and what sounds is seen on any ground."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from audio import pictures
from audio.types import RIFFUSION
from riffapp.ui import thumbnails


def test_a_thumbnail_is_of_one_size_made_once_and_shows_all_of_a_spectrogram(
    tmp_path: Path,
) -> None:
    image = Image.new("RGB", (1200, RIFFUSION.n_mels), "white")
    image.paste("black", (1100, 0, 1200, RIFFUSION.n_mels))  # what sounds last
    path = tmp_path / "a.png"
    pictures.write(path, image, RIFFUSION)
    small = thumbnails.thumbnail(path, tmp_path)
    with Image.open(small) as found:
        assert found.size == thumbnails.SIZE
        alpha = found.getchannel("A")
        assert alpha.getpixel((395, 100)) > 240 and alpha.getpixel((100, 100)) < 15
    made_at = small.stat().st_mtime_ns
    assert thumbnails.thumbnail(path, tmp_path).stat().st_mtime_ns == made_at


def test_a_thumbnail_of_a_picture_is_its_middle(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = Image.new("RGB", (300, 900), "red")
    image.paste("blue", (0, 400, 300, 500))
    image.save(path)
    with Image.open(thumbnails.thumbnail(path, tmp_path)) as found:
        assert found.size == thumbnails.SIZE and found.mode == "RGB"
        red, _, blue = found.getpixel((200, 125))  # type: ignore[misc]
        assert blue > 200 > red


def test_what_is_no_picture_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    assert thumbnails.thumbnail(path, tmp_path) == path
