"""One worker for all visitors: it makes loops in turn, and a page only watches.

Streamlit runs a page's script anew at every touch. Work that lived in the script would be lost
by a touch; here it goes on in a thread of its own, and the page asks how far it is.
"""

from __future__ import annotations

import gc
import logging
import queue
import secrets
import threading
import time
from dataclasses import dataclass
from functools import cache

from riffapp.errors import blame
from riffapp.settings import Settings
from riffapp.studio import checkpoints, text_to_audio
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import Progress
from riffapp.studio.types import LoopRequest, LoopResult
from riffapp.ui.downloads import Downloads

_LOG = logging.getLogger(__name__)
_DEFECT = (
    "something inside riffapp broke, which is not your fault: try other settings, and look into "
    "the terminal where riffapp runs for what happened"
)


class Work:
    """One press of the button: what was asked, how far it is, what came out.

    The worker writes, pages read. `request` is resolved.
    """

    def __init__(self, request: LoopRequest, settings: Settings) -> None:
        self.id = secrets.token_hex(4)
        self.request = request
        self.settings = settings
        self.takes: list[LoopResult] = []
        self.files: dict[tuple[int, str], Downloads] = {}  # by take and suffix; the page's own
        self.error: str | None = None
        self.started = False
        self.progress = Progress(done=0, total=request.takes * (request.steps or 1))
        self._first_step_s: float | None = None
        self._stop = threading.Event()
        self._finished = threading.Event()

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask for an end within one step; takes that are made stay."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> None:
        """Until it is over, or for `timeout_s`."""
        self._finished.wait(timeout_s)

    @property
    def left_s(self) -> float | None:
        """Seconds until the end, by the steps done; None while nobody can say."""
        done = self.progress.done
        if self._first_step_s is None or done < 2:
            return None
        each = (time.monotonic() - self._first_step_s) / (done - 1)
        return each * (self.progress.total - done)

    def advance(self, progress: Progress) -> None:
        """The worker's note of a step. Raises Cancelled where a person asked to stop."""
        from sdcore.errors import Cancelled

        if self._first_step_s is None:
            self._first_step_s = time.monotonic()
        self.progress = progress
        if self.stopped:
            raise Cancelled("stopped by the user")

    def finish(self) -> None:
        self._finished.set()


@dataclass(frozen=True)
class _Warm:
    checkpoint: str
    settings: Settings


@dataclass(frozen=True)
class _Loaded:
    checkpoint: str
    settings: Settings
    instrument: Instrument


class Worker:
    """A thread that takes works in turn and keeps one checkpoint in memory."""

    def __init__(self) -> None:
        self._works: queue.SimpleQueue[Work | _Warm] = queue.SimpleQueue()
        self._loaded: _Loaded | None = None
        # A daemon, so that Ctrl-C does not wait for a loop that nobody will hear.
        threading.Thread(target=self._serve, name="loops", daemon=True).start()

    def warm(self, checkpoint: str, settings: Settings) -> None:
        """Load a checkpoint before somebody asks, so that the first loop comes sooner."""
        self._works.put(_Warm(checkpoint, settings))

    def submit(self, request: LoopRequest, settings: Settings) -> Work:
        """Queue a planned request."""
        work = Work(request, settings)
        self._works.put(work)
        return work

    def _serve(self) -> None:
        while True:
            work = self._works.get()
            if isinstance(work, Work):
                self._make(work)
            else:
                self._prepare(work)

    def _prepare(self, warm: _Warm) -> None:
        try:
            self._instrument(warm.checkpoint, warm.settings)
        except Exception as error:  # said when a loop is asked for
            _LOG.debug("checkpoint %s not loaded ahead: %s", warm.checkpoint, error)

    def _make(self, work: Work) -> None:
        from sdcore.errors import Cancelled

        work.started = True
        try:
            if not work.stopped:
                instrument = self._instrument(work.request.checkpoint, work.settings)
                loops = text_to_audio.make_loops(instrument, work.request, on_progress=work.advance)
                for take in loops:
                    work.takes.append(take)
        except Cancelled:
            pass
        except Exception as error:  # the thread must outlive any loop
            work.error = sentence_for(error)
        finally:
            work.finish()

    def _instrument(self, checkpoint: str, settings: Settings) -> Instrument:
        have = self._loaded
        if have is not None and (have.checkpoint, have.settings) == (checkpoint, settings):
            return have.instrument
        self._loaded = None  # never two in memory
        gc.unfreeze()
        instrument = checkpoints.load(checkpoint, device=settings.device, threads=settings.threads)
        self._loaded = _Loaded(checkpoint, settings, instrument)
        # Streamlit collects garbage after each run of a script, which would walk through all of
        # torch each time, while this thread waits. What is loaded stays: nobody need look there.
        gc.freeze()
        return instrument


@cache
def worker() -> Worker:
    """This process's one worker."""
    return Worker()


def sentence_for(error: Exception) -> str:
    """What a person is told of an error; a defect of ours goes into the log in full."""
    told = blame(error)
    if told is not None:
        return told[1]
    _LOG.error("a loop failed", exc_info=error)
    return _DEFECT
