"""The page of sound tools in Streamlit's test bench, on random weights: plumbing."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from audio import files as sounds
from audio import pictures
from audio.codec import analyse, to_image
from audio.synth import band
from riffapp.studio.dataset import LOOP_PARAMS
from riffapp.ui.rooms.tools import KEPT, TOOLS

SCRIPT = "from riffapp.ui.rooms.tools import page\npage()\n"


@pytest.fixture
def at(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("RIFFAPP_CHECKPOINT", str(tiny))
    monkeypatch.setenv("RIFFAPP_DEVICE", "cpu")
    monkeypatch.setenv("RIFFAPP_THREADS", "1")
    return AppTest.from_string(SCRIPT, default_timeout=120).run()


@pytest.mark.parametrize("tool", list(TOOLS))
def test_every_tool_opens(at: AppTest, tool: str) -> None:
    at.selectbox(key="tool").select(tool).run()
    assert not at.exception and len(at.button) == 1


def test_many_loops_are_made(at: AppTest) -> None:
    at.selectbox(key="tool").select("Pack").run()
    at.number_input(key="tool-bpm").set_value(240.0)
    at.button[0].click().run()
    assert not at.exception and not [error.value for error in at.error]
    _, made = at.session_state[KEPT]
    with zipfile.ZipFile(io.BytesIO(made.archive)) as archive:
        sounds = [name for name in archive.namelist() if name.endswith(".wav")]
    assert len(sounds) == 4  # combinations


FINISHED = ["Export", "Retime", "Stems", "Clips", "Sound to picture"]


@pytest.mark.parametrize("tool", [*FINISHED, "Picture to sound"])
def test_a_finished_sound_is_taken_on(at: AppTest, tool: str, tmp_path: Path) -> None:
    loop = band.render(band.draw(np.random.default_rng(1), bars=2))
    sounds.write(tmp_path / "a.wav", loop.clip, tempo=loop.tempo)
    shown = analyse(loop.clip, LOOP_PARAMS, tempo=loop.tempo, circular=True)
    pictures.write(tmp_path / "a.png", to_image(shown), LOOP_PARAMS, tempo=loop.tempo)
    given = tmp_path / ("a.wav" if tool in FINISHED else "a.png")
    at.selectbox(key="tool").select(tool).run()
    at.file_uploader[0].set_value((given.name, given.read_bytes(), ""))
    at.button[0].click().run()
    assert not at.exception and not [error.value for error in at.error]
    _, made = at.session_state[KEPT]
    assert made.sound or made.picture or made.archive


@pytest.mark.parametrize("tool", ["Analyse", *FINISHED])
def test_a_missing_sound_is_a_sentence(at: AppTest, tool: str) -> None:
    at.selectbox(key="tool").select(tool).run()
    at.button[0].click().run()
    assert not at.exception
    assert [error.value for error in at.error] == ["no sound is given: choose a file first"]
