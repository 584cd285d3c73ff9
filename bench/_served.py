"""The app as a process and a Chromium to look at it: what several benches share."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from riffapp.jobs.desk import NOTE

T = TypeVar("T")
PATIENCE_S = 300.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=document-user-activation-required",
)


def eventually(what: str, look: Callable[[], T]) -> T:
    """What `look` finds as soon as it finds something; its errors count as nothing."""
    end, last = time.monotonic() + PATIENCE_S, None
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except Exception as error:
            last = error
        time.sleep(0.02)
    raise SystemExit(f"never came: {what} ({last})")


class Server:
    """`riffapp ui` as a process, which can be killed and started again."""

    def __init__(self, home: Path, *, checkpoint: str = "loops", threads: int = 1) -> None:
        self.home = home
        own = {"RIFFAPP_HOME": str(home), "RIFFAPP_CHECKPOINT": checkpoint}
        own |= {"RIFFAPP_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
        self._environment = os.environ | own | {"RIFFAPP_DEVICE": "cpu"}
        self.start()

    def start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        words = [sys.executable, "-m", "riffapp.ui", "--port", str(port), "--no-browser"]
        (self.home / NOTE).unlink(missing_ok=True)
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(words, env=self._environment, stdout=quiet, stderr=quiet)

    def ready(self) -> None:
        """Wait until page and worker are there."""
        eventually("a server", self._answers)
        eventually("a worker", self.worker)

    def worker(self) -> int | None:
        """The worker's process, while it lives."""
        try:
            pid = int(json.loads((self.home / NOTE).read_text())["pid"])
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def kill_worker(self) -> None:
        if (pid := self.worker()) is not None:
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def _answers(self) -> bool:
        with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)


@contextmanager
def chromium(
    *, width: int = 1280, height: int = 1000, dark: bool = False, profile: Path | None = None
) -> Iterator[Any]:
    """A headless Chromium, driven by selenium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium") or shutil.which("chromium-browser"))
    for flag in (*_FLAGS, f"--window-size={width},{height}"):
        options.add_argument(flag)
    if profile is not None:
        options.add_argument(f"--user-data-dir={profile}")
    driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    if dark:
        scheme = {"name": "prefers-color-scheme", "value": "dark"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    try:
        yield driver
    finally:
        driver.quit()


def find(driver: Any, selector: str) -> Any:
    """An element as soon as it is there."""
    return eventually(selector, lambda: driver.find_element("css selector", selector))
