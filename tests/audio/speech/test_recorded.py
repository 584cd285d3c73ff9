"""A recording finds its words: measured on espeak in other voices, whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audio import files
from audio.errors import FileError, ParameterError
from audio.speech import phones, recorded, syllables
from audio.speech.emissions import align_emissions
from audio.speech.espeak import Espeak
from audio.speech.recorded import Recorded, aligned
from audio.speech.types import Speech
from audio.types import Clip, Samples

ENGLISH = (
    "Welcome back to the show, dear friends. Tonight we talk about machines that learned to sing."
)
GERMAN = "Willkommen zurück in unserer Sendung. Heute sprechen wir über Maschinen, die gern singen."


def said(text: str, voice: str, words_per_minute: int = 160) -> Speech:
    engine = Espeak(words_per_minute=words_per_minute)
    return engine.speak(text, engine.voice(voice))


def clip(samples: Samples, rate: int = 22050) -> Clip:
    return Clip(samples=samples.astype(np.float32)[None], rate=rate)


def onset_errors_s(found: Speech, truth: Speech, late_s: float = 0.0) -> np.ndarray:
    return np.array(
        [
            one.start_s - other.start_s - late_s
            for one, other in zip(found.phones, truth.phones, strict=True)
            if phones.is_vowel(other.symbol)
        ]
    )


# ---- with the text ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "voice", "other", "words_per_minute"),
    [
        (ENGLISH, "en-us", "en-us+f3", 130),
        (ENGLISH, "en-us", "en-us+m3", 200),
        (GERMAN, "de", "de+f5", 130),
        (GERMAN, "de", "de+m7", 200),
    ],
)
def test_vowels_of_another_voice_at_another_rate_are_found_within_milliseconds(
    text: str, voice: str, other: str, words_per_minute: int
) -> None:
    truth = said(text, other, words_per_minute)
    found = aligned(truth.clip, said(text, voice), voice=truth.voice)
    errors = np.abs(onset_errors_s(found, truth))
    assert np.median(errors) < 0.004 and np.quantile(errors, 0.95) < 0.02
    assert (found.timing, found.text, found.voice) == ("aligned", text, truth.voice)


def test_silence_before_noise_and_another_rate_do_not_matter() -> None:
    truth = said(ENGLISH, "en-us+f3", 140)
    x = np.concatenate([np.zeros(22050), truth.clip.samples[0], np.zeros(9000)])
    x = x + 3e-3 * np.random.default_rng(0).standard_normal(len(x))
    noisy = files.resample(clip(x), 44100)
    found = aligned(noisy, said(ENGLISH, "en-us"), voice=truth.voice)
    errors = np.abs(onset_errors_s(found, truth, late_s=1.0))
    assert np.median(errors) < 0.005 and np.quantile(errors, 0.9) < 0.02
    assert found.clip.rate == 44100 and found.clip.n == noisy.n


def test_the_judge_reads_nothing_where_nothing_moved_and_a_shift_where_there_is_one() -> None:
    """Control: the reference aligned to itself, and to itself 300 ms later."""
    truth = said(ENGLISH, "en-us")
    same = aligned(truth.clip, truth, voice=truth.voice)
    assert np.abs(onset_errors_s(same, truth)).max() < 0.003
    later = clip(np.concatenate([np.zeros(6615), truth.clip.samples[0]]))
    errors = onset_errors_s(aligned(later, truth, voice=truth.voice), truth, late_s=0.3)
    assert np.abs(errors).max() < 0.006


def test_a_long_recording_is_found_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "_PART_S", 1.6)
    truth, reference = said(ENGLISH, "en-us+f3", 200), said(ENGLISH, "en-us")
    assert len(recorded._cuts(reference)) >= 2
    errors = np.abs(onset_errors_s(aligned(truth.clip, reference, voice=truth.voice), truth))
    assert np.median(errors) < 0.004 and np.quantile(errors, 0.95) < 0.025


def test_times_rise_within_the_clip_even_where_the_text_is_another() -> None:
    spoken = said("one two three", "en-us+f2")
    found = aligned(spoken.clip, said("thirty strong strings", "en-us"), voice=spoken.voice)
    times = [t for phone in found.phones for t in (phone.start_s, phone.end_s)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= found.clip.duration_s
    assert min(phone.end_s - phone.start_s for phone in found.phones) > 0.004


def test_a_file_is_a_voice_with_its_text(tmp_path: Path) -> None:
    truth = said("Schöne Grüße aus Köln", "de+f2")
    stereo = replace(truth.clip, samples=np.repeat(truth.clip.samples, 2, axis=0))
    files.write(tmp_path / "Anna.wav", stereo)
    engine = Recorded(tmp_path / "Anna.wav", language="de")
    (voice,) = engine.voices()
    assert (voice.name, voice.engine, voice.language) == ("Anna", "recorded", "de")
    found = engine.speak("Schöne Grüße aus Köln", voice)
    assert [word.text for word in found.words] == ["Schöne", "Grüße", "aus", "Köln"]
    assert np.median(np.abs(onset_errors_s(found, truth))) < 0.005
    assert found.clip.channels == 1


# ---- without the text ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "voice"),
    [(ENGLISH, "en-us"), (ENGLISH, "en-us+f3"), (GERMAN, "de"), (GERMAN, "de+f3")],
)
def test_syllables_are_heard_without_the_text(text: str, voice: str) -> None:
    truth = said(text, voice)
    found = syllables.heard(truth.clip, truth.voice)
    nuclei = np.array([p.start_s for p in truth.phones if phones.is_nucleus(p.symbol)])
    heard = np.array([p.start_s for p in found.phones])
    apart = np.abs(nuclei[:, None] - heard)
    assert (apart.min(1) < 0.05).mean() > 0.75  # of those said, heard
    assert (apart.min(0) < 0.05).mean() > 0.7  # of those heard, said
    assert np.median(apart.min(0)) < 0.025
    assert found.timing == "estimated" and not any(word.text for word in found.words)


def test_each_clap_of_a_vowel_is_one_syllable_and_the_loudest_is_stressed() -> None:
    """Three bursts of a buzzing tone: planted, 0.5 s apart, the second twice as loud."""
    t = np.arange(22050 * 2) / 22050
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 25))
    gate = np.zeros_like(t)
    for start, level in ((0.25, 0.1), (0.75, 0.2), (1.25, 0.1)):
        inside = (t >= start) & (t < start + 0.2)
        gate[inside] = level
    voice = said("a", "en-us").voice
    found = syllables.heard(clip(buzz * gate), voice)
    np.testing.assert_allclose([p.start_s for p in found.phones], [0.25, 0.75, 1.25], atol=0.012)
    np.testing.assert_allclose([p.end_s for p in found.phones], [0.45, 0.95, 1.45], atol=0.04)
    assert [p.stress for p in found.phones] == [0, 2, 0]


def test_a_recorded_file_without_text_gives_its_syllables(tmp_path: Path) -> None:
    files.write(tmp_path / "take.wav", said("one two three", "en-us").clip)
    engine = Recorded(tmp_path / "take.wav")
    assert len(engine.speak(" ", engine.voices()[0]).words) == 3


# ---- emissions of an acoustic model -------------------------------------------------------------


def emissions(frames: int, classes: int, spoken: dict[int, int]) -> np.ndarray:
    """Log probabilities in which class c is heard in frame f for (f, c) in `spoken`, else blank."""
    p = np.full((frames, classes), 0.01)
    p[:, 0] = 1
    for frame, token in spoken.items():
        p[frame, [0, token]] = 0.02, 0.9
    return np.log(p / p.sum(1, keepdims=True))


def test_planted_tokens_are_found_where_they_were_planted() -> None:
    heard = emissions(40, 6, {5: 3, 6: 3, 12: 1, 20: 1, 33: 5})
    spans = align_emissions(heard, [3, 1, 1, 5], hop_s=0.02)
    assert [span.token for span in spans] == [3, 1, 1, 5]
    times = [(span.start_s, span.end_s) for span in spans]
    np.testing.assert_allclose(times, [(0.1, 0.14), (0.24, 0.26), (0.4, 0.42), (0.66, 0.68)])
    assert all(span.probability > 0.9 for span in spans)


@pytest.mark.parametrize(
    ("tokens", "sentence"),
    [
        ([], "no tokens to align"),
        ([1, 6], "token 6: the model has classes 0 to 5"),
        ([0], "token 0: .* of which 0 is blank"),
        ([1, 1, 1], "4 frames for 3 tokens, which take 5"),
    ],
)
def test_tokens_that_cannot_be_aligned_are_refused(tokens: list[int], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        align_emissions(emissions(4, 6, {}), tokens, hop_s=0.02)


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "sentence"),
    [
        (np.zeros(22050), "is silent"),
        (np.zeros(0), "is silent"),
        (np.full(22050, np.nan), "is silent"),
        (np.ones(200), "a recording of 0.025 s for a text that takes about"),
        (np.ones(8000 * 301), "a recording of 301 s: at most 300 s"),
    ],
)
def test_recordings_that_cannot_hold_the_text_are_refused(sound: Samples, sentence: str) -> None:
    reference = said(ENGLISH, "en-us")
    with pytest.raises(ParameterError, match=sentence):
        aligned(clip(sound, 8000), reference, voice=reference.voice)


@pytest.mark.parametrize("sound", [np.zeros(22050), np.zeros(100), np.full(22050, np.nan)])
def test_sound_without_a_syllable_is_refused(sound: Samples) -> None:
    with pytest.raises(ParameterError, match="syllable"):
        syllables.heard(clip(sound), said("a", "en-us").voice)


def test_a_recording_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nobody.wav"):
        Recorded(tmp_path / "nobody.wav")
