"""Layers as a task: what a listener gets, what is used again, what is left behind."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audio import files as sounds
from audio.types import Tempo
from riffapp.database import Database
from riffapp.gallery import Gallery, Work
from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks.layers import KIND, Layers
from riffapp.settings import Settings
from riffapp.studio import layer_mix, text_to_audio
from riffapp.studio.layers import Layer, LayersPlan, adjusted, plan_layers
from riffapp.studio.types import LoopRequest

Performed = Callable[[str, Layers], list[Work]]


@pytest.fixture
def plan(tiny: Path) -> LayersPlan:
    base = LoopRequest(
        prompt="", bpm=200, bars=1, key="A minor", seed=5, quality="draft", checkpoint=str(tiny)
    )
    layers = [
        Layer(name="drums", prompt="house drums"),
        Layer(name="bass", prompt="saw bass", gain_db=-6.0),
        Layer(name="hats", prompt="hi-hat", mute=True),
    ]
    return plan_layers(base, layers)


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


def tracks(work: Work) -> dict[str, np.ndarray]:
    return {one.name: sounds.read(one.path).samples for one in work.files if one.role == "part"}


def sound(work: Work, role: str = "sound") -> Path:
    (found,) = (one.path for one in work.files if one.role == role)
    return found


def test_the_tracks_at_their_faders_sum_to_the_mix(plan: LayersPlan, performed: Performed) -> None:
    (work,) = performed(KIND, Layers(plan=plan))
    mixer, heard = work.facts["mixer"], 0.0
    assert mixer["bass"] == {"gain_db": -6.0, "muted": False, "solo": False}
    assert list(tracks(work)) == ["drums", "bass", "hats"] and mixer["hats"]["muted"]
    for name, track in tracks(work).items():
        if not mixer[name]["muted"]:
            heard = heard + track * 10 ** (mixer[name]["gain_db"] / 20)
    mix = sounds.read(sound(work)).samples
    assert np.abs(mix).max() > 0.05
    assert np.abs(heard - mix).max() < 4 / 32768  # each file is rounded, and dithered


def test_all_files_have_one_length_and_one_tempo(plan: LayersPlan, performed: Performed) -> None:
    (work,) = performed(KIND, Layers(plan=plan))
    tempo = Tempo(bpm=200, beats=4)
    for one in work.files:
        if one.role in ("sound", "part"):
            assert sounds.read(one.path).n == tempo.samples(44100)
            assert sounds.read_loop(one.path) == tempo
    assert work.facts["beats"] == 4 and work.facts["loops"] and work.facts["bpm"] == 200
    with zipfile.ZipFile(sound(work, "archive")) as archive:
        names = archive.namelist()
    assert {"mix.wav", "layers.json", "stems/bass.wav", "takes/bass.wav"} <= set(names)


def test_mixing_again_draws_nothing_and_the_files_follow(
    plan: LayersPlan, performed: Performed, made: list[LoopRequest]
) -> None:
    (first,) = performed(KIND, Layers(plan=plan))
    assert len(made) == 3
    louder = adjusted(plan, gains={"bass": 0.0}, mutes=["drums"], solos=[], seeds={})
    (again,) = performed(KIND, Layers(plan=louder, before=first.id))
    assert len(made) == 3
    assert again.facts["mixer"]["bass"]["gain_db"] == 0 and again.facts["mixer"]["drums"]["muted"]
    assert sound(again).read_bytes() != sound(first).read_bytes()
    heard = tracks(again)["bass"] + tracks(again)["hats"]
    assert np.abs(heard - sounds.read(sound(again)).samples).max() < 4 / 32768


def test_one_layer_alone_is_made_anew(
    plan: LayersPlan, performed: Performed, made: list[LoopRequest]
) -> None:
    (first,) = performed(KIND, Layers(plan=plan))
    other = adjusted(plan, gains={}, seeds={"bass": 99})
    (again,) = performed(KIND, Layers(plan=other, before=first.id))
    assert [request.seed for request in made[3:]] == [99]
    before, after = tracks(first), tracks(again)
    down = 10 ** ((again.facts["headroom_db"] - first.facts["headroom_db"]) / 20)
    assert np.abs(after["drums"] - down * before["drums"]).max() < 4 / 32768
    assert not np.allclose(after["bass"], before["bass"], atol=0.01)


@pytest.mark.parametrize("lost", ["gone", "damaged"])
def test_takes_that_are_lost_are_made_again_to_the_same_bytes(
    plan: LayersPlan, performed: Performed, made: list[LoopRequest], lost: str
) -> None:
    (first,) = performed(KIND, Layers(plan=plan))
    archive = sound(first, "archive")
    archive.unlink()
    if lost == "damaged":
        archive.write_bytes(b"PK\3\4 no archive")
    (again,) = performed(KIND, Layers(plan=plan, before=first.id))
    assert len(made) == 6
    assert sound(again).read_bytes() == sound(first).read_bytes()


def test_a_run_that_was_killed_goes_on_with_the_takes_that_it_has(
    plan: LayersPlan, desk: Callable[[Layers], Desk], made: list[LoopRequest], database: Database
) -> None:
    task = Layers(plan=plan)
    place = desk(task)
    base = task._base(place)
    folder = base.with_name(f".{base.name}.part")

    def dies(request: LoopRequest, told: text_to_audio.OnProgress):  # type: ignore[no-untyped-def]
        if request == plan.layers[1].request:
            raise KeyboardInterrupt
        (take,) = text_to_audio.make_loops(place.models.instrument(request.checkpoint), request)
        return take

    with pytest.raises(KeyboardInterrupt):
        layer_mix.make_layers(folder, plan, make=dies)
    assert folder.is_dir() and len(made) == 1
    task.perform(place)
    assert [request.seed for request in made] == [one.request.seed for one in plan.layers]
    assert len(Gallery(database).of_job(place.job.id)) == 1 and not folder.exists()


def test_nothing_is_left_behind_but_what_the_gallery_knows(
    plan: LayersPlan, performed: Performed, found: Settings
) -> None:
    (work,) = performed(KIND, Layers(plan=plan))
    left = {path for path in found.outputs.rglob("*") if path.is_file()}
    assert left == {one.path for one in work.files}


def test_nothing_is_left_behind_where_it_is_stopped(
    plan: LayersPlan,
    desk: Callable[[Layers], Desk],
    found: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sdcore.errors import Cancelled

    def stops(*_: object) -> None:
        raise Cancelled("stopped by the user")

    task = Layers(plan=plan)
    place = desk(task)
    monkeypatch.setattr(Desk, "step", stops)
    with pytest.raises(Cancelled):
        task.perform(place)
    assert not [path for path in found.outputs.rglob("*") if path.is_file()]
