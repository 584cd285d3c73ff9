"""The room of the models: what is there, what is wrong with it, and jobs that fetch and hash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from riffapp import settings
from riffapp.database import Database
from riffapp.jobs import wire
from riffapp.jobs.desk import NOTE
from riffapp.jobs.store import Job, Store
from riffapp.jobs.tasks.download import KIND, Download, Hashing
from riffapp.ui.rooms import models
from riffapp.ui.visitor import SOMEBODY
from tests.riffapp.test_weight_files import ATTENTION, write

Opened = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test bench has no connection that could say where it is."""
    monkeypatch.setattr(models, "is_here", lambda: True)
    models._read.clear()


@pytest.fixture
def lora(own_home: Path) -> Path:
    """A LoRA in the home's own folder of models."""
    shapes = {f"lora_unet_{ATTENTION}.lora_down.weight": (4, 768)}
    texts = {"modelspec.license": "*MIT*", "modelspec.trigger_phrase": "kitten"}
    return write(own_home / "models" / "Lora" / "cats.safetensors", shapes, texts)


@pytest.fixture
def store() -> Store:
    return Store(Database(settings.load().home))


def texts(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(e.value.replace("\\", "") for e in (*at.markdown, *at.caption))


def kind(at: AppTest, name: str) -> AppTest:
    at.segmented_control(key="models_kind").set_value(name).run()
    return at


def jobs(store: Store) -> list[Job]:
    return store.jobs(SOMEBODY, kinds=[KIND])


def test_the_embedded_checkpoint_is_there_with_its_licence(opened: Opened) -> None:
    shown = texts(opened("models"))
    assert "**loops**" in shown and "makes sound" in shown and "MB]" in shown
    assert "Licence: GPL-3.0-or-later" in shown and "Came with riffapp." in shown
    assert "Nothing is in memory yet" in shown


def test_what_is_in_the_workers_memory_is_said(opened: Opened, own_home: Path) -> None:
    told = {"pid": 1, "checkpoint": "loops", "device": "cuda"}
    (own_home / NOTE).write_text(json.dumps(told))
    assert "In memory: **loops**, on cuda." in texts(opened("models"))
    (own_home / NOTE).write_text("{")
    assert "Nothing is in memory yet" in texts(opened("models"))


def test_a_model_says_what_it_is_where_it_lies_and_its_words(opened: Opened, lora: Path) -> None:
    shown = texts(kind(opened("models"), "lora"))
    assert "**cats** :small[SD 1.x · " in shown
    assert "Licence: *MIT* · Words: kitten" in shown
    assert str(lora) in shown


def test_from_elsewhere_no_path_is_shown_and_nothing_fetched(
    opened: Opened, lora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "is_here", lambda: False)
    at = kind(opened("models"), "lora")
    assert str(lora.parent) not in texts(at)
    assert "models_download" not in {button.key for button in at.button}


def test_a_broken_file_is_named_with_what_is_wrong(opened: Opened, lora: Path) -> None:
    lora.write_bytes(lora.read_bytes()[:-100])
    at = kind(opened("models"), "lora")
    assert "The file Lora/cats.safetensors is incomplete" in texts(at)
    assert "hash_lora_cats" not in {button.key for button in at.button}


def test_a_hash_is_made_by_a_job_and_stands_there_then(
    opened: Opened, work_off: Callable[[AppTest], AppTest], lora: Path, store: Store
) -> None:
    from hashlib import sha256

    at = kind(opened("models"), "lora")
    at.button(key="hash_lora_cats").click().run()
    (job,) = jobs(store)
    assert wire.loads(job.task, settings.load().home) == Hashing(path=str(lora), name="cats")
    work_off(at)
    assert f"sha256 {sha256(lora.read_bytes()).hexdigest()[:10]}…" in texts(at)
    assert "Hash of cats: done." in at.success[0].value.replace("\\", "")


def test_a_download_is_asked_for_with_the_folder_of_its_kind(
    opened: Opened, store: Store, lora: Path
) -> None:
    at = opened("models")
    at.text_input(key="models_ref").set_value(" ann/cats ")
    at.selectbox(key="models_into").set_value("lora")
    at.button(key="models_download").click().run()
    assert not at.exception
    (job,) = jobs(store)
    expected = Download(ref="ann/cats", folder=str(lora.parent))
    assert wire.loads(job.task, settings.load().home) == expected
    assert any("Download of ann/cats" in e.proto.text.replace("\\", "") for e in at.get("progress"))


def test_a_download_without_a_name_is_refused_in_words(opened: Opened, store: Store) -> None:
    at = opened("models")
    at.button(key="models_download").click().run()
    assert "No model is named" in at.error[0].value
    assert jobs(store) == []


def test_a_download_that_failed_says_why_and_can_be_tried_again(
    opened: Opened, store: Store
) -> None:
    number = store.submit(SOMEBODY, KIND, "{}", title="Download of ann/cats")
    store.take()
    store.finish(number, "failed", "this machine has no way to the hub: connect it")
    at = opened("models")
    assert "This machine has no way to the hub" in at.error[0].value
    at.button(key=f"models_again_{number}").click().run()
    assert [job.state for job in jobs(store)] == ["queued", "failed"]


def test_a_stopped_download_says_that_it_can_go_on(opened: Opened, store: Store) -> None:
    number = store.submit(SOMEBODY, KIND, "{}", title="Download of ann/cats")
    store.cancel(number, owner=SOMEBODY)
    assert "The same again goes on from there." in texts(opened("models"))


def test_new_files_are_found_when_one_looks_again(opened: Opened, lora: Path) -> None:
    at = kind(opened("models"), "lora")
    write(lora.with_name("dogs.safetensors"), {f"lora_unet_{ATTENTION}.alpha": (8, 8)})
    at.run()
    assert "**dogs**" not in texts(at)  # folders are not read at every click
    at.button(key="models_look").click().run()
    assert "**dogs**" in texts(at)


def test_every_kind_says_where_it_goes(opened: Opened, own_home: Path) -> None:
    shown = texts(opened("models"))
    for name in models.NAMES.values():
        assert f"**{name}**" in shown
    assert str(own_home / "models" / "Stable-diffusion") in shown
