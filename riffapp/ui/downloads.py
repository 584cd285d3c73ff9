"""A take as the files that a person takes home."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from riffapp.studio import files
from riffapp.studio.types import LoopResult

MIMES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
}


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """A sound file and its picture, all settings inside both; names without the suffix."""

    stem: str
    suffix: str
    sound: bytes
    picture: bytes


def of(take: LoopResult, *, suffix: str) -> Downloads:
    """The files of a take, as `riffapp loop` would write them. Raises what `files.save` does."""
    stem = files.name_for(take.request)
    with TemporaryDirectory(prefix="riffapp-") as folder:
        saved = files.save(take, Path(folder) / f"loop{suffix}")
        sound, picture = saved.sound.read_bytes(), saved.picture.read_bytes()
    return Downloads(stem=stem, suffix=suffix, sound=sound, picture=picture)
