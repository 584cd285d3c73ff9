"""Spectrogram pictures: a PNG says how it sounds, in our words and in Riffusion's."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from audio import pictures
from audio.errors import FileError, MachineError, ParameterError
from audio.types import (
    RIFFUSION,
    BeatFrames,
    DecibelCurve,
    PowerCurve,
    SpectrogramParams,
    Tempo,
    TimeFrames,
)

OURS = SpectrogramParams(
    n_mels=12,
    min_hz=30.0,
    max_hz=16000.0,
    frames=BeatFrames(per_beat=8),
    curve=DecibelCurve(range_db=72.0, full_scale=0.5),
)
THEIRS = replace(RIFFUSION, n_mels=12, curve=PowerCurve(max_value=46801012.5))
TEMPO = Tempo(bpm=123.456789, beats=3, meter=3)
TEXTS = {
    "parameters": 'house, "saw" bass, naïve 🎛\nSteps: 16, Seed: 0',
    "riffapp": '{"kind": "loop"}',
}


def noise(width: int = 24, height: int = 12) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png_chunks(path: Path) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG file by hand; asserts that checksums are right."""
    data, place, found = path.read_bytes(), 8, []
    while place < len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        (crc,) = struct.unpack(">I", data[place + 8 + size : place + 12 + size])
        assert crc == zlib.crc32(name + body)
        found.append((name, body))
        place += 12 + size
    return found


# ---- ours ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [OURS, replace(OURS, stereo=True), THEIRS, RIFFUSION])
@pytest.mark.parametrize("tempo", [TEMPO, None])
def test_what_is_written_is_read(
    tmp_path: Path, params: SpectrogramParams, tempo: Tempo | None
) -> None:
    pictures.write(tmp_path / "a.png", noise(), params, tempo=tempo, texts=TEXTS)
    found = pictures.read(tmp_path / "a.png")
    assert (found.params, found.tempo, found.texts) == (params, tempo, TEXTS)
    assert found.circular == (tempo is not None)
    assert found.image.mode == "RGB"
    assert np.array_equal(np.asarray(found.image), np.asarray(noise()))


@pytest.mark.parametrize("circular", [True, False])
def test_a_circle_may_have_no_tempo_and_a_tempo_no_circle(tmp_path: Path, circular: bool) -> None:
    tempo = None if circular else TEMPO
    pictures.write(tmp_path / "a.png", noise(), THEIRS, tempo=tempo, circular=circular)
    assert pictures.read(tmp_path / "a.png").circular is circular


def test_the_texts_are_chunks_that_any_program_can_read(tmp_path: Path) -> None:
    texts = {"parameters": "house drums", "riffapp": "{}"}
    pictures.write(tmp_path / "a.png", noise(), OURS, tempo=TEMPO, texts=texts)
    found = dict(body.split(b"\0", 1) for name, body in png_chunks(tmp_path / "a.png")
                 if name == b"tEXt")  # fmt: skip
    assert found[b"parameters"] == b"house drums" and found[b"riffapp"] == b"{}"
    assert json.loads(found[b"tempo"]) == {"bpm": 123.456789, "beats": 3, "meter": 3}
    assert json.loads(found[b"spectrogram"]) == {"params": OURS.to_json(), "circular": True}


def test_the_same_picture_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        pictures.write(tmp_path / name, noise(), THEIRS, tempo=TEMPO, texts=TEXTS)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert {name for name, _ in png_chunks(tmp_path / "a.png")} == {
        b"IHDR", b"tEXt", b"iTXt", b"eXIf", b"IDAT", b"IEND",
    }  # fmt: skip


def test_a_picture_of_a_later_version_still_plays(tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    later = {"params": OURS.to_json(), "circular": True, "mastering": {"lufs": -14}}
    chunks.add_text("spectrogram", json.dumps(later))
    chunks.add_text("tempo", '{"bpm": 90, "beats": 3, "swing": 0.6}')
    noise().save(tmp_path / "a.png", pnginfo=chunks)
    found = pictures.read(tmp_path / "a.png")
    assert (found.params, found.tempo) == (OURS, Tempo(bpm=90.0, beats=3))


# ---- Riffusion's --------------------------------------------------------------------------------


def riffusion_exif(changed: Mapping[int, object] | None = None) -> Image.Exif:
    """The tags as riffusion/spectrogram_params.py and spectrogram_image_converter.py write them."""
    exif = Image.Exif()
    values: dict[int, object] = {
        11000: 44100, 11005: False, 11010: 10, 11020: 100, 11030: 400,
        11040: 512, 11050: 0, 11060: 10000, 11070: 0.25, 11080: 46801012.0,
    }  # fmt: skip
    exif.update({**values, **(changed or {})})
    return exif


def test_riffusions_tags_are_read(tmp_path: Path) -> None:
    exif = riffusion_exif({
        11000: 48000, 11005: True, 11010: 5, 11020: 80, 11030: 320,
        11040: 256, 11050: 20, 11060: 20000, 11070: 0.5, 11080: 1234567.0,
    })  # fmt: skip
    noise().save(tmp_path / "a.png", exif=exif)
    found = pictures.read(tmp_path / "a.png")
    assert found.params == SpectrogramParams(
        rate=48000,
        stereo=True,
        n_mels=256,
        min_hz=20.0,
        max_hz=20000.0,
        frames=TimeFrames(hop_ms=5.0, window_ms=80.0, padded_ms=320.0),
        curve=PowerCurve(power=0.5, max_value=1234567.0),
    )
    assert (found.tempo, found.circular, dict(found.texts)) == (None, False, {})


@pytest.mark.parametrize("missing", sorted(pictures.EXIF.values()))
def test_a_missing_tag_takes_riffusions_default(tmp_path: Path, missing: int) -> None:
    exif = riffusion_exif()
    del exif[missing]
    noise().save(tmp_path / "a.png", exif=exif)
    most = None if missing == 11080 else 46801012.0
    expected = replace(RIFFUSION, curve=PowerCurve(max_value=most))
    assert pictures.read(tmp_path / "a.png").params == expected


def test_a_picture_without_tags_says_nothing_of_its_sound(tmp_path: Path) -> None:
    noise().convert("L").save(tmp_path / "a.png", dpi=(72, 72))
    found = pictures.read(tmp_path / "a.png")
    assert (found.params, found.tempo, found.image.mode) == (None, None, "RGB")


def test_riffusions_tags_are_written_as_riffusion_reads_them(tmp_path: Path) -> None:
    """Its reader takes each of these tags or fails, and wants whole numbers for all but two."""
    pictures.write(tmp_path / "a.png", noise(), replace(THEIRS, stereo=True))
    with Image.open(tmp_path / "a.png") as image:
        found = dict(image.getexif())
    assert found == {
        11000: 44100, 11005: 1, 11010: 10, 11020: 100, 11030: 400, 11040: 12,
        11050: 0, 11060: 10000, 11070: 0.25, 11080: 46801012.5,
    }  # fmt: skip
    assert all(isinstance(found[tag], int) for tag in found if tag not in (11070, 11080))


def test_what_riffusion_could_not_play_carries_none_of_its_tags(tmp_path: Path) -> None:
    pictures.write(tmp_path / "a.png", noise(), OURS, tempo=TEMPO)
    with Image.open(tmp_path / "a.png") as image:
        assert not image.getexif()


def test_our_text_wins_over_the_tags(tmp_path: Path) -> None:
    """Tags hold no fractions of Riffusion's whole numbers in every program; our text does."""
    params = replace(THEIRS, min_hz=27.5, frames=TimeFrames(hop_ms=7.5))
    pictures.write(tmp_path / "a.png", noise(), params)
    assert pictures.read(tmp_path / "a.png").params == params


# ---- refusals -----------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(FileError) as found:
        pictures.read(path)
    text = str(found.value)
    assert text.startswith(str(path)) and "\n" not in text
    return text


def test_a_png_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pictures.write(path, noise(8, 4), THEIRS, tempo=TEMPO, texts=TEXTS)
    whole = path.read_bytes()
    for kept in [*range(0, len(whole), 5), *range(len(whole) - 40, len(whole))]:
        path.write_bytes(whole[:kept])
        refused(path)


def test_a_png_with_a_wrong_byte_is_refused_or_reads_the_same_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pictures.write(path, noise(8, 4), OURS, tempo=TEMPO, texts=TEXTS)
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        wrong = bytearray(whole)
        wrong[place] ^= 0x55
        path.write_bytes(wrong)
        try:
            found = pictures.read(path)
        except FileError:
            continue
        assert np.array_equal(np.asarray(found.image), np.asarray(noise(8, 4)))


@pytest.mark.parametrize("body", [b"", b"no picture", b"\xff\xd8\xff\xe0 JFIF", b"GIF89a"])
def test_what_is_no_png_is_refused(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "a.png").write_bytes(body)
    assert "PNG" in refused(tmp_path / "a.png")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spectrogram", "{"),
        ("spectrogram", "[]"),
        ("spectrogram", '{"circular": true}'),
        ("spectrogram", '{"params": 5}'),
        ("spectrogram", '{"params": {"rate": "fast"}}'),
        ("spectrogram", '{"params": {"rate": 5}}'),
        ("spectrogram", '{"params": {"frames": {"kind": "beat", "per_beat": "x"}}}'),
        ("spectrogram", "[" * 100000),
        ("tempo", "fast"),
        ("tempo", "[]"),
        ("tempo", '{"bpm": 0, "beats": 4}'),
        ("tempo", '{"bpm": 120, "beats": 1e999}'),
        ("tempo", '{"bpm": NaN, "beats": 4}'),
    ],
)
def test_a_text_that_says_impossible_things_is_refused(
    tmp_path: Path, name: str, text: str
) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(name, text)
    noise().save(tmp_path / "a.png", pnginfo=chunks)
    assert "says impossible things of its sound" in refused(tmp_path / "a.png")


@pytest.mark.parametrize(
    "changed",
    [{11000: 5}, {11010: "soon"}, {11040: 0}, {11060: 1e9}, {11070: -1.0}, {11080: float("nan")}],
)
def test_tags_that_say_impossible_things_are_refused(
    tmp_path: Path, changed: dict[int, object]
) -> None:
    noise().save(tmp_path / "a.png", exif=riffusion_exif(changed))
    assert "says impossible things of its sound" in refused(tmp_path / "a.png")


def test_a_picture_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise().save(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "MAX_PIXELS", 24 * 12 - 1)
    assert "pixels" in refused(tmp_path / "a.png")


def test_names_of_our_own_are_not_for_others(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="text name 'spectrogram'"):
        pictures.write(tmp_path / "a.png", noise(), OURS, texts={"spectrogram": "x"})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_the_machines_fault_and_the_older_picture_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(b"older")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MachineError, match="No space left on device"):
        pictures.write(tmp_path / "a.png", noise(), OURS)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"older"
