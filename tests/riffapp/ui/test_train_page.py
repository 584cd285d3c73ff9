"""The room of training in Streamlit's test bench, on random weights: files become a table, that a
training, and that words for a prompt; refusals are sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from audio import files as sounds
from audio.types import Clip, Tempo
from riffapp.database import Database
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import Job, Store
from riffapp.jobs.tasks.train import Training
from riffapp.studio import files
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest
from riffapp.ui.components import samples
from riffapp.ui.rooms import train
from riffapp.ui.rooms.train import FOLDER
from riffapp.ui.visitor import SOMEBODY

Opened = Callable[..., AppTest]
WorkOff = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]


@pytest.fixture(scope="module")
def buzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tempo = Tempo(bpm=120, beats=4)
    beat = np.arange(tempo.samples(44100)) * 4 / tempo.samples(44100)
    x = 0.5 * np.sign(np.sin(2 * np.pi * 40 * beat)) * (beat % 1)
    path = tmp_path_factory.mktemp("data") / "rising-buzz_120bpm.wav"
    sounds.write(path, Clip(samples=x[None].astype(np.float32)))
    return path


@pytest.fixture
def at(opened: Opened, buzz: Path) -> AppTest:
    """The room with one recording and a quick training."""
    page = give(opened("train"), buzz)
    page.text_input(key="train_name").set_value("zorp")
    page.number_input(key="train_steps").set_value(1)
    page.number_input(key="train_batch").set_value(1)
    page.number_input(key="train_previews").set_value(0)
    return page.run()


@pytest.fixture
def asked(own_home: Path) -> Callable[[], Training]:
    """What was asked for last."""

    def last() -> Training:
        task: Training = wire.loads(newest(own_home).task, own_home)
        return task

    return last


def newest(home: Path) -> Job:
    return max(Store(Database(home)).jobs(SOMEBODY), key=lambda job: job.id)


def give(at: AppTest, *paths: Path) -> AppTest:
    given = [(path.name, path.read_bytes(), "") for path in paths]
    at.file_uploader(key="train_samples_upload").set_value(given).run()
    assert not at.exception
    return at


def press(at: AppTest) -> AppTest:
    at.button(key="train_make").click().run()
    assert not at.exception
    return at


def edit(at: AppTest, **changes: Any) -> AppTest:
    """As a hand edits the table."""
    state = {"edited_rows": {}, "added_rows": [], "deleted_rows": []} | changes
    at.session_state[at.data_editor[0].key] = state
    return at.run()


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def table(at: AppTest) -> list[tuple[str, str]]:
    (shown,) = at.data_editor
    return [tuple(row) for row in shown.value.itertuples(index=False)]


# ---- what is given ----------------------------------------------------------------------------


def test_files_stand_in_a_table_with_captions(at: AppTest) -> None:
    assert table(at) == [("rising-buzz_120bpm.wav", "rising buzz")]


def test_a_loop_of_ours_has_the_words_that_made_it(
    opened: Opened, instrument: Instrument, tmp_path: Path
) -> None:
    wish = LoopRequest(prompt="house drums", bars=1, seed=1, checkpoint=instrument.name)
    (take,) = make_loops(instrument, wish)
    files.save(take, tmp_path / "00042.wav")
    assert table(give(opened("train"), tmp_path / "00042.wav")) == [("00042.wav", "house drums")]


def test_captions_of_the_table_are_asked_for(
    at: AppTest, asked: Callable[[], Training], buzz: Path
) -> None:
    edit(at, edited_rows={0: {"What it shows": "acid, buzz"}})
    assert not refusals(press(at))
    (sample,) = asked().samples
    assert (sample.name, sample.caption) == (buzz.name, "acid, buzz")
    assert sample.path.read_bytes() == buzz.read_bytes()


def test_what_was_written_stays_while_another_room_is_open(at: AppTest) -> None:
    edit(at, edited_rows={0: {"What it shows": "mine"}})
    for room in ("queue", "train"):
        at.session_state["going"] = room
        at.run()
    assert table(at) == [("rising-buzz_120bpm.wav", "mine")]


def test_a_row_can_be_taken_out(
    at: AppTest, buzz: Path, tmp_path: Path, asked: Callable[[], Training]
) -> None:
    other = tmp_path / "other.wav"
    sounds.write(other, Clip(samples=np.ones((1, 9000), np.float32) * 0.1))
    give(at, buzz, other)
    assert [name for name, _ in table(at)] == [buzz.name, "other.wav"]
    edit(at, deleted_rows=[0])
    at.text_input(key="train_name").set_value("zorp").run()
    assert not refusals(press(at))
    assert [one.name for one in asked().samples] == ["other.wav"]


def test_a_caption_stays_when_more_is_given(at: AppTest, buzz: Path, tmp_path: Path) -> None:
    edit(at, edited_rows={0: {"What it shows": "mine"}})
    other = tmp_path / "other.wav"
    sounds.write(other, Clip(samples=np.ones((1, 9000), np.float32) * 0.1))
    give(at, buzz, other)
    assert table(at) == [(buzz.name, "mine"), ("other.wav", "other")]


def test_what_is_no_sound_is_refused_and_the_others_stay(
    at: AppTest, buzz: Path, tmp_path: Path
) -> None:
    (tmp_path / "fake.wav").write_text("no sound at all")
    give(at, tmp_path / "fake.wav", buzz)
    (error,) = refusals(at)
    assert error.startswith("Fake.wav is a text in UTF-8: a sound")
    assert [name for name, _ in table(at)] == [buzz.name]


def test_only_so_many_files_are_taken(
    at: AppTest, buzz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "MOST", 1)
    give(at, buzz, buzz)
    assert refusals(at) == ["2 files: at most 1 are taken, these are the first."]
    assert len(table(at)) == 1


def test_a_folder_is_offered_to_who_sits_here_alone(
    opened: Opened, buzz: Path, asked: Callable[[], Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "is_here", lambda: True)
    at = opened("train")
    at.segmented_control(key="train_from").set_value(FOLDER)
    at.run()
    at.text_input(key="train_name").set_value("zorp")
    at.text_input(key="train_folder").set_value(str(buzz.parent)).run()
    assert not refusals(press(at))
    assert asked().folder == buzz.parent and asked().samples == ()
    monkeypatch.setattr(train, "is_here", lambda: False)
    at.run()
    assert not any(one.key == "train_folder" for one in at.text_input)
    assert "Nothing to learn from" in refusals(press(at))[0]


# ---- what comes of it -------------------------------------------------------------------------


def test_a_lora_goes_into_the_loop_s_words(
    at: AppTest, work_off: WorkOff, works: Works, own_home: Path
) -> None:
    assert not refusals(press(at))
    work_off(at)
    (work,) = works()
    assert (own_home / "models" / "Lora" / "zorp.safetensors").is_file()
    at.button(key=f"insert_train_{work.id}").click().run()
    assert at.title[0].value == "Loops from words"
    assert at.text_area(key="prompt").value == "rising buzz, <lora:zorp:1>"


def test_the_words_that_are_there_stay(at: AppTest, work_off: WorkOff, works: Works) -> None:
    at.session_state["going"] = "loop"
    at.run()
    at.text_area(key="prompt").set_value("house drums").run()
    at.session_state["going"] = "train"
    at.run()
    work_off(press(at))
    (work,) = works()
    for _ in range(2):  # a second press adds nothing
        at.button(key=f"insert_train_{work.id}").click().run()
        assert at.text_area(key="prompt").value == "house drums, <lora:zorp:1>"
        at.session_state["going"] = "train"
        at.run()


def test_how_long_it_takes_is_said_before(at: AppTest) -> None:
    at.number_input(key="train_steps").set_value(None)
    at.number_input(key="train_batch").set_value(None)
    at.run()
    told = next(one.value for one in at.markdown if ":material/schedule:" in one.value)
    # the tiny checkpoint is a folder, of which nothing is known before it is opened
    assert "1500 steps of 1 example" in told and "hours without a graphics card" in told


def test_of_an_embedded_checkpoint_minutes_are_said(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [
        one.value
        for one in opened("train", checkpoint=Path("loops")).markdown
        if ":material/schedule:" in one.value
    ]
    assert len(told) == 1 and "400 steps of 4 examples: about 3 min on one core" in told[0]


def test_all_of_advanced_reaches_the_task(at: AppTest, asked: Callable[[], Training]) -> None:
    at.text_input(key="train_trigger").set_value(" zorp ")
    for name, value in (("bpm", 121.0), ("lr", 0.01)):
        at.number_input(key=f"train_{name}").set_value(value)
    for name, value in (("rank", 4), ("seed", 9), ("previews", 5)):
        at.number_input(key=f"train_{name}").set_value(value)
    at.toggle(key="train_text").set_value(True).run()
    assert not refusals(press(at))
    task = asked()
    assert (task.trigger, task.bpm, task.lr) == ("zorp", 121.0, 0.01)
    assert (task.rank, task.seed, task.previews, task.text) == (4, 9, 5, True)
    at.segmented_control(key="train_what").set_value("embedding").run()
    at.number_input(key="train_vectors").set_value(2)
    at.text_input(key="train_begins_as").set_value("saw bass").run()
    assert not refusals(press(at))
    assert (asked().what, asked().vectors, asked().begins_as) == ("embedding", 2, "saw bass")


def test_pictures_are_learned_by_the_model_of_pictures(
    opened: Opened, tmp_path: Path, tiny: Path, asked: Callable[[], Training],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "blue square.png")
    monkeypatch.setenv("RIFFAPP_IMAGE_CHECKPOINT", str(tiny))
    at = give(opened("train", checkpoint=Path("loops")), tmp_path / "blue square.png")
    at.text_input(key="train_name").set_value("zorp")
    at.number_input(key="train_size").set_value(64).run()
    assert not refusals(press(at))
    assert asked().checkpoint == str(tiny) and asked().size == 64
    assert asked().samples[0].caption == "blue square"


def test_every_setting_of_a_training_comes_back(
    at: AppTest, work_off: WorkOff, asked: Callable[[], Training]
) -> None:
    edit(at, edited_rows={0: {"What it shows": "mine"}})
    at.text_input(key="train_trigger").set_value("zorp").run()
    before = (press(at), asked())[1]
    work_off(at)
    at.text_input(key="train_trigger").set_value("")
    at.text_input(key="train_name").set_value("other").run()
    edit(at, deleted_rows=[0])
    use = next(m for m in at.get("menu_button") if str(m.key).startswith("use_train_"))
    use.set_value("all").run()
    assert table(at) == [("rising-buzz_120bpm.wav", "mine")]
    assert "There is a LoRA 'zorp' already" in refusals(press(at))[0]
    assert at.text_input(key="train_trigger").value == "zorp"
    assert asked() == before


# ---- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda at: at.text_input(key="train_name").set_value(" "), "it has no name"),
        (lambda at: at.text_input(key="train_name").set_value("a<b"), "the name 'a<b'"),
        (lambda at: at.number_input(key="train_steps").set_value(0), "steps 0 is outside"),
        (lambda at: at.number_input(key="train_steps").set_value(-5), "steps -5 is outside"),
        (lambda at: at.number_input(key="train_rank").set_value(0), "rank 0 is outside"),
        (lambda at: at.number_input(key="train_lr").set_value(5.0), "rate of learning 5"),
        (lambda at: at.number_input(key="train_previews").set_value(-1), "steps between previews"),
        (lambda at: edit(at, deleted_rows=[0]), "nothing to learn from"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_is_queued(
    at: AppTest, own_home: Path, change: Callable[[AppTest], Any], sentence: str
) -> None:
    change(at).run()
    press(at)
    (error,) = refusals(at)
    assert sentence.lower() in error.lower()
    assert not Store(Database(own_home)).jobs(SOMEBODY)
