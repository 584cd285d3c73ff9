"""Training as a task: where the result lies, what is heard of it, how it goes on and stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from audio import files as sounds
from audio.types import Clip, Tempo
from riffapp.database import Database
from riffapp.errors import UsageError
from riffapp.gallery import Gallery, Work
from riffapp.jobs.desk import Desk
from riffapp.jobs.store import Store
from riffapp.jobs.tasks.train import KIND, WORK, Sample, Training
from riffapp.settings import Settings
from riffapp.studio.library import Library
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest
from sdcore.errors import RequestError

Performed = Callable[[str, Training], list[Work]]


@pytest.fixture(scope="module")
def buzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop of a buzz that rises, under a name that says nothing."""
    tempo = Tempo(bpm=120, beats=4)
    beat = np.arange(tempo.samples(44100)) * 4 / tempo.samples(44100)
    x = 0.5 * np.sign(np.sin(2 * np.pi * 40 * beat)) * (beat % 1)
    path = tmp_path_factory.mktemp("data") / "0a1b.wav"
    sounds.write(path, Clip(samples=x[None].astype(np.float32)))
    return path


@pytest.fixture
def task(tiny: Path, buzz: Path) -> Training:
    samples = (Sample(path=buzz, name="buzz_120bpm.wav", caption="rising, buzz"),)
    return Training(
        name="zorp", samples=samples, checkpoint=str(tiny), steps=4, batch=1, lr=0.05, previews=2
    )


def stopped_at(
    monkeypatch: pytest.MonkeyPatch, step: int, stop: Callable[[Store, int], None]
) -> None:
    report = Store.report

    def stopping(self: Store, number: int, **told: object) -> bool:
        if told["stage"] == "learning" and told["done"] == step:
            stop(self, number)
        return report(self, number, **told)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "report", stopping)


def test_a_lora_lies_where_prompts_find_it(
    task: Training, performed: Performed, found: Settings, desk: Callable[[Training], Desk]
) -> None:
    (work,) = performed(KIND, task)
    assert work.title == "zorp · LoRA" and work.facts["insert"] == "<lora:zorp:1>"
    place = found.home / "models" / "Lora" / "zorp.safetensors"
    archive = work.file("archive")
    assert archive is not None and archive.path.read_bytes() == place.read_bytes()
    assert "1 example, 4 steps, last loss " in work.facts["told"][0]
    assert "models/Lora/zorp.safetensors of the home folder" in work.facts["told"][1]
    instrument = desk(task).models.instrument(task.checkpoint)  # the worker's, after training
    plain, worn = (
        next(make_loops(instrument, LoopRequest(prompt=words, bars=1, seed=1, checkpoint="tiny")))
        for words in ("house", "house <lora:zorp:1>")
    )
    assert plain.picture.tobytes() != worn.picture.tobytes()


def test_the_last_preview_is_heard_and_seen(task: Training, performed: Performed) -> None:
    (work,) = performed(KIND, task)
    sound, picture = work.file("sound"), work.file("picture")
    assert sound is not None and picture is not None
    assert sounds.read_loop(sound.path) == Tempo(bpm=120, beats=8)
    assert work.facts["beats"] == 8 and work.facts["loops"] and "params" in work.facts


def test_captions_of_the_table_are_learned(
    task: Training, performed: Performed, found: Settings
) -> None:
    """The trainer keeps the first caption as what previews draw: the words are in the file."""
    performed(KIND, replace(task, previews=4))
    performed(KIND, replace(task, name="other", samples=(replace(task.samples[0], caption="x"),)))
    one, other = (
        load_file(found.home / "models" / "Lora" / f"{name}.safetensors")
        for name in ("zorp", "other")
    )
    assert one.keys() == other.keys()
    assert any(not one[key].equal(other[key]) for key in one)


def test_pictures_are_learned_and_shown(
    task: Training, performed: Performed, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "blue.png")
    sample = Sample(path=tmp_path / "blue.png", name="blue.png")
    (work,) = performed(KIND, replace(task, samples=(sample, sample), size=64))
    assert work.file("sound") is None
    picture = work.file("picture")
    assert picture is not None and "2 examples" in work.facts["told"][0]
    assert work.facts["into"] == "txt2img"
    with Image.open(picture.path) as shown:
        assert shown.size == (64, 64)


def test_a_word_is_learned_and_read_at_once(
    task: Training, performed: Performed, desk: Callable[[Training], Desk]
) -> None:
    (work,) = performed(KIND, replace(task, what="embedding", name="flurp", previews=0))
    assert work.facts["insert"] == "flurp" and work.title == "flurp · word"
    assert "flurp" in desk(task).models.instrument(task.checkpoint).checkpoint.embeddings


def test_a_checkpoint_of_its_own_is_found_by_its_name(
    task: Training, performed: Performed, found: Settings
) -> None:
    (work,) = performed(KIND, replace(task, what="full", name="mine", lr=1e-4, previews=0))
    place = Path(work.facts["checkpoint"])
    assert place == found.home / "models" / "Stable-diffusion" / "mine"
    assert Library(found.roots, device="cpu").path("mine") == place
    assert (place / "sound.json").is_file() and work.files == ()


def test_a_folder_on_this_machine_is_learned(
    task: Training, performed: Performed, buzz: Path
) -> None:
    (work,) = performed(KIND, replace(task, samples=(), folder=buzz.parent, previews=0, bpm=120.0))
    assert work.facts["insert"] == "<lora:zorp:1>"


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits(
    task: Training,
    desk: Callable[[Training], Desk],
    performed: Performed,
    found: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from riffapp.studio import train_own

    performed(KIND, replace(task, name="whole"))
    monkeypatch.setattr(train_own, "SAVE_MINUTES", 0.0)
    here = desk(task)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        # A process that is killed tidies nothing up.
        patched.setattr("shutil.rmtree", lambda *_, **__: None)
        stopped_at(patched, 3, _killed)
        task.perform(here)
    assert (found.home / WORK / str(here.job.id) / "state.pt").exists()
    seen: list[int] = []
    stopped_at(monkeypatch, 3, lambda store, number: seen.append(number))
    task.perform(here)
    assert seen == [here.job.id]  # its step 3 was done again, steps 1 and 2 were not
    models = found.home / "models" / "Lora"
    one, other = (load_file(models / f"{name}.safetensors") for name in ("whole", "zorp"))
    assert all(one[key].equal(other[key]) for key in one)
    assert not (found.home / WORK / str(here.job.id)).exists()


def _killed(store: Store, number: int) -> None:
    raise KeyboardInterrupt


def test_a_stop_keeps_what_was_learned_by_then(
    task: Training,
    desk: Callable[[Training], Desk],
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = desk(task)
    stopped_at(monkeypatch, 3, lambda store, number: store.cancel(number, owner="ann"))
    task.perform(here)
    (work,) = Gallery(database).of_job(here.job.id)
    assert "3 steps" in work.facts["told"][0] and work.file("archive") is not None
    assert work.file("sound") is not None  # of step 2
    assert Store(database).is_stopping(here.job.id)


def test_a_name_that_two_took_at_once_is_given_twice(
    task: Training, performed: Performed, found: Settings
) -> None:
    performed(KIND, replace(task, previews=0))
    (work,) = performed(KIND, replace(task, previews=0, lr=0.01))
    assert work.facts["insert"] == "<lora:zorp-2:1>"
    assert (found.home / "models" / "Lora" / "zorp-2.safetensors").is_file()


def test_training_leaves_the_process_as_it_was(task: Training, performed: Performed) -> None:
    import torch

    performed(KIND, replace(task, previews=0))
    tiny = torch.tensor([1e-39])  # denormal: training flushes such to 0
    assert float(tiny * 1.0) > 0


# ---- refusals ---------------------------------------------------------------------------------


def test_nothing_is_refused(task: Training, found: Settings) -> None:
    task.refuse(found)


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"samples": ()}, UsageError, "nothing to learn from"),
        ({"name": "a<b"}, RequestError, "the name 'a<b'"),
        ({"name": "a/b"}, RequestError, "the name 'a/b'"),
        ({"what": "dance"}, UsageError, "unknown training 'dance'"),
        ({"steps": 0}, RequestError, "steps 0 is outside"),
        ({"rank": 0}, RequestError, "rank 0 is outside"),
        ({"lr": 2.0}, RequestError, "rate of learning 2 is outside"),
        ({"seed": -1}, UsageError, "seed -1 is outside"),
        ({"previews": -1}, UsageError, "steps between previews"),
        ({"samples": (), "folder": Path("nowhere")}, UsageError, "nowhere is no folder"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_queued(
    task: Training,
    found: Settings,
    changes: dict[str, object],
    error: type[Exception],
    sentence: str,
) -> None:
    with pytest.raises(error, match=sentence):
        replace(task, **changes).refuse(found)  # type: ignore[arg-type]


def test_sounds_and_pictures_are_not_mixed(task: Training, found: Settings) -> None:
    both = (*task.samples, Sample(path=Path("a.png"), name="a.png"))
    with pytest.raises(UsageError, match="recordings and pictures"):
        replace(task, samples=both).refuse(found)


@pytest.mark.parametrize(
    ("what", "folder", "file"),
    [
        ("lora", "Lora", "Zorp.safetensors"),
        ("embedding", "embeddings", "zorp.pt"),
        ("full", "Stable-diffusion", "zorp.ckpt"),
    ],
)
def test_a_name_that_is_taken_is_refused(
    task: Training, found: Settings, what: str, folder: str, file: str
) -> None:
    place = found.home / "models" / folder / file
    place.parent.mkdir(parents=True)
    place.touch()
    with pytest.raises(UsageError, match="'zorp' already: give another name"):
        replace(task, what=what).refuse(found)
    other = {"lora": "embedding"}.get(what, "lora")
    replace(task, what=other).refuse(found)


def test_an_embedded_checkpoint_s_name_is_taken(task: Training, found: Settings) -> None:
    with pytest.raises(UsageError, match="there is a checkpoint 'loops' already"):
        replace(task, what="full", name="loops").refuse(found)
