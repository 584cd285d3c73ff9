"""Settings out of files: what made a file comes back into its room, or a sentence says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from audio import files as sounds
from audio import pictures
from audio.align.settings import Settings
from audio.errors import AudioError
from audio.types import RIFFUSION, Clip
from riffapp.database import Database
from riffapp.errors import UsageError
from riffapp.gallery import File, Gallery, Made
from riffapp.jobs import wire
from riffapp.jobs.tasks.journey import Piece
from riffapp.jobs.tasks.loops import Loops
from riffapp.jobs.tasks.remix import Remix
from riffapp.jobs.tasks.speech import OWN_VOICE, Speech
from riffapp.studio import files, record
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.plan import plan_loop
from riffapp.studio.speech import SpeechRequest
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import Journey, LoopRequest, Mark, Timeline, Variant
from riffapp.ui.components.controls import key
from riffapp.ui.map import rooms
from riffapp.ui.restore import restored
from sdcore import infotext, picture_files
from sdcore.types import ImageRequest

Opened = Callable[..., AppTest]
REQUEST = LoopRequest(
    prompt="house (drums:1.2)",
    negative="hi-hat",
    bpm=92.375,
    bars=1,
    key="F# minor",
    seed=41,
    steps=1,
    cfg=2.5,
    sampler="Euler",
    schedule="Uniform",
    quality="draft",
    rate=48000,
    bit_depth="24",
)


@pytest.fixture(autouse=True)
def ours(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny checkpoint is the one of the settings."""
    monkeypatch.setenv("RIFFAPP_CHECKPOINT", str(tiny))


@pytest.fixture
def made(instrument: Instrument, tmp_path: Path) -> Callable[[LoopRequest, str], files.Saved]:
    """Makes a loop's files as any door of riffapp does."""

    def saved(request: LoopRequest, suffix: str) -> files.Saved:
        planned = plan_loop(replace(request, checkpoint=instrument.name), instrument.sound)
        (take,) = make_loops(instrument, planned)
        return files.save(take, tmp_path / f"loop{suffix}")

    return saved


def give(at: AppTest, path: Path) -> AppTest:
    at.file_uploader(key="gallery_given_upload").set_value((path.name, path.read_bytes(), "")).run()
    assert not at.exception
    return at


def clip() -> Clip:
    return Clip(samples=np.full((1, 2000), 0.1, np.float32), rate=44100)


def sound(path: Path, **texts: str) -> Path:
    sounds.write(path, clip(), tags=texts)
    return path


def picture(path: Path, text: str) -> Path:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (16, 24, 3), np.uint8))
    picture_files.write(path, image, text)
    return path


@pytest.mark.parametrize("part", ["sound", "picture"])
def test_a_loop_that_is_dragged_in_sets_its_room_as_it_was(
    opened: Opened, made: Callable[[LoopRequest, str], files.Saved], part: str
) -> None:
    saved = made(REQUEST, ".flac")
    at = give(opened("gallery"), getattr(saved, part))
    assert any("Made in **Loop**: house \\(drums\\:1" in m.value for m in at.markdown)
    at.button(key="gallery_given_restore").click().run()
    assert not at.exception and at.title[0].value == "Loops from words"
    names = ("prompt", "negative", "bpm", "bars", "key", "seed", "steps", "cfg", "sampler")
    for name in (*names, "schedule", "quality", "rate", "bit_depth"):
        assert at.session_state[name] == getattr(REQUEST, name)
    assert at.session_state["suffix"] == (".flac" if part == "sound" else ".wav")


def test_a_file_that_says_nothing_is_refused_in_words(opened: Opened, tmp_path: Path) -> None:
    at = give(opened("gallery"), sound(tmp_path / "plain.wav"))
    (error,) = at.error
    assert "This file does not say how it was made" in error.value
    assert "gallery_given_restore" not in {button.key for button in at.button}


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_each_format_of_ours_gives_its_request_and_its_format_back(
    made: Callable[[LoopRequest, str], files.Saved], suffix: str, instrument: Instrument
) -> None:
    depth = {".flac": "24"}.get(suffix, "16")
    request = replace(REQUEST, bit_depth=depth, rate=44100)
    found = restored(made(request, suffix).sound)
    assert found.kind == "loop"
    expected = replace(request, checkpoint=instrument.name)
    assert found.task == Loops(request=expected, suffix=suffix)


@pytest.mark.parametrize(
    "part",
    [
        {"journey": Journey(prompt="techno")},
        {"timeline": Timeline(marks=(Mark(bar=0.5, prompt="techno"),))},
        {"variant": Variant(seed=3)},
    ],
)
def test_what_changes_on_its_way_goes_to_the_journeys(tmp_path: Path, part: dict[str, Any]) -> None:
    request = replace(REQUEST, **part)
    text = record.document("loop", request=asdict(request))
    found = restored(sound(tmp_path / "a.wav", riffapp=text))
    assert (found.kind, found.task) == ("journey", Piece(request=request))


def test_a_loop_whose_document_was_lost_is_read_by_its_text_for_people(
    made: Callable[[LoopRequest, str], files.Saved], tmp_path: Path
) -> None:
    texts = files.read_texts(made(REQUEST, ".wav").sound)
    found = restored(sound(tmp_path / "a.wav", parameters=texts[record.PARAMETERS]))
    assert isinstance(found.task, Loops)
    assert (found.task.request.prompt, found.task.request.seed) == (REQUEST.prompt, REQUEST.seed)


@pytest.mark.parametrize("name", ["ann/loops", "/etc", "../loops", "other"])
def test_a_checkpoint_that_is_not_here_is_neither_looked_for_nor_fetched(
    tmp_path: Path, tiny: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sdcore.models.fetch", asked.append)
    text = record.document("loop", request=asdict(replace(REQUEST, checkpoint=name)))
    found = restored(sound(tmp_path / "a.wav", riffapp=text))
    assert found.task.request.checkpoint == str(tiny) and not asked
    assert f"made with the checkpoint '{name}', which is not here" in found.notes[0]


def test_settings_that_no_room_could_ask_for_are_a_sentence(tmp_path: Path) -> None:
    text = record.document("loop", request=asdict(replace(REQUEST, bpm=1e9)))
    with pytest.raises(UsageError, match="bpm"):
        restored(sound(tmp_path / "a.wav", riffapp=text))


@pytest.mark.parametrize("strength", [7, -1, float("nan"), "much", None])
def test_a_strength_that_cannot_be_is_the_usual_one(
    own_home: Path, tmp_path: Path, strength: object
) -> None:
    given = wire.kept(sound(tmp_path / "hum.wav"), own_home)
    source = {"sha256": given.stem, "strength": strength}
    text = record.document("remake", request=asdict(REQUEST), source=source)
    assert restored(sound(tmp_path / "a.wav", riffapp=text)).task.strength == Remix.strength


def test_a_file_of_the_gallery_gives_its_works_own_task_back(
    own_home: Path, tmp_path: Path
) -> None:
    """Though the file itself does not say anything, and whatever it is called by now."""
    path = sound(tmp_path / "a.wav")
    task = Loops(request=replace(REQUEST, takes=4), suffix=".ogg")
    packed = wire.dumps(task, own_home)
    kept = Made(
        kind="loop", title="", words="", task=packed, files=(File(role="sound", path=path),)
    )
    Gallery(Database(own_home)).add(kept, owner="local", job=1, number=0)
    given = tmp_path / "renamed (1).wav"
    given.write_bytes(path.read_bytes())
    assert restored(given).task == task


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_of_other_tools_goes_to_txt2img(tmp_path: Path, suffix: str) -> None:
    asked = ImageRequest(prompt="a cat, (sharp:1.2)", negative="blurry", seed=7, steps=12, cfg=5.5)
    text = infotext.text(asked)
    found = restored(picture(tmp_path / f"a{suffix}", f"{text}, Model: dreams"))
    assert (found.kind, found.title) == ("txt2img", "a cat, (sharp:1.2)")
    assert (found.task.request, found.task.model) == (asked, "dreams")


def test_a_picture_that_is_dragged_in_sets_txt2img_as_it_was(
    opened: Opened, tmp_path: Path
) -> None:
    text = "a cat\nNegative prompt: blurry\nSteps: 12, Sampler: Euler a, CFG scale: 5.5, Seed: 7"
    at = give(opened("gallery"), picture(tmp_path / "a.png", text))
    at.button(key="gallery_given_restore").click().run()
    assert not at.exception and at.title[0].value == "txt2img"
    names = ("prompt", "negative", "steps", "cfg", "seed", "sampler")
    values = [at.session_state[key("txt2img", name)] for name in names]
    assert values == ["a cat", "blurry", 12, 5.5, 7, "Euler a"]


def test_a_picture_that_began_from_one_goes_to_img2img_with_itself(
    opened: Opened, tmp_path: Path
) -> None:
    text = "a cat\nSteps: 20, Sampler: Euler, Seed: 3, Denoising strength: 0.4, Mask blur: 6"
    path = picture(tmp_path / "a.png", text)
    found = restored(path)
    assert (found.kind, found.begins) == ("img2img", path)
    assert "the picture that it began from is not in the file" in found.notes[-1]
    at = give(opened("gallery"), path)
    at.button(key="gallery_given_restore").click().run()
    assert not at.exception and at.title[0].value == "img2img"
    place = rooms()["img2img"].takes["picture"]
    assert at.session_state[place].read_bytes() == path.read_bytes()


def test_a_remix_finds_the_sound_that_it_was_made_from(own_home: Path, tmp_path: Path) -> None:
    given = wire.kept(sound(tmp_path / "hum.wav"), own_home)
    path = remake(tmp_path / "a.wav", given.stem)
    found = restored(path)
    assert found.kind == "remix" and isinstance(found.task, Remix)
    assert found.task.source.path == given
    assert replace(found.task.request, checkpoint="loops") == REQUEST
    assert found.task.strength == 0.3


@pytest.mark.parametrize("digest", [sha256(b"never given").hexdigest(), "../*", "", "*"])
def test_a_remix_of_a_sound_that_is_not_here_says_so(
    own_home: Path, tmp_path: Path, digest: str
) -> None:
    wire.kept(sound(tmp_path / "other.wav"), own_home)
    with pytest.raises(UsageError, match="another sound, which was never given here"):
        restored(remake(tmp_path / "a.wav", digest))


def remake(path: Path, digest: str) -> Path:
    source = {"sha256": digest, "lead": 0, "strength": 0.3}
    return sound(path, riffapp=record.document("remake", request=asdict(REQUEST), source=source))


def test_a_speech_comes_back_without_its_bed(opened: Opened, tmp_path: Path) -> None:
    request = SpeechRequest(
        script="One <emphasis>two</emphasis>.",
        voice=OWN_VOICE,
        voices=(("Ann", "en-gb"),),
        mode="rhythmic",
        strength=0.5,
        settings=Settings(swing=0.25),
        gap_s=0.5,
    )
    text = record.document("speech", request=asdict(request))
    path = sound(tmp_path / "a.mp3", riffapp=text)
    found = restored(path)
    assert found.kind == "speech" and isinstance(found.task, Speech)
    assert (found.task.request, found.task.suffix) == (request, ".mp3")
    assert [note.partition(" is not")[0] for note in found.notes] == [
        "its bed",
        "the recording of its voice",
    ]
    at = give(opened("gallery"), path)
    at.button(key="gallery_given_restore").click().run()
    assert not at.exception and at.title[0].value == "Speech on the beat"
    assert at.session_state["speech_script"] == request.script


def test_a_speech_of_a_later_version_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    text = record.document("speech", request={"script": "Hello.", "mood": "glad"})
    found = restored(sound(tmp_path / "a.wav", riffapp=text))
    assert isinstance(found.task, Speech) and found.task.request.script == "Hello."


@pytest.mark.parametrize(
    "request_",
    [
        None,
        {},
        {"script": "a", "settings": 3},
        {"script": "a", "strength": "much"},
        {"script": "a", "settings": {"limits": [1.0]}},
        {"script": "a", "voices": [["Ann", 3]]},
        {"script": "a", "strength": 7.0},
    ],
)
def test_a_damaged_speech_is_a_sentence(tmp_path: Path, request_: object) -> None:
    text = json.dumps({"kind": "speech", "request": request_})
    with pytest.raises((UsageError, AudioError), match="settings are damaged|strength 7"):
        restored(sound(tmp_path / "a.wav", riffapp=text))


def test_a_picture_drawn_from_a_sound_says_where_to_go_with_it(tmp_path: Path) -> None:
    image, path = Image.new("RGB", (16, RIFFUSION.n_mels)), tmp_path / "a.png"
    pictures.write(path, image, RIFFUSION, texts={record.DOCUMENT: record.document("drawing")})
    with pytest.raises(UsageError, match="drawn from a sound"):
        restored(path)


@pytest.mark.parametrize(
    "document",
    ["{", "[1]", '{"kind": ["loop"]}', '{"kind": "loop", "request": {"prompt": 3}}', "[" * 5000],
)
def test_a_damaged_document_is_a_sentence(tmp_path: Path, document: str) -> None:
    with pytest.raises(UsageError, match="does not say how it was made|settings are damaged"):
        restored(sound(tmp_path / "a.wav", riffapp=document))


def test_a_torn_file_is_a_sentence(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", "a cat\nSteps: 20, Sampler: Euler, Seed: 3")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(AudioError, match="damaged or cut short"):
        restored(path)
