"""Sound files: the bytes as the formats define them, the same each time, whole or not at all."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audio import files
from audio.errors import FileError, MachineError, ParameterError
from audio.types import Clip, Samples, Tempo

ROOT = Path(__file__).resolve().parents[2]
RATE = 44100
TEMPO = Tempo(bpm=123.4, beats=1)
TEXTS = {
    "parameters": 'house, "saw" bass, naïve 🎛\nNegative prompt: lead\nSteps: 16, Seed: 0',
    "riffapp": '{"kind": "loop", "request": {"prompt": "house"}}',
}
KINDS = [
    ("wav", "pcm16"),
    ("wav", "pcm24"),
    ("wav", "float"),
    ("flac", "pcm16"),
    ("flac", "pcm24"),
    ("ogg", "pcm16"),
    ("mp3", "pcm16"),
]
FORMATS = ("wav", "flac", "ogg", "mp3")


def tones(n: int, *, channels: int = 2, gain: float = 0.4) -> Clip:
    """A different tone in each channel, going round in n samples."""
    turns = np.outer(np.arange(1, channels + 1) * (n // 100), np.arange(n) / n)
    return Clip(samples=(gain * np.sin(2 * np.pi * turns)).astype(np.float32), rate=RATE)


LOOP = tones(TEMPO.samples(RATE))


def wav_chunks(path: Path) -> dict[bytes, list[bytes]]:
    """The chunks of a WAV file by hand; asserts that sizes and pad bytes are right."""
    data = path.read_bytes()
    assert (data[:4], data[8:12]) == (b"RIFF", b"WAVE")
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    found: dict[bytes, list[bytes]] = {}
    place = 12
    while place < len(data):
        size = struct.unpack("<I", data[place + 4 : place + 8])[0]
        found.setdefault(data[place : place + 4], []).append(data[place + 8 : place + 8 + size])
        if size % 2:
            assert data[place + 8 + size] == 0
        place += 8 + size + size % 2
    assert place == len(data)
    return found


# ---- the way out and back -----------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "subtype"), KINDS)
def test_what_is_written_is_read(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"loop.{suffix}"
    files.write(path, LOOP, subtype=subtype, tempo=TEMPO, tags=TEXTS)
    found = files.read(path)
    # Half a step of rounding, a step of dither; the lossy ones are judged by their error's rms.
    most = {"pcm16": 1.5 / 2**15, "pcm24": 0.5 / 2**23, "float": 0.0}[subtype]
    error = np.abs(found.samples - LOOP.samples)
    assert (found.rate, found.samples.shape) == (RATE, LOOP.samples.shape)
    assert found.samples.dtype == np.float32
    if suffix in ("ogg", "mp3"):
        assert np.sqrt(np.mean(error**2)) < 0.02 * 0.4
    else:
        assert error.max() <= most
    assert files.read_tags(path) == TEXTS
    assert files.read_loop(path) == TEMPO


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("bpm", [40.0, 87.654321, 123.456789, 240.0])
def test_the_tempo_comes_back_as_the_same_decimal(tmp_path: Path, suffix: str, bpm: float) -> None:
    tempo = Tempo(bpm=bpm, beats=3, meter=3)
    path = tmp_path / f"loop.{suffix}"
    clip = replace(tones(tempo.samples(8000), channels=1), rate=8000)
    files.write(path, clip, tempo=tempo)
    assert files.read_loop(path) == tempo


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_sound_that_is_no_loop_says_no_tempo(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sound.{suffix}"
    files.write(path, LOOP)
    assert files.read_loop(path) is None
    assert files.read_tags(path) == {}


def test_a_written_file_is_of_the_format_that_its_name_says(tmp_path: Path) -> None:
    kinds = {
        ("wav", "pcm16"): ("WAV", "PCM_16"),
        ("wav", "pcm24"): ("WAV", "PCM_24"),
        ("wav", "float"): ("WAV", "FLOAT"),
        ("flac", "pcm16"): ("FLAC", "PCM_16"),
        ("flac", "pcm24"): ("FLAC", "PCM_24"),
        ("ogg", "float"): ("OGG", "VORBIS"),
        ("mp3", "pcm24"): ("MP3", "MPEG_LAYER_III"),
    }
    for (suffix, subtype), expected in kinds.items():
        path = tmp_path / f"{subtype}.{suffix.upper()}"
        files.write(path, LOOP, subtype=subtype, tempo=TEMPO, tags=TEXTS)
        said = sf.info(path)
        assert (said.format, said.subtype) == expected


def test_a_long_vorbis_file_is_encoded_in_pieces(tmp_path: Path) -> None:
    """libsndfile's encoder is known to overflow its stack when given minutes at once."""
    clip = Clip(samples=np.zeros((1, 120 * 8000), np.float32), rate=8000)
    files.write(tmp_path / "long.ogg", clip)
    assert files.read(tmp_path / "long.ogg").n == clip.n


# ---- WAV by hand --------------------------------------------------------------------------------


def test_smpl_holds_one_endless_forward_loop_to_the_last_frame(tmp_path: Path) -> None:
    files.write(tmp_path / "a.wav", LOOP, tempo=TEMPO, root=57)
    (body,) = wav_chunks(tmp_path / "a.wav")[b"smpl"]
    assert len(body) == 36 + 24
    assert struct.unpack("<9I", body[:36]) == (0, 0, 22676, 57, 0, 0, 0, 1, 0)
    n = len(wav_chunks(tmp_path / "a.wav")[b"data"][0]) // 4  # two channels of 16 bits
    assert n == TEMPO.samples(RATE)
    assert struct.unpack("<6I", body[36:]) == (0, 0, 0, n - 1, 0, 0)


@pytest.mark.parametrize(("root", "flags", "note"), [(57, 6, 57), (0, 6, 0), (None, 4, 60)])
def test_acid_holds_beats_meter_tempo_and_root(
    tmp_path: Path, root: int | None, flags: int, note: int
) -> None:
    tempo = Tempo(bpm=138.0, beats=3, meter=3)
    clip = tones(tempo.samples(RATE))
    files.write(tmp_path / "a.wav", clip, tempo=tempo, root=root)
    (body,) = wav_chunks(tmp_path / "a.wav")[b"acid"]
    assert len(body) == 24
    assert struct.unpack("<IH", body[:6]) == (flags, note)
    assert struct.unpack("<IHH", body[12:20]) == (3, 4, 3)  # beats, denominator, numerator
    assert body[20:] == bytes.fromhex("00000a43")  # 138 as float32


def test_libsndfile_reads_the_loop_as_we_mean_it(tmp_path: Path) -> None:
    files.write(tmp_path / "a.wav", LOOP, tempo=TEMPO, root=57)
    with sf.SoundFile(tmp_path / "a.wav") as sound:
        said = " ".join(sound.extra_info.split())
    assert "Midi Note : 57" in said and "Loop Count : 1" in said
    assert f"Start : 0 End : {LOOP.n - 1} Fraction : 0 Count : 0" in said
    assert "RootNoteValid,StretchOn" in said and "Beats : 1" in said and "Meter : 4/4" in said
    assert "Tempo : 123.4" in said


def test_texts_stand_in_the_comment_and_in_a_chunk_of_ours(tmp_path: Path) -> None:
    files.write(tmp_path / "a.wav", LOOP, tags=TEXTS)
    chunks = wav_chunks(tmp_path / "a.wav")
    (info,) = chunks[b"LIST"]
    comment = TEXTS["parameters"].encode() + b"\0"
    assert info[:8] == b"INFOICMT"
    assert struct.unpack("<I", info[8:12])[0] == len(comment)
    assert info[12:].ljust(len(info[12:]) // 2 * 2, b"\0").startswith(comment)
    assert len(info) % 2 == 0
    assert chunks[b"rtxt"] == [b"riffapp\0" + TEXTS["riffapp"].encode()]


@pytest.mark.parametrize("length", range(4))
def test_chunks_of_odd_length_are_padded(tmp_path: Path, length: int) -> None:
    texts = {"parameters": "x" * length, "riffapp": "y" * length}
    files.write(tmp_path / "a.wav", tones(1001, channels=1), subtype="pcm24", tags=texts)
    wav_chunks(tmp_path / "a.wav")  # asserts sizes and padding
    assert files.read_tags(tmp_path / "a.wav") == texts
    assert files.read(tmp_path / "a.wav").n == 1001


def test_no_chunk_holds_the_time_of_day(tmp_path: Path) -> None:
    """libsndfile puts it into PEAK of a float file."""
    files.write(tmp_path / "a.wav", LOOP, subtype="float")
    assert set(wav_chunks(tmp_path / "a.wav")) == {b"fmt ", b"fact", b"data"}


def _wav(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    """A WAV file of another program, with 100 frames of 8 bit sound."""
    fmt = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE"
    for name, data in [(b"fmt ", fmt), (b"data", b"\x80" * 100), *chunks]:
        body += name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def _acid(flags: int, beats: int, meter: int, bpm: float) -> tuple[bytes, bytes]:
    return b"acid", struct.pack("<IHHfIHHf", flags, 60, 0x8000, 0.0, beats, 4, meter, bpm)


@pytest.mark.parametrize(
    ("chunk", "tempo"),
    [
        (_acid(4, 8, 4, 123.4), Tempo(bpm=123.4, beats=8)),  # a float32, yet a decimal again
        (_acid(4, 6, 0, 90.0), Tempo(bpm=90.0, beats=6)),
        (_acid(1, 8, 4, 120.0), None),  # a one-shot
        (_acid(4, 0, 4, 120.0), None),
        (_acid(4, 8, 4, 0.0), None),
        (_acid(4, 8, 4, float("nan")), None),
        ((b"acid", b"short"), None),
    ],
)
def test_the_tempo_of_another_programs_loop_is_read(
    tmp_path: Path, chunk: tuple[bytes, bytes], tempo: Tempo | None
) -> None:
    (tmp_path / "a.wav").write_bytes(_wav(chunk))
    assert files.read_loop(tmp_path / "a.wav") == tempo


def test_a_tempo_that_another_program_changed_wins_over_our_text(tmp_path: Path) -> None:
    ours = (b"rtxt", b'tempo\0{"beats": 8, "bpm": 123.4, "meter": 4}')
    (tmp_path / "a.wav").write_bytes(_wav(_acid(4, 4, 4, 61.7), ours))
    assert files.read_loop(tmp_path / "a.wav") == Tempo(bpm=61.7, beats=4)


def test_another_programs_comment_is_the_parameters_text(tmp_path: Path) -> None:
    info = b"INFO" + b"INAM\x03\0\0\0hi\0\0" + b"ICMT\x05\0\0\0note\0\0"
    (tmp_path / "a.wav").write_bytes(_wav((b"LIST", b"adtlxxxx"), (b"LIST", info)))
    assert files.read_tags(tmp_path / "a.wav") == {"parameters": "note"}


@pytest.mark.parametrize("size", [0, 0x7FFFF024, 0xFFFFFFFF])
def test_a_wav_whose_writer_could_not_seek_back_is_read(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.wav").write_bytes(_wav(size=size))
    assert files.read(tmp_path / "a.wav").n == 100


# ---- the same bytes -----------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "subtype"), KINDS)
def test_the_same_clip_makes_the_same_bytes(tmp_path: Path, suffix: str, subtype: str) -> None:
    found = set()
    for name in ("a", "b"):
        path = tmp_path / f"{name}.{suffix}"
        files.write(path, LOOP, subtype=subtype, tempo=TEMPO, root=57, tags=TEXTS)
        found.add(path.read_bytes())
    assert len(found) == 1


def test_another_process_at_another_time_makes_the_same_bytes(tmp_path: Path) -> None:
    """Each format in two children whose zones, hashes and global random states differ."""
    code = """
import sys
import numpy as np
from pathlib import Path
from audio import files
from audio.types import Clip, Tempo
np.random.seed(int(sys.argv[2]))
tempo = Tempo(bpm=240.0, beats=1)
x = np.sin(np.arange(tempo.samples(44100)) / 9).astype(np.float32)[None]
for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
    files.write(Path(sys.argv[1]) / name, Clip(samples=x, rate=44100), tempo=tempo, tags={"a": "b"})
"""
    made = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}"}
        command = [sys.executable, "-c", code, str(folder), seed]
        subprocess.run(command, check=True, cwd=ROOT, env=environment)
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert made[0] == made[1] and len(made[0]) == 4


def _ogg_crc(page: bytes) -> int:
    """RFC 3533, section 6: polynomial 0x04c11db7, nothing reflected, nothing inverted."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
            crc &= 0xFFFFFFFF
    return crc


def test_each_ogg_page_has_our_serial_number_and_a_right_checksum(tmp_path: Path) -> None:
    files.write(tmp_path / "a.ogg", tones(RATE // 4), tags=TEXTS)
    data, pages, place = (tmp_path / "a.ogg").read_bytes(), 0, 0
    while place < len(data):
        assert data[place : place + 4] == b"OggS"
        segments = data[place + 26]
        size = 27 + segments + sum(data[place + 27 : place + 27 + segments])
        page = data[place : place + size]
        serial, number, crc = struct.unpack("<III", page[14:26])
        assert (serial, number) == (0x72696666, pages)
        assert crc == _ogg_crc(page[:22] + b"\0" * 4 + page[26:])
        pages, place = pages + 1, place + size
    assert pages >= 3 and place == len(data)


# ---- 16 bits ------------------------------------------------------------------------------------


def test_digital_silence_stays_silent(tmp_path: Path) -> None:
    samples = LOOP.samples.copy()
    samples[:, 1000:3000] = 0.0
    for suffix in ("wav", "flac"):
        files.write(tmp_path / f"a.{suffix}", Clip(samples=samples, rate=RATE))
        assert not files.read(tmp_path / f"a.{suffix}").samples[:, 1000:3000].any()


def test_dither_keeps_what_is_softer_than_a_step(tmp_path: Path) -> None:
    """A tone of 0.3 steps would be rounded away; dithered it keeps its size, and noise is white."""
    step = 1 / 2**15
    quiet = tones(2 * RATE, channels=1, gain=0.3 * step)
    files.write(tmp_path / "a.wav", quiet)
    found = files.read(tmp_path / "a.wav").samples[0].astype(np.float64)
    tone = quiet.samples[0].astype(np.float64)
    assert np.dot(found, tone) / np.dot(tone, tone) == pytest.approx(1.0, abs=0.05)
    error = (found - tone) / step
    # Triangular dither (variance 1/6) and rounding (1/12): 1/4 step^2 whatever the signal is.
    assert np.mean(error**2) == pytest.approx(0.25, rel=0.03)
    assert abs(np.mean(error)) < 0.01
    assert abs(np.mean(error[1:] * error[:-1])) < 0.01


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_copy_of_a_16_bit_file_is_that_file(tmp_path: Path, suffix: str) -> None:
    files.write(tmp_path / f"a.{suffix}", LOOP)
    files.write(tmp_path / f"b.{suffix}", files.read(tmp_path / f"a.{suffix}"))
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize(("subtype", "steps"), [("pcm16", 2**15), ("pcm24", 2**23)])
def test_what_is_too_loud_is_clipped_and_never_wraps(
    tmp_path: Path, subtype: str, steps: int
) -> None:
    loud = np.array([[1.0, 1.5, -1.0, -1.5, 0.0]], np.float32)
    files.write(tmp_path / "a.wav", Clip(samples=loud, rate=RATE), subtype=subtype)
    found = files.read(tmp_path / "a.wav").samples[0]
    top = (steps - 1) / steps
    assert np.array_equal(found, np.array([top, top, -1.0, -1.0, 0.0], np.float32))


def test_floats_keep_what_is_too_loud(tmp_path: Path) -> None:
    files.write(tmp_path / "a.wav", tones(1000, gain=2.0), subtype="float")
    assert np.array_equal(files.read(tmp_path / "a.wav").samples, tones(1000, gain=2.0).samples)


# ---- whole or not at all ------------------------------------------------------------------------


def test_an_older_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"older")
    path.chmod(0o640)
    files.write(path, LOOP)
    assert files.read(path).n == LOOP.n
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_rights_that_the_user_gives_new_files(tmp_path: Path) -> None:
    files.write(tmp_path / "a.wav", LOOP)
    (tmp_path / "b").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_link_goes_on_pointing_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "link.wav").symlink_to(tmp_path / "file.wav")
    files.write(tmp_path / "link.wav", LOOP)
    assert (tmp_path / "link.wav").is_symlink() and files.read(tmp_path / "file.wav").n == LOOP.n


def test_a_full_disk_is_the_machines_fault_and_the_older_files_stay(tmp_path: Path) -> None:
    """In a child that may write no file past 2,000 bytes."""
    names = [f"a.{suffix}" for suffix in FORMATS]
    for name in names:
        (tmp_path / name).write_bytes(b"older")
    code = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from audio import errors, files
from audio.types import Clip
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
x = np.random.default_rng(0).normal(0, 0.1, (1, 44100)).astype(np.float32)
for name in sys.argv[2:]:
    try:
        files.write(Path(sys.argv[1]) / name, Clip(samples=x, rate=44100))
    except errors.MachineError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *names],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    said = run.stdout.splitlines()
    assert len(said) == len(names) and run.stderr == ""
    for name, sentence in zip(names, said, strict=True):
        assert f"{name} cannot be written (File too large)" in sentence
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == dict.fromkeys(names, b"older")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, MachineError),
        (errno.EDQUOT, MachineError),
        (errno.EACCES, MachineError),
        (errno.EROFS, MachineError),
        (errno.ENAMETOOLONG, FileError),
    ],
)
def test_what_the_system_refuses_is_one_sentence_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(kind, match=rf"a\.wav cannot be written \({os.strerror(number)}\)"):
        files.write(tmp_path / "a.wav", LOOP)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_place_that_is_locked_is_the_machines_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"older")
    if os.geteuid() == 0:  # root may write anywhere: its refusal is told
        monkeypatch.setattr(os, "access", lambda *_: False)
    (path if place == "file" else tmp_path).chmod(0o555)
    try:
        with pytest.raises(MachineError, match="Permission denied"):
            files.write(path, LOOP)
    finally:
        tmp_path.chmod(0o755)
    assert path.read_bytes() == b"older"
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_a_run_that_is_stopped_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "a.wav", LOOP)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file or directory"):
        files.write(tmp_path / "no" / "a.wav", LOOP)


# ---- refusals -----------------------------------------------------------------------------------

READERS = (files.read, files.read_tags, files.read_loop)


def refused(reader: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(FileError) as found:
        reader(path)
    text = str(found.value)
    assert text.startswith(str(path)) and "\n" not in text
    return text


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("body", [b"a letter to my aunt\n" * 50, b"RIFF", b"RIFF\4\0\0\0AVI ",
                                  b"fLaC", b"OggS", b"ID3", b"\xff\xfb\x90\x44"])  # fmt: skip
def test_what_is_no_sound_is_refused_whatever_its_name(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    reader: Callable[[Path], object],
    suffix: str,
    body: bytes,
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(body)
    refused(reader, path)
    assert capfd.readouterr().err == ""  # decoders like to talk


@pytest.mark.parametrize("reader", READERS)
def test_an_empty_file_is_refused(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    (tmp_path / "a.wav").touch()
    assert "is empty" in refused(reader, tmp_path / "a.wav")


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_not_there_is_refused(
    tmp_path: Path, reader: Callable[[Path], object]
) -> None:
    assert "No such file" in refused(reader, tmp_path / "a.wav")
    assert "Is a directory" in refused(reader, tmp_path)


@pytest.mark.parametrize(("suffix", "subtype"), KINDS)
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"a.{suffix}"
    files.write(path, LOOP, subtype=subtype, tempo=TEMPO, tags=TEXTS)
    whole = path.read_bytes()
    for kept in (0.001, 0.02, 0.3, 0.5, 0.9, 0.98):
        path.write_bytes(whole[: int(kept * len(whole))])
        refused(files.read, path)


def test_a_wav_cut_in_its_chunks_is_refused_by_each_reader(tmp_path: Path) -> None:
    files.write(tmp_path / "a.wav", LOOP, tempo=TEMPO, tags=TEXTS)
    whole = (tmp_path / "a.wav").read_bytes()
    for missing in (2, 20, 100, 300):
        (tmp_path / "a.wav").write_bytes(whole[:-missing])
        for reader in READERS:
            assert "is cut short" in refused(reader, tmp_path / "a.wav")


@pytest.mark.parametrize("suffix", FORMATS)
def test_wrong_bytes_are_refused_or_read_but_never_a_defect(tmp_path: Path, suffix: str) -> None:
    """Single wrong bytes, most of them among headers and texts."""
    path = tmp_path / f"a.{suffix}"
    tempo = Tempo(bpm=240.0, beats=1)
    clip = replace(tones(tempo.samples(8000), channels=1), rate=8000)
    files.write(path, clip, tempo=tempo, tags=TEXTS)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, 600, 50):
        wrong = bytearray(whole)
        wrong[int(place)] ^= 1 << int(rng.integers(8))
        path.write_bytes(wrong)
        for reader in READERS:
            with suppress(FileError):
                reader(path)


def test_a_header_without_sound_is_refused(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.zeros((0, 1)), RATE)
    assert "holds no sound" in refused(files.read, tmp_path / "a.wav")


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    bad = np.array([[0.0, np.nan, 0.0]], np.float32)
    sf.write(tmp_path / "a.wav", bad.T, RATE, subtype="FLOAT")
    assert "no numbers" in refused(files.read, tmp_path / "a.wav")
    with pytest.raises(ParameterError, match="no numbers"):
        files.write(tmp_path / "b.wav", Clip(samples=bad, rate=RATE))


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_may_not_be_read_is_the_machines_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Callable[[Path], object]
) -> None:
    def refuse(*_: object) -> None:  # root may read everything: its refusal is told
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MachineError, match=r"a\.wav cannot be read \(Permission denied\)"):
        reader(tmp_path / "a.wav")


EMPTY: Samples = np.zeros((1, 0), np.float32)


@pytest.mark.parametrize(
    ("name", "clip", "settings", "sentence"),
    [
        ("a.aiff", LOOP, {}, "a.aiff is no sound file's name: known suffixes are .wav, .flac"),
        ("a.wav", LOOP, {"subtype": "pcm8"}, "unknown subtype 'pcm8': known are pcm16, pcm24"),
        ("a.flac", LOOP, {"subtype": "float"}, "FLAC holds no 'float': take pcm16 or pcm24"),
        ("a.wav", Clip(samples=EMPTY), {}, "a clip without samples"),
        ("a.wav", LOOP, {"root": 128}, "MIDI notes go from 0 to 127"),
        ("a.wav", LOOP, {"tempo": Tempo(bpm=123.5, beats=1)}, "is no loop of 1 beats at 123.5"),
        ("a.mp3", replace(LOOP, rate=96000), {}, "2 channels at 96000 Hz: MP3 cannot hold that"),
        ("a.mp3", tones(100, channels=6), {}, "6 channels at 44100 Hz: MP3 cannot hold that"),
        ("a.wav", LOOP, {"tags": {"riffapp": "a\0b"}}, "holds a NUL character"),
        ("a.wav", LOOP, {"tags": {"riffapp": "\udcff"}}, "no valid Unicode at character 0"),
        ("a.wav", LOOP, {"tags": {"tempo": "120"}}, "text name 'tempo'"),
        ("a.wav", LOOP, {"tags": {"My Name": "x"}}, "text name 'My Name'"),
    ],
)
def test_what_no_file_can_hold_is_refused_and_leaves_none(
    tmp_path: Path, name: str, clip: Clip, settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ParameterError) as found:
        files.write(tmp_path / name, clip, **settings)  # type: ignore[arg-type]
    assert sentence in str(found.value)
    assert not list(tmp_path.iterdir())


# ---- another rate -------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", [(48000, 44100), (44100, 48000), (22050, 44100), (44100, 8000)])
def test_a_loop_at_another_rate_is_the_same_circle(rates: tuple[int, int]) -> None:
    """A tone that goes round a whole number of times does so at the other rate, seam and all."""
    source, target = rates

    def circle(rate: int) -> Samples:
        turns = 2 * np.pi * 1000 * np.arange(rate) / rate
        return (0.5 * np.sin(turns + 1.0)).astype(np.float32)[None]

    found = files.resample(Clip(samples=circle(source), rate=source), target, circular=True)
    assert (found.rate, found.n) == (target, target)
    assert np.abs(found.samples - circle(target)).max() < 1e-4


def test_a_sound_at_another_rate_keeps_its_length_and_place() -> None:
    n = 48000 // 2 + 7
    x = np.zeros((2, n), np.float32)
    x[0, 4800], x[1, 9600] = 0.5, 0.5
    found = files.resample(Clip(samples=x, rate=48000), 44100)
    assert (found.rate, found.n) == (44100, round(n * 44100 / 48000))
    assert list(np.argmax(found.samples, axis=1)) == [4410, 8820]


def test_the_same_rate_is_the_same_clip() -> None:
    assert files.resample(LOOP, RATE) is LOOP


def test_no_rate_is_refused() -> None:
    with pytest.raises(ParameterError, match="rate 0"):
        files.resample(LOOP, 0)


def test_blocks_are_the_sound_in_order(tmp_path: Path) -> None:
    clip = Clip(samples=np.random.default_rng(0).uniform(-1, 1, (2, 50_001)).astype(np.float32))
    files.write(tmp_path / "a.wav", clip, subtype="float")
    found = list(files.read_blocks(tmp_path / "a.wav", n=10_000))
    assert [block.shape for block in found] == [(2, 10_000)] * 5 + [(2, 1)]
    assert np.array_equal(np.concatenate(found, axis=1), clip.samples)


def test_a_file_that_is_cut_short_gives_no_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    files.write(path, Clip(samples=np.zeros((1, 50_000), np.float32)))
    path.write_bytes(path.read_bytes()[:-999])
    with pytest.raises(FileError, match="a.wav is cut short"):
        next(files.read_blocks(path))
