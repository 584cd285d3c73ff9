"""Standard MIDI files: tempo, melody, chords."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mido

from audio import disk
from audio.errors import FileError, ParameterError
from audio.types import MAX_BPM, MIN_BPM, Note

TICKS = 480  # to a beat
MAX_PARTS = 15  # channels, without that of the drums
_CHARSET = "utf-8"
_DRUMS = 9
_METERS = (1, 255)


# What mido raises of files with single wrong bytes.
_DAMAGE = (OSError, EOFError, ValueError, LookupError, TypeError, mido.KeySignatureError)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A named track of notes; `names` are texts at times, such as chords' names."""

    name: str
    notes: tuple[Note, ...]
    names: tuple[tuple[float, str], ...] = ()


def write(path: Path, parts: Sequence[Part], *, bpm: float, meter: int = 4) -> None:
    """Write a file of type 1: a tempo track, then the parts. The same parts, the same bytes.

    Each part has a channel of its own, none that of the drums. A note ends where the next of its
    pitch begins, and lasts a tick at least.
    Raises ParameterError for what MIDI cannot hold, disk's errors for where nothing can be written.
    """
    _refuse(parts, bpm, meter)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset=_CHARSET)
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=0))
    head.append(mido.MetaMessage("time_signature", numerator=meter, denominator=4, time=0))
    head.append(mido.MetaMessage("end_of_track", time=0))
    file.tracks.append(head)
    for channel, part in enumerate(parts):
        file.tracks.append(_track(part, bpm, channel + (channel >= _DRUMS)))
    out = io.BytesIO()
    file.save(file=out)
    disk.write_whole(path, out.getvalue())


def read_notes(path: Path) -> tuple[float, tuple[Note, ...]]:
    """The tempo in bpm and all notes of a file by their time. Raises FileError for what is none."""
    try:
        file = mido.MidiFile(file=io.BytesIO(disk.read_whole(path)), charset=_CHARSET)
        messages = list(file)
    except _DAMAGE as error:
        raise FileError(f"{path} is no MIDI file that can be read: give a .mid") from error
    bpm, seconds = 120.0, 0.0
    open_: dict[tuple[int, int], tuple[float, int]] = {}
    found = []
    for message in messages:
        seconds += message.time
        if message.type == "set_tempo":
            bpm = mido.tempo2bpm(message.tempo)
        elif message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            if key in open_:
                start_s, velocity = open_.pop(key)
                found.append(
                    Note(
                        start_s=start_s,
                        duration_s=seconds - start_s,
                        pitch=message.note,
                        velocity=velocity,
                    )
                )
            if message.type == "note_on" and message.velocity > 0:
                open_[key] = (seconds, message.velocity)
    return bpm, tuple(sorted(found, key=lambda note: (note.start_s, note.pitch)))


def _track(part: Part, bpm: float, channel: int) -> mido.MidiTrack:
    events = [(_ticks(t, bpm), 0, mido.MetaMessage("marker", text=text)) for t, text in part.names]
    following: dict[int, int] = {}  # of a pitch, where its next note begins
    for note in sorted(part.notes, key=lambda note: note.start_s, reverse=True):
        told = {"note": note.pitch, "channel": channel}
        start = _ticks(note.start_s, bpm)
        end = max(start + 1, _ticks(note.start_s + note.duration_s, bpm))
        end = min(end, following.get(note.pitch, end))
        if end == start:  # one of its pitch begins there already
            continue
        following[note.pitch] = start
        events.append((end, 1, mido.Message("note_off", **told)))
        events.append((start, 2, mido.Message("note_on", velocity=note.velocity, **told)))
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=part.name, time=0)])
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track


def _ticks(seconds: float, bpm: float) -> int:
    return round(seconds * bpm / 60 * TICKS)


def _refuse(parts: Sequence[Part], bpm: float, meter: int) -> None:
    if not MIN_BPM <= bpm <= MAX_BPM:
        raise ParameterError(f"bpm {bpm:g} is outside {MIN_BPM:g} to {MAX_BPM:g}: give one within")
    if not _METERS[0] <= meter <= _METERS[1]:
        raise ParameterError(f"meter {meter}: give {_METERS[0]} to {_METERS[1]} beats to the bar")
    if len(parts) > MAX_PARTS:
        raise ParameterError(f"{len(parts)} parts: a file holds {MAX_PARTS}")
    for part in parts:
        for note in part.notes:
            if not (0 <= note.pitch <= 127 and 1 <= note.velocity <= 127):
                raise ParameterError(
                    f"a note of pitch {note.pitch} and velocity {note.velocity}: MIDI has pitches "
                    "0 to 127 and velocities 1 to 127"
                )
        times = [t for note in part.notes for t in (note.start_s, note.duration_s)]
        for t in [*times, *(t for t, _ in part.names)]:
            if not 0 <= t < math.inf:
                raise ParameterError(f"part '{part.name}' has something at {t:g} s: give 0 or more")
