"""Models come through the queue as they come otherwise: whole, with their progress, or stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from riffapp.database import Database
from riffapp.errors import UsageError
from riffapp.gallery import Work
from riffapp.jobs.desk import Desk, Task
from riffapp.jobs.store import Store
from riffapp.jobs.tasks import download as module
from riffapp.jobs.tasks.download import Download, Hashing
from riffapp.studio import model_download
from riffapp.studio.inventory import Hashes
from sdcore.errors import Cancelled
from tests.riffapp.test_model_download import Hub, hub
from tests.riffapp.test_weight_files import write

__all__ = ["hub"]
Perform = Callable[[str, Task], list[Work]]


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    shapes = {"lora_unet_down_blocks_0_attentions_0_proj_in.alpha": (2000, 1000)}
    return write(tmp_path / "made" / "cat.safetensors", shapes)


@pytest.fixture
def small_hub(hub: Hub, lora: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub with one LoRA of 4 MB, which the task asks."""
    from huggingface_hub import constants

    hub.repos["ann/cats"] = {"cat.safetensors": lora.read_bytes()}
    asked = partial(model_download.download, endpoint=hub.endpoint)
    monkeypatch.setattr(model_download, "download", asked)
    monkeypatch.setattr(module, "_BETWEEN_S", 0.0)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 20)
    return hub


def wish(tmp_path: Path) -> Download:
    return Download(ref="ann/cats", folder=str(tmp_path / "Lora"))


def test_a_download_puts_the_whole_model_into_its_folder(
    small_hub: Hub, performed: Perform, lora: Path, tmp_path: Path
) -> None:
    assert performed("models", wish(tmp_path)) == []  # a model is no piece of the gallery
    assert (tmp_path / "Lora" / "cat.safetensors").read_bytes() == lora.read_bytes()


def test_a_download_tells_the_queue_how_far_it_is(
    small_hub: Hub, desk: Callable[[Task], Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int, str]] = []
    monkeypatch.setattr(Desk, "step", lambda _, *step: told.append(step))
    task = wish(tmp_path)
    task.perform(desk(task))
    assert told[0] == (0, 0, "asking the hub")
    assert told[-1] == (100, 100, "4 of 5 MB")  # and the 88 bytes of its header
    shares = [done for done, _, _ in told]
    assert shares == sorted(shares) and len(set(shares)) > 3


def test_a_stopped_download_leaves_nothing_to_be_taken_for_a_model_and_goes_on(
    small_hub: Hub,
    desk: Callable[[Task], Desk],
    database: Database,
    performed: Perform,
    tmp_path: Path,
) -> None:
    task = wish(tmp_path)
    place = desk(task)
    Store(database).cancel(place.job.id, owner="ann")
    with pytest.raises(Cancelled):
        task.perform(place)
    assert not (tmp_path / "Lora" / "cat.safetensors").exists()
    performed("models", task)
    assert (tmp_path / "Lora" / "cat.safetensors").exists()


def test_a_model_that_the_hub_does_not_have_is_a_sentence(
    small_hub: Hub, performed: Perform, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="has no model 'ann/dogs'"):
        performed("models", Download(ref="ann/dogs", folder=str(tmp_path)))


def test_a_hash_is_computed_once_and_known_from_then_on(
    performed: Perform, lora: Path, database: Database
) -> None:
    assert Hashes(database.home).known(lora) is None
    performed("models", Hashing(path=str(lora), name="cat"))
    assert Hashes(database.home).known(lora) == sha256(lora.read_bytes()).hexdigest()


def test_a_task_names_its_paths_and_does_not_copy_them(
    performed: Perform, lora: Path, database: Database
) -> None:
    performed("models", Hashing(path=str(lora), name="cat"))
    assert not (database.home / "inputs").exists()
