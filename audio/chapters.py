"""Chapters of a long sound: as Podcasting 2.0's JSON, in an MP3's tags, as a cue sheet."""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mutagen import MutagenError
from mutagen.id3 import CHAP, CTOC, ID3, TIT2, CTOCFlags, Encoding
from mutagen.mp3 import MP3

from audio import disk
from audio.errors import FileError, ParameterError

JSON_VERSION = "1.2.0"
JSON_MIME = "application/json+chapters"
MAX_IN_MP3 = 255  # ID3v2 counts them in one byte
MAX_IN_CUE = 99
CUE_FRAMES = 75  # in a second
_NO_OFFSET = 0xFFFFFFFF  # ID3v2 chapters: the times count
_FORBIDDEN = ("Cc", "Cs", "Zl", "Zp")  # control characters, line breaks, no Unicode
_CUE_KINDS = {".wav": "WAVE", ".flac": "WAVE", ".mp3": "MP3", ".ogg": "WAVE"}


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """Where a chapter starts, and what it is called, on one line."""

    start_s: float
    title: str

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < float("inf"):
            raise ParameterError(f"a chapter at {self.start_s:g} s: give 0 or more")
        forbidden = any(unicodedata.category(c) in _FORBIDDEN for c in self.title)
        if not self.title.strip() or forbidden:
            raise ParameterError(f"the chapter title {self.title!r}: give words, on one line")


def to_json(chapters: Sequence[Chapter], *, duration_s: float) -> str:
    """chapters.json of the podcast namespace, version 1.2.0; each ends where the next starts.

    Raises ParameterError for none, for starts that do not rise or lie beyond the sound's end.
    """
    plain = [
        {"startTime": _seconds(c.start_s), "endTime": _seconds(end_s), "title": c.title}
        for c, end_s in _with_ends(chapters, duration_s)
    ]
    return json.dumps({"version": JSON_VERSION, "chapters": plain}, ensure_ascii=False, indent=2)


def add_to_mp3(path: Path, chapters: Sequence[Chapter], *, duration_s: float) -> None:
    """Put chapters (ID3v2 Chapter Frame Addendum 1.0) among an MP3's tags, in place of any there.

    The file is replaced when it is whole. Raises ParameterError as `to_json` and for more than
    255, FileError for what is no MP3, MachineError for a full disk.
    """
    if len(chapters) > MAX_IN_MP3:
        raise ParameterError(f"{len(chapters)} chapters: an MP3 holds up to {MAX_IN_MP3}")
    spans = _with_ends(chapters, duration_s)
    file = io.BytesIO(disk.read_whole(path))
    try:
        tags = MP3(file).tags or ID3()
    except MutagenError as error:
        raise FileError(f"{path} is no MP3 that can be read ({error}): give one") from error
    tags.delall("CHAP")
    tags.delall("CTOC")
    names = [f"chapter{number}" for number in range(1, len(spans) + 1)]
    for name, (chapter, end_s) in zip(names, spans, strict=True):
        tags.add(
            CHAP(
                element_id=name,
                start_time=round(chapter.start_s * 1000),
                end_time=round(end_s * 1000),
                start_offset=_NO_OFFSET,
                end_offset=_NO_OFFSET,
                sub_frames=[TIT2(encoding=Encoding.UTF8, text=[chapter.title])],
            )
        )
    flags = CTOCFlags.TOP_LEVEL | CTOCFlags.ORDERED
    tags.add(CTOC(element_id="toc", flags=flags, child_element_ids=names, sub_frames=[]))
    file.seek(0)
    tags.save(file, v1=0, v2_version=4, padding=lambda _: 0)
    disk.write_whole(path, file.getvalue())


def cue_sheet(chapters: Sequence[Chapter], *, sound: str, title: str, duration_s: float) -> str:
    """A cue sheet for the file named `sound`, each chapter a track.

    Times are in frames of 1/75 s, rounded down. The format knows no way to write a double quote:
    it becomes a single one.
    Raises ParameterError as `to_json`, for more than 99, for other files than sound.
    """
    if len(chapters) > MAX_IN_CUE:
        raise ParameterError(f"{len(chapters)} chapters: a cue sheet holds up to {MAX_IN_CUE}")
    kind = _CUE_KINDS.get(Path(sound).suffix.lower())
    if kind is None:
        raise ParameterError(
            f"{sound} in a cue sheet: name a file that ends in {', '.join(_CUE_KINDS)}"
        )
    lines = [f"TITLE {_quoted(title)}", f"FILE {_quoted(sound)} {kind}"]
    for number, (chapter, _) in enumerate(_with_ends(chapters, duration_s), 1):
        lines += [
            f"  TRACK {number:02} AUDIO",
            f"    TITLE {_quoted(chapter.title)}",
            f"    INDEX 01 {_cue_time(chapter.start_s)}",
        ]
    return "\n".join(lines) + "\n"


def _with_ends(chapters: Sequence[Chapter], duration_s: float) -> list[tuple[Chapter, float]]:
    """The chapters and where each ends."""
    if not chapters:
        raise ParameterError("no chapters: give one or more")
    starts = [chapter.start_s for chapter in chapters]
    for start_s, end_s in pairwise([*starts, duration_s]):
        if not start_s < end_s:
            raise ParameterError(
                f"a chapter at {start_s:g} s that ends at {end_s:g} s: starts must rise and lie "
                "within the sound"
            )
    return list(zip(chapters, [*starts[1:], duration_s], strict=True))


def _seconds(time_s: float) -> float | int:
    """To the millisecond; whole seconds as a whole number."""
    found = round(time_s, 3)
    return int(found) if found == int(found) else found


def _cue_time(time_s: float) -> str:
    seconds, frames = divmod(int(time_s * CUE_FRAMES + 1e-6), CUE_FRAMES)
    return f"{seconds // 60:02}:{seconds % 60:02}:{frames:02}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'
