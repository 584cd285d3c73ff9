"""The room Info in Streamlit's test bench: what files say, and where that can go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from audio import files as sounds
from audio.types import Clip
from riffapp import settings
from riffapp.jobs import wire
from riffapp.studio import files
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.plan import plan_loop
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest
from sdcore import picture_files

TEXT = (
    "a house <script>alert(1)</script>\nNegative prompt: fog\n"
    "Steps: 3, Sampler: Euler, Schedule type: Karras, CFG scale: 2, Seed: 42, Size: 64x32"
)


@pytest.fixture
def at(opened: Callable[..., AppTest], tiny: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("RIFFAPP_IMAGE_CHECKPOINT", str(tiny))
    page = opened("info")
    assert not page.exception and page.title[0].value == "Info"
    return page


@pytest.fixture(scope="module")
def loop(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> files.Saved:
    """A loop's files, as the app writes them."""
    request = plan_loop(
        LoopRequest(prompt="house drums", bars=1, seed=7, checkpoint=instrument.name),
        instrument.sound,
    )
    (made,) = make_loops(instrument, request)
    return files.save(made, tmp_path_factory.mktemp("loop") / "loop.wav")


def give(at: AppTest, path: Path) -> AppTest:
    at.session_state["info_given"] = wire.kept(path, settings.load().home)
    at.session_state["info_given_name"] = path.name
    at.run()
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    return "\n".join(code.value for code in at.code)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_s_parameters_are_shown_and_go_to_an_image_room(
    at: AppTest, tmp_path: Path, picture: Path, suffix: str
) -> None:
    path = tmp_path / f"made{suffix}"
    with Image.open(picture) as pixels:
        picture_files.write(path, pixels, TEXT)
    give(at, path)
    assert at.code[0].value == TEXT  # as text, whatever it says
    assert "size: 64 x 64" in said(at) and str(path.parent) not in said(at)
    for button, room in (("info_restore", "txt2img"), ("info_to_img2img", "img2img")):
        at.button(key=button).click().run()
        assert not at.exception and at.title[0].value == room
        assert at.text_area(key=f"{room}_negative").value == "fog"
        assert at.number_input(key=f"{room}_seed").value == 42
        assert at.selectbox(key=f"{room}_sampler").value == "Euler"
        at.session_state["going"] = "info"
        at.run()


def test_the_picture_itself_goes_to_img2img_and_extras(at: AppTest, picture: Path) -> None:
    give(at, picture)
    assert "does not say how it was made" in " ".join(text.value for text in at.markdown)
    at.menu_button(key="info_give").click("img2img").run()
    assert at.title[0].value == "img2img"
    assert at.session_state["img2img_picture"].read_bytes() == picture.read_bytes()
    assert at.number_input(key="img2img_width").value == 64


def test_a_loop_s_sound_says_everything_and_goes_back_to_its_room(
    at: AppTest, loop: files.Saved
) -> None:
    give(at, loop.sound)
    for fact in ("kind: sound", "rate: 44100", "prompt: house drums", "seed: 7", "bpm: "):
        assert fact in said(at)
    at.button(key="info_restore").click().run()
    assert not at.exception and at.title[0].value == "Loops from words"
    assert at.number_input(key="seed").value == 7


def test_a_spectrogram_says_how_it_sounds(at: AppTest, loop: files.Saved) -> None:
    give(at, loop.picture)
    assert "spectrogram:" in said(at) and "n_mels: 32" in said(at)


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
def test_any_sound_says_what_it_is(at: AppTest, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"hum{suffix}"
    wave = np.sin(np.arange(22050) / 9).astype(np.float32)[None]
    sounds.write(path, Clip(samples=wave * 0.5, rate=44100))
    give(at, path)
    assert "kind: sound" in said(at) and "rate: 44100" in said(at)


def test_a_damaged_file_is_a_sentence(at: AppTest, tmp_path: Path) -> None:
    path = tmp_path / "torn.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    give(at, path)
    assert len(at.error) == 1 and not at.code
