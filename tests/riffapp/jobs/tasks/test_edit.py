"""Edits as tasks: what stays, which takes come, what they are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audio import files as sounds
from audio.types import Tempo
from riffapp.database import Database
from riffapp.gallery import Gallery, Work
from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks.edit import KIND, Edit, Extend
from riffapp.jobs.tasks.sources import Source
from riffapp.settings import Settings
from riffapp.studio import remake
from riffapp.studio.types import LoopRequest

Performed = Callable[[str, Edit | Extend], list[Work]]


@pytest.fixture
def request_(found: Settings) -> LoopRequest:
    return LoopRequest(
        prompt="techno drums",
        seed=7,
        quality="draft",
        bit_depth="float",
        checkpoint=found.checkpoint,
    )


@pytest.fixture
def edit(loop: Path, request_: LoopRequest) -> Edit:
    source = Source(path=loop, picture=loop.with_suffix(".png"))
    return Edit(source=source, request=request_, first_bar=1.0, last_bar=2.0)


def test_outside_of_the_region_sound_and_picture_stay(
    edit: Edit, performed: Performed, loop: Path
) -> None:
    (work,) = performed(KIND, edit)
    before, after = sounds.read(loop).samples, sounds.read(work.files[0].path).samples
    half = before.shape[1] // 2
    assert np.abs(after[:, 4410 : half - 4410] - before[:, 4410 : half - 4410]).max() < 1e-4
    assert np.abs(after[:, half:] - before[:, half:]).max() > 0.01
    own, new = (
        np.asarray(Image.open(p).convert("L"))
        for p in (loop.with_suffix(".png"), work.files[1].path)
    )
    middle = own.shape[1] // 2
    assert np.array_equal(own[:, :middle], new[:, :middle])
    assert not np.array_equal(own[:, middle:], new[:, middle:])


def test_a_mask_is_done_again_where_it_is_white(
    edit: Edit, performed: Performed, loop: Path, tmp_path: Path
) -> None:
    own = np.asarray(Image.open(loop.with_suffix(".png")).convert("L"))
    white = np.zeros(own.shape, np.uint8)
    white[: own.shape[0] // 2] = 255
    Image.fromarray(white).save(tmp_path / "mask.png")
    task = replace(edit, first_bar=None, last_bar=None, mask=tmp_path / "mask.png")
    (work,) = performed(KIND, task)
    new = np.asarray(Image.open(work.files[1].path).convert("L"))
    assert np.array_equal(own[white == 0], new[white == 0])
    assert not np.array_equal(own[white > 0], new[white > 0])


def test_takes_have_the_seeds_that_follow(edit: Edit, performed: Performed) -> None:
    works = performed(KIND, replace(edit, takes=2))
    assert [work.facts["seed"] for work in works] == [7, 8]
    sound = [work.files[0].path.read_bytes() for work in works]
    (second,) = performed(KIND, replace(edit, request=replace(edit.request, seed=8)))
    assert sound[0] != sound[1] == second.files[0].path.read_bytes()


def test_takes_of_a_run_that_was_cut_off_are_not_made_again(
    edit: Edit,
    desk: Callable[[Edit], Desk],
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds, redo = [], remake.redo

    def noted(instrument, canvas, request, **more):  # type: ignore[no-untyped-def]
        seeds.append(request.seed)
        return redo(instrument, canvas, request, **more)

    monkeypatch.setattr(remake, "redo", noted)
    task = replace(edit, takes=3)
    place = desk(task)
    replace(task, takes=1).perform(place)
    task.perform(place)
    task.perform(place)
    assert seeds == [7, 8, 9]
    assert [work.number for work in Gallery(database).of_job(place.job.id)] == [0, 1, 2]


def test_a_loop_is_led_into_and_played_on(
    loop: Path, request_: LoopRequest, performed: Performed
) -> None:
    task = Extend(source=Source(path=loop), request=request_, before=1, after=2)
    (work,) = performed(KIND, task)
    clip = sounds.read(work.files[0].path)
    assert clip.n == Tempo(bpm=120, beats=20).samples(44100) and work.facts["beats"] == 20
    bar, own = Tempo(bpm=120, beats=4).samples(44100), sounds.read(loop).samples
    inner = slice(4410, own.shape[1] - 4410)
    assert np.abs(clip.samples[:, bar : 3 * bar][:, inner] - own[:, inner]).max() < 1e-4
    assert task.title == "techno drums · 1 bar before, 2 bars after"


@pytest.mark.parametrize(
    ("region", "title"),
    [
        ({}, "bars 2.1 to 3.1"),
        ({"first_bar": 0.625, "last_bar": None}, "from 1.3.50"),
        ({"high_hz": 200.0}, "bars 2.1 to 3.1, 0 Hz to 200 Hz"),
        ({"first_bar": None, "last_bar": None, "low_hz": 90.0}, "all of it, 90 Hz to the top"),
    ],
)
def test_a_title_says_where_as_the_player_counts(
    edit: Edit, region: dict[str, float | None], title: str
) -> None:
    assert replace(edit, **region).title == f"techno drums · {title}"
