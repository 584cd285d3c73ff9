"""One whole visit on the embedded checkpoints, in Chromium, from an empty gallery on.

Each room's primary action is pressed as a person would press it, on what the rooms before have
made; what comes of it is read from the gallery and from the files, not from the page alone.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from audio import files as sound_files
from audio.types import Tempo
from riffapp.database import Database
from riffapp.gallery import Gallery, Work
from riffapp.jobs.store import Store
from riffapp.ui import map as plan

HOSTILE = '<img src="x" onerror="window.riffapp_was_taken = 1">'
WEIGHT = "model.diffusion_model.out.0.weight"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any]) -> Iterator[Any]:
    with serve() as served:
        yield served


class Visit:
    """A person at the page, and what they have in the gallery."""

    def __init__(self, server: Any, chrome: Any) -> None:
        self.server, self.chrome = server, chrome
        self.database = Database(server.home)

    def go(self, room: str) -> None:
        """Through the bar above, as a person goes: the session stays."""
        path = "" if room == "loop" else room
        link = f"[data-testid=stTopNavDropdownLink][href$='/{path}']"

        def there() -> bool:
            if not self.chrome.all(link):
                for section in self.chrome.all("[data-testid=stTopNavSection]"):
                    if section.text.strip() == plan.rooms()[room].group:
                        section.click()
            self.chrome.all(link)[0].click()
            # Streamlit loses the way to a page when the page that is left asks to be drawn anew
            # in the same moment, which it does as its job ends: a person clicks again.
            return self.is_in(room, patience_s=10.0)

        self.chrome.eventually(f"a way to {room}", there)
        self.chrome.rest()

    def is_in(self, room: str, *, patience_s: float) -> bool:
        """Whether the page comes to show a room."""
        path, end = "" if room == "loop" else room, time.monotonic() + patience_s
        while self.chrome.driver.current_url.split("?")[0].rpartition("/")[2] != path:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def press(self, key: str, *, kind: str) -> Work:
        """Press a room's primary button; the first work of what was asked comes out."""
        before = self.last()
        self.chrome.click(f".st-key-{key} button")
        number = self.chrome.eventually("a job", lambda: self.last() - before and self.last())
        store = Store(self.database)

        def over() -> bool:
            job = store.job(number)
            return job is not None and job.is_over

        self.chrome.eventually(f"the end of {kind}", over)
        job = store.job(number)
        assert job is not None and job.state == "succeeded", job and job.reason
        assert job.kind == kind
        return Gallery(self.database).of_job(number)[0]

    def last(self) -> int:
        row = self.database.connection.execute("SELECT COALESCE(MAX(id), 0) FROM jobs").fetchone()
        return int(row[0])

    def upload(self, place: str, path: Path) -> None:
        self.chrome.type(f".st-key-{place}_upload input[type=file]", str(path))
        self.chrome.find(f".st-key-{place}_given")
        self.chrome.rest()

    def send(self, work: Work, *, place: str, to: str) -> None:
        """By the menu under a work."""
        self.chrome.click(f".st-key-send_{place}_{work.id} button")

        def chosen() -> bool:
            for item in self.chrome.all("[role=menuitem], [role=option]"):
                if item.text.strip() == to:
                    item.click()
                    return True
            return False

        self.chrome.eventually(f"'{to}' in the menu", chosen)
        room = next(key for key, room in plan.rooms().items() if room.title == to)
        assert self.is_in(room, patience_s=60.0)
        self.chrome.rest()


@pytest.fixture
def visit(server: Any, chrome: Any) -> Visit:
    chrome.open(server.url, until=".st-key-make button")
    chrome.rest()
    return Visit(server, chrome)


def sound_of(work: Work) -> Path:
    file = work.file("sound")
    assert file is not None
    return file.path


def picture_of(work: Work) -> Path:
    file = work.file("picture")
    assert file is not None
    return file.path


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def test_from_an_empty_gallery_through_every_room(visit: Visit) -> None:
    chrome = visit.chrome
    visit.go("gallery")
    assert chrome.all(".st-key-gallery_begin button")  # it says where to begin
    chrome.click(".st-key-gallery_begin button")
    chrome.find(".st-key-bpm")
    chrome.rest()

    chrome.click(".st-key-bars [role=radio]")  # one bar
    chrome.rest()
    loop = visit.press("make", kind="loop")
    clip = sound_files.read(sound_of(loop))
    shown = chrome.eventually("its player", lambda: chrome.player("[class*=st-key-work_loop_]"))
    assert shown["samples"] == clip.n
    rounds = played(chrome, "[class*=st-key-work_loop_]", 3)
    assert np.array_equal(rounds, np.tile(clip.samples[0], 3))  # no gap, no seam but the WAV's own

    visit.send(loop, place="loop", to="Sound to sound")
    chrome.fill("remix_words", "techno drums, acid bass")
    remix = visit.press("remix_make", kind="remix")
    assert sound_files.read(sound_of(remix)).n == clip.n

    visit.go("loop")
    visit.send(loop, place="loop", to="Edit")
    chrome.fill("edit_words", "trap drums, pluck lead")
    chrome.fill("edit_high", "400")
    edit = visit.press("edit_make", kind="edit")
    before, after = (pixels(picture_of(work)) for work in (loop, edit))
    assert np.array_equal(before[:40], after[:40])  # the band above stays
    assert not np.array_equal(before[-20:], after[-20:])

    visit.go("layers")
    layers = visit.press("layers_make", kind="layers")
    parts = [file for file in layers.files if file.role == "part"]
    assert len(parts) >= 2
    assert len({sound_files.read(part.path).n for part in parts}) == 1

    visit.go("speech")
    speech = visit.press("speech_make", kind="speech")
    assert sound_files.read(sound_of(speech)).duration_s > 4

    visit.go("pack")
    chrome.fill("pack_prompt", "house drums|saw bass")
    pack = visit.press("pack_make", kind="pack")
    assert any(file.role == "archive" for file in pack.files)

    visit.go("spectrogram")
    visit.upload("spectrogram_source", sound_of(loop))
    drawing = visit.press("spectrogram_make", kind="spectrogram")
    assert pixels(picture_of(drawing)).shape[1] > 100

    visit.go("gallery")
    visit.upload("gallery_given", picture_of(loop))
    chrome.click(".st-key-gallery_given_restore button")
    chrome.find(".st-key-bpm")
    chrome.rest()
    seed = visit.press("make", kind="loop")
    assert sound_of(seed).read_bytes() == sound_of(loop).read_bytes()


def test_through_the_other_rooms(visit: Visit) -> None:
    chrome = visit.chrome
    visit.go("journey")
    chrome.choose("journey_mode", "Journey")
    chrome.fill("journey_bars", "2")
    journey = visit.press("journey_make", kind="journey")
    assert sound_files.read(sound_of(journey)).n == Tempo(bpm=124, beats=8).samples(44100)

    visit.go("txt2img")
    chrome.fill("txt2img_prompt", f"house drums, {HOSTILE}")
    drawn = visit.press("make", kind="txt2img")
    visit.send(drawn, place="txt2img", to="Extras")
    larger = visit.press("make", kind="extras")
    assert pixels(picture_of(larger)).size > 3 * pixels(picture_of(drawn)).size

    visit.go("info")
    visit.upload("info_given", picture_of(drawn))
    chrome.eventually("what it says, as text", lambda: HOSTILE in chrome.find("body").text)

    visit.go("train")
    chrome.type(".st-key-train_samples_upload input[type=file]", str(sound_of(journey)))
    chrome.find("[data-testid=stDataFrame]")  # its caption can be written
    chrome.rest()
    chrome.fill("train_name", "mine")
    chrome.click(".st-key-bench [data-testid=stExpander] summary")
    chrome.fill("train_steps", "2")
    visit.press("train_make", kind="train")
    assert (visit.server.home / "models" / "Lora" / "mine.safetensors").is_file()

    merged = visit.server.home / "models" / "Stable-diffusion"
    merged.mkdir(parents=True, exist_ok=True)
    for name, value in (("one", 1.0), ("three", 3.0)):
        save_file({WEIGHT: torch.full((4,), value)}, merged / f"{name}.safetensors")
    visit.go("merger")
    pick(chrome, "merger_A", "one")
    pick(chrome, "merger_B", "three")
    chrome.fill("merger_name", "both")
    visit.press("make", kind="merger")
    assert load_file(merged / "both.safetensors")[WEIGHT].tolist() == pytest.approx([1.6] * 4)

    visit.go("styles")
    chrome.fill("styles_name", "oils")
    chrome.fill("styles_prompt", "oil painting of {prompt}")
    chrome.click(".st-key-styles_save button")
    chrome.eventually("a styles.csv", lambda: (visit.server.home / "styles.csv").exists())

    visit.go("models")
    chrome.eventually("the embedded one", lambda: "loops" in chrome.find("body").text)
    visit.go("queue")
    chrome.eventually("what was done", lambda: "Again" in chrome.find("body").text)
    visit.go("preferences")
    chrome.find(".st-key-preferences_save button")
    assert chrome.driver.execute_script("return window.riffapp_was_taken") is None


def pick(chrome: Any, key: str, option: str) -> None:
    """Choose from a box that drops down, as one who types does."""
    from selenium.webdriver.common.keys import Keys

    chrome.type(f".st-key-{key} input", option)
    chrome.find("[role=option]")
    chrome.type(f".st-key-{key} input", Keys.ENTER)
    time.sleep(0.5)
    chrome.rest()


def played(chrome: Any, box: str, times: int) -> np.ndarray[Any, Any]:
    """What the player's own graph renders offline, `times` round: the left channel."""
    samples = chrome.driver.execute_async_script(
        """
        const [box, times, done] = arguments;
        for (const host of document.querySelectorAll(box + ' [data-testid*=BidiComponent]')) {
          const figure = host.shadowRoot?.querySelector('figure[data-ready=true]');
          if (figure) {
            figure.renderOffline(times).then(({samples}) => {
              const bytes = new Uint8Array(samples[0].buffer);
              let text = '';
              for (let i = 0; i < bytes.length; i += 32768) {
                text += String.fromCharCode(...bytes.subarray(i, i + 32768));
              }
              done(btoa(text));
            });
            return;
          }
        }
        done(null);""",
        box,
        times,
    )
    return np.frombuffer(base64.b64decode(samples), "<f4")
