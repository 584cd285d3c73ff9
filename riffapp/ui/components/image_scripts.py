"""The scripts of the image rooms: what is done with a wish instead of drawing it once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.tasks.images import Canvas, Pictures
from riffapp.jobs.tasks.refusals import refuse
from riffapp.jobs.tasks.series import Lines, Many, Matrix
from riffapp.studio.images import ImageWish, Outpaint, Redraw
from riffapp.studio.series import Axes
from riffapp.ui.components import controls, image_table, image_wish
from riffapp.ui.components.controls import key
from riffapp.ui.components.image_wish import row, told
from riffapp.ui.components.source import given, source
from riffapp.ui.recall import put, recall

if TYPE_CHECKING:
    from sdcore.xyz import Values

NONE, MATRIX, LINES, PLOT = "None", "Prompt matrix", "Prompts from file or textbox", "X/Y/Z plot"
MK2, POOR, LOOPBACK = "Outpainting mk2", "Poor man's outpainting", "Loopback"
REDRAW, ALTERNATIVE = "SD upscale", "img2img alternative test"
SERIES = (MATRIX, LINES, PLOT)
SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "txt2img": (NONE, *SERIES),
    "img2img": (NONE, *SERIES, MK2, POOR, LOOPBACK, REDRAW, ALTERNATIVE),
}
# The part of the table that each script is asked with, and the rows in which it is laid out.
PARTS: Mapping[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    MATRIX: ("matrix", (("over",), ("at_start", "different_seeds"), ("margin",))),
    LINES: ("lines", (("text",), ("iterate_seed",))),
    PLOT: ("axes", (("keeps_random", "varies.0"), ("varies.1", "varies.2"), ("margin",))),
    MK2: ("mk2", (("pixels", "blur"), ("falloff", "variation"), ("sides",))),
    POOR: ("poor", (("pixels", "blur"), ("content",), ("sides",))),
    LOOPBACK: ("loopback", (("loops", "last_strength"), ("curve",))),
    REDRAW: ("redraw", (("scale", "overlap"), ("upscaler",))),
    ALTERNATIVE: ("alternative", (("prompt",), ("negative",), ("cfg", "randomness"), ("reverse",))),
}
MAX_FILE_BYTES = 1 << 20
_LETTERS = "xyz"


def script(room: str) -> None:
    """The choice of a script, and what belongs to the chosen one."""
    recall({key(room, "script"): NONE, key(room, "cells"): False} | _first_axes(room))
    chosen = st.selectbox("Script", SCRIPTS[room], key=key(room, "script"))
    if chosen == NONE:
        return
    part, rows = PARTS[chosen]
    with st.container(border=True, key=f"{room}_script_box"):
        if chosen == PLOT:
            for letter in _LETTERS:
                _axis(room, letter)
        if chosen == LINES:
            source(key(room, "lines_file"), "A file of prompts, instead of the box", "text")
        for names in rows:
            row(room, *(f"{part}.{name}" for name in names))
        if chosen in (MATRIX, PLOT):
            st.checkbox(
                "Keep each picture too", key=key(room, "cells"), persist_state="session",
                help="Not only the labelled sheet",
            )  # fmt: skip


def task(room: str, wish: ImageWish, canvases: Sequence[Canvas] = ()) -> Pictures | Many:
    """What is asked for: a wish, from canvases if there are any, by the script.

    Raises UsageError and sdcore's errors for what can be refused without a model.
    """
    chosen, rounds = st.session_state[key(room, "script")], image_wish.rounds(room)
    if chosen in SERIES:
        return _series(room, chosen, wish, canvases)
    if chosen == ALTERNATIVE:
        canvases = [_inverted(room, canvas) for canvas in canvases]
    wish = _around(room, chosen, wish)
    made = Pictures(wish=wish, canvases=tuple(canvases), rounds=rounds)
    library, known = image_table.library(), image_table.allowed()
    for canvas in canvases or (None,):
        refuse(library, wish, canvas, known=known)
    return made


def fill(room: str, made: Pictures | Many) -> None:
    """Choose the script that a task was made with, and fill its widgets."""
    chosen, parts = _said_by(made)
    values: dict[str, Any] = {key(room, "script"): chosen}
    for part, what in parts.items():
        values |= controls.laid(room, part, image_table.table(), what)
    if isinstance(made, Many):
        values[key(room, "cells")] = made.cells
        if isinstance(made.how, Axes):
            values |= _laid_axes(room, made.how)
    put(values)
    if chosen == LINES:
        st.session_state.pop(key(room, "lines_file"), None)


def plotted(room: str, extra: Mapping[str, str]) -> None:
    """Choose the plot whose axes a picture's text names, if it names any."""
    from sdcore.xyz import AXES

    values: dict[str, Any] = {}
    for letter in _LETTERS:
        name = extra.get(f"{letter.upper()} Type", image_table.NO_AXIS)
        line = extra.get(f"{letter.upper()} Values", "")
        if name in AXES:
            values |= _laid_axis(room, letter, name, line)
    put(values | {key(room, "script"): PLOT} if values else {key(room, "script"): NONE})


# ---- series -----------------------------------------------------------------------------------


def _series(room: str, chosen: str, wish: ImageWish, canvases: Sequence[Canvas]) -> Many:
    if len(canvases) > 1:
        raise UsageError(f"{chosen} of several pictures: give one")
    rounds, how = image_wish.rounds(room), _how(room, chosen)
    if isinstance(how, Lines):
        wish = replace(wish, request=replace(wish.request, batch=wish.request.batch * rounds))
    elif rounds != 1 or wish.request.batch != 1:
        raise UsageError(f"{chosen} draws one picture of each: set batch count and size to 1")
    if isinstance(how, Axes) and how.keeps_random:
        wish = replace(wish, request=replace(wish.request, seed=_typed_seed(room)))
    canvas = canvases[0] if canvases else None
    made = Many(
        wish=wish,
        how=how,
        canvas=canvas,
        styles=image_wish.styles_file(),
        cells=st.session_state[key(room, "cells")],
    )
    library, known = image_table.library(), image_table.allowed()
    refuse(library, wish, canvas, known=known)
    made.refuse(library, known=known)
    return made


def _typed_seed(room: str) -> int:
    """The seed before it was drawn."""
    seed: int = told(room, "")["seed"]
    return seed


def _how(room: str, chosen: str) -> Axes | Matrix | Lines:
    part, _ = PARTS[chosen]
    if chosen == MATRIX:
        return Matrix(**told(room, part))
    if chosen == LINES:
        said = told(room, part)
        return Lines(**said | {"text": _lines_of(room) or said["text"]})
    x, y, z = (_values(room, letter) for letter in _LETTERS)
    if x is y is z is None:
        raise UsageError("a plot without an axis: choose one for X, Y or Z")
    return Axes(x=x, y=y, z=z, **told(room, part))


def _lines_of(room: str) -> str:
    path = given(key(room, "lines_file"))
    if path is None:
        return ""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UsageError("the file of prompts is larger than 1 MiB: give fewer lines")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("the file of prompts is no UTF-8: save it so") from error


def _axis(room: str, letter: str) -> None:
    """One axis: what it varies, and its values, typed or of those that are known."""
    from sdcore.xyz import AXES

    left, right = st.columns([2, 3], wrap=False)
    left.selectbox(
        f"{letter.upper()} type", (image_table.NO_AXIS, *AXES), key=key(room, f"{letter}_axis"),
        persist_state="session",
    )  # fmt: skip
    axis = st.session_state[key(room, f"{letter}_axis")]
    label = f"{letter.upper()} values"
    if axis in _KNOWN:
        name = key(room, f"{letter}_names")
        known = dict.fromkeys((*_KNOWN[axis](), *st.session_state[name]))
        right.multiselect(
            label, list(known), key=name, accept_new_options=True, persist_state="session"
        )
    else:
        right.text_input(
            label, key=key(room, f"{letter}_line"), disabled=axis == image_table.NO_AXIS,
            persist_state="session",
            help='1, 5, 9 or 1-5 or 1-10 (+3) or 1-10 [4]; texts with commas in quotes: "a, b", c',
        )  # fmt: skip


def _values(room: str, letter: str) -> Values | None:
    from sdcore.xyz import Values

    axis = st.session_state[key(room, f"{letter}_axis")]
    if axis == image_table.NO_AXIS:
        return None
    if axis not in _KNOWN:
        return Values(axis=axis, line=st.session_state[key(room, f"{letter}_line")])
    written = io.StringIO()
    csv.writer(written).writerow(st.session_state[key(room, f"{letter}_names")])
    return Values(axis=axis, line=written.getvalue().strip())


def _first_axes(room: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for letter in _LETTERS:
        values |= _laid_axis(room, letter, image_table.NO_AXIS, "")
    return values


def _laid_axes(room: str, axes: Axes) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for letter in _LETTERS:
        one: Values | None = getattr(axes, letter)
        name, line = (image_table.NO_AXIS, "") if one is None else (one.axis, one.line)
        values |= _laid_axis(room, letter, name, line)
    return values


def _laid_axis(room: str, letter: str, name: str, line: str) -> dict[str, Any]:
    rows = csv.reader(io.StringIO(line), skipinitialspace=True)
    names = [value.strip() for row in rows for value in row] if name in _KNOWN else []
    said = {"axis": name, "names": names, "line": line}
    return {key(room, f"{letter}_{what}"): value for what, value in said.items()}


# ---- what is done with a picture --------------------------------------------------------------


def _around(room: str, chosen: str, wish: ImageWish) -> ImageWish:
    from sdcore.grow import Mk2Way, PoorMansWay

    if chosen in (MK2, POOR):
        part, _ = PARTS[chosen]
        said = told(room, part)
        sides = said.pop("sides")
        way = Mk2Way(**said) if chosen == MK2 else PoorMansWay(**said)
        return replace(wish, script=Outpaint(way=way, sides=sides))
    if chosen == REDRAW:
        return replace(wish, script=Redraw(**told(room, "redraw")))
    if chosen == LOOPBACK:
        return replace(wish, **told(room, "loopback"))
    return wish


def _inverted(room: str, canvas: Canvas) -> Canvas:
    from sdcore.types import Alternative

    alternative = Alternative(**told(room, "alternative"))
    return replace(canvas, start={**canvas.start, "alternative": alternative})


def _said_by(made: Pictures | Many) -> tuple[str, dict[str, object]]:
    """The script of a task, and what its parts of the table are filled from."""
    from sdcore.grow import PoorMansWay

    if isinstance(made, Many):
        kinds: tuple[tuple[type[Any], str], ...] = ((Matrix, MATRIX), (Lines, LINES), (Axes, PLOT))
        chosen = next(name for kind, name in kinds if isinstance(made.how, kind))
        return chosen, {PARTS[chosen][0]: made.how}
    wish, script = made.wish, made.wish.script
    if isinstance(script, Redraw):
        return REDRAW, {"redraw": script}
    if isinstance(script, Outpaint):
        chosen = POOR if isinstance(script.way, PoorMansWay) else MK2
        return chosen, {PARTS[chosen][0]: vars(script.way) | {"sides": script.sides}}
    if wish.loops > 1:
        return LOOPBACK, {"loopback": wish}
    starts = [canvas.start.get("alternative") for canvas in made.canvases]
    if any(starts):
        return ALTERNATIVE, {"alternative": starts[0]}
    return NONE, {}


def _styles() -> list[str]:
    return list(image_wish.styles())


# Axes whose values have names that are known.
_KNOWN: Mapping[str, Callable[[], Any]] = {
    "Sampler": image_table.sampler_names,
    "Hires sampler": image_table.sampler_names,
    "Schedule type": image_table.schedule_names,
    "Hires schedule type": image_table.schedule_names,
    "Checkpoint name": image_table.checkpoint_names,
    "Hires checkpoint": image_table.checkpoint_names,
    "Refiner checkpoint": image_table.checkpoint_names,
    "VAE": lambda: [name for name in image_table.vae_names() if name != image_table.AUTOMATIC],
    "Hires upscaler": image_table.hires_upscaler_names,
    "Styles": _styles,
    "Face restore": lambda: ["None", *image_table.restorer_names()],
    "Tiling": lambda: image_table.words_of("Tiling").values(),
    "Emphasis": lambda: image_table.words_of("Emphasis").values(),
    "RNG source": lambda: image_table.words_of("NoiseSource").values(),
    "Resize mode": lambda: image_table.words_of("Resize").values(),
    "Masked content": lambda: image_table.words_of("Content").values(),
    "Decode reverse": lambda: image_table.words_of("Reverse").values(),
    "Compat": lambda: image_table.words_of("Compat").values(),
}
