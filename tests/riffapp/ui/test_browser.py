"""The app as a person meets it, on the embedded checkpoints: served, seen and heard in Chromium."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from audio import files as sound_files
from audio.types import Tempo
from riffapp.database import Database
from riffapp.jobs.store import Job, Store
from riffapp.studio import files, record

EIGHT_BARS = ".st-key-bars [role=radio][aria-checked=true]:last-child"
WORK = "[class*=st-key-work_loop_]"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any]) -> Iterator[Any]:
    with serve() as served:
        yield served


def jobs(server: Any) -> list[Job]:
    """All jobs of all visitors, the last one first."""
    rows = Database(server.home).connection.execute("SELECT id FROM jobs ORDER BY id DESC")
    found = (Store(Database(server.home)).job(row["id"]) for row in rows.fetchall())
    return [job for job in found if job is not None]


def test_words_become_a_loop_that_plays_and_can_be_taken_home(server: Any, chrome: Any) -> None:
    chrome.open(server.url, until=".st-key-make button")
    chrome.fill("prompt", "techno drums, saw bass")
    chrome.fill("bpm", "92.375")
    chrome.click(".st-key-make button")

    shown = chrome.eventually("a player", lambda: chrome.player(WORK))
    n = Tempo(bpm=92.375, beats=8).samples(44100)
    assert shown["samples"] == n
    chrome.eventually("sound without another click", lambda: chrome.player(WORK)["playing"])
    chrome.eventually("the clock moves", lambda: chrome.player(WORK)["clock"] != shown["clock"])
    press_space(chrome)
    chrome.eventually("silence after Space", lambda: not chrome.player(WORK)["playing"])

    chrome.driver.save_screenshot(str(chrome.downloads / "page.png"))
    pixels = np.asarray(Image.open(chrome.downloads / "page.png")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 99

    wav, png = download(chrome, ".wav"), download(chrome, ".png")
    clip, tempo = sound_files.read(wav), sound_files.read_loop(wav)
    assert clip.n == n
    assert tempo is not None and (tempo.bpm, tempo.beats) == (92.375, 8)
    found = record.read(files.read_texts(png))
    assert found is not None and found.request.prompt == "techno drums, saw bass"


def test_a_first_visit_hears_something_after_one_click(
    serve: Callable[..., Any], chrome: Any
) -> None:
    """The time is told, not asserted: machines differ."""
    with serve() as fresh:
        began = time.monotonic()
        chrome.open(fresh.url, until=".st-key-make button")
        chrome.click(".st-key-make button")
        chrome.eventually("sound", lambda: (chrome.player(WORK) or {}).get("playing"))
        print(f"sound {time.monotonic() - began:.1f} s after the page was opened, one click")


def test_a_tempo_that_cannot_be_is_refused_in_a_sentence_and_nothing_is_made(
    server: Any, chrome: Any
) -> None:
    before = len(jobs(server))
    chrome.open(server.url, until=".st-key-make button")
    chrome.fill("bpm", "300")
    chrome.click(".st-key-make button")
    alert = chrome.eventually("a sentence", lambda: chrome.find("[data-testid=stAlert]").text)
    assert "Bpm 300 is outside 40 to 240: give one within." in alert
    assert len(jobs(server)) == before


def test_the_page_answers_while_a_loop_is_made_and_a_reload_finds_it(
    server: Any, chrome: Any
) -> None:
    chrome.open(server.url, until=".st-key-make button")
    chrome.click("[data-testid=stExpander] summary")
    chrome.find(".st-key-seed input")
    chrome.fill("steps", "40")
    chrome.all(".st-key-bars [role=radio]")[-1].click()
    chrome.eventually("eight bars", lambda: chrome.find(EIGHT_BARS))
    chrome.rest()
    chrome.click(".st-key-make button")

    def stepped() -> Job | None:
        (job, *_) = jobs(server)
        return job if job.state == "running" and job.done >= 2 else None

    running = chrome.eventually("a running job", stepped)
    done = Store(Database(server.home)).job(running.id).done  # type: ignore[union-attr]
    chrome.driver.execute_async_script(NEW_SEED)
    then = Store(Database(server.home)).job(running.id).done  # type: ignore[union-attr]
    assert then - done <= 2

    chrome.driver.refresh()
    chrome.find(f".st-key-progress_{running.id}")
    with_tab = chrome.driver.current_window_handle
    chrome.driver.switch_to.new_window("tab")
    chrome.open(server.url, until=f".st-key-progress_{running.id}")
    chrome.click(f".st-key-stop_{running.id} button")

    def ended() -> bool:
        job = Store(Database(server.home)).job(running.id)
        return job is not None and job.state == "cancelled"

    chrome.eventually("its end", ended)
    chrome.driver.switch_to.window(with_tab)
    chrome.eventually("no bar", lambda: not chrome.all(f".st-key-progress_{running.id}"))


NEW_SEED = """
const done = arguments[arguments.length - 1];
const field = document.querySelector('.st-key-seed input');
const named = (button) => button.innerText.includes('New seed');
const button = [...document.querySelectorAll('button')].find(named);
const before = field.value;
const look = () => field.value !== before ? done(true) : requestAnimationFrame(look);
button.click();
look();
"""


def test_nothing_is_asked_of_another_machine(server: Any, chrome: Any) -> None:
    chrome.open(server.url, until=".st-key-make button")
    chrome.click(".st-key-make button")
    chrome.eventually("a player", lambda: chrome.player(WORK))
    events = [
        json.loads(entry["message"])["message"] for entry in chrome.driver.get_log("performance")
    ]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert any(url.startswith(server.url) for url in asked)
    assert [url for url in asked if url.startswith("http") and not url.startswith(server.url)] == []
    faults = [entry for entry in chrome.driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert faults == []


def test_only_this_machine_can_reach_the_page(server: Any) -> None:
    """127.0.0.2 is this machine too: it answers for a server that listens everywhere."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=5)


def press_space(chrome: Any) -> None:
    from selenium.webdriver import ActionChains

    chrome.driver.execute_script("document.activeElement.blur()")
    ActionChains(chrome.driver).send_keys(" ").perform()


def download(chrome: Any, suffix: str) -> Path:
    """A file of the first work, as a click brings it."""
    label = suffix[1:].upper()
    link = next(a for a in chrome.all(f"{WORK} a") if a.text.endswith(label))
    assert label in link.text
    link.click()
    found: Path = chrome.eventually(
        f"a {label}", lambda: next(chrome.downloads.glob(f"0*{suffix}"), None)
    )
    return found
