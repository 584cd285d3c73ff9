"""WAV files chunk by chunk: loop points (`smpl`), tempo (`acid`) and texts beside the sound.

Layouts: Microsoft/IBM, Multimedia Programming Interface 1.0 (RIFF, LIST INFO) and its Standards
Update 3.0 (smpl); acid as Sony ACID writes it and libsndfile reads it. All numbers little-endian.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import numpy as np

from audio import texts
from audio.errors import FileError, ParameterError
from audio.types import Tempo

MIDDLE_C = 60
ROOTS = (0, 127)
TEXT = b"rtxt"  # our own chunk: a name, NUL, a text in UTF-8; one chunk for each text
_ROOT_SET, _STRETCH, _ONE_SHOT = 2, 4, 1
_SMPL = struct.Struct("<9I6I")
_ACID = struct.Struct("<IHHfIHHf")
# Programs that cannot seek back leave sizes like 0x7FFFF000 or 0xFFFFFFFF: not known.
_UNKNOWN = 0x7FFF0000
_MAX_BYTES = 0xFFFFFFFF

Chunk = tuple[bytes, bytes]


def with_chunks(wav: bytes, more: list[Chunk]) -> bytes:
    """The WAV file with chunks behind its sound.

    `PEAK` is left out: libsndfile puts the time of day into it. Raises ParameterError past 4 GiB.
    """
    kept = [(name, wav[start : start + size]) for name, start, size in scan(io.BytesIO(wav))]
    parts = [b"WAVE"]
    for name, body in [*((n, b) for n, b in kept if n != b"PEAK"), *more]:
        parts += [name, struct.pack("<I", len(body)), body, b"\0" * (len(body) % 2)]
    total = sum(map(len, parts))
    if total > _MAX_BYTES:
        raise ParameterError(f"a WAV file of {total} bytes: it holds at most 4 GiB, take .flac")
    return b"".join([b"RIFF", struct.pack("<I", total), *parts])


def append_chunks(file: BinaryIO, more: list[Chunk]) -> None:
    """Put chunks behind the sound of a WAV file that is open to read and write.

    `PEAK`, which holds the time of day, becomes an empty `JUNK`. Raises as `with_chunks` does.
    """
    for name, start, size in list(scan(file)):
        if name == b"PEAK":
            file.seek(start - 8)
            file.write(b"JUNK" + struct.pack("<I", size) + b"\0" * size)
    end = file.seek(0, io.SEEK_END)
    parts = [b"\0" * (end % 2)]
    for name, body in more:
        parts += [name, struct.pack("<I", len(body)), body, b"\0" * (len(body) % 2)]
    total = end + sum(map(len, parts)) - 8
    if total > _MAX_BYTES:
        raise ParameterError(f"a WAV file of {total} bytes: it holds at most 4 GiB, take .flac")
    file.write(b"".join(parts))
    file.seek(4)
    file.write(struct.pack("<I", total))


def scan(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, size) of each chunk's body. Raises FileError where the file is cut short."""
    there = file.seek(0, io.SEEK_END)
    file.seek(0)
    kind, said, form = struct.unpack("<4sI4s", file.read(12).ljust(12))
    if (kind, form) != (b"RIFF", b"WAVE"):
        raise FileError("is no WAV file: give WAV, FLAC, OGG or MP3")
    end = there if said == 0 or said >= _UNKNOWN else said + 8
    if end > there + 1:  # the last pad byte may be missing
        raise FileError(f"is cut short: it says {end} bytes and has {there}")
    place = 12
    while place + 8 <= end:
        file.seek(place)
        name, size = struct.unpack("<4sI", file.read(8))
        start = place + 8
        if size >= _UNKNOWN:
            size = there - start
        if start + size > there:
            raise FileError(f"is cut short: its '{name.decode('latin-1')}' chunk is not whole")
        yield name, start, size
        place = start + size + size % 2


def read_chunks(file: BinaryIO) -> list[Chunk]:
    """All chunks but the sound itself."""
    found = []
    for name, start, size in scan(file):
        if name != b"data":
            file.seek(start)
            found.append((name, file.read(size)))
    return found


def smpl(n: int, rate: int, root: int | None) -> Chunk:
    """All n sample frames as one forward loop without end.

    The loop's end is its last frame, inclusive, and counts frames, not bytes.
    """
    period_ns = round(1e9 / rate)
    header = (0, 0, period_ns, MIDDLE_C if root is None else root, 0, 0, 0, 1, 0)
    return b"smpl", _SMPL.pack(*header, 0, 0, 0, n - 1, 0, 0)


def acid(tempo: Tempo, root: int | None) -> Chunk:
    """The loop's beats, meter (in quarters), tempo and root note, to be stretched with a song."""
    flags = _STRETCH | (0 if root is None else _ROOT_SET)
    note = MIDDLE_C if root is None else root
    return b"acid", _ACID.pack(flags, note, 0x8000, 0.0, tempo.beats, 4, tempo.meter, tempo.bpm)


def tempo_in(chunks: list[Chunk]) -> Tempo | None:
    """What `acid` says; our own text behind it where both agree, as it is exact.

    None without the chunk, for a one-shot, and where a program left beats or tempo empty.
    """
    body = next((body for name, body in chunks if name == b"acid"), b"")
    if len(body) < _ACID.size:
        return None
    flags, _, _, _, beats, _, meter, bpm = _ACID.unpack_from(body)
    exact = _texts(chunks).get(texts.TEMPO)
    try:
        if exact is not None:
            tempo = texts.to_tempo(exact)
            if (tempo.beats, np.float32(tempo.bpm)) == (beats, np.float32(bpm)):
                return tempo
        if flags & _ONE_SHOT or not beats:
            return None
        # The shortest decimal that gives this float32: 123.4, not 123.40000152587890625.
        return Tempo(bpm=float(str(np.float32(bpm))), beats=beats, meter=meter or 4)
    except ParameterError:
        return None


def of_texts(found: Mapping[str, str]) -> list[Chunk]:
    """`parameters` as the comment that other programs show, each other text in a chunk of ours."""
    chunks = []
    if texts.PARAMETERS in found:
        comment = found[texts.PARAMETERS].encode() + b"\0"
        entry = b"ICMT" + struct.pack("<I", len(comment)) + comment + b"\0" * (len(comment) % 2)
        chunks.append((b"LIST", b"INFO" + entry))
    for name, text in found.items():
        if name != texts.PARAMETERS:
            chunks.append((TEXT, name.encode() + b"\0" + text.encode()))
    return chunks


def texts_in(chunks: list[Chunk]) -> dict[str, str]:
    """The texts of `of_texts`, without the tempo; another program's comment is `parameters`."""
    found = _texts(chunks)
    found.pop(texts.TEMPO, None)
    return found


def _texts(chunks: list[Chunk]) -> dict[str, str]:
    found = {}
    for name, body in chunks:
        if name == b"LIST" and body[:4] == b"INFO":
            comment = _comment(body[4:])
            if comment is not None:
                found[texts.PARAMETERS] = comment
        elif name == TEXT:
            key, _, text = body.partition(b"\0")
            found[key.decode("utf-8", "replace")] = text.decode("utf-8", "replace")
    return found


def _comment(entries: bytes) -> str | None:
    place = 0
    while place + 8 <= len(entries):
        name, size = struct.unpack_from("<4sI", entries, place)
        body = entries[place + 8 : place + 8 + size]
        if name == b"ICMT":
            return body.partition(b"\0")[0].decode("utf-8", "replace")
        place += 8 + size + size % 2
    return None
