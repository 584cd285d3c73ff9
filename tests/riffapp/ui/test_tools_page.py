"""The page of sound tools in Streamlit's test bench, on random weights: plumbing."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from riffapp.ui.pages.tools import KEPT, TOOLS

SCRIPT = "from riffapp.ui.pages.tools import page\npage()\n"


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


@pytest.mark.parametrize("tool", ["Timeline", "Journey", "Another take"])
def test_a_piece_is_made(at: AppTest, tool: str) -> None:
    at.selectbox(key="tool").select(tool).run()
    at.number_input(key="tool-bpm").set_value(240.0)
    at.button[0].click().run()
    assert not at.exception and not at.error
    _, (sound, picture, _) = at.session_state[KEPT]
    assert sound[:4] == b"RIFF" and picture[1:4] == b"PNG"


@pytest.mark.parametrize("tool", ["Remix", "Edit", "Extend", "Analyse"])
def test_a_missing_sound_is_a_sentence(at: AppTest, tool: str) -> None:
    at.selectbox(key="tool").select(tool).run()
    at.button[0].click().run()
    assert not at.exception
    assert [error.value for error in at.error] == ["no sound is given: choose a file first"]
