"""A script spoken over a bed, on its beat and in its key."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.gallery import File, Made, Role
from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks.given import called, named
from riffapp.studio.types import BEATS_PER_BAR, LoopRequest

if TYPE_CHECKING:
    from audio.speech.types import SpeechEngine, Voice
    from riffapp.studio.accompaniment import Accompaniment
    from riffapp.studio.speech import SpeechRequest, Spoken
    from riffapp.studio.speech_files import SavedSpeech
    from riffapp.studio.text_to_audio import Progress

KIND = "speech"
OWN_VOICE = "my recording"  # the voice's name in a request, where one was given
MIXED_S = 300.0  # longer ones are heard as the mix: stems that are streamed drift apart
SHOWS = (
    "The voice's level with its words on the beats of the bars, two bars a row; below each its "
    "pitch, as asked (broad) and as heard (fine), over the notes of the scale"
)
_TITLE_CHARS = 70
_LOADED = ("coqui", "transformers")  # engines that take their time
_MARK = re.compile(r"<[^>]*>")


@dataclass(frozen=True, kw_only=True)
class Bed:
    """What plays under the voice: a loop of words, made first, or a file.

    `request` is planned. `bpm` and `key` of a file are None where it says them, or they are heard;
    `name` is what its giver calls it.
    """

    request: LoopRequest | None = None
    file: Path | None = None
    name: str = ""
    bpm: float | None = None
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Speech:
    """A script over a bed. With `recording`, a person's own of the script in `language`, the voice
    OWN_VOICE is that person. `notes` are the settings' tones as they were written."""

    request: SpeechRequest
    bed: Bed
    recording: Path | None = None
    language: str = "en-us"
    notes: str = ""
    suffix: str = ".wav"
    bit_depth: str = "16"

    @property
    def title(self) -> str:
        return shortened(self.request.script)

    def refuse(self) -> None:
        """Raises what can be told before anything is said or heard."""
        from riffapp.studio import arrange, files, prompts, speech
        from riffapp.studio.pictures import refuse_bpm

        speech.refuse(self.request, find=self._known)
        files.refuse_depth(Path(f"sound{self.suffix}"), self.bit_depth)
        bed = self.bed
        if bed.key is not None:
            prompts.parse_key(bed.key)
        if bed.file is not None:
            refuse_bpm(bed.bpm)
            name = named(bed.file, bed.name)
            with called({name: bed.file}) as folder:
                arrange.refuse_long(folder / name)

    def perform(self, desk: Desk) -> None:
        """The mix with its picture, its stems, subtitles and report."""
        from riffapp.studio import speech, speech_files

        if desk.made:
            return
        accompaniment = self._accompaniment(desk)

        def report(progress: Progress) -> None:
            stage = "speaking" if progress.done < progress.total else "mixing"
            desk.step(progress.done, progress.total, stage)

        desk.step(0, 0, "speaking")
        with speech.speak(
            self.request, accompaniment, find=self.voice, on_progress=report
        ) as spoken:
            path = desk.path(
                0,
                self.suffix,
                words=self.title,
                bpm=accompaniment.music.bpm,
                key=accompaniment.key,
            )
            saved = speech_files.save(spoken, path, bit_depth=self.bit_depth)
            desk.keep(0, self._kept(spoken, saved, desk))

    def voice(self, name: str) -> tuple[SpeechEngine, Voice]:
        """The engine and voice of a name, the person's own among them."""
        from audio.speech import find_voice
        from audio.speech.recorded import Recorded

        if self.recording is None or name != OWN_VOICE:
            return find_voice(name)
        engine = Recorded(self.recording, language=self.language)
        return engine, engine.voices()[0]

    def _known(self, name: str) -> tuple[SpeechEngine, Voice]:
        """The same as far as nothing has to be loaded for it: of a model only that it is named."""
        from audio.speech.espeak import Espeak
        from audio.speech.types import Voice

        engine, colon, _ = name.partition(":")
        if colon and engine in _LOADED:
            return Espeak(), Voice(id=name, engine=engine, name=name, language="en", licence="")
        return self.voice(name)

    def _accompaniment(self, desk: Desk) -> Accompaniment:
        from riffapp.studio.accompaniment import open_accompaniment

        bed, lead = self.bed, self.request.settings.melody == "lead"
        if bed.file is not None:
            desk.step(0, 0, "listening to the bed")
            name = named(bed.file, bed.name)
            with called({name: bed.file}) as folder:
                return open_accompaniment(folder / name, bpm=bed.bpm, key=bed.key, lead=lead)
        assert bed.request is not None  # one of the two is given
        with tempfile.TemporaryDirectory() as place:
            return open_accompaniment(_made(bed.request, Path(place), desk), lead=lead)

    def _kept(self, spoken: Spoken, saved: SavedSpeech, desk: Desk) -> Made:
        from riffapp.studio import speech_files

        told = speech_files.report(spoken)
        if self.bed.request is not None:  # what its file says was asked for here
            told["known_from"] = dict.fromkeys(told["known_from"], "as asked")
        misfits = speech_files.misfits(spoken)
        text = " ".join(said.text for said in spoken.said)
        return Made(
            kind=KIND,
            title=shortened(text),
            words=f"{text[:2000]} {self.request.mode} {told['key'] or ''}",
            task=desk.packed(self),
            files=_files(saved, streamed=spoken.duration_s > MIXED_S),
            facts={
                "seconds": spoken.bed.n / spoken.bed.rate,
                "rate": spoken.bed.rate,
                "bpm": told["bpm"],
                "beats": spoken.duration_s * told["bpm"] / 60,
                "meter": BEATS_PER_BAR,
                "loops": False,
                "told": list(measured(told)),
                "shows": SHOWS,
            },
            lines=(*spoken.accompaniment.notes, *misfits),
        )


def shortened(script: str) -> str:
    """A script's first words, without its marks."""
    words = " ".join(_MARK.sub(" ", script).split())
    return words if len(words) <= _TITLE_CHARS else words[: _TITLE_CHARS - 1].rstrip() + "…"


def measured(told: dict[str, Any]) -> Iterator[str]:
    """A report's figures, a sentence each."""
    sentences, origins = len(told["sentences"]), told["known_from"]
    key = f"{told['key']} ({origins['key']})" if told["key"] else "no key"
    yield (
        f"{sentences} sentence{'s' * (sentences != 1)} at {told['bpm']:g} bpm "
        f"({origins['tempo']}), {key}"
    )
    if told["anchors"]:
        yield (
            f"{told['anchors_near']} of {told['anchors']} anchors (onsets of vowels) within 10 ms "
            f"of their place: {told['onset_mean_ms']:.1f} ms on average, "
            f"{told['onset_worst_ms']:.1f} ms at most"
        )
    if told["pitch_median_cents"] is not None:
        yield f"Pitch within {told['pitch_median_cents']:.1f} cents of what was asked (median)"
    yield f"Sounds stretched {told['stretch'][0]:.2f} to {told['stretch'][1]:.2f} times"
    yield (
        f"{told['lufs']:.1f} LUFS, true peak {told['true_peak_db']:.1f} dBTP, voice "
        f"{told['voice_above_bed_lu']:.1f} LU above the bed"
    )


def _made(request: LoopRequest, folder: Path, desk: Desk) -> Path:
    """The bed as a loop of the desk's model."""
    from riffapp.studio import files
    from riffapp.studio.text_to_audio import make_loops

    instrument = desk.models.instrument(request.checkpoint)

    def report(progress: Progress) -> None:  # no steps of its own: those are the sentences
        desk.step(0, 0, f"making the bed, {progress.done} of {progress.total}")

    desk.step(0, 0, "making the bed")
    (take,) = make_loops(instrument, replace(request, takes=1), on_progress=report)

    def rendered(share: float) -> None:
        desk.step(0, 0, f"making the bed, its sound, {share:.0%}")

    return files.save(take, folder / "bed.wav", on_share=rendered).sound


def _files(saved: SavedSpeech, *, streamed: bool) -> tuple[File, ...]:
    stems: Role = "archive" if streamed else "part"
    found: tuple[tuple[Role, Path | None, str], ...] = (
        ("sound", saved.mix, "Mix"),
        ("picture", saved.picture, "Fit"),
        (stems, saved.voice, "Voice"),
        (stems, saved.bed, "Bed"),
        ("text", saved.srt, "SRT"),
        ("text", saved.vtt, "WebVTT"),
        ("text", saved.report, "Report"),
        ("text", saved.chapters, "Chapters"),
        ("text", saved.cue_sheet, "Cue sheet"),
    )
    return tuple(
        File(role=role, path=path, name=name) for role, path, name in found if path is not None
    )
