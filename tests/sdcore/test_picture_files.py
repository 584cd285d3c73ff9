from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from sdcore.errors import MachineError, RequestError
from sdcore.picture_files import read, write

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8))
TEXT = "house, né 音\nNegative prompt: a, b\nSteps: 3, Seed: 1, Size: 24x16"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".PNG"])
@pytest.mark.parametrize("text", [TEXT, "plain", ""])
def test_the_text_is_read_as_it_was_written(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, PICTURE, text)
    assert (read(path) or "") == text
    with Image.open(path) as found:
        assert found.size == (24, 16)
        if suffix in (".png", ".webp", ".PNG"):
            assert np.array_equal(np.asarray(found.convert("RGB")), np.asarray(PICTURE))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_png_holds_further_texts(tmp_path: Path) -> None:
    write(tmp_path / "a.png", PICTURE, TEXT, chunks={"riffapp": '{"kind": "image"}'})
    with Image.open(tmp_path / "a.png") as found:
        assert found.info["riffapp"] == '{"kind": "image"}'


@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
def test_a_comment_of_either_byte_order_is_read(tmp_path: Path, order: str) -> None:
    exif = Image.Exif()
    comment = b"UNICODE\x00" + TEXT.encode(order)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    PICTURE.save(tmp_path / "a.jpg", exif=exif)
    assert read(tmp_path / "a.jpg") == TEXT


def test_a_gif_s_comment_is_read(tmp_path: Path) -> None:
    PICTURE.save(tmp_path / "a.gif", comment=b"house\nSteps: 3, Seed: 1, Size: 8x8")
    assert read(tmp_path / "a.gif") == "house\nSteps: 3, Seed: 1, Size: 8x8"


def test_novelai_s_form_is_brought_to_the_field_s(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    said = {"steps": 28, "sampler": "k_euler", "scale": 11.0, "seed": 7, "uc": "bad"}
    for key, value in (
        ("Software", "NovelAI"),
        ("Description", "a cat"),
        ("Comment", json.dumps(said)),
    ):
        info.add_text(key, value)
    PICTURE.save(tmp_path / "a.png", pnginfo=info)
    assert read(tmp_path / "a.png") == (
        "a cat\nNegative prompt: bad\n"
        "Steps: 28, Sampler: Euler, CFG scale: 11.0, Seed: 7, Clip skip: 2, ENSD: 31337"
    )


def test_a_picture_without_a_text_has_none(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.webp", "a.gif", "a.bmp"):
        PICTURE.save(tmp_path / name)
        assert read(tmp_path / name) is None


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(RequestError, match="is no picture that can be read"):
        read(tmp_path / "a.png")
    with pytest.raises(RequestError, match="is not there: give a picture's file"):
        read(tmp_path / "b.png")
    with pytest.raises(RequestError, match="no picture's name that can be written"):
        write(tmp_path / "a.bmp", PICTURE, TEXT)
    with pytest.raises(MachineError, match="cannot be written"):
        write(tmp_path / "nowhere" / "a.png", PICTURE, TEXT)
