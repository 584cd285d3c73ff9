"""Journeys as tasks: from words, and over a given sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audio import files as sounds
from audio.types import Tempo
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.tasks.journey import KIND, Passage, Piece
from riffapp.jobs.tasks.sources import Source
from riffapp.settings import Settings
from riffapp.studio.types import Journey, LoopRequest, Mark, Timeline, Variant

Performed = Callable[[str, Passage | Piece], list[Work]]


def passage(loop: Path, found: Settings) -> Passage:
    request = LoopRequest(
        prompt="techno drums", seed=7, quality="draft", checkpoint=found.checkpoint
    )
    return Passage(
        source=Source(path=loop), request=request, goal="saw bass", goal_seed=9, points=3
    )


def test_a_passage_is_as_many_times_its_source(
    loop: Path, found: Settings, performed: Performed
) -> None:
    (work,) = performed(KIND, passage(loop, found))
    assert sounds.read_loop(work.files[0].path) == Tempo(bpm=120, beats=24)
    assert work.kind == KIND and work.title == "techno drums → saw bass"
    assert work.facts["beats"] == 24 and not work.facts["loops"]


def test_its_settings_make_it_again(loop: Path, found: Settings, performed: Performed) -> None:
    (work,) = performed(KIND, passage(loop, found))
    task = wire.loads(work.task, found.home)
    assert (task.goal, task.goal_seed, task.points, task.strength) == ("saw bass", 9, 3, 0.75)
    (again,) = performed(KIND, task)
    assert again.files[0].path.read_bytes() == work.files[0].path.read_bytes()


@pytest.mark.parametrize(
    ("way", "title"),
    [
        ({"journey": Journey(prompt="saw bass")}, "house drums → saw bass"),
        (
            {"timeline": Timeline(marks=(Mark(bar=1, prompt="a"), Mark(bar=2, prompt="b")))},
            "house drums → a → b",
        ),
        ({"variant": Variant(seed=3, distance=0.4)}, "house drums · variant 0.4"),
    ],
)
def test_a_piece_of_words_says_its_way(
    found: Settings, performed: Performed, way: dict[str, Any], title: str
) -> None:
    request = LoopRequest(
        prompt="house drums",
        bpm=240,
        bars=4,
        closed=False,
        quality="draft",
        checkpoint=found.checkpoint,
        **way,
    )
    (work,) = performed(KIND, Piece(request=request))
    assert work.kind == KIND and work.title == title
    assert not work.facts["loops"] and work.facts["beats"] == 16
    task = wire.loads(work.task, found.home)
    assert isinstance(task, Piece) and task.request.timeline == request.timeline
    assert (task.request.journey, task.request.variant) == (request.journey, request.variant)
