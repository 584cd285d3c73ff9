"""Standard MIDI files: tempo, melody, chords."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mido

from audio import disk
from audio.errors import FileError
from audio.types import Note

TICKS = 480  # to a beat


@dataclass(frozen=True, kw_only=True)
class Part:
    """A named track of notes; `names` are texts at times, such as chords' names."""

    name: str
    notes: tuple[Note, ...]
    names: tuple[tuple[float, str], ...] = ()


def write(path: Path, parts: Sequence[Part], *, bpm: float, meter: int = 4) -> None:
    """Write a file of type 1: a tempo track, then the parts. The same parts, the same bytes."""
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=0))
    head.append(mido.MetaMessage("time_signature", numerator=meter, denominator=4, time=0))
    head.append(mido.MetaMessage("end_of_track", time=0))
    file.tracks.append(head)
    for channel, part in enumerate(parts):
        file.tracks.append(_track(part, bpm, channel))
    out = io.BytesIO()
    file.save(file=out)
    disk.write_whole(path, out.getvalue())


def read_notes(path: Path) -> tuple[float, tuple[Note, ...]]:
    """The tempo in bpm and all notes of a file by their time. Raises FileError for what is none."""
    try:
        file = mido.MidiFile(file=io.BytesIO(disk.read_whole(path)))
    except (OSError, EOFError, ValueError, IndexError, KeyError) as error:
        raise FileError(f"{path} is no MIDI file that can be read: give a .mid") from error
    bpm, seconds = 120.0, 0.0
    open_: dict[tuple[int, int], tuple[float, int]] = {}
    found = []
    for message in file:
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
    for note in part.notes:
        told = {"note": note.pitch, "channel": channel}
        end = _ticks(note.start_s + note.duration_s, bpm)
        events.append((end, 1, mido.Message("note_off", **told)))
        start = mido.Message("note_on", velocity=note.velocity, **told)
        events.append((_ticks(note.start_s, bpm), 2, start))
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=part.name, time=0)])
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track


def _ticks(seconds: float, bpm: float) -> int:
    return round(seconds * bpm / 60 * TICKS)
