"""Pages in Streamlit's test bench, with a worker that works off the queue in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
