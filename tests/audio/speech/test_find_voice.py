"""One name finds an engine and its voice."""

from __future__ import annotations

from pathlib import Path

import pytest

from audio import files, speech
from audio.errors import FileError, ParameterError
from audio.speech.espeak import Espeak


@pytest.mark.parametrize(
    ("name", "voice"), [("de", "de"), ("espeak:de+f2", "de+f2"), ("en-US", "en-us")]
)
def test_espeak_speaks_where_no_engine_is_named(name: str, voice: str) -> None:
    engine, found = speech.find_voice(name)
    assert found.id == voice
    assert engine.speak("eins", found).words[0].text == "eins"


def test_a_recording_is_named_with_its_language(tmp_path: Path) -> None:
    espeak = Espeak()
    file = tmp_path / "take.wav"
    files.write(file, espeak.speak("guten Tag", espeak.voice("de+f1")).clip)
    engine, voice = speech.find_voice(f"recorded:{file}@de")
    assert (voice.language, voice.engine) == ("de", "recorded")
    assert [word.text for word in engine.speak("guten Tag", voice).words] == ["guten", "Tag"]


@pytest.mark.parametrize(
    ("where", "parts"),
    [
        ("models/vits", ("models/vits", "", "")),
        ("models/vits#p225", ("models/vits", "p225", "")),
        ("models/vits@de", ("models/vits", "", "de")),
        ("suno/bark#v2/de_speaker_3@de", ("suno/bark", "v2/de_speaker_3", "de")),
    ],
)
def test_a_source_may_name_a_speaker_and_a_language(where: str, parts: tuple[str, ...]) -> None:
    assert speech._parts(where) == parts


def test_an_unknown_engine_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match="no speech engine 'coqi': the nearest is 'coqui'"):
        speech.find_voice("coqi:folder")


def test_an_unknown_voice_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match="no language 'germn': the nearest is 'de'"):
        speech.find_voice("germn")


@pytest.mark.parametrize("engine", ["coqui", "transformers"])
def test_a_voice_without_weights_says_what_to_fetch(engine: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nobody.*(fetches|holds)"):
        speech.find_voice(f"{engine}:{tmp_path / 'nobody'}")
