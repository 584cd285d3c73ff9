"""A folder of somebody's own becomes something that prompts can name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from audio import files as sounds
from audio.errors import MachineError
from audio.types import Clip, Loop, PowerCurve, SpectrogramParams, Tempo, TimeFrames
from riffapp.errors import UsageError
from riffapp.studio import checkpoints, files, own_data, own_examples, own_windows, train_own
from riffapp.studio.canvas import open_canvas
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.library import Library
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.train_own import OwnTraining
from riffapp.studio.types import LoopRequest
from sdcore.generate import generate
from sdcore.types import ImageRequest

RATE = 44100
ROOT = Path(__file__).resolve().parents[2]


def tones(bars: int, *, bpm: float = 120.0, lead_s: float = 0.0) -> Clip:
    """Bar k is a tone of 300 + 100 k Hz; a quieter one of 200 Hz before bar 0."""
    n = round(4 * 60 / bpm * RATE)
    t = np.arange(n) / RATE
    parts = [np.sin(2 * np.pi * (300 + 100 * k) * t) for k in range(bars)]
    before = np.sin(2 * np.pi * 200 * np.arange(round(lead_s * RATE)) / RATE)
    return Clip(samples=0.5 * np.concatenate([before, *parts])[None].astype(np.float32))


def heard_bars(loop: Loop) -> list[int]:
    """Which bar of `tones` each bar of a loop is, by the loudest frequency in it."""
    bars = np.array_split(loop.clip.samples[0], loop.tempo.beats // 4)
    peaks = [np.abs(np.fft.rfft(bar)).argmax() * RATE / len(bar) for bar in bars]
    return [round((peak - 300) / 100) for peak in peaks]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two loops of a buzz that rises, as another program writes them."""
    folder = tmp_path_factory.mktemp("data") / "buzz"
    folder.mkdir()
    for bpm in (120, 150):
        tempo = Tempo(bpm=bpm, beats=4)
        beat = np.arange(tempo.samples(RATE)) * 4 / tempo.samples(RATE)
        x = 0.5 * np.sign(np.sin(2 * np.pi * 40 * beat)) * (beat % 1)
        sounds.write(folder / f"rising-buzz_{bpm}bpm.wav", Clip(samples=x[None].astype(np.float32)))
    return folder


@pytest.fixture
def wish(tiny: Path, recordings: Path, tmp_path: Path) -> OwnTraining:
    return OwnTraining(
        folder=recordings,
        work=tmp_path / "work",
        name="zorp",
        checkpoint=str(tiny),
        steps=2,
        batch=2,
        previews=0,
        device="cpu",
        threads=1,
    )


# ---- recordings -------------------------------------------------------------------------------


def sound_of(tmp_path: Path, clip: Clip, name: str, **marks: Any) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    sounds.write(folder / name, clip, **marks)
    return folder


@pytest.mark.parametrize(
    ("bars", "lead_s", "trained", "expected"),
    [
        (4, 0.0, (1, 2), [[0, 1], [2, 3]]),
        (5, 0.0, (1, 2), [[0, 1], [2, 3], [3, 4]]),  # the last one ends at the end
        (3, 0.5, (2,), [[0, 1], [1, 2]]),  # what is before bar 1 is no bar
        (1, 0.0, (1, 2), [[0]]),
        (1, 0.0, (2,), [[0, 0]]),
        (3, 0.0, (4,), [[0, 1, 0, 1]]),
    ],
)
def test_recordings_are_cut_on_their_bars_as_wide_as_the_training(
    instrument: Instrument,
    tmp_path: Path,
    bars: int,
    lead_s: float,
    trained: tuple[int, ...],
    expected: list[list[int]],
) -> None:
    sound = replace(instrument.sound, bars=trained)
    path = sound_of(tmp_path, tones(bars, lead_s=lead_s), "tones.wav") / "tones.wav"
    canvas = open_canvas(path, sound, bpm=120, first_beat_s=lead_s)
    found = list(own_windows.windows(canvas, sound))
    assert [heard_bars(loop) for loop in found] == expected
    assert all(loop.clip.n == loop.tempo.samples(RATE) for loop in found)


def test_what_follows_a_window_fades_into_its_beginning(
    instrument: Instrument, tmp_path: Path
) -> None:
    t = np.arange(4 * 2 * RATE) / RATE
    clip = Clip(samples=0.5 * np.sin(2 * np.pi * 110.13 * t)[None].astype(np.float32))
    path = sound_of(tmp_path, clip, "tone.wav") / "tone.wav"
    canvas = open_canvas(path, instrument.sound, bpm=120)
    first, _ = own_windows.windows(canvas, instrument.sound)
    x, most = first.clip.samples[0], float(np.abs(np.diff(clip.samples[0])).max())
    assert abs(float(x[0] - x[-1])) < 1.1 * most
    assert abs(float(clip.samples[0, 0] - x[-1])) > 5 * most  # as it was cut


@pytest.mark.parametrize("seconds", [3.0, 12.0])
def test_on_a_grid_of_time_windows_have_the_training_s_width(
    instrument: Instrument, tmp_path: Path, seconds: float
) -> None:
    params = SpectrogramParams(n_mels=32, frames=TimeFrames(), curve=PowerCurve())
    sound = replace(instrument.sound, params=params, bars=(), width=512)
    t = np.arange(round(seconds * RATE)) / RATE
    clip = Clip(samples=0.5 * np.sin(2 * np.pi * 440 * t)[None].astype(np.float32))
    folder = sound_of(tmp_path, clip, "tone_120bpm.wav")
    found = own_data.of_sounds(folder, sound).examples
    assert len(found) == (1 if seconds < 5 else 2)
    assert {example.picture.size for example in found} == {(512, 32)}
    rows = {int(np.asarray(example.picture)[:, :, 0].mean(1).argmin()) for example in found}
    assert len(rows) == 1  # the tone, all the time


@pytest.mark.parametrize(
    ("name", "words", "bpm"),
    [
        ("deep-kick_124bpm.wav", "deep kick", 124.0),
        ("deep kick 92.5 BPM 2bars 17.wav", "deep kick", 92.5),
        ("808.wav", "808", None),
        ("kick_999bpm.wav", "kick", None),
        ("bpm.wav", "bpm", None),
    ],
)
def test_a_file_s_name_says_words_and_tempo(name: str, words: str, bpm: float | None) -> None:
    assert own_data.named_words(Path(name)) == words
    assert own_data.named_bpm(Path(name)) == bpm


def test_a_caption_is_composed_as_a_prompt_is(instrument: Instrument, tmp_path: Path) -> None:
    folder = sound_of(tmp_path, tones(1, bpm=124), "deep-kick_124bpm.wav")
    (found,) = own_data.of_sounds(folder, instrument.sound, trigger="zorp").examples
    key = "" if found.key is None else f"{found.key}, "
    assert found.words == "zorp, deep kick"
    assert found.caption == f"zorp, deep kick, {key}124 bpm"
    assert found.picture.size == (64, 32)


def test_an_own_file_says_its_words_key_and_tempo(instrument: Instrument, tmp_path: Path) -> None:
    request = LoopRequest(prompt="techno", key="Bb minor", bpm=133, bars=1, steps=1, seed=1)
    (made,) = make_loops(instrument, replace(request, quality="draft"))
    (tmp_path / "data").mkdir()
    files.save(made, tmp_path / "data" / "anything_90bpm.wav")
    (found,) = own_data.of_sounds(tmp_path / "data", instrument.sound).examples
    assert (found.words, found.key, found.bpm) == ("techno", "Bb minor", 133)
    assert found.caption == "techno, Bb minor, 133 bpm"


def test_captions_csv_goes_before_a_text_beside_and_that_before_the_name(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "b.txt", "c.wav"):
        (tmp_path / name).write_text("from the text\n beside")
    (tmp_path / "captions.csv").write_text('file,caption\na.wav,"one, two"\n', encoding="utf-8")
    assert own_data.captions(tmp_path) == {"a.wav": "one, two", "b.wav": "from the text beside"}
    (tmp_path / "captions.csv").write_text("b.wav,one,two\n\n", encoding="utf-8-sig")
    assert own_data.captions(tmp_path) == {"b.wav": "one, two"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a.wav,x\nmissing.wav,y\n", "line 2 names 'missing.wav', which is not in"),
        (b"a.wav\n", "line 1: give file,caption"),
        (b"a.wav,\xff\n", "is no UTF-8 text"),
    ],
)
def test_captions_that_do_not_fit_are_refused(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "captions.csv").write_bytes(content)
    with pytest.raises(UsageError, match=sentence):
        own_data.captions(tmp_path)


def test_files_that_cannot_be_used_are_left_out_and_told(
    instrument: Instrument, tmp_path: Path
) -> None:
    folder = sound_of(tmp_path, tones(1), "tones_120bpm.wav")
    (folder / "broken.wav").write_bytes(b"RIFF")
    sounds.write(folder / "short_60bpm.wav", tones(1, bpm=200))
    sounds.write(folder / "silent.wav", Clip(samples=np.zeros((1, RATE), np.float32)))
    found = own_data.of_sounds(folder, instrument.sound)
    assert len(found.examples) == 1
    assert [note.split(" was left out: ")[0] for note in found.notes] == [
        "broken.wav",
        "short_60bpm.wav",
        "silent.wav",
    ]
    assert "less than a bar" in found.notes[1]
    (folder / "tones_120bpm.wav").unlink()
    with pytest.raises(UsageError, match=r"no recording of .* can be used: broken\.wav was left"):
        own_data.of_sounds(folder, instrument.sound)


@pytest.mark.parametrize("kind", ["missing", "empty", "hidden"])
def test_a_folder_with_nothing_in_it_is_refused(tmp_path: Path, kind: str) -> None:
    if kind != "missing":
        (tmp_path / "data").mkdir()
    if kind == "hidden":
        (tmp_path / "data" / "._a.wav").touch()
    sentence = "is no folder" if kind == "missing" else "no recordings and no pictures"
    with pytest.raises(UsageError, match=sentence):
        own_data.kind_of(tmp_path / "data")


def test_loops_roll_by_whole_beats_of_latents(instrument: Instrument) -> None:
    roll = own_examples._roll
    assert roll(4, instrument.checkpoint, instrument.sound) == 4 * 16 // 8
    assert roll(0, instrument.checkpoint, instrument.sound) == 0
    assert roll(1, replace(instrument.checkpoint, factor=32), instrument.sound) == 0
    assert roll(4, instrument.checkpoint, None) == 0


# ---- pictures ---------------------------------------------------------------------------------


def test_pictures_get_the_size_nearest_to_their_proportions(tiny: Path, tmp_path: Path) -> None:
    checkpoint = checkpoints.load(str(tiny), device="cpu").checkpoint
    for name, size in (("a", (300, 310)), ("b", (400, 200)), ("c", (100, 900))):
        Image.new("RGB", size, "red").save(tmp_path / f"{name}.png")
    (tmp_path / "d.png").write_bytes(b"no picture")
    (tmp_path / "a.txt").write_text("a red square")
    found = own_data.of_pictures(tmp_path, checkpoint, trigger="zorp")
    assert [e.picture.size for e in found.examples] == [(128, 128), (176, 80), (32, 256)]
    assert [e.caption for e in found.examples] == ["zorp, a red square", "zorp, b", "zorp, c"]
    assert found.notes[0].startswith("d.png was left out")
    small = own_data.of_pictures(tmp_path, checkpoint, size=70).examples
    assert small[0].picture.size == (64, 64)
    with pytest.raises(UsageError, match="size 8: give at least 16 pixels"):
        own_data.of_pictures(tmp_path, checkpoint, size=8)


@pytest.mark.parametrize("size", [(10, 1000), (640, 480), (333, 777), (2000, 1000)])
def test_no_bucket_has_more_pixels_than_the_area(size: tuple[int, int]) -> None:
    width, height = own_data.bucket(size, (512, 512), 64)
    assert width % 64 == height % 64 == 0 and 0 < width * height <= 512 * 512
    assert max(width, height) <= 1024


# ---- the whole way ----------------------------------------------------------------------------


def test_a_folder_becomes_a_lora_that_prompts_name(wish: OwnTraining) -> None:
    seen: list[Path] = []
    trained = train_own.train_own(replace(wish, previews=2, lr=0.05), on_preview=seen.append)
    assert trained.path == wish.work / "Lora" / "zorp.safetensors"
    assert trained.examples == 2 and trained.use.startswith("<lora:zorp:1>")
    assert seen == [wish.work / "previews" / "step_000002.wav"]
    assert {p.name for p in wish.work.iterdir()} == {
        *("Lora", "previews", "examples.pt", "losses.csv", "state.pt", "training.json"),
    }
    assert sounds.read_loop(seen[0]) == Tempo(bpm=120, beats=8)
    library = Library([wish.work], device="cpu")
    checkpoint = library.checkpoint(wish.checkpoint)
    pixels = []
    for weight in (0, 0.5, 1):
        asked = ImageRequest(
            prompt=f"house <lora:zorp:{weight}>", steps=1, width=64, height=32, seed=1
        )
        pixels.append(generate(checkpoint, asked, shelf=library.shelf).images[0].tobytes())
    assert len(set(pixels)) == 3


def test_the_same_command_writes_the_same_bytes_and_hears_the_folder_once(
    wish: OwnTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train_own.train_own(wish).path.read_bytes()
    other = train_own.train_own(replace(wish, work=tmp_path / "other")).path.read_bytes()
    assert first == other
    monkeypatch.setattr(own_data, "of_sounds", None)
    assert train_own.train_own(wish).path.read_bytes() == first


def test_a_word_of_one_s_own_is_read_by_the_library(wish: OwnTraining) -> None:
    trained = train_own.train_own(replace(wish, what="embedding", vectors=2))
    assert trained.path == wish.work / "embeddings" / "zorp.safetensors"
    (vectors,) = Library([wish.work], device="cpu").checkpoint(wish.checkpoint).embeddings["zorp"]
    assert vectors is not None and vectors.shape == (2, 32)
    assert trained.notes == ()


def test_all_of_a_checkpoint_becomes_an_instrument_of_its_own(
    wish: OwnTraining, tiny: Path
) -> None:
    trained = train_own.train_own(replace(wish, what="full"))
    assert trained.path == wish.work / "Stable-diffusion" / "zorp"
    made = checkpoints.load(str(trained.path), device="cpu")
    assert made.sound == checkpoints.read_sound(str(tiny))
    (result,) = make_loops(made, LoopRequest(prompt="house", bars=1, steps=1, quality="draft"))
    assert result.loop.clip.n == Tempo(bpm=120, beats=4).samples(RATE)
    again = train_own.train_own(replace(wish, what="full"))  # in the place of the older one
    assert checkpoints.load(str(again.path), device="cpu").checkpoint.sha256 == (
        made.checkpoint.sha256
    )


def test_a_folder_of_pictures_is_learned_in_groups_of_one_size(
    wish: OwnTraining, tmp_path: Path
) -> None:
    folder = tmp_path / "drawings"
    folder.mkdir()
    for number, size in enumerate(((64, 64), (96, 32))):
        Image.new("RGB", size, "blue").save(folder / f"drawing {number}.png")
    seen: list[Path] = []
    asked = replace(wish, folder=folder, batch=1, size=64, previews=2)
    trained = train_own.train_own(asked, on_preview=seen.append)
    assert trained.examples == 2 and trained.path.is_file()
    with Image.open(seen[0]) as drawn:
        assert drawn.size == (64, 64)


def test_words_that_the_model_has_not_are_told(wish: OwnTraining) -> None:
    notes = train_own.train_own(replace(wish, trigger="zorp")).notes
    assert len(notes) == 1 and notes[0].startswith("the model has no word 'zorp' and learns it")
    asked = replace(wish, what="embedding", name="drums", work=wish.work / "other")
    assert "knows 'drums'" in train_own.train_own(asked).notes[0]


_CHILD = """
import sys, torch
from dataclasses import replace
from pathlib import Path
from riffapp.studio import train_own

train_own.SAVE_MINUTES = 0.0
folder, work, checkpoint = sys.argv[1:]
train_own.train_own(train_own.OwnTraining(
    folder=Path(folder), work=Path(work), name="zorp", checkpoint=checkpoint, steps=8, batch=2,
    previews=0, device="cpu", threads=1))
"""


def test_a_process_that_is_killed_at_any_moment_leaves_a_state_to_the_same_bits(
    wish: OwnTraining, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(wish.folder), str(killed), wish.checkpoint],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    while not (killed / "state.pt").exists():
        assert child.poll() is None
        time.sleep(0.02)
    time.sleep(float(np.random.default_rng().uniform(0, 0.3)))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    step = torch.load(killed / "state.pt", weights_only=True)["step"]
    assert 0 < step <= 8
    states = []
    for work in (killed, tmp_path / "whole"):
        train_own.train_own(replace(wish, work=work, steps=8))
        states.append(torch.load(work / "state.pt", weights_only=True))
    for one, other in zip(*(state["modules"]["lora"].values() for state in states), strict=True):
        assert torch.equal(one, other)
    written = [(tmp_path / name / "Lora" / "zorp.safetensors") for name in ("killed", "whole")]
    assert written[0].read_bytes() == written[1].read_bytes()


def test_another_checkpoint_or_other_files_are_refused_on_resuming(
    wish: OwnTraining, tmp_path: Path
) -> None:
    from sdcore.errors import RequestError

    train_own.train_own(wish)
    with pytest.raises(RequestError, match="a training of another rank"):
        train_own.train_own(replace(wish, rank=4))
    with pytest.raises(RequestError, match="a training of another data"):
        train_own.train_own(replace(wish, bpm=125))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"what": "hypernetwork"}, "unknown training 'hypernetwork': known are lora"),
        ({"seed": -1}, "seed -1 is outside 0 to"),
        ({"roll_beats": -1}, "0 or more"),
        ({"threads": 0}, "threads 0: give 1 to"),
        ({"output": Path("nowhere/a.safetensors")}, "no folder nowhere"),
        ({"output": Path("a.pt")}, "it must end in .safetensors"),
        ({"what": "full", "output": Path()}, "exists: choose another name"),
        ({"checkpoint": "nothing"}, "unknown checkpoint 'nothing'"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_before_any_work(
    wish: OwnTraining, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        train_own.train_own(replace(wish, **changes))
    assert not wish.work.exists()


def test_recordings_need_a_checkpoint_that_sounds(
    wish: OwnTraining, tiny: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(tiny, tmp_path / "image")
    (tmp_path / "image" / "sound.json").unlink()
    with pytest.raises(UsageError, match=r"has no sound\.json: it is an image model"):
        train_own.train_own(replace(wish, checkpoint=str(tmp_path / "image")))


def test_a_rank_of_nothing_leaves_no_training_behind(wish: OwnTraining) -> None:
    from sdcore.errors import RequestError

    with pytest.raises(RequestError, match="rank 0 is outside 1 to 512"):
        train_own.train_own(replace(wish, rank=0))
    assert not (wish.work / "training.json").exists()


def test_a_full_disk_leaves_no_half_written_result(
    wish: OwnTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audio import disk

    write = disk.write_whole

    def full(path: Path, data: bytes) -> None:
        if path.suffix == ".safetensors":
            raise MachineError(f"{path} cannot be written (No space left on device)")
        write(path, data)

    monkeypatch.setattr(disk, "write_whole", full)
    with pytest.raises(MachineError, match="No space left"):
        train_own.train_own(wish)
    assert list((wish.work / "Lora").iterdir()) == []
    monkeypatch.undo()
    assert train_own.train_own(wish).path.is_file()  # the training itself was kept


# ---- the command ------------------------------------------------------------------------------


def test_the_command_trains_and_says_what_to_write(
    wish: OwnTraining,
    tmp_path: Path,
    riffapp: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["train", "lora", wish.folder, "--checkpoint", wish.checkpoint, "--steps", 1]
    words += ["--rank", 3, "--attention-only", "--device", "cpu", "--threads", 1]
    plain = riffapp(*words)
    assert plain.code == 0
    assert "use it: <lora:buzz:1> in the prompt, with --models-dir training/buzz" in plain.out
    assert json.loads(riffapp(*words, "--json").out)["prompt"].startswith("<lora:buzz:1>")
    tensors = load_file(tmp_path / "training" / "buzz" / "Lora" / "buzz.safetensors")
    ranks = {len(t) for name, t in tensors.items() if name.endswith("lora_down.weight")}
    assert ranks == {3} and not any("resnets" in name for name in tensors)
    refused = riffapp(*words, "--rank", 0)
    assert refused.code == 2
    assert refused.err.splitlines()[-1].startswith("riffapp: rank 0 is outside 1 to 512")


def test_a_loop_wears_what_was_learned(
    wish: OwnTraining, tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    train_own.train_own(replace(wish, lr=0.05))
    train_own.train_own(replace(wish, what="embedding", name="blip", work=wish.work / "word"))
    made = {}
    for name, words in (
        ("plain", "house"),
        ("worn", "house <lora:zorp:1>"),
        ("word", "blip house"),
    ):
        models = ("--models-dir", wish.work, "--models-dir", wish.work / "word")
        flags = ("--checkpoint", wish.checkpoint, "--seed", 1, "--steps", 1, "--threads", 1)
        out = tmp_path / f"{name}.wav"
        done = riffapp("loop", words, *models, *flags, "--quality", "draft", "-o", out)
        said = done.err.rpartition("\r")[2]  # behind the bars of the trainings
        assert done.code == 0 and "never taught" not in said and "lora" not in said
        with Image.open(out.with_suffix(".png")) as picture:
            made[name] = picture.tobytes()
    assert len(set(made.values())) == 3
    missing = riffapp("loop", "house <lora:none:1>", *models, *flags, "-o", tmp_path / "x.wav")
    assert missing.code == 2 and "none" in missing.err
