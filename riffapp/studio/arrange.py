"""A finished sound made ready for use: exported, at another tempo or pitch, in stems, in clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from riffapp.errors import UsageError
from riffapp.studio import files, pictures
from riffapp.studio.types import BEATS_PER_BAR, BPM_RANGE, MAX_DURATION_S

if TYPE_CHECKING:
    from audio.mix import Loudness
    from audio.types import Clip, Tempo
    from riffapp.studio.analysis import Analysis

MAX_REPEATS = 256
MAX_CLIPS = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """A sound file: its clip, the tempo of a loop, the texts inside."""

    path: Path
    clip: Clip
    tempo: Tempo | None
    texts: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Export:
    """What an export is to be: loudness (None: as it is), repeats, click, count-in."""

    lufs: float | None = None
    true_peak_db: float = -1.0
    repeat: int = 1
    click: bool = False
    count_in: int = 0


def recording(path: Path) -> Recording:
    """The sound in a file. Raises UsageError where there is none or it is too long."""
    from audio import files as sounds

    if not path.is_file():
        raise UsageError(f"no file {path}: check the name")
    seconds = sounds.duration_s(path)
    if seconds > MAX_DURATION_S:
        raise UsageError(
            f"{path} lasts {seconds / 60:.0f} min: at most {MAX_DURATION_S / 60:g} min can be "
            "worked on at once, cut it first"
        )
    clip, tempo = sounds.read(path), sounds.read_loop(path)
    if tempo is not None and tempo.samples(clip.rate) != clip.n:
        tempo = None
    return Recording(path=path, clip=clip, tempo=tempo, texts=files.read_texts(path))


def exported(made: Recording, wish: Export) -> tuple[Recording, Loudness]:
    """The sound as wished, and how loud it is now; a loop stays one unless a count-in precedes it.

    Raises UsageError for a click or count-in without a tempo, audio's errors for silence.
    """
    from audio import clicks, mix

    clip, tempo = made.clip, made.tempo
    if not 1 <= wish.repeat <= MAX_REPEATS:
        raise UsageError(f"{wish.repeat} repeats: give 1 to {MAX_REPEATS}")
    if tempo is None and (wish.click or wish.count_in):
        raise UsageError(f"{made.path} says no tempo: a click needs one, see riffapp analyse")
    circular = tempo is not None
    if wish.lufs is not None:
        clip = mix.to_loudness(
            clip, lufs=wish.lufs, true_peak_db=wish.true_peak_db, circular=circular
        )
    if wish.repeat > 1:
        clip, tempo = _repeated(clip, tempo, wish.repeat)
    if wish.click and tempo is not None:
        click = clicks.click_track(tempo, clip.rate).samples
        clip = replace(clip, samples=clip.samples + click)
    heard = mix.loudness(clip, circular=circular)
    if wish.count_in and tempo is not None:
        clip, tempo = clicks.with_count_in(clip, tempo, bars=wish.count_in), None
    return replace(made, clip=clip, tempo=tempo), heard


def _repeated(clip: Clip, tempo: Tempo | None, times: int) -> tuple[Clip, Tempo | None]:
    """So many repeats on end; a loop's are exactly as long as their beats, so it stays one."""
    from audio import loops, stretch
    from audio.types import Loop

    if tempo is None:
        return loops.repeat(clip, times), None
    longer = stretch.repeated(Loop(clip=clip, tempo=tempo), times)
    return longer.clip, longer.tempo


def write_midi(source: Path, path: Path) -> Analysis:
    """Write tempo, melody and chords of a sound file as MIDI, as they are read or heard."""
    from audio import midi
    from audio.midi import Part
    from audio.types import Note
    from riffapp.studio.analysis import analyse

    if path.suffix.lower() not in (".mid", ".midi"):
        raise UsageError(f"{path.name} is no MIDI file's name: it must end in .mid")
    found = analyse(source, melody=True)
    chords = tuple(
        Note(start_s=c.start_s, duration_s=c.end_s - c.start_s, pitch=pitch, velocity=80)
        for c in found.chords
        for pitch in c.pitches
    )
    names = tuple((c.start_s, c.name) for c in found.chords)
    parts = (
        Part(name="melody", notes=found.melody),
        Part(name="chords", notes=chords, names=names),
    )
    midi.write(path, parts, bpm=found.bpm)
    return found


def retimed(
    made: Recording,
    *,
    bpm: float | None = None,
    from_bpm: float | None = None,
    times: float = 1.0,
    semitones: float = 0.0,
    quality: str = "fast",
) -> Recording:
    """The sound at another tempo and pitch.

    A loop with its picture beside it is rendered anew from that, exactly; any other is stretched.
    `times` 2 is half time (the same played over twice the beats), 0.5 double time.
    Raises UsageError for a tempo out of range, or to be changed where none is known.
    """
    from audio import stretch
    from audio.types import Tempo

    low, high = BPM_RANGE
    for given in (bpm, from_bpm):
        if given is not None and not low <= given <= high:
            raise UsageError(f"bpm {given:g} is outside {low:g} to {high:g}: give one within")
    own = made.tempo
    if own is None and from_bpm is not None:
        beats = max(1, round(made.clip.duration_s * from_bpm / 60))
        own = Tempo(bpm=from_bpm, beats=beats)
    if own is None and (bpm is not None or times != 1):
        raise UsageError(f"{made.path} says no tempo: give the one it has with --from-bpm")
    if own is None:
        clip = stretch.stretched(made.clip, made.clip.n, semitones=semitones)
        return replace(made, clip=clip)
    if own.beats * times != round(own.beats * times):
        raise UsageError(f"{own.beats} beats in double time are {own.beats * times:g}: no whole")
    wanted = Tempo(bpm=bpm or own.bpm, beats=round(own.beats * times))
    clip, n = _at(made, own, wanted, quality), wanted.samples(made.clip.rate)
    if clip.n != n or semitones:
        clip = stretch.stretched(clip, n, semitones=semitones, circular=made.tempo is not None)
    return replace(made, clip=clip, tempo=wanted if made.tempo is not None else None)


def _at(made: Recording, own: Tempo, wanted: Tempo, quality: str) -> Clip:
    """From its picture at the wanted tempo, where it has one; else as it is."""
    beside = made.path.with_suffix(files.PICTURE_SUFFIX)
    is_own = made.tempo is not None and beside.is_file() and bool(made.texts)
    if not is_own or files.read_texts(beside) != made.texts:
        return made.clip
    played_bpm = wanted.bpm * own.beats / wanted.beats
    if played_bpm == own.bpm:
        return made.clip
    low, high = BPM_RANGE
    if not low <= played_bpm <= high:
        return made.clip
    picture = files.open_picture(beside)
    return pictures.image_to_audio(
        picture, bpm=played_bpm, quality=quality, rate=made.clip.rate
    ).clip


def stems_of(
    made: Recording, *, model: str | None = None, weights: Path | None = None
) -> dict[str, Clip]:
    """The sound taken apart: harmonic and percussive, or by a Demucs model whose files are here."""
    from audio import stems

    if model is None:
        return stems.harmonic_percussive(made.clip)
    if weights is None:
        raise UsageError(f"Demucs model '{model}': say where its files are with --weights FOLDER")
    return stems.demucs_stems(made.clip, model, weights=weights)


def clips_of(
    made: Recording,
    *,
    count: int,
    bars: int | None = None,
    duration_ms: float | None = None,
    bpm: float | None = None,
    first_beat_s: float | None = None,
    seed: int = 0,
) -> list[tuple[float, Clip, Tempo | None]]:
    """`count` clips of the sound, (start in s, clip, tempo): from bars on, or by time.

    The same seed gives the same clips. Without a tempo that is told or given it is heard.
    Raises UsageError where the sound is shorter than a clip.
    """
    from audio.types import Tempo

    if not 1 <= count <= MAX_CLIPS:
        raise UsageError(f"{count} clips: give 1 to {MAX_CLIPS}")
    rng, clip = np.random.default_rng(seed), made.clip
    if bars is None:
        n = round((5120.0 if duration_ms is None else duration_ms) / 1000 * clip.rate)
        if not 1 <= n <= clip.n:
            raise UsageError(
                f"clips of {n / clip.rate:g} s of a sound of {clip.duration_s:.3f} s: give shorter "
                "ones"
            )
        starts = rng.integers(0, clip.n - n + 1, count)
        return [(s / clip.rate, _cut(clip, int(s), n), None) for s in starts]
    found_bpm, first_s = _grid(made, bpm, first_beat_s)
    tempo = Tempo(bpm=round(found_bpm, 3), beats=bars * BEATS_PER_BAR)
    n, bar = tempo.samples(clip.rate), BEATS_PER_BAR * 60 / found_bpm * clip.rate
    possible = int((clip.n - n - first_s * clip.rate) / bar + 1e-6) + 1
    if bars < 1 or possible < 1:
        whole = int((clip.n - first_s * clip.rate) / bar)
        raise UsageError(f"clips of {bars} bars: the sound has {whole} whole ones, give fewer")
    picks = rng.integers(0, possible, count)
    starts = np.minimum(np.rint(first_s * clip.rate + picks * bar).astype(int), clip.n - n)
    return [(s / clip.rate, _cut(clip, int(s), n), tempo) for s in starts]


def _grid(made: Recording, bpm: float | None, first_beat_s: float | None) -> tuple[float, float]:
    from audio.tempo import estimate_tempo

    low, high = BPM_RANGE
    if bpm is not None and not low <= bpm <= high:
        raise UsageError(f"bpm {bpm:g} is outside {low:g} to {high:g}: give one within")
    if made.tempo is not None and bpm is None:
        return made.tempo.bpm, 0.0
    if bpm is not None:
        return bpm, first_beat_s or 0.0
    heard = estimate_tempo(made.clip)
    return heard.bpm, heard.downbeat_s if first_beat_s is None else first_beat_s


def _cut(clip: Clip, start: int, n: int) -> Clip:
    return replace(clip, samples=np.ascontiguousarray(clip.samples[:, start : start + n]))


def digits(count: int) -> int:
    """How many digits number so many files."""
    return max(3, len(str(count)))
