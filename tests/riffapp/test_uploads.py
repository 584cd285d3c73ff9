"""Uploads: hostile files are refused in words and cost nothing, good ones are kept to the byte."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from PIL import Image, PngImagePlugin

from audio import files, pictures
from audio.errors import AudioError
from audio.types import Clip, SpectrogramParams, Tempo
from riffapp.errors import MachineError, UsageError
from riffapp.uploads import MAX_BYTES, Decoder, accept, child

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
SOUND, PICTURE = frozenset({"sound"}), frozenset({"picture"})
TEXT, TABLE = frozenset({"text"}), frozenset({"table"})
ALL = SOUND | PICTURE | TEXT | TABLE
MAX_RISE_MB = 300


# ---- files made here ---------------------------------------------------------------------------


def noise(n: int = 8000, channels: int = 2) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(0, 0.1, (n, channels)).astype(np.float32)


def encoded(form: str, samples: np.ndarray[Any, Any] | None = None, **how: Any) -> bytes:
    out = io.BytesIO()
    rate = how.pop("rate", 16000)
    sf.write(out, noise() if samples is None else samples, rate, format=form, **how)
    return out.getvalue()


def painted(form: str, size: tuple[int, int] = (96, 64), **how: Any) -> bytes:
    out, random = io.BytesIO(), np.random.default_rng(0)
    pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, form, **how)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    width: int, height: int, *more: bytes, pixels: bytes | None = None, after: bytes = b""
) -> bytes:
    """A grey PNG of one bit; `more` are chunks before the pixels, `after` one behind them."""
    if pixels is None:
        pixels = zlib.compress(b"\0" * ((width + 7) // 8 + 1) * height)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    body = chunk(b"IDAT", pixels) + after + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + body


def wav(
    *,
    channels: int = 1,
    rate: int = 16000,
    claims: int | None = None,
    kind: int = 1,
    bits: int = 16,
) -> bytes:
    """A second of PCM; `claims` is what both its lengths say instead of the truth."""
    align = channels * bits // 8
    data = b"\1\0" * 16000
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * align % 2**32, align % 2**16, bits)
    said = len(data) if claims is None else claims
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", said) + data
    return b"RIFF" + struct.pack("<I", len(body) if claims is None else claims) + body


def flac_of(samples: int) -> bytes:
    """A FLAC file whose header says that it has so many samples."""
    data = bytearray(encoded("FLAC"))
    at = 8 + 10  # magic, block header, sizes; then 20 + 3 + 5 bits and 36 bits of samples
    packed = int.from_bytes(data[at : at + 8], "big") >> 36 << 36 | samples
    data[at : at + 8] = packed.to_bytes(8, "big")
    return bytes(data)


def id3(size: int, there: int) -> bytes:
    """The head of an ID3 tag that says one size, and so many bytes of it."""
    said = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + said + b"\0" * there


def jpeg_of(width: int, height: int) -> bytes:
    data = bytearray(painted("JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    data = bytearray(painted("WEBP", lossless=True))
    at = data.index(b"VP8L") + 9
    data[at : at + 4] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return bytes(data)


def nan_wav() -> bytes:
    samples = noise()
    samples[100] = np.nan
    return encoded("WAV", samples, subtype="FLOAT")


# ---- the hostile set ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Hostile:
    """A file, what was wanted, and what is said of it."""

    name: str
    data: bytes
    kinds: frozenset[str]
    said: str


def hostile() -> Iterator[Hostile]:
    zeros = zlib.compress(b"\0" * (100 << 20))
    page = f"<html><body>{SCRIPT}</body></html>".encode()
    svg = f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>".encode()
    mp3 = encoded("MP3")
    flood = [chunk(b"zTXt", b"k%d\0\0" % i + zlib.compress(b"a" * (1 << 20))) for i in range(8)]
    for name, data, kinds, said in (
        ("wide.png", png(100_000, 100_000, pixels=b"x"), PICTURE, "too many pixels"),
        ("wider.png", png(2**31 - 1, 2**31 - 1, pixels=b"x"), PICTURE, "too many pixels"),
        ("dense.png", png(12_000, 8000), PICTURE, "12000 x 8000 pixels: give at most 67 million"),
        ("ztxt.png", png(8, 8, chunk(b"zTXt", b"k\0\0" + zeros)), PICTURE, "damaged .* too large"),
        ("ztxt-last.png", png(8, 8, after=chunk(b"zTXt", b"k\0\0" + zeros)), PICTURE, "too large"),
        ("itxt.png", png(8, 8, chunk(b"iTXt", b"k\0\1\0\0\0" + zeros)), PICTURE, "too large"),
        ("iccp.png", png(8, 8, chunk(b"iCCP", b"k\0\0" + zeros)), PICTURE, "too large"),
        ("flood.png", png(8, 8, *flood), PICTURE, "Too much memory used in text"),
        ("crc.png", png(8, 8).replace(b"\0\0\0\0IEND\xaeB", b"\0\0\0\0IEND\xaeC"), PICTURE, "cut"),
        (
            "pixels.png",
            png(64, 64, pixels=b"\x78\x9c" + b"x" * 99),
            PICTURE,
            "damaged or cut short",
        ),
        ("wide.jpg", jpeg_of(65500, 65500), PICTURE, "too many pixels"),
        ("wide.webp", webp_of(16383, 16383), PICTURE, "16383 x 16383 pixels|too many pixels"),
        ("junk.jpg", b"\xff\xd8\xff" + b"j" * 999 + b"\xff\xd9", PICTURE, "damaged from its begin"),
        ("page.png", page, PICTURE, "is a text in UTF-8: a picture .* is wanted here"),
        ("drawing.png", svg, PICTURE, "is a text in UTF-8: a picture .* is wanted here"),
        (
            "program.png",
            b"MZ\x90\0" + b"\0" * 500,
            PICTURE,
            "is not a picture .* whatever its name",
        ),
        ("archive.wav", b"PK\3\4" + b"\0" * 500, SOUND, "is not a sound .* whatever its name"),
        ("animation.gif", b"GIF89a" + b"\1" * 500, PICTURE, "is not a picture"),
        ("sound.png", wav(), PICTURE, "is a sound: a picture .* is wanted here"),
        ("picture.wav", png(8, 8), SOUND, "is a picture: a sound .* is wanted here"),
        ("picture.txt", png(8, 8), TEXT, "is a picture: a text in UTF-8 is wanted here"),
        ("wide.txt", "wörds".encode("utf-16"), TEXT, "is not a text in UTF-8"),
        ("bell.txt", b"a\x07b", TEXT, "is not a text"),
        ("long.txt", b"a" * (MAX_BYTES["text"] + 1), TEXT, "larger than 2 MB"),
        ("long.csv", b"[" * (MAX_BYTES["table"] + 1), TABLE, "larger than 2 MB"),
        ("large.wav", wav() + b"\0" * MAX_BYTES["sound"], SOUND, "larger than 50 MB"),
        ("large.png", png(8, 8) + b"\0" * MAX_BYTES["picture"], PICTURE, "larger than 50 MB"),
        ("empty.wav", b"", SOUND, "is empty: give a sound"),
        ("2gb.wav", wav(claims=2_000_000_000), SOUND, "cut short: it says 2000000008 bytes"),
        ("channels.wav", wav(channels=1000), SOUND, "channels"),
        ("most.wav", wav(channels=65535), SOUND, "no sound that can be read"),
        ("nine.wav", encoded("WAV", noise(channels=9)), SOUND, "has 9 channels: give at most 8"),
        ("slow.wav", wav(rate=1), SOUND, "has 1 samples a second: give 8000 to 192000"),
        ("still.wav", wav(rate=0), SOUND, "samples a second|no sound that can be read"),
        ("fast.wav", wav(rate=2**31 - 1), SOUND, "samples a second"),
        ("kind.wav", wav(kind=0x7777), SOUND, "no sound that can be read"),
        ("nan.wav", nan_wav(), SOUND, "no numbers"),
        ("none.wav", encoded("WAV", noise(0)), SOUND, "holds no sound"),
        ("long.flac", flac_of(10 * 3600 * 16000), SOUND, "at most 20 minutes"),
        ("longest.flac", flac_of(2**36 - 1), SOUND, "at most 20 minutes"),
        ("lie.flac", flac_of(9000), SOUND, "cut short|no sound that can be read"),
        ("slow.flac", encoded("FLAC", np.zeros((8000 * 1201, 1)), rate=8000), SOUND, "20 minutes"),
        ("junk.flac", b"fLaC" + b"j" * 4000, SOUND, "no sound that can be read"),
        ("junk.ogg", b"OggS" + b"j" * 4000, SOUND, "no sound that can be read"),
        ("tag.mp3", id3(2**28 - 1, 1000) + mp3, SOUND, "no (MP3|sound) that can be read"),
        ("tags.mp3", id3(20 << 20, 20 << 20), SOUND, "no (MP3|sound) that can be read"),
        ("other.mp3", id3(10, 10) + encoded("AIFF"), SOUND, "goes on as AIFF|no .* can be read"),
        ("other2.mp3", id3(10, 10) + wav(), SOUND, "goes on as WAV|no .* can be read"),
        ("none.mp3", b"\xff\xfb\x90\0" + b"\0" * 4000, SOUND, "no (MP3|sound) that can be read"),
        ("kinds.xyz", pickle.dumps(print), ALL, "is not a sound .* or a picture .* or a text"),
    ):
        yield Hostile(name, data, kinds, said)


SERVER = """
import json, os, re, sys
from pathlib import Path
from riffapp.errors import UsageError
from riffapp.uploads import accept
folder, said = Path(sys.argv[1]), {}
def high():  # in kB; not of getrusage, which remembers the process that started this one
    status = Path("/proc/self/status")
    return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) if status.exists() else 0
before, pid = high(), os.getpid()
for name, kinds in json.loads((folder / "names.json").read_text()).items():
    with (folder / name).open("rb") as file:
        try:
            accept(file, name, kinds=frozenset(kinds), folder=folder / "kept")
            said[name] = "accepted"
        except UsageError as error:
            said[name] = str(error)
rise = (high() - before) / 1024
left = sorted(os.listdir(folder / "kept"))
print(json.dumps({"said": said, "rise_mb": rise, "same": pid == os.getpid(), "left": left,
                  "heavy": sorted({"torch", "numpy", "PIL", "soundfile"} & set(sys.modules))}))
"""
HOSTILE = {one.name: one for one in hostile()}


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process of its own, as a server is one, says to all of the hostile set."""
    folder = tmp_path_factory.mktemp("hostile")
    for one in HOSTILE.values():
        (folder / one.name).write_bytes(one.data)
    kinds = {one.name: sorted(one.kinds) for one in HOSTILE.values()}
    (folder / "names.json").write_text(json.dumps(kinds))
    run = subprocess.run(
        [sys.executable, "-c", SERVER, str(folder)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_words(name: str, met: Any) -> None:
    said = met["said"][name]
    assert said.startswith(f"{name} "), said
    assert re.search(HOSTILE[name].said, said), said
    assert re.search("give|export|is wanted here", said), said  # and what to do
    assert not re.search(r"kept|\.part|0x|Traceback", said), said  # nothing of ours shows


def test_the_hostile_set_costs_the_server_no_memory_no_life_and_no_disk(met: Any) -> None:
    assert len(met["said"]) == len(HOSTILE) > 45
    assert 50 < met["rise_mb"] < MAX_RISE_MB or sys.platform != "linux"  # the largest file is 50
    assert met["same"] and met["left"] == []


def test_the_server_itself_loads_no_decoder(met: Any) -> None:
    assert met["heavy"] == []


# ---- cut short ---------------------------------------------------------------------------------

WHOLE = {
    ".wav": encoded("WAV"),
    ".flac": encoded("FLAC"),
    ".ogg": encoded("OGG", subtype="VORBIS"),
    ".mp3": encoded("MP3"),
    ".png": painted("PNG"),
    ".jpg": painted("JPEG"),
    ".webp": painted("WEBP"),
}
SHARES = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97)


def checked(path: Path) -> None:
    """What the child does, but here."""
    check = child.picture if path.suffix in (".png", ".jpg", ".webp") else child.sound
    check(path, path.suffix)


@pytest.mark.parametrize("suffix", WHOLE)
def test_a_whole_file_passes_and_a_cut_one_never(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(WHOLE[suffix])
    checked(path)
    for share in SHARES:
        path.write_bytes(WHOLE[suffix][: int(share * len(WHOLE[suffix]))])
        with pytest.raises(child.Refused, match="cut|damaged|no .* can be read"):
            checked(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".wav"])
def test_the_last_bytes_of_a_file_are_missed_too(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(WHOLE[suffix][:-2])
    with pytest.raises(child.Refused, match="cut|damaged"):
        checked(path)


def test_what_is_decoded_is_counted_whatever_the_header_says() -> None:
    child._refuse_length(20 * 60 * 48_000, channels=2, rate=48_000)
    with pytest.raises(child.Refused, match="20 minutes"):
        child._refuse_length(20 * 60 * 48_000 + 1, channels=2, rate=48_000)
    with pytest.raises(child.Refused, match="two channels at 96 kHz"):
        child._refuse_length(19 * 60 * 192_000, channels=8, rate=192_000)


def test_samples_beyond_the_header_are_refused_while_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(WHOLE[".wav"])
    monkeypatch.setattr(child, "_refuse_header", lambda *_: None)  # a header that says little
    monkeypatch.setattr(child, "MOST_S", 0.4)
    with pytest.raises(child.Refused, match="longer than is taken"):
        child.sound(path, ".wav")


# ---- good files --------------------------------------------------------------------------------


def good(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Files by name as they may come, with marks and texts in all the places that there are."""
    clip = Clip(samples=np.ascontiguousarray(noise(16000, 2).T), rate=16000)
    tempo = Tempo(bpm=120.0, beats=2, meter=4)
    tags = {"parameters": SCRIPT, "long": "x" * 70_000, "more": "ünïcode"}
    for suffix in (".wav", ".flac", ".ogg", ".mp3"):
        files.write(folder / f"loop{suffix}", clip, tempo=tempo, root=57, tags=tags)
        yield f"loop{suffix}", (folder / f"loop{suffix}").read_bytes()
    picture = Image.open(io.BytesIO(painted("PNG", (512, 64)))).convert("RGB")
    for name, params in (("time.png", SpectrogramParams()), ("beat.png", None)):
        made = pictures.Picture(
            image=picture, params=params, tempo=tempo, circular=True, texts=tags
        )
        yield name, pictures.encode(made)  # the first with Riffusion's EXIF tags
    exif = Image.Exif()
    exif[0x9286] = SCRIPT
    yield "photo.jpg", painted("JPEG", exif=exif)
    yield "progressive.jpg", painted("JPEG", progressive=True)
    yield "photo.webp", painted("WEBP", exif=exif)
    yield "grey.png", png(300, 200)
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", SCRIPT, zip=True)
    info.add_itxt("prompt", SCRIPT * 1000, zip=True)
    yield "texts.png", painted("PNG", pnginfo=info)
    yield "float.wav", encoded("WAV", subtype="FLOAT")
    yield "24bit.wav", encoded("WAV", subtype="PCM_24")
    yield "stream.wav", wav(claims=0xFFFFFFFF)  # 4 GB: what a program writes that cannot go back
    yield "tagged.mp3", id3(3 << 20, 3 << 20) + encoded("MP3")
    yield "eight.flac", encoded("FLAC", noise(channels=8))


def test_good_files_are_kept_to_the_byte_under_names_of_the_servers_own(tmp_path: Path) -> None:
    folder, seen = tmp_path / "inputs" / "deep", 0
    for name, data in good(tmp_path):
        found = accept(io.BytesIO(data), name, kinds=SOUND | PICTURE, folder=folder)
        assert found.path.read_bytes() == data, name
        assert found.path == folder / f"{sha256(data).hexdigest()}.{name.rpartition('.')[2]}"
        assert (found.name, found.suffix) == (name, found.path.suffix)
        seen += 1
    assert len(list(folder.iterdir())) == seen == 16


def test_what_a_file_is_its_bytes_say_and_its_name_does_not(tmp_path: Path) -> None:
    found = accept(wav(), "picture.png", kinds=ALL, folder=tmp_path)
    assert (found.kind, found.suffix, found.name) == ("sound", ".wav", "picture.png")


def test_a_file_that_is_there_already_is_not_decoded_again(tmp_path: Path) -> None:
    first = accept(wav(), "a.wav", kinds=SOUND, folder=tmp_path)
    falls = Decoder(command=(sys.executable, "-c", "raise SystemExit(9)"))
    again = accept(wav(), "b.wav", kinds=SOUND, folder=tmp_path, decoder=falls)
    assert again.path == first.path and again.name == "b.wav"


def test_a_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    data = io.BytesIO(wav())
    data.seek(100)
    assert accept(data, "a", kinds=SOUND, folder=tmp_path).path.read_bytes() == wav()


@pytest.mark.parametrize(
    ("data", "kinds", "kind", "suffix"),
    [
        (b"Welcome back.\n", TEXT, "text", ".txt"),
        (f"\ufeff{SCRIPT} – wörds".encode(), TEXT, "text", ".txt"),
        (b"prompt,seed\nhouse,1\ntechno,2\n", TABLE, "table", ".csv"),
        (b"prompt\nhouse drums\n", TABLE, "table", ".csv"),
        (b'[{"prompt": "house"}]', TABLE, "table", ".json"),
        (b'{"prompt": "house"}\n{"prompt": "techno"}\n', TABLE, "table", ".jsonl"),
        (b"prompt,seed\nhouse,1\n", TABLE | TEXT, "table", ".csv"),
        (b"Hello, world.\n", TABLE | TEXT, "text", ".txt"),
        (b"One, two,\nthree.\n", TABLE | TEXT, "text", ".txt"),
        (b'"open', TABLE | TEXT, "text", ".txt"),
        (b"[" * 100_000, TABLE | TEXT, "text", ".txt"),
    ],
)
def test_texts_and_tables_are_told_apart_by_what_they_hold(
    data: bytes, kinds: frozenset[str], kind: str, suffix: str, tmp_path: Path
) -> None:
    found = accept(data, "upload", kinds=kinds, folder=tmp_path)
    assert (found.kind, found.suffix) == (kind, suffix)
    assert found.path.read_bytes() == data


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\songs\\loop.wav", "loop.wav"),
        ("a\nb\0c\u202egnp.wav", "abcgnp.wav"),
        ("x" * 300, "x" * 79 + "…"),
        ("", "the file"),
        ("..", ".."),
        (SCRIPT, "script><img src=x onerror=alert(1)>"),
    ],
)
def test_a_name_is_for_showing_only(name: str, shown: str, tmp_path: Path) -> None:
    found = accept(b"words", name, kinds=TEXT, folder=tmp_path / "in")
    assert found.name == shown
    assert [path.name for path in (tmp_path / "in").iterdir()] == [found.sha256 + ".txt"]


# ---- decoders that fall ------------------------------------------------------------------------


def falling(code: str, patience_s: float = 60.0) -> Decoder:
    return Decoder(command=(sys.executable, "-c", code), patience_s=patience_s)


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        (falling("import os; os.kill(os.getpid(), 9)"), r"brings its decoder down .* -9\)"),
        (falling("import os; os.abort()"), r"brings its decoder down .* -6\)"),
        (falling("raise SystemExit(3)"), r"brings its decoder down .* 3\)"),
        (falling("import time; time.sleep(60)", 0.3), "was not decoded within 0.3 s"),
        (
            falling("import sys; print('is <b>odd</b>\\n ' + 'x' * 10**6); sys.exit(3)"),
            "is <b>odd</b> x{100}",
        ),
    ],
)
def test_a_decoder_that_falls_or_hangs_is_a_sentence(
    decoder: Decoder, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"^a.wav {said}") as refused:
        accept(wav(), "a.wav", kinds=SOUND, folder=tmp_path, decoder=decoder)
    assert len(str(refused.value)) < 2100
    assert list(tmp_path.iterdir()) == []


def test_a_decoder_that_cannot_start_is_the_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="no process to check files in could be started"):
        accept(wav(), "a", kinds=SOUND, folder=tmp_path, decoder=Decoder(command=("/no/such",)))
    assert list(tmp_path.iterdir()) == []


GREEDY = "child.{} = lambda *_: {}; raise SystemExit(child.main())"


@pytest.mark.skipif(sys.platform != "linux", reason="bounds on memory are kept by Linux")
@pytest.mark.parametrize(
    ("code", "said"),
    [
        (GREEDY.format("sound", "bytearray(3 << 30)"), "needs more memory than an upload"),
        ("child._CPU_S = 1; " + GREEDY.format("sound", "sum(iter(int, 1))"), "decoder down"),
        (GREEDY.format("sound", "open('more', 'wb').write(bytes(1 << 20))"), "decoder down"),
    ],
)
def test_memory_time_and_disk_of_the_child_are_bounded(
    code: str, said: str, tmp_path: Path
) -> None:
    decoder = falling(f"from riffapp.uploads import child; {code}")
    with pytest.raises(UsageError, match=said):
        accept(wav(), "a.wav", kinds=SOUND, folder=tmp_path / "in", decoder=decoder)


def test_the_child_is_told_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIFFAPP_PASSWORD", "correct horse")
    code = "import os, sys; print('knows', sorted(os.environ)); sys.exit(3)"
    with pytest.raises(UsageError, match="knows") as refused:
        accept(wav(), "a", kinds=SOUND, folder=tmp_path, decoder=falling(code))
    assert "RIFFAPP" not in str(refused.value)


def test_the_child_imports_what_it_decodes_with_and_nothing_else() -> None:
    code = (
        "import sys; from riffapp.uploads import child; child._load('.wav'); child._load('.png');"
        "print(sorted({'torch', 'scipy', 'streamlit', 'librosa', 'diffusers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout == "[]\n", run.stderr


def test_a_folder_that_cannot_be_made_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"")
    with pytest.raises(AudioError, match="cannot be written"):
        accept(wav(), "a", kinds=SOUND, folder=tmp_path / "in" / "deep")
    assert os.listdir(tmp_path) == ["in"]
