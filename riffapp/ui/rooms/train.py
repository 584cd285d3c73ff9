"""The room where a model learns from somebody's own recordings or pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from riffapp import settings
from riffapp.errors import RiffappError, UsageError
from riffapp.jobs.tasks.train import KIND, Training
from riffapp.settings import Settings
from riffapp.studio import checkpoints, own_data
from riffapp.studio.files import SOUND_SUFFIXES
from riffapp.studio.train_own import PACES
from riffapp.ui import say, visitor
from riffapp.ui.components import samples
from riffapp.ui.figures import span
from riffapp.ui.frame import bench, headline
from riffapp.ui.here import is_here
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall, said
from riffapp.ui.results import results

FILES, FOLDER = "Files", "A folder on this computer"
_WELCOME = (
    "Teach a model sounds or pictures of your own. What it learns becomes a small file that you "
    "call up in a prompt, mixed with everything that it knew before."
)
_EMPTY = (
    "What was learned appears here.",
    "An example of it, and a button that uses it. Ten short loops of one kind are a good start.",
)
_KINDS = {"lora": "LoRA", "embedding": "New word", "full": "Whole checkpoint"}
_MEANINGS = {
    "lora": "A small file beside the model, called up with <lora:name:1>. The usual choice.",
    "embedding": "A word for something that the model could almost say already; the smallest file.",
    "full": "A model of its own: learns most, forgets most, and is as large as the one before.",
}
# Seconds of a step with one example, of the embedded models, on one core of a server of today.
_STEP_S = {"lora": 0.115, "embedding": 0.075, "full": 0.1}
_PREVIEW_S = 3.0
_FIRST: dict[str, Any] = {
    "train_from": FILES,
    "train_folder": "",
    "train_name": "",
    "train_what": "lora",
    "train_trigger": "",
    "train_bpm": None,
    "train_size": None,
    "train_steps": None,
    "train_batch": None,
    "train_lr": None,
    "train_rank": 8,
    "train_text": False,
    "train_vectors": 4,
    "train_begins_as": "",
    "train_seed": 0,
    "train_previews": 100,
}
# Widgets and fields of the task that are called the same.
_SAME = (
    *("name", "what", "trigger", "bpm", "size", "steps", "batch", "lr", "rank", "text"),
    *("vectors", "begins_as", "seed", "previews"),
)


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Train", _WELCOME)
    try:
        found = settings.load()
    except RiffappError as error:
        say.error(str(error))
        return
    recall(_FIRST)
    left, right = bench()
    with left:
        of_pictures = _material()
        _wish()
        checkpoint = found.image_checkpoint if of_pictures else found.checkpoint
        st.markdown(_outlook(checkpoint, of_pictures))
        st.button(
            "Train", key="train_make", type="primary", icon=":material/school:", width="stretch",
            on_click=visitor.attempt, args=(KIND, _task, found, checkpoint), shortcut="Ctrl+Enter",
        )  # fmt: skip
        with st.expander("Advanced", icon=":material/tune:"):
            _advanced(of_pictures)
    with right:
        results(KIND, empty=_EMPTY)


# ---- what is asked for ------------------------------------------------------------------------


def _material() -> bool:
    """What is learned from; whether that is pictures."""
    if is_here():
        st.segmented_control("Learn from", (FILES, FOLDER), key="train_from", required=True)
    if _folder() is None:
        found = samples.samples()
        return bool(found) and found[0].path.suffix not in SOUND_SUFFIXES
    st.text_input(
        "Folder", key="train_folder", placeholder="/home/me/my-loops",
        help="Of recordings or of pictures. A captions.csv (file,caption) or a .txt beside each "
        "says what it shows, else its name does",
    )  # fmt: skip
    try:
        return own_data.kind_of(_folder() or Path()) == "pictures"
    except UsageError as error:
        if st.session_state.train_folder.strip():
            say.warning(str(error))
        return False


def _folder() -> Path | None:
    """The folder on this computer, where one is to be learned from."""
    if said.train_from != FOLDER or not is_here():
        return None
    return Path(said.train_folder.strip()).expanduser()


def _wish() -> None:
    st.text_input(
        "Name", key="train_name", max_chars=60, placeholder="my-loops",
        help="What it is called in prompts; a made-up word means nothing else",
    )  # fmt: skip
    st.segmented_control(
        "What comes of it", tuple(_KINDS), key="train_what", required=True,
        format_func=_KINDS.__getitem__,
    )  # fmt: skip
    st.caption(say.plain(_MEANINGS[st.session_state.train_what]))


def _outlook(checkpoint: str, of_pictures: bool) -> str:
    """How long it will take, in a sentence."""
    s = said
    is_small = checkpoint in checkpoints.names()
    pace = PACES[s.train_what][0 if is_small else 1]
    steps, batch = s.train_steps or pace.steps, s.train_batch or pace.batch
    told = f":material/schedule: {steps} steps of {batch} example{'s' * (batch != 1)}"
    if not is_small:
        return f"{told}: with a checkpoint of this size, hours without a graphics card."
    previews = steps // s.train_previews + 1 if s.train_previews else 0
    seconds = steps * batch * _STEP_S[s.train_what] + previews * _PREVIEW_S
    more = "" if of_pictures else ", after the recordings were heard"
    about = span(60.0 * max(1, round(seconds / 60)))
    return f"{told}: about {about} on one core{more}. The page may be closed meanwhile."


def _advanced(of_pictures: bool) -> None:
    s = said
    st.text_input(
        "Trigger word", key="train_trigger", max_chars=60,
        help="Stands before the other words of each caption; of a new word that is its name",
    )  # fmt: skip
    left, right = st.columns(2, wrap=False)
    if of_pictures:
        left.number_input("Size (pixels)", step=64, key="train_size", placeholder="the model's own")
    else:
        left.number_input(
            "Tempo of all (BPM)", step=1.0, format="%g", key="train_bpm",
            placeholder="read or heard",
        )  # fmt: skip
    right.number_input("Seed", step=1, key="train_seed", help="The same seed learns the same")
    left.number_input("Steps", step=50, key="train_steps", placeholder="as fits the model")
    right.number_input("Batch", step=1, key="train_batch", placeholder="as fits the model")
    left.number_input(
        "Rate of learning", key="train_lr", format="%g", step=0.0001,
        placeholder="as fits the model",
    )  # fmt: skip
    right.number_input(
        "Steps between previews", step=50, key="train_previews", help="0: none on the way"
    )
    if s.train_what == "lora":
        left.number_input("Rank", step=1, key="train_rank", help="How much it can learn")
    if s.train_what == "embedding":
        left.number_input("Vectors", step=1, key="train_vectors", help="How much the word can say")
        right.text_input(
            "Begins as", key="train_begins_as", placeholder="the first caption",
            help="Known words that come nearest",
        )  # fmt: skip
    else:
        st.toggle(
            "The words' meaning is learned too", key="train_text",
            help="The text encoder learns as well: for words that the model does not know",
        )  # fmt: skip


# ---- the task ---------------------------------------------------------------------------------


def _task(found: Settings, checkpoint: str) -> Training:
    """What the widgets say. Raises what refuses it."""
    s = said
    name = s.train_name.strip()
    if not name:
        raise UsageError("it has no name: give the word that prompts will call it by")
    folder = _folder()
    task = Training(
        name=name,
        samples=samples.given() if folder is None else (),
        folder=folder,
        what=s.train_what,
        checkpoint=checkpoint,
        trigger=s.train_trigger.strip(),
        bpm=s.train_bpm,
        size=s.train_size,
        steps=s.train_steps,
        batch=s.train_batch,
        lr=s.train_lr,
        rank=s.train_rank,
        text=s.train_text,
        vectors=s.train_vectors,
        begins_as=s.train_begins_as.strip(),
        seed=s.train_seed,
        previews=s.train_previews,
    )
    task.refuse(found)
    return task


def fill(task: Training) -> None:
    """Put a training's settings into the widgets, its samples too."""
    samples.give(task.samples)
    put({"train_from": FILES if task.folder is None else FOLDER})
    put({"train_folder": "" if task.folder is None else str(task.folder)})
    put({f"train_{name}": getattr(task, name) for name in _SAME})


ROOMS = (
    Room(
        key=KIND,
        title="Train",
        icon=":material/school:",
        group="Sound",
        page=page,
        fill=fill,
    ),
)
