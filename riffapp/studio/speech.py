"""A script spoken over a bed: each sentence said, fitted to beat and key, and mixed.

One sentence is held at a time: what is said goes into a track on the disk, and mix and stems are
made from that block by block.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audio import bed as beds
from audio import duck, files, script, stream, voice_over
from audio.align.fit import MODES, Report, fit
from audio.align.intonation import pitch_at
from audio.align.settings import Settings
from audio.chapters import Chapter
from audio.errors import AudioError
from audio.mastering import PowerMeter
from audio.names import lookup, within
from audio.script import ChapterStart, Pause, Sentence
from audio.speech import cutting, find_voice
from audio.voice_over import Balance, Placed, VoiceOver
from riffapp.errors import UsageError
from riffapp.studio.accompaniment import Accompaniment
from riffapp.studio.text_to_audio import OnProgress, Progress, ignore

if TYPE_CHECKING:
    from audio.bed import Bed
    from audio.speech.types import Speech, SpeechEngine, Voice, Word
    from audio.types import Clip, Samples

MAX_SCRIPT_CHARS = 200_000
MAX_BARS_AROUND = 64
MAX_GAP_S = 10.0
EMPHASIS_DB = 4.0
SENTENCE_LUFS, MOST_EVENED_DB = -20.0, 18.0  # before the mix, which sets the level of all
_EMPHASIS_S = 0.02  # over which it comes and goes
ENVELOPE_HZ = 100
_PITCH_STEP_S = 0.02


@dataclass(frozen=True, kw_only=True)
class SpeechRequest:
    """What is said, by whom, and how it is fitted.

    `voice` is a name of `audio.speech.find_voice`; `voices` are more of them by the names that the
    script gives them. `mode`, `strength` (0 .. 1) and `settings` are those of `audio.align.fit`,
    unless a mark in the script says otherwise. The voice begins after `intro_bars`, sentences at
    least `gap_s` apart, and the bed ends `outro_bars` after the last one. `channels` 2 or 1.
    """

    script: str
    voice: str = "en-us"
    voices: tuple[tuple[str, str], ...] = ()
    mode: str = "talk"
    strength: float = 1.0
    settings: Settings = Settings()
    balance: Balance = Balance()
    intro_bars: int = 2
    outro_bars: int = 2
    gap_s: float = 0.25
    channels: int = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """A sentence as it was fitted; times are seconds of the mix.

    `level` is the voice's envelope, 100 a second from `start_s` on. `heard` and `asked` are its
    pitch, as it sounds and as it was to be (None where it was left alone): times and Hz.
    """

    text: str
    voice: Voice
    start_s: float
    words: tuple[Word, ...]
    report: Report
    level: Samples
    heard: tuple[Samples, Samples]
    asked: tuple[Samples, Samples] | None

    @property
    def seconds_a_level(self) -> float:
        return 1 / ENVELOPE_HZ

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.level) / ENVELOPE_HZ


@dataclass(frozen=True, kw_only=True, eq=False)
class Spoken:
    """A script over a bed, ready to be written; its blocks live as long as its track's folder."""

    request: SpeechRequest
    accompaniment: Accompaniment
    said: tuple[Said, ...]
    chapters: tuple[Chapter, ...]
    bed: Bed
    mixed: VoiceOver
    folder: tempfile.TemporaryDirectory[str] = field(repr=False)

    @property
    def duration_s(self) -> float:
        return self.bed.n / self.bed.rate

    def __enter__(self) -> Spoken:
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


# Gives the engine and the voice that a name means.
Voices = Callable[[str], tuple["SpeechEngine", "Voice"]]


def speak(
    request: SpeechRequest,
    accompaniment: Accompaniment,
    *,
    find: Voices = find_voice,
    on_progress: OnProgress = ignore,
) -> Spoken:
    """The script over the bed. Use it as a context: its track is on the disk until that ends.

    `on_progress` counts sentences as they are fitted, and hears again and again of the last one
    while all is mixed, and written: it may raise at any of these moments to stop.
    Raises UsageError and audio's errors, one sentence each, for what cannot be said or fitted.
    """
    _refuse(request)
    speaker = _Speaker(request, accompaniment, find, on_progress)
    folder = tempfile.TemporaryDirectory(prefix="riffapp-")
    try:
        track = Path(folder.name) / "voice.wav"
        rate = accompaniment.loop.clip.rate
        blocks = voice_over.voice_track(speaker.placed(rate), rate=rate)
        stream.write_blocks(track, blocks, rate=rate, channels=1, subtype="float")
        bed = _bed(request, accompaniment, files.duration_s(track))
        words = (word for said in speaker.said for word in said.words)
        mixed = voice_over.voice_over(
            partial(speaker.heard, track), duck.phrases(words), bed, request.balance
        )
    except BaseException:
        folder.cleanup()
        raise
    return Spoken(
        request=request,
        accompaniment=accompaniment,
        said=tuple(speaker.said),
        chapters=tuple(speaker.chapters),
        bed=bed,
        mixed=mixed,
        folder=folder,
    )


def refuse(request: SpeechRequest, *, find: Voices = find_voice) -> int:
    """Refuse what can be told from the request alone; how many sentences it has comes out.

    Raises as `speak` does: for numbers out of range, a script that cannot be read, and a voice
    that is not there.
    """
    _refuse(request)
    cast = _Cast(request, find)
    sentences = [part for part in cast.parts() if isinstance(part, Sentence)]
    for part in sentences:
        with _located(part):
            cast.of(part)
    return len(sentences)


def _bed(request: SpeechRequest, accompaniment: Accompaniment, until_s: float) -> Bed:
    """The bed under a voice that ends at a time."""
    loop = accompaniment.loop
    intro_s = request.intro_bars * beds.bar_seconds(loop.tempo)
    return beds.laid_out(
        beds.matched(loop, rate=loop.clip.rate, channels=request.channels),
        voice_s=max(0.0, until_s - intro_s),
        intro_bars=request.intro_bars,
        outro_bars=request.outro_bars,
    )


def _refuse(request: SpeechRequest) -> None:
    if len(request.script) > MAX_SCRIPT_CHARS:
        raise UsageError(
            f"a script of {len(request.script):,} characters: at most {MAX_SCRIPT_CHARS:,} are "
            "spoken at once, part it"
        )
    lookup(MODES, request.mode, "mode")
    within("strength", request.strength, 0, 1)
    within("a gap in seconds", request.gap_s, 0, MAX_GAP_S)
    for name, bars in (("intro", request.intro_bars), ("outro", request.outro_bars)):
        if not 0 <= bars <= MAX_BARS_AROUND:
            raise UsageError(f"an {name} of {bars} bars: give 0 to {MAX_BARS_AROUND}")
    if request.channels not in (1, 2):
        raise UsageError(f"{request.channels} channels: give 1 (mono) or 2 (stereo)")


class _Speaker:
    """Says a script's parts one after the other, and keeps what is known of each."""

    def __init__(
        self,
        request: SpeechRequest,
        accompaniment: Accompaniment,
        find: Voices,
        on_progress: OnProgress,
    ) -> None:
        self.said: list[Said] = []
        self.chapters: list[Chapter] = []
        self._request, self._music = request, accompaniment.music
        self._on_progress = on_progress
        self._cast = _Cast(request, find)
        self._parts = self._cast.parts()
        self._cast.recorded(self._parts)

    def placed(self, rate: int) -> Iterator[Placed]:
        """Every sentence's sound, at its sample of a track at `rate` Hz."""
        total = sum(isinstance(part, Sentence) for part in self._parts)
        grid, titles = self._music.grid, []
        beat, free_s = float(self._request.intro_bars * self._music.meter), 0.0
        for part in self._parts:
            if isinstance(part, Pause):
                free_s += part.duration_s
                beat = max(beat, grid.beat(free_s))
            elif isinstance(part, ChapterStart):
                titles.append(part.title)
            else:
                said, clip = self._fitted(part, beat, free_s)
                self.said.append(said)
                self.chapters += [Chapter(start_s=said.start_s, title=title) for title in titles]
                titles = []
                self._on_progress(Progress(done=len(self.said), total=total))
                yield Placed(start=round(said.start_s * rate), clip=clip)
                free_s = said.start_s + clip.duration_s + self._request.gap_s
                beat = grid.beat(free_s)

    def heard(self, track: Path) -> Iterator[Samples]:
        """The blocks of the track; who watches hears of each."""
        done = len(self.said)
        for block in files.read_blocks(track):
            self._on_progress(Progress(done=done, total=done))
            yield block

    def _fitted(self, part: Sentence, beat: float, free_s: float) -> tuple[Said, Clip]:
        wish = self._request
        with _located(part):
            speech = self._cast.speech(part)
            fitted = fit(
                speech,
                self._music,
                mode=part.mode or wish.mode,
                strength=wish.strength if part.strength is None else part.strength,
                start_beat=beat,
                free_from_s=free_s,
                settings=wish.settings,
            )
        clip = _emphasised(_evened(fitted.speech), part)
        start_s, pitch = fitted.start_s, fitted.plan.pitch
        said = Said(
            text=part.text,
            voice=speech.voice,
            start_s=start_s,
            words=tuple(_later(word, start_s) for word in fitted.speech.words),
            report=fitted.report,
            level=_envelope(clip),
            heard=_heard(clip, start_s, fitted.hz_range),
            asked=None
            if pitch is None
            else _curve(fitted.plan.time_map.after(pitch.times_s), pitch.hz),
        )
        return said, clip


class _Cast:
    """Who speaks: engines and voices, each found once."""

    def __init__(self, request: SpeechRequest, find: Voices) -> None:
        self._request, self._find = request, find
        self._names = dict(request.voices)
        self._found: dict[str, tuple[SpeechEngine, Voice]] = {}
        self._cut: dict[int, Speech] = {}

    def named(self, name: str) -> tuple[SpeechEngine, Voice]:
        """By the script's own name, or a name of `find_voice`."""
        told = self._names.get(name, name)
        if told not in self._found:
            self._found[told] = self._find(told)
        return self._found[told]

    def parts(self) -> tuple[script.Part, ...]:
        """The script's parts, as it is read in the language of its main voice."""
        _, main = self.named(self._request.voice)
        return script.parse(
            self._request.script,
            voices=[name for name, _ in self._request.voices],
            language=main.language.partition("-")[0],
        )

    def of(self, part: Sentence) -> tuple[SpeechEngine, Voice]:
        """Who says a sentence."""
        return self.named(self._name(part))

    def speech(self, part: Sentence) -> Speech:
        """The sentence as its voice says it."""
        if id(part) in self._cut:
            return self._cut[id(part)]
        engine, voice = self.of(part)
        return engine.speak(part.text, voice)

    def recorded(self, parts: tuple[script.Part, ...]) -> None:
        """Cut recordings into the sentences that are said in them, all of a voice at a time."""
        by_voice: dict[str, list[Sentence]] = {}
        for part in parts:
            if isinstance(part, Sentence):
                by_voice.setdefault(self._name(part), []).append(part)
        for name, own in by_voice.items():
            engine, voice = self.named(name)
            if voice.engine == cutting.RECORDED and len(own) > 1:
                whole = engine.speak(" ".join(part.text for part in own), voice)
                pieces = cutting.cut(whole, [part.text for part in own])
                self._cut |= {id(part): piece for part, piece in zip(own, pieces, strict=True)}

    def _name(self, part: Sentence) -> str:
        if part.voice is not None:
            return part.voice
        return self._request.voice if part.language is None else part.language


@contextmanager
def _located(part: Sentence) -> Iterator[None]:
    """What is refused of a sentence is refused with its place in the script."""
    try:
        yield
    except AudioError as error:
        place = f"line {part.line}, column {part.column} of the script: "
        raise type(error)(place + str(error)) from error


def _later(word: Word, by_s: float) -> Word:
    phones = tuple(replace(p, start_s=p.start_s + by_s, end_s=p.end_s + by_s) for p in word.phones)
    return replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s, phones=phones)


def _evened(speech: Speech) -> Speech:
    """The sentence as loud as all others, whoever says it: K-weighted, while words are said."""
    clip = speech.clip
    meter = PowerMeter(rate=clip.rate, channels=1)
    meter.add(clip.samples)
    lufs = meter.power().lufs(speech.words[0].start_s, speech.words[-1].end_s)
    gain_db = float(np.clip(SENTENCE_LUFS - lufs, -MOST_EVENED_DB, MOST_EVENED_DB))
    samples = clip.samples * np.float32(10 ** (gain_db / 20))
    return replace(speech, clip=replace(clip, samples=samples))


def _emphasised(speech: Speech, part: Sentence) -> Clip:
    """The sentence with its emphasised words louder."""
    clip, at = speech.clip, 0
    if not part.emphasis:
        return clip
    loud = np.zeros(clip.n, np.float32)
    for word in speech.words:
        found = part.text.find(word.text, at)
        at = found + len(word.text) if found >= 0 else at
        if found >= 0 and any(found < end and start < at for start, end in part.emphasis):
            loud[round(word.start_s * clip.rate) : round(word.end_s * clip.rate)] = 1.0
    window = np.hanning(2 * round(_EMPHASIS_S * clip.rate) + 1)
    smooth = np.convolve(loud, window / window.sum(), mode="same")
    return replace(
        clip, samples=clip.samples * 10 ** (EMPHASIS_DB / 20 * smooth[None]).astype(np.float32)
    )


def _envelope(clip: Clip) -> Samples:
    """The peak level of each hundredth of a second."""
    step = clip.rate // ENVELOPE_HZ
    padded = np.pad(np.abs(clip.samples[0]), (0, -clip.n % step))
    found: Samples = padded.reshape(-1, step).max(1)
    return found


def _heard(clip: Clip, start_s: float, hz_range: tuple[float, float]) -> tuple[Samples, Samples]:
    """The pitch that sounds, at the times of the mix that have one."""
    times_s = np.arange(0, clip.duration_s, _PITCH_STEP_S)
    hz = pitch_at(clip, times_s, hz_range, step_s=_PITCH_STEP_S)
    return _curve(start_s + times_s[hz > 0], hz[hz > 0])


def _curve(times_s: object, hz: object) -> tuple[Samples, Samples]:
    return np.asarray(times_s, np.float32), np.asarray(hz, np.float32)
