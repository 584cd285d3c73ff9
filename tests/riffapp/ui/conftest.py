"""Pages in Streamlit's test bench, with a worker that works off the queue in this process; and the
app as a person meets it, served with a worker of its own, seen and heard in Chromium.

Browser tests are skipped where there is no Chromium, except under CI, where a missing one fails.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from streamlit.testing.v1 import AppTest

from riffapp import settings
from riffapp.database import Database
from riffapp.gallery import Gallery, Work
from riffapp.jobs.desk import Models
from riffapp.jobs.worker import Worker
from riffapp.studio.checkpoints import Instrument
from riffapp.ui.server import MAIN
from riffapp.ui.visitor import SOMEBODY

Opened = Callable[..., AppTest]


@pytest.fixture
def opened(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Opens the app on a checkpoint, the tiny one where none is named, in a room by its key."""

    def page(
        room: str = "loop", *, checkpoint: Path = tiny, address: Mapping[str, Any] | None = None
    ) -> AppTest:
        monkeypatch.setenv("RIFFAPP_CHECKPOINT", str(checkpoint))
        monkeypatch.setenv("RIFFAPP_DEVICE", "cpu")
        monkeypatch.setenv("RIFFAPP_THREADS", "1")
        at = AppTest.from_file(str(MAIN), default_timeout=300)
        at.session_state["going"] = room
        for name, value in (address or {}).items():
            at.query_params[name] = value
        return at.run()

    return page


@pytest.fixture
def work_off(instrument: Instrument) -> Callable[[AppTest], AppTest]:
    """Has all waiting jobs done, then draws the page anew."""

    def done(at: AppTest) -> AppTest:
        found = settings.load()
        worker = Worker(Database(found.home), found)
        if found.checkpoint == instrument.name:
            worker._models = Models(found)
            worker._models._instrument, worker._models._named = instrument, instrument.name
        while worker.turn():
            pass
        at.run()
        assert not at.exception
        return at

    return done


@pytest.fixture
def works() -> Callable[[], list[Work]]:
    """What the visitor of a test bench has in the gallery, the newest first."""
    return lambda: Gallery(Database(settings.load().home)).works(owner=SOMEBODY)


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
    "--autoplay-policy=document-user-activation-required",
)


T = TypeVar("T")


@dataclass
class Chrome:
    """A Chromium with a fresh profile, and how a person looks and types."""

    driver: Any
    downloads: Path

    def open(self, url: str, *, until: str) -> None:
        self.driver.get(url)
        self.find(until)

    def find(self, selector: str) -> Any:
        """An element as soon as it is there: kinds of widgets come one by one."""
        return self.eventually(selector, lambda: self.driver.find_element("css selector", selector))

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def click(self, selector: str) -> None:
        """Click an element as soon as that is possible."""

        def clicked() -> bool:
            self.driver.find_element("css selector", selector).click()
            return True

        self.eventually(f"a click on {selector}", clicked)

    def type(self, selector: str, *keys: str) -> None:
        """Send keys to an element, from the first on again if the page drew it anew meanwhile."""

        def typed() -> bool:
            field = self.driver.find_element("css selector", selector)
            for key in keys:
                field.send_keys(key)
            return True

        self.eventually(f"keys in {selector}", typed)

    def fill(self, key: str, text: str) -> None:
        """Type into a field in place of what stands there and leave it, as a person would, and see
        once the page has caught up that it stands there."""
        from selenium.webdriver.common.keys import Keys

        field = f".st-key-{key} input, .st-key-{key} textarea"

        def stands() -> bool:
            self.type(field, Keys.CONTROL + "a" + Keys.NULL, text, Keys.TAB)
            time.sleep(0.5)
            self.rest()
            shown = self.find(field).get_attribute("value")
            return bool(shown == text or float(shown) == float(text))

        self.eventually(f"{text!r} in {key}", stands)

    def choose(self, key: str, label: str) -> None:
        """Click one of several buttons that exclude one another."""

        def clicked() -> bool:
            buttons = self.all(f".st-key-{key} button")
            next(button for button in buttons if button.text.strip() == label).click()
            return True

        self.eventually(label, clicked)
        self.rest()

    def rest(self) -> None:
        """Wait until no script runs."""
        app = "[data-testid=stApp]"
        self.eventually(
            "a page at rest",
            lambda: (
                self.driver.find_element("css selector", app).get_attribute(
                    "data-test-script-state"
                )
                == "notRunning"
            ),
        )

    def player(self, box: str) -> dict[str, Any] | None:
        """What the first ready player within `box` shows; None while there is none."""
        found: dict[str, Any] | None = self.driver.execute_script(
            """
            const hosts = arguments[0] + ' [data-testid*=BidiComponent]';
            for (const host of document.querySelectorAll(hosts)) {
              const figure = host.shadowRoot?.querySelector('figure[data-ready=true]');
              if (figure) return {
                samples: Number(figure.dataset.samples),
                playing: figure.dataset.playing === 'true',
                clock: figure.querySelector('.clock').textContent,
                button: figure.querySelector('.play').getAttribute('aria-label'),
              };
            }
            return null;""",
            box,
        )
        return found

    def eventually(self, what: str, look: Callable[[], Any]) -> Any:
        """What `look` finds as soon as it finds something."""
        return eventually(what, look)


def eventually(what: str, look: Callable[[], T]) -> T:
    """What `look` finds as soon as it finds something."""
    from selenium.common.exceptions import WebDriverException

    end, last = time.monotonic() + PATIENCE_S, None
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except (WebDriverException, OSError, LookupError, ValueError, StopIteration) as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"never came: {what} ({last})")


@contextmanager
def chromium(folder: Path, *, performance: bool = False) -> Iterator[Any]:
    """A Chromium that keeps its profile and what it is given in a folder; skips where none is."""
    if (CHROMIUM is None or DRIVER is None) and os.environ.get("CI") != "true":
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or "chromium"
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    logs = {"browser": "ALL"} | ({"performance": "ALL"} if performance else {})
    options.set_capability("goog:loggingPrefs", logs)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER or "chromedriver"))
    driver.set_script_timeout(PATIENCE_S)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def chrome(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path, performance=True) as driver:
        yield Chrome(driver, tmp_path)


@dataclass(frozen=True)
class Served:
    """The app as a process of its own, in an empty folder and with a home of its own."""

    url: str
    port: int
    home: Path


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Serves `riffapp ui`, as a context; `told` goes into its environment."""

    @contextmanager
    def served(**told: str) -> Iterator[Served]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        folder = tmp_path_factory.mktemp("served")
        home = folder / "riffapp"
        here = {"RIFFAPP_DEVICE": "cpu", "RIFFAPP_THREADS": "1", "RIFFAPP_HOME": str(home)}
        environment = os.environ | {"HOME": str(folder), "PYTHONPATH": str(ROOT)} | here | told
        command = [sys.executable, "-m", "riffapp", "ui", "--no-browser", "--port", str(port)]
        log = folder / "server.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=out, stderr=out, stdin=-3
            )
            try:
                end = time.monotonic() + PATIENCE_S
                while time.monotonic() < end:
                    assert process.poll() is None, log.read_text()
                    try:
                        socket.create_connection(("127.0.0.1", port), timeout=5).close()
                        break
                    except OSError:
                        time.sleep(0.1)
                yield Served(f"http://127.0.0.1:{port}", port, home)
            finally:
                process.terminate()
                process.wait(timeout=60)

    return served
