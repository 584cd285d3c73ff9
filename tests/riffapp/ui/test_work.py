"""The worker: it makes loops in turn, stops when asked, and outlives what fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from riffapp.errors import UsageError
from riffapp.settings import Settings
from riffapp.studio import checkpoints, text_to_audio
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.plan import plan_loop
from riffapp.studio.text_to_audio import OnProgress, Progress
from riffapp.studio.types import LoopRequest, LoopResult
from riffapp.ui.work import Work, Worker
from sdcore.errors import Cancelled

HERE = Settings(device="cpu", threads=1)


@pytest.fixture
def worker(instrument: Instrument, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A worker whose every checkpoint is the tiny one."""
    monkeypatch.setattr(checkpoints, "load", lambda *_, **__: instrument)
    return Worker()


def wish(instrument: Instrument, **parts: object) -> LoopRequest:
    asked = LoopRequest(prompt="house", bars=1, quality="draft", **parts)  # type: ignore[arg-type]
    return plan_loop(asked, instrument.sound)


def test_works_are_made_in_turn(worker: Worker, instrument: Instrument) -> None:
    works = [worker.submit(wish(instrument, seed=seed), HERE) for seed in (0, 5)]
    for work in works:
        work.wait()
    assert [work.takes[0].request.seed for work in works] == [0, 5]
    assert all(work.progress.done == work.progress.total and not work.error for work in works)


def test_stop_ends_a_work_at_the_next_step_and_keeps_what_is_made() -> None:
    work = Work(LoopRequest(prompt="house", takes=2, steps=4), HERE)
    work.advance(Progress(done=1, total=8))
    work.stop()
    with pytest.raises(Cancelled):
        work.advance(Progress(done=2, total=8))


def test_a_stopped_work_leaves_its_first_take_and_no_error(
    worker: Worker, instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = text_to_audio.make_loops
    made, go_on = threading.Event(), threading.Event()

    def slowly(
        instrument: Instrument, request: LoopRequest, *, on_progress: OnProgress
    ) -> Iterator[LoopResult]:
        for take in make(instrument, request, on_progress=on_progress):
            yield take
            made.set()
            go_on.wait()

    monkeypatch.setattr(text_to_audio, "make_loops", slowly)
    work = worker.submit(wish(instrument, takes=3), HERE)
    made.wait()
    work.stop()
    go_on.set()
    work.wait()
    assert len(work.takes) == 1 and work.error is None and work.stopped


def test_a_work_that_is_stopped_while_it_waits_is_never_begun(
    worker: Worker, instrument: Instrument
) -> None:
    work = Work(wish(instrument), HERE)
    work.stop()
    worker._works.put(work)
    work.wait()
    assert work.takes == [] and work.error is None


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UsageError("bars 3: give 2"), "bars 3: give 2"),
        (MemoryError(), "out of memory: ask for fewer bars or takes"),
        (ZeroDivisionError(), "something inside riffapp broke, which is not your fault"),
    ],
)
def test_what_fails_is_a_sentence_and_the_next_work_is_made(
    worker: Worker,
    instrument: Instrument,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    sentence: str,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(text_to_audio, "make_loops", fails)
        failed = worker.submit(wish(instrument), HERE)
        failed.wait()
    assert failed.error is not None and failed.error.startswith(sentence)
    work = worker.submit(wish(instrument), HERE)
    work.wait()
    assert len(work.takes) == 1


def test_a_checkpoint_is_loaded_once_for_all_works(
    instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []

    def load(ref: str, **_: object) -> Instrument:
        loads.append(ref)
        return instrument

    monkeypatch.setattr(checkpoints, "load", load)
    worker = Worker()
    worker.warm("loops", HERE)
    for checkpoint in ("loops", "loops", "others"):
        work = worker.submit(wish(instrument, checkpoint=checkpoint), HERE)
        work.wait()
    assert loads == ["loops", "others"]


def test_a_checkpoint_that_cannot_be_warmed_is_named_when_it_is_asked_for(
    instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(ref: str, **_: object) -> Instrument:
        raise UsageError(f"unknown checkpoint '{ref}'")

    monkeypatch.setattr(checkpoints, "load", load)
    worker = Worker()
    worker.warm("nowhere", HERE)
    work = worker.submit(wish(instrument, checkpoint="nowhere"), HERE)
    work.wait()
    assert work.error == "unknown checkpoint 'nowhere'"
