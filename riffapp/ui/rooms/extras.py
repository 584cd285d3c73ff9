"""The room where finished pictures are made larger, and their faces restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.tasks.extras import KIND, Enlarge, Face
from riffapp.ui import visitor
from riffapp.ui.components import image_table
from riffapp.ui.components.controls import key
from riffapp.ui.components.pictures import pictures
from riffapp.ui.components.several import Given, give, several
from riffapp.ui.components.sketch import size_of
from riffapp.ui.components.source import given, source
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall
from riffapp.ui.results import results

PICTURE, BATCH = f"{KIND}_picture", f"{KIND}_several"
SINGLE, MANY = "Single Image", "Batch Process"
BY, TO = "Scale by", "Scale to"
NONE = "None"
RESTORERS = ("GFPGAN", "CodeFormer")
_FIRST = {
    "way": SINGLE,
    "upscale_on": True,
    "by_or_to": BY,
    "scale": 4.0,
    "max_side": 0,
    "width": 512,
    "height": 512,
    "crop": True,
    "upscaler": "Lanczos",
    "second": NONE,
    "share": 0.0,
    "GFPGAN_on": False,
    "GFPGAN_visibility": 1.0,
    "CodeFormer_on": False,
    "CodeFormer_visibility": 1.0,
    "CodeFormer_weight": 0.0,
}
_EMPTY = ("Your pictures appear here.", "Larger, and with the settings that they came with.")


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Extras", "Make finished pictures larger, and restore faces in them.")
    recall({key(KIND, name): value for name, value in _FIRST.items()})
    left, right = bench()
    with left:
        _controls()
    with right:
        results(KIND, empty=_EMPTY, show=pictures)


def fill(task: Enlarge) -> None:
    """Put a task's settings into the widgets, its pictures too."""
    faces = {face.restorer: face for face in task.faces}
    values = dict(_FIRST) | {
        "way": SINGLE if len(task.pictures) == 1 else MANY,
        "upscale_on": task.upscaler != NONE or task.to != 1.0,
        "by_or_to": TO if isinstance(task.to, tuple) else BY,
        "crop": task.crop,
        "max_side": task.max_side,
        "upscaler": task.upscaler,
        "second": task.second or NONE,
        "share": task.share,
        **{f"{name}_on": name in faces for name in RESTORERS},
        **{f"{name}_visibility": face.visibility for name, face in faces.items()},
    }
    if isinstance(task.to, tuple):
        values |= {"width": task.to[0], "height": task.to[1]}
    else:
        values["scale"] = task.to
    if "CodeFormer" in faces:
        values["CodeFormer_weight"] = faces["CodeFormer"].weight
    put({key(KIND, name): value for name, value in values.items()})
    found = [Given(path=p, name=n) for p, n in zip(task.pictures, task.names, strict=True)]
    if len(found) > 1:
        give(BATCH, found)
    else:
        st.session_state[PICTURE] = found[0].path
        st.session_state[f"{PICTURE}_name"] = found[0].name


def _controls() -> None:
    st.segmented_control("Of", (SINGLE, MANY), key=key(KIND, "way"), required=True)
    if st.session_state[key(KIND, "way")] == SINGLE:
        source(PICTURE, "Source", "picture")
    else:
        several(BATCH, "Pictures")
    st.button(
        "Generate",
        key="make",
        type="primary",
        icon=":material/photo_size_select_large:",
        on_click=visitor.attempt,
        args=(KIND, _task),
        shortcut="Ctrl+Enter",
    )
    if st.checkbox("Upscale", key=key(KIND, "upscale_on")):
        _upscale()
    for name in RESTORERS:
        if st.checkbox(name, key=key(KIND, f"{name}_on"), help="If its weight file is here"):
            _face(name)


def _upscale() -> None:
    with st.container(border=True, key=f"{KIND}_upscale_box"):
        st.segmented_control(
            "Size", (BY, TO), required=True, label_visibility="collapsed", **_kept("by_or_to")
        )
        left, right = st.columns(2, wrap=False)
        if st.session_state[key(KIND, "by_or_to")] == BY:
            left.number_input(
                "Resize", step=0.05, format="%g", help="Times as large", **_kept("scale")
            )
            right.number_input(
                "Max side length", step=8, help="Pixels; 0 is any", **_kept("max_side")
            )
        else:
            left.number_input("Width", step=8, **_kept("width"))
            right.number_input("Height", step=8, **_kept("height"))
            st.checkbox("Crop to fit", **_kept("crop"))
        known = list(image_table.upscaler_names())
        left, right = st.columns(2, wrap=False)
        left.selectbox("Upscaler 1", known, **_kept("upscaler"))
        right.selectbox("Upscaler 2", known, **_kept("second"))
        if st.session_state[key(KIND, "second")] != NONE:
            st.number_input(
                "Upscaler 2 visibility", step=0.05, format="%g", help="0 to 1", **_kept("share")
            )


def _face(name: str) -> None:
    with st.container(border=True, key=f"{KIND}_{name}_box"):
        left, right = st.columns(2, wrap=False)
        left.number_input(
            f"{name} visibility", step=0.05, format="%g", help="0 to 1",
            **_kept(f"{name}_visibility"),
        )  # fmt: skip
        if name == "CodeFormer":
            right.number_input(
                "CodeFormer weight", step=0.05, format="%g",
                help="0 maximum effect, 1 minimum effect", **_kept("CodeFormer_weight"),
            )  # fmt: skip


def _kept(name: str) -> dict[str, Any]:
    """Of a widget that keeps what it says while it is not drawn."""
    return {"key": key(KIND, name), "persist_state": "session"}


def _task() -> Enlarge:
    """What the widgets say. Raises what refuses it."""
    s = {name: st.session_state[key(KIND, name)] for name in _FIRST}
    found = _pictures(s["way"])
    faces = tuple(
        Face(
            restorer=name,
            visibility=s[f"{name}_visibility"],
            weight=s["CodeFormer_weight"] if name == "CodeFormer" else Face.weight,
        )
        for name in RESTORERS
        if s[f"{name}_on"]
    )
    if not s["upscale_on"] and not faces:
        raise UsageError("nothing to do: tick Upscale, GFPGAN or CodeFormer")
    plain = Enlarge(
        pictures=tuple(one.path for one in found),
        names=tuple(one.name for one in found),
        upscaler=NONE,
        to=1.0,
        faces=faces,
    )
    task = replace(plain, **_larger(s)) if s["upscale_on"] else plain
    sizes = [size_of(one.path) for one in found]
    task.refuse(image_table.library(), sizes, known=image_table.allowed())
    return task


def _larger(s: Mapping[str, Any]) -> dict[str, Any]:
    by = s["by_or_to"] == BY
    return {
        "to": s["scale"] if by else (s["width"], s["height"]),
        "max_side": s["max_side"] if by else 0,
        "crop": s["crop"],
        "upscaler": s["upscaler"],
        "second": None if s["second"] == NONE else s["second"],
        "share": s["share"],
    }


def _pictures(way: str) -> Sequence[Given]:
    if way == MANY:
        found: tuple[Given, ...] = st.session_state.get(BATCH, ())
        if not found:
            raise UsageError("no pictures: give some to work on")
        return found
    picture = given(PICTURE)
    if picture is None:
        raise UsageError("no picture: give one to work on")
    name = str(st.session_state.get(f"{PICTURE}_name", picture.name))
    return (Given(path=picture, name=name),)


ROOMS = (
    Room(
        key=KIND,
        title="Extras",
        icon=":material/photo_size_select_large:",
        group="Images",
        page=page,
        fill=fill,
        takes={"picture": PICTURE},
    ),
)
