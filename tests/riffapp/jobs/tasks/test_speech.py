"""Speech as a task: what a listener gets, what is told of it, how it stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audio import files as sounds
from audio.speech.espeak import Espeak
from audio.synth import band
from audio.types import Clip
from riffapp.database import Database
from riffapp.errors import UsageError
from riffapp.gallery import Gallery, Work
from riffapp.jobs.desk import Desk
from riffapp.jobs.store import Store
from riffapp.jobs.tasks import speech
from riffapp.jobs.tasks.speech import KIND, OWN_VOICE, Bed, Speech
from riffapp.settings import Settings
from riffapp.studio import checkpoints
from riffapp.studio.plan import plan_loop
from riffapp.studio.speech import SpeechRequest
from riffapp.studio.types import LoopRequest
from sdcore.errors import Cancelled

Performed = Callable[[str, Speech], list[Work]]
SCRIPT = '<chapter title="Hello"/>Welcome back. <break time="1s"/> Music <emphasis>now</emphasis>.'


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    loop = band.render(replace(band.draw(np.random.default_rng(3), bars=1), bpm=120.0))
    path = tmp_path_factory.mktemp("bed") / "bed.wav"
    sounds.write(path, loop.clip, tempo=loop.tempo)
    return path


@pytest.fixture
def task(bed: Path) -> Speech:
    request = SpeechRequest(script=SCRIPT, mode="rhythmic", intro_bars=1, outro_bars=0)
    return Speech(request=request, bed=Bed(file=bed, name="my bed.wav"))


def file(work: Work, name: str) -> Path:
    (found,) = (one.path for one in work.files if one.name == name)
    return found


def test_a_listener_gets_the_mix_its_stems_and_its_texts(
    task: Speech, performed: Performed
) -> None:
    (work,) = performed(KIND, task)
    assert work.title == "Welcome back. Music now."
    roles = [one.role for one in work.files]
    assert roles == ["sound", "picture", "part", "part", *["text"] * 5]
    mix, voice, under = (sounds.read(file(work, name)) for name in ("Mix", "Voice", "Bed"))
    assert np.abs(voice.samples).max() > 0.05 and np.abs(under.samples).max() > 0.01
    assert np.abs(voice.samples + under.samples - mix.samples).max() < 4 / 32768
    assert work.facts["seconds"] == mix.n / mix.rate and work.facts["bpm"] == 120
    assert file(work, "SRT").read_text().startswith("1\n00:00:0")


def test_what_was_measured_is_told(task: Speech, performed: Performed) -> None:
    (work,) = performed(KIND, task)
    told = json.loads(file(work, "Report").read_text())
    near, count = told["anchors_near"], told["anchors"]
    assert 0 < near <= count
    lines = "\n".join(work.facts["told"])
    assert f"{near} of {count} anchors (onsets of vowels) within 10 ms" in lines
    assert f"{told['lufs']:.1f} LUFS, true peak {told['true_peak_db']:.1f} dBTP" in lines
    assert "2 sentences at 120 bpm (in the file)" in lines


def test_stems_of_long_pieces_are_no_tracks(
    task: Speech, performed: Performed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "MIXED_S", 1.0)
    (work,) = performed(KIND, task)
    assert [one.name for one in work.files if one.role == "archive"] == ["Voice", "Bed"]
    assert not any(one.role == "part" for one in work.files)


def test_the_same_task_makes_the_same_bytes(task: Speech, performed: Performed) -> None:
    first, second = (performed(KIND, task)[0] for _ in range(2))
    assert file(first, "Mix") != file(second, "Mix")
    assert file(first, "Mix").read_bytes() == file(second, "Mix").read_bytes()


def test_a_person_s_own_recording_is_the_voice(
    task: Speech, performed: Performed, tmp_path: Path
) -> None:
    """espeak in another voice stands for the person."""
    engine = Espeak()
    said = engine.speak("Welcome back. Music now.", engine.voice("en-gb+f2"))
    sounds.write(tmp_path / "take.wav", said.clip)
    request = replace(task.request, voice=OWN_VOICE, script="Welcome back. Music now.")
    own = replace(task, request=request, recording=tmp_path / "take.wav", language="en-gb")
    (work,) = performed(KIND, own)
    report = json.loads(file(work, "Report").read_text())
    assert {s["voice"].partition(":")[0] for s in report["sentences"]} == {"recorded"}
    assert report["sentences"][0]["licence"] == "that of the recording"


def test_the_bed_can_be_made_of_words(task: Speech, performed: Performed) -> None:
    """By the embedded model: random weights paint next to nothing, and silence is no bed."""
    wish = LoopRequest(prompt="house drums", bpm=200, bars=1, key="C major", steps=4, seed=1)
    planned = plan_loop(wish, checkpoints.read_sound("loops"))
    (work,) = performed(KIND, replace(task, bed=Bed(request=planned)))
    assert work.facts["bpm"] == 200 and "C major (as asked)" in work.facts["told"][0]


def test_a_bed_is_refused_by_the_name_that_its_giver_knows(
    task: Speech, performed: Performed, tmp_path: Path
) -> None:
    tone = np.sin(np.arange(66150) * 0.05)[None].astype(np.float32)
    sounds.write(tmp_path / "short.wav", Clip(samples=tone))
    short = replace(task, bed=Bed(file=tmp_path / "short.wav", name="../../my hum.mp3", bpm=60.0))
    with pytest.raises(UsageError, match=r"^my hum\.wav holds no whole bar at 60 bpm"):
        performed(KIND, short)


@pytest.mark.parametrize("stage", ["speaking", "mixing"])
def test_a_stop_leaves_nothing_behind(
    task: Speech,
    desk: Callable[[Speech], Desk],
    database: Database,
    found: Settings,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    here = desk(task)
    report = Store.report

    def stopping(self: Store, number: int, **told: object) -> bool:
        if told["stage"] == stage and told["done"]:
            self.cancel(number, owner="ann")
        return report(self, number, **told)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "report", stopping)
    with pytest.raises(Cancelled):
        task.perform(here)
    assert Gallery(database).of_job(here.job.id) == []
    assert not any(path.is_file() for path in found.outputs.rglob("*"))
