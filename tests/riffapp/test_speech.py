"""A script over a bed, said by espeak over a loop of the band: real voices, measured sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mutagen.id3 import ID3
from PIL import Image

from audio import files, mix
from audio.align.settings import Settings
from audio.errors import AudioError, MachineError
from audio.loops import repeat
from audio.mastering import PowerMeter
from audio.speech.espeak import Espeak
from audio.synth import band
from audio.types import Clip, Loop
from audio.voice_over import Balance
from riffapp.errors import UsageError
from riffapp.studio import speech, speech_files
from riffapp.studio.accompaniment import TOLD, Accompaniment, open_accompaniment
from riffapp.studio.analysis import HEARD, READ
from riffapp.studio.speech import SpeechRequest

SCRIPT = (
    '<chapter title="Hello"/>Welcome back to the show.\n'
    '<break time="1s"/>Today we talk about <emphasis>music</emphasis> made from words.\n\n'
    '<chapter title="Guests"/><voice name="Anna">I am glad to be here!</voice> '
    '<mode name="rhythmic" strength="50%">Three, two, one.</mode> '
    '<lang xml:lang="de">Guten Tag, liebe Freunde.</lang>'
)
REQUEST = SpeechRequest(script=SCRIPT, voices=(("Anna", "en-gb+f2"),))


@pytest.fixture(scope="module")
def loop() -> Loop:
    song = band.draw(np.random.default_rng(3), bars=2)
    return band.render(replace(song, bpm=104.0))


@pytest.fixture(scope="module")
def bed(loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bed") / "bed.wav"
    files.write(path, loop.clip, tempo=loop.tempo)
    return path


@pytest.fixture(scope="module")
def under(bed: Path) -> Accompaniment:
    return open_accompaniment(bed)


@pytest.fixture(scope="module")
def made(
    under: Accompaniment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], speech_files.SavedSpeech]:
    """The script spoken once: its report and its files."""
    path = tmp_path_factory.mktemp("spoken") / "show.mp3"
    with speech.speak(REQUEST, under) as spoken:
        saved = speech_files.save(spoken, path)
        return speech_files.report(spoken), saved


def speak(under: Accompaniment, path: Path, **changes: Any) -> tuple[dict[str, Any], Any]:
    with speech.speak(replace(REQUEST, **changes), under) as spoken:
        saved = speech_files.save(spoken, path, bit_depth="float")
        return speech_files.report(spoken), saved


# ---- what is said -----------------------------------------------------------------------------


def test_every_sentence_is_said_in_order_by_its_voice(made: tuple[dict[str, Any], Any]) -> None:
    sentences = made[0]["sentences"]
    assert [s["text"] for s in sentences] == [
        "Welcome back to the show.",
        "Today we talk about music made from words.",
        "I am glad to be here!",
        "Three, two, one.",
        "Guten Tag, liebe Freunde.",
    ]
    voices = [s["voice"].partition(":")[2] for s in sentences]
    assert voices == ["en-us", "en-us", "en-gb+f2", "en-us", "de"]
    assert [s["mode"] for s in sentences] == ["talk", "talk", "talk", "rhythmic", "talk"]
    assert [s["strength"] for s in sentences] == [1, 1, 1, 0.5, 1]
    starts = [w[1] for s in sentences for w in s["words"]]
    assert starts == sorted(starts)
    assert all(s["licence"] == "GPL-3.0-or-later" for s in sentences)


def test_a_break_keeps_sentences_apart(made: tuple[dict[str, Any], Any]) -> None:
    first, second = made[0]["sentences"][:2]
    assert second["start_s"] - first["end_s"] >= 1.0


def test_an_emphasised_word_is_louder(under: Accompaniment, tmp_path: Path) -> None:
    levels = []
    for text in ("We talk about music today.", "We talk about <emphasis>music</emphasis> today."):
        quiet = Balance(lufs=-30.0)  # so that no limiter holds what is louder
        told, saved = speak(under, tmp_path / "a.wav", script=text, balance=quiet)
        word = next(w for w in told["sentences"][0]["words"] if w[0] == "music")
        other = next(w for w in told["sentences"][0]["words"] if w[0] == "talk")
        voice = files.read(saved.voice)
        levels.append(_rms_db(voice, *word[1:]) - _rms_db(voice, *other[1:]))
    assert levels[1] - levels[0] == pytest.approx(speech.EMPHASIS_DB, abs=1.0)


def _rms_db(clip: Clip, start_s: float, end_s: float) -> float:
    part = clip.samples[:, round(start_s * clip.rate) : round(end_s * clip.rate)]
    return float(10 * np.log10(np.mean(part**2)))


def test_a_recording_is_parted_into_its_sentences(under: Accompaniment, tmp_path: Path) -> None:
    """espeak in another voice stands for the person: its own times are the truth."""
    engine = Espeak(words_per_minute=140)
    text = "Welcome back to the show. Today we talk about music. Stay with us."
    said = engine.speak(text, engine.voice("en-gb+m3"))
    files.write(tmp_path / "take.wav", said.clip)
    told, _ = speak(
        under,
        tmp_path / "a.wav",
        script=text,
        voice=f"recorded:{tmp_path / 'take.wav'}@en-gb",
        settings=Settings(pull=0.0),
        strength=0.0,
    )
    assert [s["text"] for s in told["sentences"]] == text.replace(". ", ".|").split("|")
    true = {word.text: word.end_s - word.start_s for word in said.words}
    for word, start_s, end_s in (w for s in told["sentences"] for w in s["words"]):
        assert end_s - start_s == pytest.approx(true[word], abs=0.08)


def test_a_soft_recording_and_a_loud_voice_are_equally_loud(
    under: Accompaniment, tmp_path: Path
) -> None:
    engine, text = Espeak(), "This is how I sound."
    said = engine.speak(text, engine.voice("en-gb+f3")).clip
    files.write(tmp_path / "soft.wav", replace(said, samples=said.samples * np.float32(0.2)))
    told, saved = speak(
        under,
        tmp_path / "a.wav",
        script=f'Listen to my guest. <voice name="Eve">{text}</voice>',
        voices=(("Eve", f"recorded:{tmp_path / 'soft.wav'}@en-gb"),),
        balance=Balance(lufs=-30.0),
    )
    power = _power(files.read(saved.voice))
    one, other = (power.lufs(s["words"][0][1], s["words"][-1][2]) for s in told["sentences"])
    assert one == pytest.approx(other, abs=0.5)


# ---- over the bed -----------------------------------------------------------------------------


def test_the_mix_is_whole_bars_at_the_loudness_of_podcasts(
    under: Accompaniment, loop: Loop, tmp_path: Path
) -> None:
    for channels, lufs in ((2, -16.0), (1, -19.0)):
        _, saved = speak(under, tmp_path / "a.wav", channels=channels)
        heard = files.read(saved.mix)
        bar = 4 * 60 * 44100 / 104.0
        assert heard.channels == channels and abs(heard.n / bar - round(heard.n / bar)) * bar < 1
        found = mix.loudness(heard)
        assert found.lufs == pytest.approx(lufs, abs=0.3) and found.true_peak_db <= -1.0
        voice, bed = files.read(saved.voice).samples, files.read(saved.bed).samples
        rest = np.abs(voice + bed - heard.samples).max()
        assert rest < 1e-3 * np.abs(heard.samples).max()


def test_the_voice_stands_above_the_bed_in_every_sentence(
    under: Accompaniment, tmp_path: Path
) -> None:
    told, saved = speak(under, tmp_path / "a.wav")
    voice, bed = (_power(files.read(path)) for path in (saved.voice, saved.bed))
    for sentence in told["sentences"]:
        span = sentence["words"][0][1], sentence["words"][-1][2]
        assert voice.lufs(*span) - bed.lufs(*span) >= 12.0
    before = _power(files.read(saved.bed)).lufs(0.5, 1.5)
    assert before - bed.lufs(*span) > 5.0  # where nobody speaks it is heard


def _power(clip: Clip) -> Any:
    meter = PowerMeter(rate=clip.rate, channels=clip.channels)
    meter.add(clip.samples)
    return meter.power()


def test_the_bed_lies_on_its_grid_to_the_sample(under: Accompaniment, tmp_path: Path) -> None:
    """A bed of clicks: where each is in the bed's stem, bars after bars."""
    rate, tempo = 44100, under.loop.tempo
    samples = 1e-3 * np.random.default_rng(0).standard_normal(under.loop.clip.samples.shape)
    samples = samples.astype(np.float32)
    samples[:, 0] = 0.9
    clicks = replace(under, loop=Loop(clip=Clip(samples=samples, rate=rate), tempo=tempo))
    _, saved = speak(clicks, tmp_path / "a.wav", outro_bars=8)
    stem = np.abs(files.read(saved.bed).samples[0])
    length = tempo.exact(rate)
    for k in range(1, int(len(stem) / length)):
        around = stem[round(k * length) - 50 : round(k * length) + 50]
        assert abs(int(np.argmax(around)) - 50) <= 1


# ---- files beside it --------------------------------------------------------------------------


def test_subtitles_and_chapters_follow_the_words(made: tuple[dict[str, Any], Any]) -> None:
    told, saved = made
    srt, vtt = saved.srt.read_text("utf-8"), saved.vtt.read_text("utf-8")
    for sentence in told["sentences"]:
        assert sentence["text"] in srt.replace("\n", " ") and sentence["text"] in vtt.replace(
            "\n", " "
        )
    listed = json.loads(saved.chapters.read_text("utf-8"))["chapters"]
    assert [chapter["title"] for chapter in listed] == ["Hello", "Guests"]
    assert listed[0]["startTime"] == 0
    assert listed[1]["startTime"] == pytest.approx(told["sentences"][2]["start_s"], abs=0.01)
    frames = ID3(saved.mix).getall("CHAP")
    assert len(frames) == 2 and frames[1].start_time == round(1000 * listed[1]["startTime"])
    assert 'TITLE "Guests"' in saved.cue_sheet.read_text("utf-8")
    assert files.duration_s(saved.mix) == pytest.approx(told["duration_s"], abs=0.05)


def test_the_picture_shows_the_pitch_that_was_asked_and_heard(
    made: tuple[dict[str, Any], Any],
) -> None:
    with Image.open(made[1].picture) as picture:
        colours = {rgb for _, rgb in picture.convert("RGB").getcolors(1 << 24)}
    assert {(0x3B, 0x82, 0xC4), (0xF2, 0xB3, 0x6B), (0xB3, 0x26, 0x1E)} <= colours


def test_a_failure_on_the_way_leaves_nothing(
    under: Accompaniment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(speech_files, "picture", full)
    with speech.speak(REQUEST, under) as spoken, pytest.raises(MachineError, match="No space"):
        speech_files.save(spoken, tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []
    assert not Path(spoken.folder.name).exists()


# ---- the music --------------------------------------------------------------------------------


def test_a_loops_own_words_on_its_tempo_are_believed(bed: Path, under: Accompaniment) -> None:
    assert under.origins == {"tempo": READ, "key": HEARD} and under.music.bpm == 104.0
    told = open_accompaniment(bed, key="F# minor")
    assert told.origins["key"] == TOLD and told.key == "F# minor"


def test_a_recording_is_cut_on_its_bars(loop: Loop, tmp_path: Path) -> None:
    four = repeat(loop.clip, 4)
    late = np.pad(four.samples, ((0, 0), (12345, 0)))
    files.write(tmp_path / "song.wav", replace(four, samples=late))
    found = open_accompaniment(tmp_path / "song.wav")
    assert found.music.bpm == pytest.approx(104.0, rel=0.002)
    assert found.origins["tempo"] == HEARD and found.loop.tempo.beats % 4 == 0
    doubled = open_accompaniment(tmp_path / "song.wav", bpm=104.0)
    assert doubled.origins["tempo"] == TOLD and doubled.loop.tempo.bpm == 104.0


def test_a_bed_shorter_than_a_bar_is_refused(loop: Loop, tmp_path: Path) -> None:
    short = replace(loop.clip, samples=loop.clip.samples[:, :60000])
    files.write(tmp_path / "short.wav", short)
    with pytest.raises(UsageError, match="holds no whole bar at 104 bpm"):
        open_accompaniment(tmp_path / "short.wav", bpm=104.0)


# ---- the command ------------------------------------------------------------------------------


def test_the_command_speaks_and_reports(
    bed: Path, tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    out = tmp_path / "out.wav"
    done = riffapp(
        "speak", "Welcome back to the show", "--bed", bed, "--mode", "rhythmic", "-o", out
    )
    assert done.code == 0, done.err
    assert "LUFS" in done.out and "onsets on the beat within" in done.out
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *("out.wav", "out.voice.wav", "out.bed.wav", "out.srt", "out.vtt"),
        *("out.report.json", "out.fit.png"),
    }
    again = riffapp(
        "speak", "Welcome back to the show", "--bed", bed, "--mode", "rhythmic",
        "-o", tmp_path / "b.wav", "--json",
    )  # fmt: skip
    told = json.loads(again.out)
    assert told["anchors"] >= 3 and told["onset_mean_ms"] < 5
    assert (tmp_path / "b.wav").read_bytes() == out.read_bytes()


def test_the_command_sings_given_notes(
    bed: Path, tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    done = riffapp(
        "speak", "Guten Morgen", "--voice", "de", "--bed", bed, "--mode", "sung",
        "--melody", "C3 1/4 E3 1/4 G3 1/4 C3 1/2", "-o", tmp_path / "a.flac", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["pitch_median_cents"] < 10 and told["known_from"]["tempo"] == READ


def test_the_bed_is_never_replaced_by_its_mix(
    loop: Loop, tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    for bed, out in (("a.wav", "a.wav"), ("a.bed.wav", "a.wav")):
        files.write(tmp_path / bed, loop.clip, tempo=loop.tempo)
        before = (tmp_path / bed).read_bytes()
        done = riffapp("speak", "hi", "--bed", tmp_path / bed, "-o", tmp_path / out)
        assert done.code == 2 and "would replace its own bed" in done.err
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]
        (tmp_path / bed).unlink()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ((), "say what is to be said"),
        ((" ", "--bed", "BED"), "nothing to say"),
        (("\U0001f389", "--bed", "BED"), "nothing to say"),
        (("hi",), "no bed: give --bed FILE, or --make WORDS"),
        (("hi", "--bed", "nix.wav"), "no file nix.wav"),
        (("a" * 10000, "--bed", "BED"), "is one word of 10000 letters"),
        (("hi", "--bed", "BED", "--voice", "xx"), "espeak speaks no language 'xx'"),
        (("hi", "--bed", "BED", "--voice", "tortoise:x"), "no speech engine 'tortoise'"),
        (("hi", "--bed", "BED", "--voice", "coqui:nix"), "no Coqui model in nix"),
        (("hi", "--bed", "BED", "--mode", "rap"), "unknown mode 'rap'"),
        (("hi", "--bed", "BED", "--strength", "120"), "strength 1.2: give 0 to 1"),
        (("hi", "--bed", "BED", "--grid", "1/5"), "unknown subdivision '1/5'"),
        (("hi", "--bed", "BED", "--limits", "2"), "--limits '2'"),
        (("hi", "--bed", "BED", "--melody", "tune"), "melody 'tune'"),
        (("hi", "--bed", "BED", "--melody", "H4 1/4"), "'H4' is no note"),
        (("hi", "--bed", "BED", "--as", "Anna"), "give a name and a voice"),
        (("hi", "--bed", "BED", "--intro", "900"), "an intro of 900 bars"),
        (("hi", "--bed", "BED", "--bpm", "3"), "bpm 3 is outside"),
        (("hi <mode name='x'>you", "--bed", "BED"), "line 1, column"),
        (("hi", "--bed", "BED", "--bit-depth", "12"), "unknown bit depth '12'"),
        (("hi", "--script", "nix.txt", "--bed", "BED"), "say what is to be said"),
    ],
)
def test_what_cannot_be_said_is_refused_in_a_sentence(
    bed: Path,
    tmp_path: Path,
    riffapp: Callable[..., Any],
    flags: tuple[str, ...],
    sentence: str,
) -> None:
    told = [bed if flag == "BED" else flag for flag in flags]
    done = riffapp("speak", *told, "-o", tmp_path / "out.wav")
    assert done.code == 2 and sentence in done.err and done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# ---- watched, and refused before it begins ------------------------------------------------------


def test_who_watches_hears_of_each_sentence_and_of_the_mixing(
    under: Accompaniment, tmp_path: Path
) -> None:
    heard: list[int] = []
    with speech.speak(REQUEST, under, on_progress=lambda p: heard.append(p.done)) as spoken:
        mixed = len(heard)
        speech_files.save(spoken, tmp_path / "a.wav")
    assert heard[:5] == [1, 2, 3, 4, 5]
    assert set(heard[5:]) == {5} and len(heard) > mixed > 5


def test_how_many_anchors_are_near_is_counted(made: tuple[dict[str, Any], Any]) -> None:
    told = made[0]
    onsets = [s["onsets"] for s in told["sentences"]]
    assert told["anchors_near"] == sum(o["near"] for o in onsets) <= told["anchors"]
    for found in onsets:
        assert (found["near"] == found["count"]) == (found["worst_ms"] <= 10)


def test_what_can_be_said_is_not_refused() -> None:
    assert speech.refuse(REQUEST) == 5


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"script": "<emphasis>Hello"}, "<emphasis> is never closed"),
        ({"script": " "}, "nothing to say"),
        ({"script": "x" * 200_001}, "at most 200,000"),
        ({"voice": "klingonish"}, "espeak speaks no language"),
        ({"mode": "dance"}, "mode"),
        ({"strength": 2.0}, "strength"),
        ({"intro_bars": 99}, "an intro of 99 bars"),
        ({"script": '<lang xml:lang="xx">Hi</lang>', "voices": ()}, "line 1, column 21 of the"),
    ],
)
def test_what_cannot_be_said_is_refused_before_anything_is_made(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((UsageError, AudioError), match=sentence):
        speech.refuse(replace(REQUEST, **changes))
