"""The player in a real Chromium: what it plays to the sample, and what a hand can do with it.

A small Streamlit app of its own serves the sounds. Skipped where there is no Chromium, except under
CI, where a missing one is a failure.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from audio import files
from audio.types import Clip
from riffapp.ui.components.player import GAIN_DB, Face, Track
from tests.riffapp.ui.conftest import ROOT, chromium, eventually

AT_REST = ("ready", "waiting")  # "waiting": there is no sound yet
N, RATE = 85351, 44100  # 2 bars at 248 bpm, all but a whole number of anything
BEAT_S = N / RATE / 8
SOUNDS = {  # name: channels, kind of file, rate, samples
    "mono16": (1, "pcm16", 44100, N),
    "stereo24": (2, "pcm24", 48000, 92903),
    "monofloat": (1, "float", 48000, 65537),
    "stereofloat": (2, "float", 44100, 12347),
    "bass": (1, "pcm16", RATE, N),
    "other": (1, "pcm16", RATE, N),
    "long": (1, "pcm16", 8000, 301 * 8000),
}

APP = """
from pathlib import Path

import streamlit as st
from starlette.responses import FileResponse, Response
from starlette.routing import Route

HERE = Path(__file__).parent


async def give(request):
    path = HERE / request.path_params["name"]
    return FileResponse(path) if path.exists() else Response(status_code=404)


app = st.App(HERE / "page.py", routes=[Route("/sounds/{name}", give)])
"""
PAGE = """
import json
from dataclasses import asdict
from pathlib import Path

import streamlit as st

from riffapp.ui.components.player import Face, Track, player

st.set_page_config(layout="wide")
faces = json.loads((Path(__file__).parent / "faces.json").read_text())
sharp = st.button("Sharpen", key="sharpen")
if "wait" not in st.query_params or sharp:
    for name in st.query_params.get_all("show"):
        face = faces[f"{name} sharp" if sharp and f"{name} sharp" in faces else name]
        tracks = tuple(Track(**track) for track in face.pop("tracks"))
        place = st.columns(1)[0] if sharp and name == "moved" else st.container()
        with place.container(key=f"box_{name}"):
            said = player(Face(tracks=tracks, **face), key=name)
        st.text(f"{name}: {json.dumps(asdict(said))}")
"""


def face(name: str, *tracks: Track, **facts: Any) -> Face:
    """A piece of the fixture, as a loop of two bars unless `facts` say otherwise."""
    usual: dict[str, Any] = {"beats": 8, "seconds": N / RATE, "rate": RATE}
    given = usual | {"alt": f"Picture of {name}", "title": "2 bars"} | facts
    return Face(id=name, name=f"the {name}", tracks=tracks, **given)


def track(name: str, **settings: Any) -> Track:
    return Track(name=name, url=f"/sounds/{name}.wav", **settings)


PICTURE = {"picture": "/sounds/picture.png", "hz": (30.0, 16000.0), "pitches": (("1k", 0.4),)}
FACES = {
    **{
        name: face(name, track(name), seconds=n / rate, rate=rate, beats=8 if n == N else None)
        for name, (_, _, rate, n) in SOUNDS.items()
    },
    "layers": face("layers", track("mono16"), track("bass", gain_db=-3.0)),
    "uneven": face("uneven", track("mono16"), track("stereofloat")),
    "edit": face("edit", track("mono16"), selects=True, **PICTURE),
    "moved": face("moved", track("mono16"), track("bass"), selects=True, **PICTURE),
    "unknown": face("unknown", track("stereofloat"), seconds=0.0, beats=None),
    "live": face("live", track("mono16"), **PICTURE),
    "live sharp": face("live", track("other"), **PICTURE | {"picture": "/sounds/sharp.png"}),
    "once": face("once", track("stereofloat"), seconds=12347 / RATE, beats=None, loops=False),
    "auto": face("auto", track("mono16"), play=True),
    "gone": face("gone", track("gone")),
    "broken": face("broken", track("broken")),
    "silent": face("silent"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app with its sounds: noise, in which no sample equals the next."""
    place = tmp_path_factory.mktemp("player")
    rng = np.random.default_rng(3)
    for name, (channels, subtype, rate, n) in SOUNDS.items():
        samples = rng.uniform(-0.5, 0.5, (channels, n)).astype(np.float32)
        files.write(place / f"{name}.wav", Clip(samples=samples, rate=rate), subtype=subtype)
    (place / "broken.wav").write_bytes(b"<html>no such page</html>")
    for name in ("picture", "sharp"):
        grey = rng.integers(0, 256, (64, 128), dtype=np.uint8)
        Image.fromarray(np.repeat(grey[..., None], 3, axis=-1)).save(place / f"{name}.png")
    (place / "app.py").write_text(APP)
    (place / "page.py").write_text(PAGE)
    plain = {name: asdict(it) for name, it in FACES.items()}
    (place / "faces.json").write_text(json.dumps(plain))
    return place


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    options = {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true"}
    options |= {"browser.gatherUsageStats": "false", "server.fileWatcherType": "none"}
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    command += [f"--{name}={value}" for name, value in options.items()]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(folder)}
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
        try:

            def answers() -> bool:
                assert process.poll() is None, log.read_text()
                with socket.create_connection(("127.0.0.1", port), timeout=5):
                    return True

            eventually("an open port", answers)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=60)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for the module, which lets sound start only after a person's click."""
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


class Page:
    """The test's page: players by name."""

    def __init__(self, driver: Any, url: str) -> None:
        self.driver, self.url = driver, url

    def open(self, *names: str, more: str = "") -> None:
        self.driver.get(f"{self.url}/?{'&'.join(f'show={name}' for name in names)}{more}")
        for name in names:
            eventually(f"{name} at rest", lambda name=name: self.data(name)["state"] in AT_REST)

    def js(self, name: str, code: str, *arguments: Any) -> Any:
        """What `code` gives, where `figure` is the player and `arguments` are its arguments.

        Raises ValueError where the browser does.
        """
        found, error = self.driver.execute_async_script(
            f"""
            const [name, given, done] = arguments;
            const box = document.querySelector(`.st-key-box_${{name}}`);
            const host = box.querySelector('[data-testid*=BidiComponent]');
            const figure = host.shadowRoot.querySelector('figure');
            (async (arguments) => {{ {code} }})(given).then(
              (found) => done([found, null]), (error) => done([null, String(error)]));
            """,
            name,
            arguments,
        )
        if error:
            raise ValueError(error)
        return found

    def find(self, name: str, selector: str) -> Any:
        host = f".st-key-box_{name} [data-testid*=BidiComponent]"
        root = self.driver.find_element("css selector", host).shadow_root
        return root.find_element("css selector", selector)

    def click(self, name: str, selector: str) -> None:
        self.js(name, f"figure.querySelector('{selector}').scrollIntoView({{block: 'center'}});")
        self.find(name, selector).click()

    def data(self, name: str) -> dict[str, str]:
        found: dict[str, str] = self.js(name, "return {...figure.dataset};")
        return found

    def text(self, name: str, selector: str) -> str:
        return str(self.js(name, f"return figure.querySelector('{selector}').textContent;"))

    def playing(self, name: str) -> bool:
        return self.data(name)["playing"] == "true"

    def part(self, name: str) -> float:
        """Where the playhead is, 0 to 1."""
        return (
            float(self.js(name, "return parseFloat(figure.querySelector('.head').style.left);"))
            / 100
        )

    def rendered(self, name: str, times: int = 1, offset: int = 0) -> NDArray[np.float32]:
        """What the player's graph gives offline, (channels, n)."""
        coded = self.js(
            name,
            """
            const {length, samples} = await figure.renderOffline(...arguments);
            const coded = samples.map((wave) => {
              const bytes = new Uint8Array(wave.buffer, wave.byteOffset, wave.byteLength);
              let text = '';
              for (let i = 0; i < bytes.length; i += 8190) {
                text += btoa(String.fromCharCode(...bytes.subarray(i, i + 8190)));
              }
              return text;
            });
            return [length, coded];
            """,
            times,
            offset,
        )
        waves = [np.frombuffer(base64.b64decode(text), "<f4") for text in coded[1]]
        assert all(len(wave) == coded[0] for wave in waves)
        return np.stack(waves)

    def said(self, name: str) -> dict[str, Any]:
        """What the component has told the page in Python."""
        lines = self.driver.find_elements("css selector", "[data-testid=stText]")
        (line,) = (line.text for line in lines if line.text.startswith(f"{name}: "))
        found: dict[str, Any] = json.loads(line.partition(": ")[2])
        return found

    def tabbed(self, name: str, first: str) -> list[str]:
        """The names of all that Tab reaches, from one element on, until it leaves the player."""
        names: list[str] = []
        self.js(name, f"figure.querySelector('{first}').focus();")
        while focused := self.driver.execute_script(
            f"return document.querySelector('.st-key-box_{name} [data-testid*=BidiComponent]')"
            ".shadowRoot.activeElement;"
        ):
            names.append(focused.accessible_name)
            self.press("\ue004")
        return names

    @contextmanager
    def preferring(self, feature: str, value: str) -> Iterator[None]:
        """While a person prefers this, by their system's settings."""
        media = {"features": [{"name": f"prefers-{feature}", "value": value}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def held(self, held: str, key: str) -> None:
        """A key while another is held down."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).key_down(held).send_keys(key).key_up(held).perform()

    def drag(self, name: str, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """The pointer over the picture, in parts of its width and of its height from the top."""
        from selenium.webdriver import ActionChains

        screen = self.find(name, ".screen")
        size = screen.size
        (x0, y0), (x1, y1) = (
            (round((x - 0.5) * size["width"]), round((y - 0.5) * size["height"]))
            for x, y in (begin, end)
        )
        hand = ActionChains(self.driver, duration=20)
        hand.move_to_element_with_offset(screen, x0, y0).click_and_hold()
        hand.move_by_offset((x1 - x0) // 2, (y1 - y0) // 2)
        hand.move_to_element_with_offset(screen, x1, y1).release().perform()


@pytest.fixture
def page(driver: Any, server: str) -> Iterator[Page]:
    """The test's page. Its console may complain of the sound that is meant to be missing only."""
    yield Page(driver, server)
    severe = [it["message"] for it in driver.get_log("browser") if it["level"] == "SEVERE"]
    assert [message for message in severe if "gone.wav" not in message] == []


def wave(folder: Path, name: str) -> NDArray[np.float32]:
    """What libsndfile reads out of the file."""
    return files.read(folder / f"{name}.wav").samples


def test_what_plays_is_the_file_bit_for_bit_and_repeats_without_a_sample_between(
    page: Page, folder: Path
) -> None:
    names = ("mono16", "stereo24", "monofloat", "stereofloat")
    page.open(*names)
    for name in names:
        truth = wave(folder, name)
        heard = page.rendered(name, times=3)
        assert heard.shape == (truth.shape[0], 3 * truth.shape[1]), name
        assert page.data(name)["samples"] == str(truth.shape[1])
        assert np.array_equal(heard, np.tile(truth, 3)), name


def test_it_begins_at_any_sample_of_the_circle(page: Page, folder: Path) -> None:
    page.open("mono16", "stereo24")
    for name, offset in (("mono16", 1), ("mono16", 40961), ("mono16", N - 1), ("stereo24", 7919)):
        assert np.array_equal(
            page.rendered(name, offset=offset), np.roll(wave(folder, name), -offset, axis=1)
        )


def test_layers_sound_on_one_clock_as_they_are_mixed(page: Page, folder: Path) -> None:
    page.open("layers")
    one, two = wave(folder, "mono16"), wave(folder, "bass")
    low = np.float32(10 ** (-3 / 20))
    assert np.abs(page.rendered("layers", times=2) - np.tile(one + two * low, 2)).max() < 1e-7

    page.click("layers", ".row .muted")
    assert np.array_equal(page.rendered("layers"), two * low)
    assert page.find("layers", ".row .muted").get_attribute("aria-pressed") == "true"
    page.click("layers", ".row .muted")
    page.click("layers", ".row + .row .solo")
    assert np.array_equal(page.rendered("layers"), two * low)
    page.click("layers", ".row + .row .solo")

    slider = page.find("layers", ".row + .row input")
    assert [float(slider.get_attribute(end)) for end in ("min", "max")] == list(GAIN_DB)
    slider.send_keys("\ue010")  # End: the loudest
    loud = np.float32(10 ** (6 / 20))
    assert np.abs(page.rendered("layers") - (one + two * loud)).max() < 2e-7
    slider.send_keys(*["\ue012"] * 12)  # left arrow, half a decibel each
    assert np.array_equal(page.rendered("layers"), one + two)


def test_the_mix_reaches_python_and_survives_a_run_of_the_script(page: Page) -> None:
    page.open("layers")
    page.click("layers", ".row + .row .muted")
    mixes = eventually(
        "the mix in Python",
        lambda: page.said("layers")["tracks"][1]["muted"] and page.said("layers"),
    )
    assert [it["muted"] for it in mixes["tracks"]] == [False, True]
    assert [it["gain_db"] for it in mixes["tracks"]] == [0.0, -3.0]
    page.driver.find_element("css selector", ".st-key-sharpen button").click()
    time.sleep(0.5)
    assert page.find("layers", ".row + .row .muted").get_attribute("aria-pressed") == "true"


def test_muting_and_gain_go_on_without_a_restart(page: Page) -> None:
    page.open("layers")
    page.click("layers", ".play")
    eventually("sound", lambda: page.playing("layers") and page.part("layers") > 0.05)
    before, began = page.part("layers"), time.monotonic()
    page.click("layers", ".row .muted")
    page.click("layers", ".row .solo")
    gone = (page.part("layers") - before) % 1 * N / RATE
    assert page.playing("layers")
    assert 0 < gone <= time.monotonic() - began + 0.1


def test_a_shorter_layer_repeats_within_the_longest(page: Page, folder: Path) -> None:
    page.open("uneven")
    long, short = wave(folder, "mono16"), wave(folder, "stereofloat")
    repeated = np.tile(short, N // short.shape[1] + 1)[:, :N]
    assert np.array_equal(page.rendered("uneven", times=2), np.tile(long + repeated, 2))


def test_a_pointer_chooses_beats_and_a_band_and_python_hears_of_it(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open("edit")
    assert "Drag over the picture" in page.text("edit", ".said")
    page.drag("edit", (0.26, 0.2), (0.61, 0.7))
    region = eventually("a region in Python", lambda: page.said("edit")["region"])
    assert region["begin_s"] == pytest.approx(2 * BEAT_S)
    assert region["end_s"] == pytest.approx(5 * BEAT_S)
    assert region["low"] == pytest.approx(0.3, abs=0.02)
    assert region["high"] == pytest.approx(0.8, abs=0.02)
    assert page.text("edit", ".said").startswith("Bars 1.3 to 2.2, ")

    page.drag("edit", (0.4, 0.5), (0.53, 0.5))  # inside: moved as a whole, by a beat
    moved = eventually(
        "the region elsewhere",
        lambda: (
            page.said("edit")["region"]["begin_s"] > 2.5 * BEAT_S and page.said("edit")["region"]
        ),
    )
    assert moved["end_s"] - moved["begin_s"] == pytest.approx(3 * BEAT_S)
    assert moved["low"] == pytest.approx(region["low"], abs=0.02)

    page.press(Keys.ESCAPE)
    eventually("no region in Python", lambda: page.said("edit")["region"] is None)
    page.drag("edit", (0.3, 0.5), (0.8, 0.5))  # sideways: all pitches
    whole = eventually("another region", lambda: page.said("edit")["region"])
    assert (whole["low"], whole["high"]) == (0.0, 1.0)
    assert page.text("edit", ".said") == "Bars 1.3 to 2.3, all pitches"


def test_with_alt_a_pointer_chooses_freely(page: Page) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    page.open("edit")
    ActionChains(page.driver).key_down(Keys.ALT).perform()
    page.drag("edit", (0.3, 0.5), (0.8, 0.5))
    ActionChains(page.driver).key_up(Keys.ALT).perform()
    region = eventually("a region", lambda: page.said("edit")["region"])
    assert region["begin_s"] == pytest.approx(0.3 * N / RATE, abs=0.01)
    assert region["end_s"] == pytest.approx(0.8 * N / RATE, abs=0.01)


def test_keys_choose_a_region_too_and_escape_clears_it(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open("edit")
    play = page.find("edit", ".play")
    page.js("edit", "figure.querySelector('.play').focus();")
    page.held(Keys.SHIFT, Keys.ARROW_RIGHT)
    assert page.text("edit", ".said") == "Bars 1.1 to 1.2, all pitches"
    page.held(Keys.SHIFT, Keys.ARROW_RIGHT)
    page.held(Keys.SHIFT, Keys.ARROW_DOWN)
    assert page.text("edit", ".said").startswith("Bars 1.1 to 1.3, 30 to ")
    region = eventually("a region in Python", lambda: page.said("edit")["region"])
    assert region["end_s"] == pytest.approx(2 * BEAT_S)
    assert region["high"] == pytest.approx(31 / 32)

    page.js("edit", "figure.querySelector('.handle.move').focus();")
    page.press(Keys.ARROW_RIGHT)
    assert page.text("edit", ".said").startswith("Bars 1.2 to 1.4")
    handle = page.find("edit", ".handle.begin")
    assert handle.get_attribute("aria-valuetext") == "1.2"
    page.js("edit", "figure.querySelector('.handle.begin').focus();")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)  # the second finds no room: a beat is the least
    assert handle.get_attribute("aria-valuetext") == "1.3"
    assert play.is_displayed()

    page.press(Keys.ESCAPE)
    assert "Drag over the picture" in page.text("edit", ".said")
    eventually("no region in Python", lambda: page.said("edit")["region"] is None)


def test_a_region_repeats_by_itself_without_a_sample_between(page: Page, folder: Path) -> None:
    page.open("edit")
    page.drag("edit", (0.26, 0.5), (0.61, 0.5))
    page.click("edit", ".round")
    first, last = round(2 * BEAT_S * RATE), round(5 * BEAT_S * RATE)
    part = wave(folder, "mono16")[:, first:last]
    assert np.array_equal(page.rendered("edit", times=3), np.tile(part, 3))

    page.click("edit", ".play")
    eventually("sound", lambda: page.playing("edit"))
    end = time.monotonic() + 2 * 3 * BEAT_S
    seen = []
    while time.monotonic() < end:
        seen.append(page.part("edit") * 8)
    assert min(seen) >= 2
    assert max(seen) <= 5
    page.click("edit", ".clear")
    assert page.rendered("edit").shape == (1, N)


def test_a_preview_sharpens_while_it_plays_and_the_circle_turns_on(
    page: Page, folder: Path
) -> None:
    page.open("live")
    page.click("live", ".play")
    eventually("sound", lambda: page.playing("live") and page.part("live") > 0.05)
    page.js(
        "live",
        "window.was = figure; window.silences = 0; new MutationObserver(() => {"
        " if (figure.dataset.playing !== 'true') window.silences++;"
        "}).observe(figure, {attributes: true});",
    )
    began, before = time.monotonic(), page.part("live")
    page.driver.find_element("css selector", ".st-key-sharpen button").click()
    truth = wave(folder, "other")
    eventually("the sharper sound", lambda: np.array_equal(page.rendered("live"), truth))
    eventually(
        "the sharper picture",
        lambda: (
            page.js("live", "return figure.querySelector('.picture').dataset.shows;")
            == "/sounds/sharp.png"
        ),
    )
    assert page.js("live", "return window.was === figure;")
    assert page.driver.execute_script("return window.silences;") == 0
    gone_s = time.monotonic() - began
    turned = (page.part("live") - before) * N / RATE
    round_s = N / RATE
    off = (turned - gone_s + round_s / 2) % round_s - round_s / 2
    assert abs(off) < 0.4  # as far as a busy machine tells the time


def test_a_player_that_is_only_drawn_anew_loses_nothing(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open("moved")
    page.js("moved", "window.was = figure;")
    page.click("moved", ".row .muted")
    page.held(Keys.SHIFT, Keys.ARROW_RIGHT)
    page.click("moved", ".play")
    eventually("sound", lambda: page.playing("moved"))
    eventually("the region in Python", lambda: page.said("moved")["region"])
    page.driver.find_element("css selector", ".st-key-sharpen button").click()
    eventually("another figure", lambda: page.js("moved", "return window.was !== figure;"))
    eventually("sound once more", lambda: page.playing("moved"))
    assert page.find("moved", ".row .muted").get_attribute("aria-pressed") == "true"
    assert page.text("moved", ".said") == "Bars 1.1 to 1.2, all pitches"


def test_where_nobody_has_told_the_length_the_sound_does(page: Page) -> None:
    page.open("unknown")
    page.js("unknown", "figure.querySelector('.play').focus();")
    page.press("\ue012")  # left arrow, round the circle
    eventually("the end", lambda: page.text("unknown", ".clock") == "0:00.3 of 0:00.3")


def test_one_player_sounds_at_a_time(page: Page) -> None:
    page.open("mono16", "bass")
    page.click("mono16", ".play")
    eventually("the first", lambda: page.playing("mono16"))
    page.click("bass", ".play")
    eventually("the second", lambda: page.playing("bass"))
    assert not page.playing("mono16")
    assert page.find("mono16", ".play").accessible_name == "Play the mono16"
    assert page.find("bass", ".play").accessible_name == "Pause the bass"


def test_keys_play_pause_and_move_by_beats(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open("mono16")
    page.driver.execute_script("document.activeElement.blur()")
    page.press(Keys.SPACE)
    eventually("sound after Space", lambda: page.playing("mono16"))
    page.press(Keys.SPACE)
    eventually("silence after Space", lambda: not page.playing("mono16"))
    page.js("mono16", "figure.querySelector('.play').focus();")
    page.press(Keys.HOME)
    assert page.part("mono16") == 0
    assert page.text("mono16", ".clock") == "2 bars"
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.part("mono16") == pytest.approx(2 / 8)
    assert page.text("mono16", ".clock") == "bar 1 · beat 3"
    page.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)  # round the circle
    assert page.text("mono16", ".clock") == "bar 2 · beat 4"


def test_what_does_not_loop_ends(page: Page) -> None:
    page.open("once")
    page.click("once", ".play")
    eventually("the end", lambda: not page.playing("once") and page.part("once") == 0)
    assert page.text("once", ".clock") == "2 bars"  # the title again
    assert page.find("once", ".play").accessible_name == "Play the once"


def test_a_piece_begins_by_itself_after_the_click_that_asked_for_it(page: Page) -> None:
    page.open("auto")  # nobody has clicked: it waits
    assert not page.playing("auto")
    page.open(more="&show=auto&wait=1")
    eventually(
        "the button", lambda: page.driver.find_element("css selector", ".st-key-sharpen button")
    ).click()
    eventually("sound without another click", lambda: page.playing("auto"))


def test_a_long_piece_is_streamed(page: Page) -> None:
    page.open("long")
    assert page.data("long")["samples"] == str(301 * 8000)
    page.click("long", ".play")
    eventually("the clock moves", lambda: "0:00.2" < page.text("long", ".clock") < "0:59")
    page.click("long", ".play")
    assert not page.playing("long")
    with pytest.raises(ValueError, match="no sound is in memory"):
        page.rendered("long")


def test_a_sound_that_cannot_be_had_is_a_sentence_and_can_be_asked_for_again(
    page: Page, folder: Path
) -> None:
    page.open(more="&show=gone&show=broken&show=silent")
    news = {
        "gone": "The sound cannot be loaded: it is not on the server any more. "
        "Reload the page; if that does not help, make it again.",
        "broken": "The sound cannot be loaded: it is no WAV file. Make the piece again.",
        "silent": "There is no sound yet.",
    }
    for name, text in news.items():
        eventually(text, lambda name=name, text=text: page.text(name, ".news p") == text)
        assert not page.find(name, ".play").is_enabled()
    shutil.copy(folder / "bass.wav", folder / "gone.wav")
    page.click("gone", ".again")
    eventually("the sound after all", lambda: page.data("gone")["ready"] == "true")
    assert page.text("gone", ".news p") == ""
    assert page.find("gone", ".play").is_enabled()
    (folder / "gone.wav").unlink()


CONTRAST = """
const painted = (colour) => {
  const pen = new OffscreenCanvas(1, 1).getContext('2d');
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data].map((value) => value / 255);
};
const over = (front, back) => [0, 1, 2].map((i) => front[3] * front[i] + (1 - front[3]) * back[i]);
const light = (rgb) => {
  const [r, g, b] = rgb.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const page = painted(getComputedStyle(figure).getPropertyValue('--st-background-color'));
const found = {};
for (const element of figure.querySelectorAll('span, button, output, p')) {
  if (!element.textContent.trim() || !element.offsetParent || element.matches('.keys')) continue;
  const behind = [];
  for (let at = element; at && at !== figure; at = at.parentElement) {
    const colour = painted(getComputedStyle(at).backgroundColor);
    if (colour[3] > 0) behind.unshift(colour);
  }
  const back = behind.reduce((below, colour) => over(colour, below), page.slice(0, 3));
  const [a, b] = [over(painted(getComputedStyle(element).color), back), back].map(light);
  found[element.className || element.tagName] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_words_can_be_read(page: Page, scheme: str) -> None:
    with page.preferring("color-scheme", scheme):
        page.open("edit", "layers", "silent")
        page.drag("edit", (0.26, 0.2), (0.61, 0.7))
        page.click("edit", ".round")
        page.click("layers", ".row .muted")
        page.click("layers", ".row .solo")
        for name in ("edit", "layers", "silent"):
            assert page.data(name)["dark"] == str(scheme == "dark").lower()
            contrasts = page.js(name, CONTRAST)
            assert len(contrasts) >= 4
            assert min(contrasts.values()) >= 4.5, contrasts


def test_everything_is_reached_by_tab_and_has_a_name(page: Page) -> None:
    page.open("edit", "layers")
    page.drag("edit", (0.26, 0.2), (0.61, 0.7))
    assert page.tabbed("edit", ".handle.move") == [
        "Region, moved as a whole",
        "Begin of the region",
        "End of the region",
        "Lowest pitch of the region",
        "Highest pitch of the region",
        "Play the edit",
        "Volume",
        "Loop the region",
        "Clear",
    ]
    assert page.tabbed("layers", ".play") == [
        "Play the layers",
        "Volume",
        *("Mute mono16", "Solo mono16", "Gain of mono16"),
        *("Mute bass", "Solo bass", "Gain of bass"),
    ]
    picture = page.find("edit", ".picture")
    assert (picture.aria_role, picture.accessible_name) == ("image", "Picture of edit")
    assert page.find("edit", ".handle.low").get_attribute("aria-valuetext").endswith(" Hz")
    assert page.find("layers", ".row input").get_attribute("aria-valuetext") == "0.0 dB"
    assert "Escape clears it" in page.text("edit", ".keys")


def test_on_a_phone_nothing_is_cut_off(page: Page) -> None:
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open("edit", "layers")
        for name in ("edit", "layers"):
            outside = page.js(
                name,
                """
                const {left, right} = figure.getBoundingClientRect();
                const shown = [...figure.querySelectorAll('button, input, output, .name')];
                return shown.filter((it) => it.offsetParent).filter((it) => {
                  const box = it.getBoundingClientRect();
                  return box.left < left - 0.5 || box.right > right + 0.5 || right > innerWidth;
                }).map((it) => it.outerHTML);
                """,
            )
            assert outside == []
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_who_wants_no_motion_gets_the_playhead_beat_by_beat(page: Page) -> None:
    with page.preferring("reduced-motion", "reduce"):
        page.open("mono16")
        page.click("mono16", ".play")
        eventually("sound", lambda: page.playing("mono16"))
        beats = {page.part("mono16") * 8 for _ in range(40)}
        assert all(abs(beat - round(beat)) < 1e-3 for beat in beats)
