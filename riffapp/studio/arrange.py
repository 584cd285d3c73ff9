"""A finished sound made ready for use: exported, at another tempo or pitch, in stems, in clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from riffapp.errors import UsageError
from riffapp.studio import files, pictures
from riffapp.studio.types import BEATS_PER_BAR, BPM_RANGE, MAX_DURATION_S, MAX_SEED

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


def refuse_long(path: Path) -> None:
    """Raises UsageError where there is no sound file, or it lasts longer than can be worked on."""
    from audio import files as sounds

    if not path.is_file():
        raise UsageError(f"no file {path}: check the name")
    seconds = sounds.duration_s(path)
    if seconds > MAX_DURATION_S:
        raise UsageError(
            f"{path} lasts {seconds / 60:.0f} min: at most {MAX_DURATION_S / 60:g} min can be "
            "worked on at once, cut it first"
        )


def recording(path: Path) -> Recording:
    """The sound in a file. Raises UsageError where there is none or it is too long."""
    from audio import files as sounds

    refuse_long(path)
    clip, tempo = sounds.read(path), sounds.read_loop(path)
    if tempo is not None and tempo.samples(clip.rate) != clip.n:
        tempo = None
    return Recording(path=path, clip=clip, tempo=tempo, texts=files.read_texts(path))


def refuse_export(wish: Export, *, path: Path, tempo: Tempo | None) -> None:
    """Raises UsageError for a click or count-in without a tempo, and as audio does for numbers."""
    from audio import clicks, mix

    if not 1 <= wish.repeat <= MAX_REPEATS:
        raise UsageError(f"{wish.repeat} repeats: give 1 to {MAX_REPEATS}")
    if tempo is None and (wish.click or wish.count_in):
        raise UsageError(f"{path} says no tempo: a click needs one, see what analysis hears")
    if wish.count_in:
        clicks.refuse_bars(wish.count_in)
    if wish.lufs is not None:
        mix.refuse_targets(wish.lufs, wish.true_peak_db)


def exported(made: Recording, wish: Export) -> tuple[Recording, Loudness]:
    """The sound as wished, and how loud it is now; a loop stays one unless a count-in precedes it.

    Raises as `refuse_export` does, audio's errors for silence.
    """
    from audio import clicks, mix

    clip, tempo = made.clip, made.tempo
    refuse_export(wish, path=made.path, tempo=tempo)
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
    from riffapp.studio.analysis import analyse

    if path.suffix.lower() not in (".mid", ".midi"):
        raise UsageError(f"{path.name} is no MIDI file's name: it must end in .mid")
    found = analyse(source, melody=True)
    save_midi(found, path)
    return found


def save_midi(found: Analysis, path: Path) -> None:
    """Write an analysis as MIDI: tempo, melody, and chords with their names."""
    from audio import midi
    from audio.midi import Part
    from audio.types import Note

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


@dataclass(frozen=True, kw_only=True)
class Retiming:
    """Another tempo and pitch; `from_bpm` is the sound's own, where its file says none.

    `times` 2 is half time (the same played over twice the beats), 0.5 double time. `quality` is
    that of a loop's new rendering.
    """

    bpm: float | None = None
    from_bpm: float | None = None
    times: float = 1.0
    semitones: float = 0.0
    quality: str = "fast"


def refuse_retiming(wish: Retiming, *, path: Path, tempo: Tempo | None) -> None:
    """Raises UsageError for a tempo out of range, or to be changed where none is known, and as
    audio does for semitones."""
    from audio import stretch

    low, high = BPM_RANGE
    for given in (wish.bpm, wish.from_bpm):
        if given is not None and not low <= given <= high:
            raise UsageError(f"bpm {given:g} is outside {low:g} to {high:g}: give one within")
    stretch.refuse_semitones(wish.semitones)
    if tempo is None and wish.from_bpm is None and (wish.bpm is not None or wish.times != 1):
        raise UsageError(f"{path} says no tempo: say which one it has (--from-bpm)")
    if tempo is not None and tempo.beats * wish.times != round(tempo.beats * wish.times):
        beats = tempo.beats * wish.times
        raise UsageError(f"{tempo.beats} beats in double time are {beats:g}: no whole")


def retimed(made: Recording, wish: Retiming) -> Recording:
    """The sound at another tempo and pitch.

    A loop with its picture beside it is rendered anew from that, exactly; any other is stretched.
    Raises as `refuse_retiming` does.
    """
    from audio import stretch
    from audio.types import Tempo

    refuse_retiming(wish, path=made.path, tempo=made.tempo)
    own, semitones = made.tempo, wish.semitones
    if own is None and wish.from_bpm is not None:
        beats = max(1, round(made.clip.duration_s * wish.from_bpm / 60))
        own = Tempo(bpm=wish.from_bpm, beats=beats)
    if own is None:
        clip = stretch.stretched(made.clip, made.clip.n, semitones=semitones)
        return replace(made, clip=clip)
    wanted = Tempo(bpm=wish.bpm or own.bpm, beats=round(own.beats * wish.times))
    clip, n = _at(made, own, wanted, wish.quality), wanted.samples(made.clip.rate)
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


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """Clips of a sound: `count` of so many `bars`, from bars on, or of a duration, anywhere.

    `bpm` and `first_beat_s`, where a bar begins, are heard where neither file nor wish says them.
    The same seed gives the same clips.
    """

    count: int = 8
    bars: int | None = None
    duration_ms: float = 5120.0
    bpm: float | None = None
    first_beat_s: float | None = None
    seed: int = 0


def refuse_cuts(wish: Cuts) -> None:
    """Raises UsageError for numbers out of range."""
    low, high = BPM_RANGE
    if not 1 <= wish.count <= MAX_CLIPS:
        raise UsageError(f"{wish.count} clips: give 1 to {MAX_CLIPS}")
    if not 0 <= wish.seed <= MAX_SEED:
        raise UsageError(f"seed {wish.seed} is outside 0 to {MAX_SEED}: give one within")
    if wish.bpm is not None and not low <= wish.bpm <= high:
        raise UsageError(f"bpm {wish.bpm:g} is outside {low:g} to {high:g}: give one within")
    if wish.bars is not None and wish.bars < 1:
        raise UsageError(f"clips of {wish.bars} bars: give 1 or more")
    if not wish.duration_ms > 0:
        raise UsageError(f"clips of {wish.duration_ms:g} ms: give more than 0")


def clips_of(made: Recording, wish: Cuts) -> list[tuple[float, Clip, Tempo | None]]:
    """Clips of the sound, (start in s, clip, tempo).

    Raises UsageError as `refuse_cuts` does, and where the sound is shorter than a clip.
    """
    from audio.types import Tempo

    refuse_cuts(wish)
    rng, clip, count, bars = np.random.default_rng(wish.seed), made.clip, wish.count, wish.bars
    if bars is None:
        n = round(wish.duration_ms / 1000 * clip.rate)
        if not 1 <= n <= clip.n:
            raise UsageError(
                f"clips of {n / clip.rate:g} s of a sound of {clip.duration_s:.3f} s: give shorter "
                "ones"
            )
        starts = rng.integers(0, clip.n - n + 1, count)
        return [(s / clip.rate, _cut(clip, int(s), n), None) for s in starts]
    found_bpm, first_s = _grid(made, wish.bpm, wish.first_beat_s)
    tempo = Tempo(bpm=round(found_bpm, 3), beats=bars * BEATS_PER_BAR)
    n, bar = tempo.samples(clip.rate), BEATS_PER_BAR * 60 / found_bpm * clip.rate
    possible = int((clip.n - n - first_s * clip.rate) / bar + 1e-6) + 1
    if possible < 1:
        whole = int((clip.n - first_s * clip.rate) / bar)
        raise UsageError(f"clips of {bars} bars: the sound has {whole} whole ones, give fewer")
    picks = rng.integers(0, possible, count)
    starts = np.minimum(np.rint(first_s * clip.rate + picks * bar).astype(int), clip.n - n)
    return [(s / clip.rate, _cut(clip, int(s), n), tempo) for s in starts]


def _grid(made: Recording, bpm: float | None, first_beat_s: float | None) -> tuple[float, float]:
    from audio.tempo import estimate_tempo

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
