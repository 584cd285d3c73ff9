"""Texts inside FLAC, OGG and MP3 files, and whether such a file is whole.

Vorbis comments in the first two, ID3v2.4 TXXX frames in the third. Nothing here knows the time:
libogg draws a stream's serial number from the clock, so every page gets a fixed one.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import mutagen
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TBPM, TXXX, Encoding
from mutagen.mp3 import MP3
from mutagen.ogg import OggPage
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from audio.errors import FileError
from audio.types import Tempo

OGG_SERIAL = 0x72696666
BPM = "bpm"  # what other programs show; ours is the exact text beside it
# mutagen on files with single wrong bytes
_DAMAGE = (mutagen.MutagenError, LookupError, ValueError, TypeError, EOFError, struct.error)
_SEEN_BYTES = 4096  # the first MPEG frame and its Xing header lie within
_MP3_SLACK = 0.01  # some encoders count a frame wrongly: no reason to refuse a song


def to_flac(data: bytes, found: Mapping[str, str], tempo: Tempo | None) -> bytes:
    """The FLAC file with texts and tempo."""
    return _with_comments(FLAC, data, found, tempo)


def to_ogg(data: bytes, found: Mapping[str, str], tempo: Tempo | None) -> bytes:
    """The Vorbis file with texts, tempo and our serial number on every page."""
    source, out = io.BytesIO(_with_comments(OggVorbis, data, found, tempo)), io.BytesIO()
    end = source.getbuffer().nbytes
    while source.tell() < end:
        page = OggPage(source)
        page.serial = OGG_SERIAL
        out.write(page.write())  # with its CRC
    return out.getvalue()


def to_mp3(data: bytes, found: Mapping[str, str], tempo: Tempo | None) -> bytes:
    """The MP3 file with texts and tempo before its first frame."""
    tags = ID3()
    if tempo is not None:  # the frame holds whole numbers only
        tags.add(TBPM(encoding=Encoding.UTF8, text=[str(round(tempo.bpm))]))
    for name, text in found.items():
        tags.add(TXXX(encoding=Encoding.UTF8, desc=name, text=[text]))
    if not tags:
        return data
    file = io.BytesIO(data)
    tags.save(file, v1=0, v2_version=4, padding=lambda _: 0)
    return file.getvalue()


def read(file: BinaryIO) -> dict[str, str] | None:
    """The texts by name in lower case; None where the file is of no kind known here.

    Raises FileError where it is damaged.
    """
    kinds = _kinds(file)
    if not kinds:
        return None
    file.seek(0)
    try:
        sound = mutagen.File(file, options=kinds)
    except _DAMAGE as error:
        raise FileError(f"is damaged ({error}): give a whole sound file") from error
    if sound is None:
        raise FileError("is no sound that can be read: give WAV, FLAC, OGG or MP3")
    if isinstance(sound.tags, ID3):
        return {frame.desc.lower(): str(frame) for frame in sound.tags.getall("TXXX")}
    return {name.lower(): text for name, text in sound.tags or () if name.lower() != BPM}


def refuse_cut(file: BinaryIO) -> None:
    """Raises FileError for an Ogg stream without its last page, an MP3 shorter than it says."""
    kinds = _kinds(file)
    if MP3 in kinds:
        _refuse_cut_mp3(file)
    elif OggVorbis in kinds:
        file.seek(0)
        try:
            page = OggPage.find_last(file, OggPage(file).serial, finishing=True)
        except _DAMAGE as error:
            raise FileError("is damaged or cut short: give a whole sound file") from error
        if page is None or not page.last:
            raise FileError("is cut short: its last page is missing")


def _refuse_cut_mp3(file: BinaryIO) -> None:
    """By the Xing (or Info) header in the first frame, which most encoders write."""
    file.seek(0)
    try:
        MP3(file)  # refuses what is no MPEG audio, without the decoder's talk on stderr
    except _DAMAGE as error:
        raise FileError(f"is no MP3 that can be read ({error}): give a whole file") from error
    start = _after_id3(file)
    file.seek(start)
    head = file.read(_SEEN_BYTES)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or len(head) < at + 16:
        return
    flags, first, second = struct.unpack_from(">3I", head, at + 4)
    if not flags & 2:  # no number of bytes
        return
    declared = second if flags & 1 else first
    missing = start + declared - file.seek(0, io.SEEK_END)
    if missing > _MP3_SLACK * declared:
        raise FileError(f"is cut short: its last {missing} bytes are missing")


def _after_id3(file: BinaryIO) -> int:
    """Where the sound begins."""
    file.seek(0)
    head = file.read(10)
    if not head.startswith(b"ID3"):
        return 0
    size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size


def _kinds(file: BinaryIO) -> list[Any]:
    """mutagen's classes for a file, by its first bytes; its name says nothing."""
    file.seek(0)
    head = file.read(4)
    if head == b"fLaC":
        return [FLAC]
    if head == b"OggS":
        return [OggVorbis, OggOpus, OggFLAC]
    sync = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return [MP3] if sync or head.startswith(b"ID3") else []


def _with_comments(kind: Any, data: bytes, found: Mapping[str, str], tempo: Tempo | None) -> bytes:
    file = io.BytesIO(data)
    sound = kind(file)
    sound.tags.clear()  # the encoder's own advertisement
    if tempo is not None:
        sound[BPM] = f"{tempo.bpm:g}"
    for name, text in found.items():
        sound[name] = text
    file.seek(0)
    sound.save(file, padding=lambda _: 0)
    return file.getvalue()
