"""The room where a picture is made from words."""

from __future__ import annotations

import streamlit as st

from riffapp.errors import RiffappError
from riffapp.jobs.tasks.images import Pictures
from riffapp.jobs.tasks.series import Many
from riffapp.ui import say, visitor
from riffapp.ui.components import image_fill, image_scripts
from riffapp.ui.components import image_wish as wish
from riffapp.ui.components.controls import key
from riffapp.ui.components.pictures import pictures
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.results import results

KIND = "txt2img"
_EMPTY = (
    "Your pictures appear here.",
    "While one forms you can watch it. Every setting stands in its file, to be read back here.",
)


def page() -> None:
    """Draw the room as the session has it now."""
    headline("txt2img")
    try:
        wish.begin(KIND)
    except RiffappError as error:
        say.error(str(error))
        return
    left, right = bench()
    with left:
        _controls()
    with right:
        results(KIND, empty=_EMPTY, show=pictures)


def fill(task: Pictures | Many) -> None:
    """Put a task's settings into the widgets, its seeds too."""
    image_fill.restore(KIND, task)


def _controls() -> None:
    wish.words(KIND)
    with st.container(horizontal=True, key=f"{KIND}_buttons"):
        st.button(
            "Generate",
            key="make",
            type="primary",
            icon=":material/brush:",
            on_click=visitor.attempt,
            args=(KIND, _task),
            shortcut="Ctrl+Enter",
        )
        image_fill.paste_button(KIND)
    wish.model(KIND)
    wish.sampling(KIND)
    wish.row(KIND, "width", "height")
    wish.swap_button(KIND)
    wish.batches(KIND)
    wish.seed(KIND)
    wish.hires(KIND)
    wish.refiner(KIND)
    wish.faces(KIND)
    wish.advanced(KIND)
    image_scripts.script(KIND)


def _task() -> Pictures | Many:
    """What the widgets say. Raises what refuses it."""
    return image_scripts.task(KIND, wish.wish(KIND))


ROOMS = (
    Room(
        key=KIND,
        title="txt2img",
        icon=":material/brush:",
        group="Images",
        page=page,
        fill=fill,
        keys={"prompt": key(KIND, "prompt"), "seed": key(KIND, "seed")},
    ),
)
