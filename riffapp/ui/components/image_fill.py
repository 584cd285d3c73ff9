"""Settings of pictures back into the widgets: from a task, or from a picture's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from riffapp import settings
from riffapp.jobs.tasks.images import Pictures
from riffapp.jobs.tasks.series import Many
from riffapp.ui import say, visitor
from riffapp.ui.components import controls, image_scripts, image_table
from riffapp.ui.components.controls import key
from riffapp.ui.components.image_wish import OPTIONAL, styles
from riffapp.ui.recall import put

if TYPE_CHECKING:
    from sdcore.infotext import Infotext
    from sdcore.types import ImageRequest


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is put into the widgets; a start and a mask are mappings of their fields."""

    request: ImageRequest
    start: Mapping[str, Any] | None = None
    mask: Mapping[str, Any] | None = None
    # None leaves what is chosen.
    checkpoint: str | None = None
    vae: str | None = None
    rounds: int = 1


def restore(room: str, task: Pictures | Many) -> None:
    """Put a task's settings into the widgets, all but its files."""
    fill(room, _said_of(task))
    image_scripts.fill(room, task)


def _said_of(task: Pictures | Many) -> Said:
    if isinstance(task, Many):
        canvas, rounds = task.canvas, 1
    else:
        canvas, rounds = next(iter(task.canvases), None), task.rounds
    return Said(
        request=task.wish.request,
        start=None if canvas is None else canvas.start,
        mask=None if canvas is None else canvas.mask,
        checkpoint=task.wish.checkpoint,
        vae=task.wish.vae,
        rounds=rounds,
    )


def fill(room: str, said: Said, *, notes: Sequence[str] = ()) -> None:
    """Put a wish into the widgets; styles that its prompts hold are taken out of them.

    `notes`, and what cannot be chosen here, stand on the page until something is made.
    """
    from sdcore.prompt import styles as texts

    request, mask = said.request, said.mask or {}
    prompt, negative, names = texts.extracted(request.prompt, request.negative, styles())
    request = replace(request, prompt=prompt, negative=negative)
    parts: dict[str, object] = {"": request, "options": request.sampler_options}
    parts |= {name: getattr(request, name) for name in ("guidance", "variation", "refiner")}
    parts |= {"faces": request.faces, "hires": request.hires}
    parts |= {"start": said.start, "mask": said.mask, "soft": mask.get("soft")}
    values: dict[str, Any] = {}
    told = list(notes)
    for part, given in parts.items():
        values |= controls.laid(room, part, image_table.table(), given)
        for control, value in controls.unknown(part, image_table.table(), given):
            instead = control.shown(control.default)
            told.append(f"{control.label} '{value}' is not here: {instead} in its place")
    values |= {key(room, f"{part}_on"): parts[part] is not None for part in OPTIONAL}
    values |= {key(room, "styles"): list(names), key(room, "rounds"): said.rounds}
    values |= {key(room, "vae"): said.vae or image_table.AUTOMATIC}
    if said.checkpoint is not None:
        values[key(room, "checkpoint")] = said.checkpoint
    put(values)
    st.session_state[key(room, "notes")] = tuple(told)


def read(room: str, found: Infotext) -> None:
    """Put what a picture's text says into the widgets, and what could not be as notes."""
    from sdcore.samplers import named

    request = found.request
    sampler, schedule = named(request.sampler)
    if schedule is not None and request.schedule == image_table.AUTOMATIC:
        request = replace(request, sampler=sampler, schedule=schedule)
    notes, checkpoint, vae = list(found.notes), None, found.extra.get("VAE")
    known = {name.rpartition("/")[2]: name for name in image_table.checkpoint_names()}
    if found.model in known:
        checkpoint = known[found.model]
    elif found.model:
        here = st.session_state.get(key(room, "checkpoint"), settings.load().image_checkpoint)
        stays = controls.called(here)
        notes.append(f"made with the checkpoint '{found.model}', which is not here: {stays} stays")
    if vae is not None and vae not in image_table.vae_names():
        notes.append(f"made with the VAE '{vae}', which is not here")
        vae = None
    said = Said(request=request, start=found.start, mask=found.mask, checkpoint=checkpoint, vae=vae)
    fill(room, said, notes=notes)
    image_scripts.plotted(room, found.extra)


def parameters(text: str) -> Infotext | None:
    """What a picture's text says; None where the text holds no parameters."""
    from sdcore import infotext

    found = infotext.read(text)
    is_read = found.request != replace(_blank(), prompt=found.request.prompt) or found.extra
    return found if is_read or found.model else None


def _blank() -> ImageRequest:
    from sdcore.types import ImageRequest

    return ImageRequest(prompt="")


def paste_button(room: str) -> None:
    st.button(
        "Read parameters",
        key=key(room, "paste"),
        icon=":material/south_west:",
        on_click=_paste,
        args=(room,),
        help="From a picture's text in the prompt box into all fields; of the last picture where "
        "the box is empty",
    )
    for note in st.session_state.get(key(room, "notes"), ()):
        say.warning(note)


def _paste(room: str) -> None:
    """As a button's callback."""
    st.session_state[f"{room}_refusal"] = None
    text = st.session_state[key(room, "prompt")]
    if not text.strip():
        works = visitor.gallery().works(owner=visitor.owner(), kinds=[room], limit=1)
        text = works[0].facts.get("parameters", "") if works else ""
    found = parameters(text)
    if found is None:
        st.session_state[f"{room}_refusal"] = (
            "no parameters to read: put a picture's text into the prompt box, with its line "
            "'Steps: 20, Sampler: …'"
        )
    else:
        read(room, found)
