"""`python -m riffapp.uploads.child FILE SUFFIX`: decode a file once, in a process that may die.

It reads what the page will read later: all samples or pixels, and all that is written beside them.
Exit code 0 says that the file is good, REFUSED that the sentence on the output says why not. Any
other end is the decoder's own fall, and harms nobody: memory, time and output are bounded by the
system, once the libraries are there.
"""

from __future__ import annotations

import struct
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from riffapp.uploads import REFUSED

MOST_S = 20 * 60.0
MOST_CHANNELS = 8
RATES = (8000, 192_000)
MOST_SAMPLES = 20 * 60 * 2 * 96_000  # of all channels; 0.9 GB as floats
MOST_PIXELS = 1 << 26
MOST_TEXT = 4 << 20  # characters in a picture's texts, all of them unpacked

_MEMORY, _CPU_S, _OUTPUT = 2 << 30, 30, 1 << 16
_FORMATS = {"WAV": ".wav", "WAVEX": ".wav", "FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3"}
_PICTURES = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}
_DAMAGE = (OSError, SyntaxError, ValueError, LookupError, EOFError, struct.error, zlib.error)
_TOO_MUCH = "needs more memory than an upload may take: give a smaller one"


class Refused(Exception):
    """A sentence without its subject, which is the file."""


def main() -> int:
    path, suffix = Path(sys.argv[1]), sys.argv[2]
    check = picture if suffix in _PICTURES else sound
    _load(suffix)
    _fence()
    try:
        check(path, suffix)
    except Refused as refused:
        print(refused)
        return REFUSED
    except MemoryError:
        print(_TOO_MUCH)
        return REFUSED
    return 0


def sound(path: Path, suffix: str) -> None:
    """Raises Refused unless all of a sound can be decoded, and no bound is passed."""
    import soundfile

    from audio import files
    from audio.errors import AudioError

    try:
        with soundfile.SoundFile(path) as header:
            _refuse_header(header, suffix)
            frames, rate = header.frames, header.samplerate
        there = 0
        for block in files.read_blocks(path):
            there += block.shape[1]
            _refuse_length(there, channels=len(block), rate=rate)
        files.read_tags(path)
    except soundfile.LibsndfileError as error:
        said = error.error_string.strip(". ")
        raise Refused(f"is no sound that can be read ({said}): export it again") from error
    except AudioError as error:
        said = str(error).removeprefix(str(path)).strip()
        tells = "give" in said or "export" in said
        raise Refused(said if tells else f"{said}, export it again") from error
    if not there:
        raise Refused("holds no sound: give a file with some")
    if there < frames and suffix != ".mp3":  # whose frames are an estimate
        raise Refused(f"is cut short: {there} of {frames} samples are there, export it again")


def _refuse_header(header: Any, suffix: str) -> None:
    """By what the file says of itself, before anything of it is decoded."""
    if _FORMATS.get(header.format) != suffix:
        raise Refused(f"begins as {suffix[1:]} and goes on as {header.format}: export it again")
    if header.channels > MOST_CHANNELS:
        raise Refused(f"has {header.channels} channels: give at most {MOST_CHANNELS}")
    if not RATES[0] <= header.samplerate <= RATES[1]:
        raise Refused(f"has {header.samplerate} samples a second: give {RATES[0]} to {RATES[1]}")
    _refuse_length(header.frames, channels=header.channels, rate=header.samplerate)


def _refuse_length(frames: int, *, channels: int, rate: int) -> None:
    if frames > MOST_S * rate or frames * channels > MOST_SAMPLES:
        raise Refused(
            f"is longer than is taken: give at most {MOST_S / 60:g} minutes, and no more samples "
            "than these have in two channels at 96 kHz"
        )


def picture(path: Path, suffix: str) -> None:
    """Raises Refused unless all of a picture can be decoded, and no bound is passed."""
    from PIL import Image, PngImagePlugin, UnidentifiedImageError

    PngImagePlugin.MAX_TEXT_MEMORY = MOST_TEXT
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        _refuse_cut(path.read_bytes(), suffix)
        with Image.open(path, formats=[_PICTURES[suffix]]) as opened:
            _refuse_size(opened.size)
            opened.verify()  # of PNG each chunk against its checksum
        with Image.open(path, formats=[_PICTURES[suffix]]) as opened:
            opened.load()
            opened.getexif()
    except Image.DecompressionBombError as error:
        raise Refused(_too_wide("too many")) from error
    except UnidentifiedImageError as error:  # which tells where our folder lies
        raise Refused("is damaged from its beginning: give a whole picture") from error
    except _DAMAGE as error:
        raise Refused(f"is damaged or cut short ({error}): give a whole picture") from error


def _refuse_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise Refused(_too_wide(f"{width} x {height}"))


def _too_wide(said: str) -> str:
    return f"has {said} pixels: give at most {MOST_PIXELS / 1e6:.0f} million"


def _refuse_cut(data: bytes, suffix: str) -> None:
    """By the end that each format has, which not every decoder asks for."""
    whole = True
    if suffix == ".png":
        whole = b"IEND\xaeB`\x82" in data
    elif suffix == ".jpg":  # the last scan is followed by the end of the image
        whole = data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    elif suffix == ".webp":
        whole = len(data) >= int.from_bytes(data[4:8], "little") + 8
    if not whole:
        raise Refused("is cut short: give a whole picture")


def _load(suffix: str) -> None:
    """The libraries, so that their own files are read and compiled before the fence stands."""
    if suffix in _PICTURES:
        from PIL import Image, WebPImagePlugin  # noqa: F401

        Image.preinit()  # the others
    else:
        import audio.files  # noqa: F401


def _fence() -> None:
    """Bounds set by the system, where it knows them: none of them can be lifted again."""
    try:
        import resource
    except ImportError:
        return
    for bound, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_FSIZE, _OUTPUT),
        (resource.RLIMIT_AS, _MEMORY),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(bound, (most, most))


if __name__ == "__main__":
    raise SystemExit(main())
