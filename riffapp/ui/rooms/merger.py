"""The room where two or three checkpoints become one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from riffapp import settings
from riffapp.errors import RiffappError, UsageError
from riffapp.jobs.tasks.merge import KIND, SUFFIX, Merge
from riffapp.studio import inventory
from riffapp.ui import say, visitor
from riffapp.ui.components import image_table
from riffapp.ui.components.controls import key
from riffapp.ui.frame import bench, headline
from riffapp.ui.here import is_here
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall
from riffapp.ui.results import results

if TYPE_CHECKING:
    from sdcore.models.merge import Method

METHODS: dict[str, Method] = {
    "No interpolation": "no interpolation",
    "Weighted sum": "weighted sum",
    "Add difference": "add difference",
}
FORMULAS = {
    "No interpolation": "A as it is, for another precision or VAE",
    "Weighted sum": "A (1 - M) + B M",
    "Add difference": "A + (B - C) M",
}
WANTED = {"No interpolation": "A", "Weighted sum": "AB", "Add difference": "ABC"}
_LETTERS = {"A": "Primary model (A)", "B": "Secondary model (B)", "C": "Tertiary model (C)"}
_FIRST: dict[str, Any] = {
    "A": None,
    "B": None,
    "C": None,
    "name": "",
    "multiplier": 0.3,
    "method": "Weighted sum",
    "half": False,
    "vae": None,
    "discard": "",
}
_EMPTY = (
    "Your recipes appear here.",
    "The merged checkpoint itself goes beside model A, and every image room finds it at once.",
)


def page() -> None:
    """Draw the room as the session has it now."""
    headline(
        "Checkpoint merger", "Two or three single-file checkpoints into one, tensor by tensor."
    )
    recall({key(KIND, name): value for name, value in _FIRST.items()})
    left, right = bench()
    with left:
        try:
            _controls(_files("checkpoint"), _files("VAE"))
        except RiffappError as error:
            say.error(str(error))
    with right:
        results(KIND, empty=_EMPTY)


def fill(task: Merge) -> None:
    """Put a recipe into the widgets, its name aside: that file is there already."""
    there = {path: name for name, path in _files("checkpoint").items()}
    vaes = {path: name for name, path in _files("VAE").items()}
    letters = dict(zip("ABC", (there.get(model) for model in task.models), strict=False))
    values = dict(_FIRST) | letters
    values |= {"multiplier": task.multiplier, "discard": task.discard}
    values |= {"method": next(label for label, name in METHODS.items() if name == task.method)}
    values |= {"half": task.precision == "fp16", "vae": vaes.get(task.vae or "")}
    put({key(KIND, name): value for name, value in values.items()})


def _files(kind: Any) -> dict[str, str]:
    """The files that can be read tensor by tensor, by name."""
    there = image_table.library().folders.all(kind)
    return {one.name: str(one.path) for one in there if one.path.suffix == SUFFIX}


def _controls(models: dict[str, str], vaes: dict[str, str]) -> None:
    if not is_here():
        st.markdown("Models are merged on the computer that riffapp runs on.")
        return
    if not models:
        places = {place.kind: place.folder for place in inventory.places(settings.load())}
        where = places["checkpoint"]
        say.warning(f"no single-file checkpoint is here: put {SUFFIX} files into {where}")
    wanted = WANTED[st.session_state[key(KIND, "method")]]
    for letter, label in _LETTERS.items():
        hint = "Choose a checkpoint" if letter in wanted else "Not for this method"
        _select(letter, label, models, hint, disabled=letter not in wanted)
    left, right = st.columns(2, wrap=False)
    left.selectbox("Interpolation method", list(METHODS), key=key(KIND, "method"))
    right.number_input("Multiplier (M)", step=0.05, format="%g", key=key(KIND, "multiplier"))
    st.caption(FORMULAS[st.session_state[key(KIND, "method")]])
    st.text_input("Custom name", key=key(KIND, "name"), help="Empty: made of the models' names")
    st.button(
        "Merge",
        key="make",
        type="primary",
        icon=":material/merge:",
        on_click=visitor.attempt,
        args=(KIND, _task),
        shortcut="Ctrl+Enter",
    )
    with st.expander("More", icon=":material/tune:"):
        st.checkbox("Save as float16", key=key(KIND, "half"), help="Half the size")
        _select("vae", "Bake in VAE", vaes, "None")
        st.text_input(
            "Discard weights with matching name", key=key(KIND, "discard"),
            help="A regular expression of tensors' names",
        )  # fmt: skip


def _select(
    name: str, label: str, known: dict[str, str], hint: str, *, disabled: bool = False
) -> None:
    if st.session_state[key(KIND, name)] not in known:  # it has gone since
        st.session_state[key(KIND, name)] = None
    st.selectbox(
        label, list(known), index=None, key=key(KIND, name), placeholder=hint, disabled=disabled
    )


def _task() -> Merge:
    """What the widgets say. Raises what refuses it."""
    s = {name: st.session_state[key(KIND, name)] for name in _FIRST}
    models, vaes = _files("checkpoint"), _files("VAE")
    wanted = WANTED[s["method"]]
    lacking = [letter for letter in wanted if s[letter] is None]
    if lacking:
        raise UsageError(f"{s['method']} without the model {lacking[0]}: choose one")
    chosen = [models[s[letter]] for letter in wanted]
    name = s["name"].strip() or _named([Path(model).stem for model in chosen], s)
    task = Merge(
        models=tuple(chosen),
        folder=str(Path(chosen[0]).parent),  # where its tokenizer is, if it has one beside it
        name=name.removesuffix(SUFFIX),
        method=METHODS[s["method"]],
        multiplier=s["multiplier"],
        vae=None if s["vae"] is None else vaes[s["vae"]],
        discard=s["discard"].strip(),
        precision="fp16" if s["half"] else None,
    )
    task.refuse()
    return task


def _named(models: list[str], s: dict[str, Any]) -> str:
    """A name that says the recipe."""
    m = f"{s['multiplier']:g}"
    if len(models) == 1:
        return f"{models[0]}-copy"
    if len(models) == 2:
        return f"{1 - s['multiplier']:g}({models[0]}) + {m}({models[1]})"
    return f"{models[0]} + {m}({models[1]} - {models[2]})"


ROOMS = (
    Room(
        key=KIND,
        title="Checkpoint merger",
        icon=":material/merge:",
        group="Images",
        page=page,
        fill=fill,
    ),
)
