"""The page as a person meets it: served from an empty folder, seen and heard in Chromium.

On the tiny checkpoint of random weights, so plumbing again. Skipped where there is no Chromium,
except under CI, where a missing one is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from PIL import Image

from audio import files as sound_files
from audio.types import Tempo
from riffapp.studio import files, record
from riffapp.ui.components import player

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
PATIENCE_S = 300.0  # until something must have happened; a busy machine may take its time
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,1000",
)

if (CHROMIUM is None or DRIVER is None) and os.environ.get("CI") != "true":
    pytest.skip(
        "no Chromium here: apt-get install chromium chromium-driver", allow_module_level=True
    )


def eventually(what: str, look: Callable[[], T]) -> T:
    """What `look` finds as soon as it finds something."""
    from selenium.common.exceptions import WebDriverException

    end, last = time.monotonic() + PATIENCE_S, None
    while time.monotonic() < end:
        try:
            found = look()
            if found:
                return found
        except (WebDriverException, OSError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"never came: {what} ({last})")


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def server(tiny: Path, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`riffapp ui` as a process of its own, in an empty folder and with an empty home."""
    folder = tmp_path_factory.mktemp("empty")
    here = {"RIFFAPP_CHECKPOINT": str(tiny), "RIFFAPP_DEVICE": "cpu", "RIFFAPP_THREADS": "1"}
    environment = os.environ | here | {"HOME": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "riffapp", "ui", "--no-browser", "--port", str(port)]
    log = tmp_path_factory.mktemp("log") / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
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


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """Chromium with a fresh profile, which lets sound start only after a person's click."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or "chromium"
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.add_argument("--autoplay-policy=document-user-activation-required")
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER or "chromedriver"))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(server: str, browser: Any) -> Any:
    """The page, drawn to its end."""
    browser.get(server)
    find(browser, ".st-key-play input")  # the last one
    return browser


def find(driver: Any, selector: str) -> Any:
    """An element as soon as it is there: kinds of widgets come one by one."""
    return eventually(selector, lambda: driver.find_element("css selector", selector))


def fill(driver: Any, key: str, text: str) -> None:
    """Type into a field in place of what stands there, and leave it as a person would.

    Then the page is left to catch up: what it shows of chips is behind the text until then.
    """
    from selenium.webdriver.common.keys import Keys

    field = find(driver, f".st-key-{key} input, .st-key-{key} textarea")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(text)
    field.send_keys(Keys.TAB)
    running = "[data-testid=stStatusWidget]"
    time.sleep(0.5)
    eventually("a page at rest", lambda: not driver.find_elements("css selector", running))


def take(driver: Any) -> dict[str, Any] | None:
    """What the newest player shows; None while there is none."""
    found: dict[str, Any] | None = driver.execute_script(
        """
        const host = document.querySelector('[class*=st-key-take_] [data-testid*=BidiComponent]');
        const figure = host?.shadowRoot?.querySelector('figure[data-samples]');
        return figure && {
          samples: Number(figure.dataset.samples),
          playing: figure.dataset.playing === 'true',
          clock: figure.querySelector('.clock').textContent,
          alt: figure.querySelector('canvas').getAttribute('aria-label'),
          button: figure.querySelector('.play').getAttribute('aria-label'),
        };"""
    )
    return found


def press_space(driver: Any) -> None:
    from selenium.webdriver import ActionChains

    driver.execute_script("document.activeElement.blur()")
    ActionChains(driver).send_keys(" ").perform()


def downloaded(folder: Path, suffix: str) -> Path | None:
    return next(folder.glob(f"*{suffix}"), None)


def test_words_become_a_loop_that_plays_and_can_be_taken_home(page: Any, tmp_path: Path) -> None:
    fill(page, "prompt", "techno drums, saw bass")
    fill(page, "bpm", "92.375")
    find(page, ".st-key-make button").click()

    shown = eventually("a player", lambda: take(page))
    n = Tempo(bpm=92.375, beats=8).samples(44100)
    assert shown["samples"] == n
    assert "techno drums, saw bass: 2 bars at 92.375 bpm" in shown["alt"]
    eventually("sound without another click", lambda: (take(page) or {})["playing"])
    eventually("the clock moves", lambda: (take(page) or {})["clock"] != shown["clock"])
    press_space(page)
    eventually("silence after Space", lambda: not (take(page) or {})["playing"])
    assert (take(page) or {})["button"] == "Play the loop"

    page.save_screenshot(str(tmp_path / "page.png"))
    assert len(np.unique(np.asarray(Image.open(tmp_path / "page.png")).reshape(-1, 3), axis=0)) > 99

    find(page, "[class*=st-key-sound_] button").click()
    wav = eventually("a WAV", lambda: downloaded(tmp_path, ".wav"))
    clip, tempo = sound_files.read(wav), sound_files.read_loop(wav)
    assert clip.n == n
    assert tempo is not None and (tempo.bpm, tempo.beats) == (92.375, 8)
    find(page, "[class*=st-key-picture_] button").click()
    png = eventually("a PNG", lambda: downloaded(tmp_path, "_*.png"))
    found = record.read(files.read_texts(png))
    assert found is not None and found.request.prompt == "techno drums, saw bass"


def test_a_tempo_that_cannot_be_is_refused_in_a_sentence_and_nothing_is_made(page: Any) -> None:
    fill(page, "bpm", "300")
    find(page, ".st-key-make button").click()
    alert = eventually("a sentence", lambda: find(page, "[data-testid=stAlert]").text)
    assert "Bpm 300 is outside 40 to 240: give one within." in alert
    assert take(page) is None


def test_nothing_is_asked_of_another_machine(page: Any) -> None:
    find(page, ".st-key-make button").click()
    eventually("a player", lambda: take(page))
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    own = page.current_url.rstrip("/")
    assert any(url.startswith(own) for url in asked)
    assert [url for url in asked if url.startswith("http") and not url.startswith(own)] == []
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_only_this_machine_can_reach_the_page(server: str, port: int) -> None:
    """127.0.0.2 is this machine too: it answers for a server that listens everywhere."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=5)


def test_a_loop_repeats_without_a_sample_between(browser: Any, server: str) -> None:
    """The graph that plays, rendered offline: three rounds of a ramp are three equal rounds."""
    browser.get(server)
    source = Path(player.__file__).with_suffix(".js").read_text("utf-8")
    rounds = browser.execute_async_script(
        """
        const [source, n, rate, done] = arguments;
        const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
        (async () => {
          const {graph} = await import(url);
          const buffer = new AudioBuffer({length: n, sampleRate: rate});
          buffer.copyToChannel(Float32Array.from({length: n}, (_, i) => (i + 1) / n), 0);
          const context = new OfflineAudioContext(1, 3 * n, rate);
          graph(context, buffer, 0).gain.gain.value = 1;
          const heard = (await context.startRendering()).getChannelData(0);
          return [0, 1, 2].map((k) => Array.from(heard.subarray(k * n, (k + 1) * n)));
        })().then(done, (error) => done(String(error)));""",
        source,
        1001,
        44100,
    )
    ramp = ((np.arange(1001) + 1) / 1001).astype(np.float32)
    for heard in rounds:
        assert np.array_equal(np.asarray(heard, dtype=np.float32), ramp)
