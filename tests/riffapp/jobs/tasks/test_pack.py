"""A pack as a task: one work with a row for each loop; it goes on, and it stops."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audio import files as sounds
from audio import pictures
from audio.types import SpectrogramParams, Tempo
from riffapp.database import Database
from riffapp.errors import UsageError
from riffapp.gallery import Gallery, Work
from riffapp.jobs.desk import Desk
from riffapp.jobs.store import Store
from riffapp.jobs.tasks.pack import KIND, Pack
from riffapp.jobs.tasks.rows import ROWS
from riffapp.settings import Settings
from riffapp.studio import files, text_to_audio
from riffapp.studio.packs import PackWish
from riffapp.studio.types import LoopRequest
from sdcore.errors import Cancelled

Performed = Callable[[str, Pack], list[Work]]


@pytest.fixture
def task(tiny: Path) -> Pack:
    base = LoopRequest(
        prompt="house|saw bass", bpm=200, bars=1, quality="draft", checkpoint=str(tiny)
    )
    return Pack(wish=PackWish(base=base, axes=(("bpm", "200, 240"),), seed=3))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[LoopRequest]:
    """What is drawn from here on."""
    asked: list[LoopRequest] = []
    make = text_to_audio.make_loops

    def noted(instrument, request, **more):  # type: ignore[no-untyped-def]
        asked.append(request)
        return make(instrument, request, **more)

    monkeypatch.setattr(text_to_audio, "make_loops", noted)
    return asked


def stopped_at(monkeypatch: pytest.MonkeyPatch, stage: str, error: type[BaseException]) -> None:
    report = Store.report

    def stopping(self: Store, number: int, **told: object) -> bool:
        if told["stage"] == stage:
            raise error
        return report(self, number, **told)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "report", stopping)


def test_every_row_is_a_loop_that_plays(task: Pack, performed: Performed) -> None:
    (work,) = performed(KIND, task)
    assert work.title == "4 loops · house|saw bass" and len(work.facts[ROWS]) == 4
    assert work.facts["told"] == ["4 loops, 4.4 s of sound"]
    for row in work.facts[ROWS]:
        facts = dict(work.facts) | row
        sound, picture = work.files[row["sound"]], work.files[row["picture"]]
        assert sound.path.stem == picture.path.stem
        words, _, bpm = row["title"].rpartition(" · ")
        assert files.record_of(sound.path).request.prompt == words
        assert bpm == f"{facts['bpm']:g} bpm"
        tempo = Tempo(bpm=facts["bpm"], beats=facts["beats"])
        assert sounds.read_loop(sound.path) == tempo
        assert pictures.read(picture.path).params == SpectrogramParams.from_json(facts["params"])
        assert facts["seconds"] == sounds.read(sound.path).n / facts["rate"]
    assert {(dict(work.facts) | row)["bpm"] for row in work.facts[ROWS]} == {200, 240}


def test_takes_are_told_apart_by_their_seeds(task: Pack, performed: Performed) -> None:
    base = replace(task.wish.base, prompt="house", takes=2, seed=5)
    (work,) = performed(KIND, Pack(wish=replace(task.wish, base=base, axes=())))
    assert [row["title"] for row in work.facts[ROWS]] == ["house · seed 5", "house · seed 6"]


def test_everything_is_in_the_archive(task: Pack, performed: Performed) -> None:
    (work,) = performed(KIND, task)
    archive = work.file("archive")
    assert archive is not None and archive.name == "ZIP of 4 loops"
    with zipfile.ZipFile(archive.path) as stored:
        names = set(stored.namelist())
        for one in work.files[1:]:
            assert stored.read(one.path.name) == one.path.read_bytes()
    assert names == {one.path.name for one in work.files[1:]}


def test_a_run_that_was_cut_off_goes_on(
    task: Pack,
    desk: Callable[[Pack], Desk],
    made: list[LoopRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = desk(task)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stopped_at(patched, "loop 3 of 4", KeyboardInterrupt)
        task.perform(here)
    assert len(made) == 3 and here.made == 0
    task.perform(here)
    (work,) = Gallery(here.database).of_job(here.job.id)
    assert len(made) == 5 and len(work.facts[ROWS]) == 4
    task.perform(here)
    assert len(made) == 5  # what is kept is not made a second time


def test_a_stop_keeps_the_loops_that_are_whole(
    task: Pack, desk: Callable[[Pack], Desk], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = desk(task)
    stopped_at(monkeypatch, "loop 3 of 4", Cancelled)
    with pytest.raises(Cancelled):
        task.perform(here)
    (work,) = Gallery(database).of_job(here.job.id)
    assert len(work.facts[ROWS]) == 2 and work.lines == ("stopped after 2 of 4 loops",)
    archive, table = work.files[:2]
    with zipfile.ZipFile(archive.path) as stored:
        assert len([name for name in stored.namelist() if name.endswith(".wav")]) == 2
    assert len(list(csv.DictReader(table.path.read_text(encoding="utf-8").splitlines()))) == 2


def test_a_stop_before_the_first_loop_keeps_nothing(
    task: Pack, desk: Callable[[Pack], Desk], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = desk(task)
    stopped_at(monkeypatch, "loop 1 of 4", Cancelled)
    with pytest.raises(Cancelled):
        task.perform(here)
    assert Gallery(database).of_job(here.job.id) == []


def test_each_loop_is_shown_when_it_is_there(
    task: Pack, performed: Performed, database: Database, found: Settings
) -> None:
    (work,) = performed(KIND, task)
    job = Store(database).job(work.job)
    assert job is not None and job.preview == 4
    assert (found.home / "live" / f"{job.id}.wav").exists()


def test_rows_of_a_batch_are_loops(task: Pack, performed: Performed, tmp_path: Path) -> None:
    table = tmp_path / "wishes.csv"
    table.write_text("prompt,bpm\nhouse,200\ntechno,240\n")
    wish = replace(task.wish, base=replace(task.wish.base, prompt=""), batch=table, axes=())
    (work,) = performed(KIND, Pack(wish=wish, batch_name="wishes.csv"))
    assert work.title == "2 loops · wishes.csv" and len(work.facts[ROWS]) == 2


def test_a_folder_that_changed_meanwhile_is_refused(
    task: Pack, desk: Callable[[Pack], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = desk(task)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stopped_at(patched, "loop 2 of 4", KeyboardInterrupt)
        task.perform(here)
    other = replace(task, wish=replace(task.wish, seed=4))
    with pytest.raises(UsageError, match="holds another pack"):
        other.perform(here)
