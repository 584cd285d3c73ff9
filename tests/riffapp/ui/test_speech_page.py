"""The page of speech in Streamlit's test bench: espeak over a bed of the model's, or a file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from audio import files as sounds
from audio.synth import band
from riffapp.ui.rooms.speech import KEPT, OWN

SCRIPT = "from riffapp.ui.rooms.speech import page\npage()\n"


@pytest.fixture
def at(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("RIFFAPP_CHECKPOINT", str(tiny))
    monkeypatch.setenv("RIFFAPP_DEVICE", "cpu")
    monkeypatch.setenv("RIFFAPP_THREADS", "1")
    return AppTest.from_string(SCRIPT, default_timeout=120).run()


def test_a_script_is_spoken_over_a_file(at: AppTest, tmp_path: Path) -> None:
    loop = band.render(band.draw(np.random.default_rng(1), bars=2))
    sounds.write(tmp_path / "a.wav", loop.clip, tempo=loop.tempo)
    at.segmented_control(key="speech-bed").set_value(OWN).run()
    at.file_uploader[0].set_value(("a.wav", (tmp_path / "a.wav").read_bytes(), "audio/wav"))
    at.selectbox(key="speech-mode").select("rhythmic")
    at.button[0].click().run()
    assert not at.exception and not [error.value for error in at.error]
    made = at.session_state[KEPT]
    assert made.mix[:4] == b"RIFF" and made.picture[1:4] == b"PNG"
    with zipfile.ZipFile(io.BytesIO(made.archive)) as archive:
        assert {"speech.wav", "speech.voice.wav", "speech.bed.wav", "speech.srt"} <= set(
            archive.namelist()
        )
    assert "onsets on the beat within" in made.lines[0]


def test_a_script_is_spoken_over_a_loop_of_words(
    at: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the embedded model: random weights paint next to nothing, and silence is no bed."""
    monkeypatch.setenv("RIFFAPP_CHECKPOINT", "loops")
    at.text_area(key="speech-script").set_value("One two three.")
    at.number_input(key="speech-bpm").set_value(200.0)
    at.button[0].click().run()
    assert not at.exception and not [error.value for error in at.error]
    assert at.session_state[KEPT].mix[:4] == b"RIFF"


def test_what_cannot_be_said_is_a_sentence(at: AppTest) -> None:
    at.text_area(key="speech-script").set_value("<emphasis>Hello")
    at.button[0].click().run()
    assert not at.exception
    (error,) = at.error
    assert "<emphasis> is never closed" in error.value
