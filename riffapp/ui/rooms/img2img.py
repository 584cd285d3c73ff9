"""The room where a picture is made from a picture: redrawn, sketched on, inpainted, grown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import streamlit as st

from riffapp.errors import RiffappError, UsageError
from riffapp.jobs.tasks.images import Canvas, Pictures, Way
from riffapp.jobs.tasks.series import Many
from riffapp.ui import say, visitor
from riffapp.ui.components import image_fill, image_scripts
from riffapp.ui.components import image_wish as wish
from riffapp.ui.components.controls import key
from riffapp.ui.components.pictures import pictures
from riffapp.ui.components.several import Given, give, several
from riffapp.ui.components.sketch import drawn, lay, size_of, sketch
from riffapp.ui.components.source import given, source
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall
from riffapp.ui.results import results

KIND = "img2img"
PICTURE, MASK, BATCH = f"{KIND}_picture", f"{KIND}_mask_file", f"{KIND}_several"
SKETCHED, MASKED = f"{KIND}_sketched", f"{KIND}_masked"
WAYS: tuple[Way, ...] = get_args(Way)
_MASKS = ("Inpaint", "Inpaint sketch", "Inpaint upload")
# Tabs in which a person draws: where that stands in the session, and whether it is in colours.
_DRAWN = {
    "Sketch": (SKETCHED, True),
    "Inpaint": (MASKED, False),
    "Inpaint sketch": (SKETCHED, True),
}
_LONGEST = 1024  # side that a picture of its own asks for; more is for who types it
_EMPTY = (
    "Your pictures appear here.",
    "Give one to begin from, or send one here from another room: a spectrogram is a picture too.",
)


def page() -> None:
    """Draw the room as the session has it now."""
    headline("img2img")
    try:
        wish.begin(KIND)
        recall({key(KIND, "way"): "img2img", key(KIND, "transparency"): 0})
    except RiffappError as error:
        say.error(str(error))
        return
    left, right = bench()
    with left:
        _controls()
    with right:
        results(KIND, empty=_EMPTY, show=pictures)


def fill(task: Pictures | Many) -> None:
    """Put a task's settings into the widgets: seeds, pictures and drawings too."""
    image_fill.restore(KIND, task)
    canvases = (task.canvas,) if isinstance(task, Many) else task.canvases
    if canvases and canvases[0] is not None:
        _lay(canvases[0])


def _lay(canvas: Canvas) -> None:
    """Put back what a picture was begun from."""
    put({key(KIND, "way"): canvas.way})
    put({key(KIND, "transparency"): round(100 * (1 - canvas.opacity))})
    if canvas.way == "Batch":
        give(BATCH, [Given(path=canvas.picture, name=canvas.picture.name)])
        return
    st.session_state[PICTURE] = canvas.picture
    st.session_state[f"{PICTURE}_fitted"] = canvas.picture
    lay(SKETCHED, canvas.picture, canvas.sketch)
    if canvas.way == "Inpaint upload":
        st.session_state[MASK] = canvas.covers
    else:
        lay(MASKED, canvas.picture, canvas.covers)


# ---- widgets ----------------------------------------------------------------------------------


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
    st.segmented_control("Begin from", WAYS, key=key(KIND, "way"), required=True, wrap=True)
    way: Way = st.session_state[key(KIND, "way")]
    _pictures(way)
    if way in _MASKS:
        _mask()
    wish.row(KIND, "start.strength", "start.resize")
    wish.row(KIND, "width", "height")
    with st.container(horizontal=True, key=f"{KIND}_sizes"):
        wish.swap_button(KIND)
        _own_size()
    wish.model(KIND)
    wish.sampling(KIND)
    wish.batches(KIND)
    wish.seed(KIND)
    wish.refiner(KIND)
    wish.faces(KIND)
    with st.expander("More about the start", icon=":material/image:"):
        wish.row(KIND, "start.noise_multiplier", "start.extra_noise")
        wish.row(KIND, "start.exact_steps", "start.colour_correction")
    wish.advanced(KIND)
    image_scripts.script(KIND)


def _pictures(way: Way) -> None:
    """What the tab begins from."""
    if way == "Batch":
        several(BATCH, "Pictures, each redrawn with the same settings")
        return
    picture = given(PICTURE)
    if picture is None or way not in _DRAWN:
        picture = source(PICTURE, "Picture", "picture")
    else:
        _head()
    if picture is None:
        return
    if st.session_state.get(f"{PICTURE}_fitted") != picture:
        st.session_state[f"{PICTURE}_fitted"] = picture
        _fit(picture)
    if way in _DRAWN:
        place, colours = _DRAWN[way]
        sketch(place, picture, colours=colours)
    if way == "Inpaint sketch":
        st.number_input(
            "Mask transparency", step=5, key=key(KIND, "transparency"), persist_state="session",
            help="Per cent, 0 to 100",
        )  # fmt: skip
    if way == "Inpaint upload":
        source(MASK, "Mask: white is done again", "picture")


def _head() -> None:
    """The name of the picture that is drawn on, and a way to another one."""
    name = str(st.session_state.get(f"{PICTURE}_name", "the picture"))
    with st.container(horizontal=True, vertical_alignment="center", key=f"{PICTURE}_head"):
        st.markdown(f":material/attach_file: {say.plain(name)}")
        st.button(
            "Another picture",
            key=f"{PICTURE}_other",
            type="tertiary",
            on_click=st.session_state.pop,
            args=(PICTURE, None),
        )


def _mask() -> None:
    with st.container(border=True, key=f"{KIND}_mask_box"):
        wish.row(KIND, "mask.inverted", "mask.content")
        wish.row(KIND, "mask.only_masked", "mask.padding")
        wish.row(KIND, "mask.blur", "mask.conditioning_strength")
        if wish.optional(KIND, "soft", "Soft inpainting"):
            wish.row(KIND, "soft.schedule_bias", "soft.preservation")
            wish.row(KIND, "soft.transition_contrast", "soft.mask_influence")
            wish.row(KIND, "soft.difference_threshold", "soft.difference_contrast")


def _own_size() -> None:
    picture = given(PICTURE)
    if picture is None or st.session_state[key(KIND, "way")] == "Batch":
        return
    width, height = size_of(picture)
    st.button(
        f"The picture's size ({width} x {height})",
        key=key(KIND, "own_size"),
        icon=":material/aspect_ratio:",
        type="tertiary",
        on_click=_fit,
        args=(picture,),
        help=f"In multiples of 8, the longer side at most {_LONGEST}",
    )


def _fit(picture: Path) -> None:
    """Ask for a picture as large as this one, and of its shape."""
    sides = size_of(picture)
    factor = min(1.0, _LONGEST / max(sides))
    width, height = (max(8, round(side * factor / 8) * 8) for side in sides)
    put({key(KIND, "width"): width, key(KIND, "height"): height})


# ---- what they say ----------------------------------------------------------------------------


def _task() -> Pictures | Many:
    """What the widgets say. Raises what refuses it."""
    return image_scripts.task(KIND, wish.wish(KIND), _canvases())


def _canvases() -> Sequence[Canvas]:
    way: Way = st.session_state[key(KIND, "way")]
    begun: dict[str, Any] = {"start": wish.told(KIND, "start"), "way": way}
    if way == "Batch":
        found: tuple[Given, ...] = st.session_state.get(BATCH, ())
        if not found:
            raise UsageError("no pictures: give some to begin from")
        return [Canvas(picture=one.path, **begun) for one in found]
    picture = given(PICTURE)
    if picture is None:
        raise UsageError("no picture: give one to begin from")
    if way in ("Sketch", "Inpaint sketch"):
        begun["sketch"] = drawn(SKETCHED, picture)
    if way == "Inpaint sketch":
        begun["opacity"] = _opacity()
    if way == "Inpaint":
        begun["covers"] = drawn(MASKED, picture)
    if way == "Inpaint upload":
        begun["covers"] = _uploaded(picture)
    if way in _MASKS:
        if begun.get("covers") is None and begun.get("sketch") is None:
            raise UsageError("nothing is masked: draw on the picture what is to be done again")
        begun["mask"] = _masking()
    return [Canvas(picture=picture, **begun)]


def _masking() -> dict[str, Any]:
    from sdcore.types import Soft

    soft = Soft(**wish.told(KIND, "soft")) if wish.is_on(KIND, "soft") else None
    return wish.told(KIND, "mask") | {"soft": soft}


def _opacity() -> float:
    transparency: int = st.session_state[key(KIND, "transparency")] or 0
    if not 0 <= transparency <= 100:
        raise UsageError(f"a mask transparency of {transparency}: give 0 to 100 per cent")
    return 1 - transparency / 100


def _uploaded(picture: Path) -> Path:
    covers = given(MASK)
    if covers is None:
        raise UsageError("no mask: give a picture whose white part is done again")
    if size_of(covers) != size_of(picture):
        drawn, wanted = ("{} x {}".format(*size_of(path)) for path in (covers, picture))
        raise UsageError(f"a mask of {drawn} pixels on a picture of {wanted}: give equal sizes")
    return covers


ROOMS = (
    Room(
        key=KIND,
        title="img2img",
        icon=":material/draw:",
        group="Images",
        page=page,
        fill=fill,
        keys={"prompt": key(KIND, "prompt"), "seed": key(KIND, "seed")},
        takes={"picture": PICTURE},
    ),
)
