"""The embedded voice: times that are the sound's own, a process that may die, any text."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audio.errors import MachineError, ParameterError
from audio.speech import espeak, espeak_text, phones
from audio.speech.espeak import Espeak
from audio.speech.espeak_process import Process
from audio.speech.types import Speech

ENGLISH = (
    "Welcome back to the show, well-known friends: 42 apples don't stop the music "
    "at the end of the day."
)
GERMAN = "Übergrößenträger kauften 2024 schöne Äpfel – für 3,50 €, Straßen & Grüße!"


@pytest.fixture(scope="module")
def engine() -> Espeak:
    return Espeak()


def said(engine: Espeak, text: str, voice: str = "en-us") -> Speech:
    return engine.speak(text, engine.voice(voice))


def texts(speech: Speech) -> list[str]:
    return [word.text for word in speech.words]


# ---- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "voice"), [(ENGLISH, "en-us"), (ENGLISH, "en-gb"), (GERMAN, "de")]
)
def test_words_and_phones_rise_within_the_clip(engine: Espeak, text: str, voice: str) -> None:
    speech = said(engine, text, voice)
    assert (speech.clip.rate, speech.clip.channels, speech.timing) == (22050, 1, "exact")
    times = [t for phone in speech.phones for t in (phone.start_s, phone.end_s)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= speech.clip.duration_s
    assert all(phone.end_s - phone.start_s > 0.005 and phone.symbol for phone in speech.phones)
    for word in speech.words:
        assert (word.start_s, word.end_s) == (word.phones[0].start_s, word.phones[-1].end_s)


@pytest.mark.parametrize(("text", "voice"), [("I see. I see. I see.", "en-us"), ("So. So.", "de")])
def test_a_hissing_phone_stands_where_the_hiss_is(engine: Espeak, text: str, voice: str) -> None:
    """The share of the power above 4 kHz says where an s is, independent of any event."""
    speech = said(engine, text, voice)
    x, rate = speech.clip.samples[0], speech.clip.rate
    for phone in speech.phones:
        inside = x[round(phone.start_s * rate) : round(phone.end_s * rate)]
        power = np.abs(np.fft.rfft(inside * np.hanning(len(inside)))) ** 2
        high = power[round(4000 / rate * len(inside)) :].sum() / power.sum()
        assert phone.symbol == "z" or (high > 0.5) == (phone.symbol == "s")


def test_between_words_that_a_full_stop_parts_there_is_silence(engine: Espeak) -> None:
    speech = said(engine, "Go. Stop. Go.")
    for before, after in zip(speech.words, speech.words[1:], strict=False):
        pause = slice(round(before.end_s * 22050) + 500, round(after.start_s * 22050) - 500)
        assert after.start_s - before.end_s > 0.2
        assert np.abs(speech.clip.samples[0, pause]).max() < 0.02


def test_a_faster_rate_says_the_same_in_less_time() -> None:
    slow, fast = Espeak(words_per_minute=120), Espeak(words_per_minute=240)
    one, other = said(slow, ENGLISH), said(fast, ENGLISH)
    assert texts(one) == texts(other)
    assert 1.6 < one.clip.duration_s / other.clip.duration_s < 2.2


def test_a_higher_pitch_is_higher() -> None:
    import parselmouth

    def median_hz(pitch: int) -> float:
        clip = said(Espeak(pitch=pitch), ENGLISH).clip
        sound = parselmouth.Sound(clip.samples[0].astype(float), sampling_frequency=clip.rate)
        hz = sound.to_pitch().selected_array["frequency"]
        return float(np.median(hz[hz > 0]))

    assert median_hz(80) > 1.2 * median_hz(40)


def test_a_dark_l_without_time_shares_the_vowel_that_it_colours() -> None:
    events = [("word", 0, 0), ("phone", 0, "ˈɛ"), ("phone", 100, "l"), ("phone", 100, "m")]
    (word,) = espeak_text.words("elm", events, 150, 100)
    assert [(p.symbol, p.start_s, p.end_s, p.stress) for p in word.phones] == [
        ("ɛ", 0.0, 0.5, 2),
        ("l", 0.5, 1.0, 0),
        ("m", 1.0, 1.5, 0),
    ]


# ---- words --------------------------------------------------------------------------------------


def test_words_stand_as_they_do_in_the_text(engine: Espeak) -> None:
    assert texts(said(engine, ENGLISH)) == [
        *("Welcome", "back", "to", "the", "show", "well-known", "friends", "42", "apples"),
        *("don't", "stop", "the", "music", "at", "the", "end", "of the", "day"),
    ]
    assert texts(said(engine, GERMAN, "de")) == [
        *("Übergrößenträger", "kauften", "2024", "schöne", "Äpfel", "für", "3,50", "€"),
        *("Straßen", "&", "Grüße"),
    ]


def test_every_word_of_a_long_text_is_found_in_it(engine: Espeak) -> None:
    sentence = "Schöne Äpfel reiften damals, größer wurden 21 Bäume! "
    speech = said(engine, sentence * 80, "de")
    one = texts(said(engine, sentence, "de"))
    assert texts(speech) == one * 80


def test_emoji_are_silent_and_move_nothing(engine: Espeak) -> None:
    assert texts(said(engine, "😀 hi 👩‍🚀 there ❤️ friend")) == ["hi", "there", "friend"]


def test_chinese_words_are_told_apart_without_blanks(engine: Espeak) -> None:
    speech = said(engine, "你好，世界。", "cmn")
    assert "".join(texts(speech)) == "你好世界" and len(speech.words) >= 2


def test_stress_stands_on_vowels_and_no_mark_is_left_in_a_symbol(engine: Espeak) -> None:
    for text, voice in ((ENGLISH, "en-us"), (GERMAN, "de")):
        found = said(engine, text, voice).phones
        assert all(phones.is_nucleus(phone.symbol) for phone in found if phone.stress)
        assert not any(set("ˈˌ ") & set(phone.symbol) for phone in found)
        assert sum(phone.stress == 2 for phone in found) >= 7


def test_phonemes_of_each_word(engine: Espeak) -> None:
    found = engine.phonemes("Hello, world! A music teacher.", engine.voice("en-us"))
    assert found[:2] == (("Hello", "həlˈoʊ"), ("world", "wˈɜːld"))
    (word,) = engine.phonemes("Straße", engine.voice("de"))
    assert word == ("Straße", "ʃtɾˈɑːsə")


# ---- voices -------------------------------------------------------------------------------------


def test_every_language_is_a_voice_with_a_licence(engine: Espeak) -> None:
    found = engine.voices()
    assert {"en-us", "en-gb", "de", "fr-fr", "es", "cmn"} <= {voice.id for voice in found}
    assert len({voice.id for voice in found}) == len(found) > 100
    assert {voice.licence for voice in found} == {"GPL-3.0-or-later"}


@pytest.mark.parametrize(
    ("name", "found", "tag"),
    [
        ("de", "de", "de"),
        ("German", "de", "de"),
        ("de-AT", "de", "de"),
        ("EN_us", "en-us", "en-US"),
        ("en", "en-gb", "en-GB"),
        ("fr", "fr-fr", "fr-FR"),
        ("en-us+f3", "en-us+f3", "en-US"),
    ],
)
def test_voices_are_found_by_what_people_call_them(
    engine: Espeak, name: str, found: str, tag: str
) -> None:
    voice = engine.voice(name)
    assert (voice.id, voice.language, voice.engine) == (found, tag, "espeak")


def test_a_variant_sounds_different_and_says_the_same(engine: Espeak) -> None:
    man, woman = said(engine, "hello world", "en-us"), said(engine, "hello world", "en-us+f3")
    assert texts(man) == texts(woman)
    assert man.clip.samples.tobytes() != woman.clip.samples.tobytes()


# ---- the process --------------------------------------------------------------------------------


def test_the_same_text_gives_the_same_samples_whatever_was_said_before(engine: Espeak) -> None:
    first = said(engine, ENGLISH)
    said(engine, GERMAN, "de+f2")
    again = said(engine, ENGLISH)
    assert again.clip.samples.tobytes() == first.clip.samples.tobytes()
    assert again.words == first.words
    assert said(Espeak(), ENGLISH).clip.samples.tobytes() == first.clip.samples.tobytes()


def test_one_process_serves_all_requests_and_none_starts_before_the_first() -> None:
    engine = Espeak()
    assert engine.process.pid is None
    said(engine, "one")
    pid = engine.process.pid
    said(engine, "two", "de")
    assert engine.process.pid == pid


def test_it_speaks_from_any_folder_and_with_nothing_on_the_path(tmp_path: Path) -> None:
    """The parent knows the package; its child is started in a bare environment."""
    root = Path(espeak.__file__).parents[2]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from audio.speech.espeak import Espeak\n"
        "engine = Espeak()\n"
        "print(engine.speak('Grüße', engine.voice('de')).words[0].text.encode())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True
    )
    assert run.stdout.strip() == str("Grüße".encode()), run.stderr


def test_data_deep_in_a_long_path_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library itself has room for 160 characters."""
    import espeakng_loader

    folder = tmp_path / ("größer" * 15) / ("long" * 30)
    folder.mkdir(parents=True)
    data = folder / "espeak-ng-data"
    data.symlink_to(espeakng_loader.get_data_path())
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(data))
    assert texts(said(Espeak(), "Grüße", "de")) == ["Grüße"]


@pytest.fixture
def stopped() -> Iterator[Espeak]:
    """An engine whose process is halted: it takes requests and answers none."""
    engine = Espeak()
    said(engine, "ready")
    assert engine.process.pid is not None
    os.kill(engine.process.pid, signal.SIGSTOP)
    yield engine


def test_a_process_killed_while_it_speaks_is_one_sentence_and_the_next_call_works(
    stopped: Espeak,
) -> None:
    pid = stopped.process.pid
    assert pid is not None
    threading.Timer(0.1, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(MachineError, match="died while it was speaking: try again"):
        said(stopped, "hello")
    assert texts(said(stopped, "hello")) == ["hello"]
    assert stopped.process.pid != pid


def test_a_process_that_hangs_is_stopped_and_the_next_call_works(
    stopped: Espeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(espeak, "_START_S", 0.1)
    with pytest.raises(MachineError, match="longer than 0.1.* s and was stopped"):
        said(stopped, "hello")
    monkeypatch.undo()
    assert texts(said(stopped, "hello")) == ["hello"]


def test_a_fork_that_fails_is_one_sentence_and_the_next_call_works(engine: Espeak) -> None:
    """A request that the child cannot read ends it, as a fault of the library does."""
    with pytest.raises(MachineError, match="died"):
        engine.process.ask({"text": 1}, limit_s=20)
    assert texts(said(engine, "hello")) == ["hello"]


def test_a_library_that_cannot_be_loaded_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import espeakng_loader

    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(broken))
    with pytest.raises(MachineError, match="cannot be loaded: .*: reinstall espeakng-loader"):
        Process().ask(None, limit_s=20)


def test_a_library_that_is_missing_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MachineError, match="pip install espeakng-loader"):
        Process().ask(None, limit_s=20)


def test_an_engine_that_is_let_go_leaves_no_process() -> None:
    engine = Espeak()
    said(engine, "bye")
    pid = engine.process.pid
    assert pid is not None
    del engine
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail("the process still runs")


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "  \n", "😀 👩‍🚀", "… – !"])
def test_a_text_with_nothing_to_say_is_refused(engine: Espeak, text: str) -> None:
    with pytest.raises(ParameterError, match="has nothing to say: give words"):
        said(engine, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a" * 10_000, "'aaaaaaaaaaaaaaaaaaaaaaa…' is one word of 10000 letters: at most 80"),
        ("1" * 10_000, "one word of 10000 digits: at most 25"),
        ("a " * 10_001, "20002 characters: give at most 20000"),
    ],
)
def test_what_is_too_long_is_refused(engine: Espeak, text: str, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        said(engine, text)


@pytest.mark.parametrize(("voice", "word"), [("en-us", "ba" * 40), ("de", "7" * 25)])
def test_nothing_of_the_longest_word_is_lost(engine: Espeak, voice: str, word: str) -> None:
    """Of four fifths of the word there are four fifths: nothing was cut off from the whole."""
    whole, most = said(engine, word, voice), said(engine, word[: len(word) * 4 // 5], voice)
    assert len(most.phones) / len(whole.phones) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("germna", "no language 'germna': the nearest is 'de' \\(German\\)"),
        ("", "no language ''"),
        ("de+f33", "no voice variant 'f33': the nearest is 'f3'"),
    ],
)
def test_an_unknown_voice_is_refused_with_the_nearest(
    engine: Espeak, name: str, sentence: str
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        engine.voice(name)


def test_rates_and_pitches_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match="words per minute 20: give 80 to 450"):
        Espeak(words_per_minute=20)
    with pytest.raises(ParameterError, match="pitch 100: give 0 to 99"):
        Espeak(pitch=100)
