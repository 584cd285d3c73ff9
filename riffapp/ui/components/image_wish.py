"""What a picture is asked for with: the widgets that txt2img and img2img share, and what they say.

`begin` first, then the groups in the order of the page; `wish` in the callback of the button. The
way back, from settings into widgets, is in image_fill.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from riffapp import settings
from riffapp.errors import UsageError
from riffapp.studio import checkpoints, prompts
from riffapp.studio.images import ImageWish
from riffapp.ui import map as plan
from riffapp.ui import say, visitor
from riffapp.ui.components import controls, image_table
from riffapp.ui.components.controls import key
from riffapp.ui.recall import apart, drop, put, recall

if TYPE_CHECKING:
    from sdcore.prompt.styles import Style
    from sdcore.types import ImageRequest

STYLES, WILDCARDS = "styles.csv", "wildcards"
# Parts that are there only where their box is ticked.
OPTIONAL = ("variation", "refiner", "faces", "hires", "soft")
MAX_ROUNDS = 100
EXAMPLE = "a red boat and a yellow house on a beach at sunset, watercolour"
_LIKED = ("width", "height", "steps", "cfg", "sampler", "schedule")


def begin(room: str) -> None:
    """Fill what the session has not chosen yet, and say what the chosen model can draw.

    Raises RiffappError for settings that cannot be read.
    """
    recall({key(room, "checkpoint"): settings.load().image_checkpoint})
    liked = checkpoints.liked(st.session_state[key(room, "checkpoint")])
    own = {key(room, name): value for name, value in liked.items()}
    recall({name: copy(value) for name, value in (_first(room) | own).items()})
    _about(room)


@cache
def _first(room: str) -> dict[str, Any]:
    own: dict[str, Any] = {"rounds": 1, "vae": image_table.AUTOMATIC, "styles": []}
    own |= {f"{part}_on": False for part in OPTIONAL}
    return controls.first(room, image_table.table()) | {key(room, n): v for n, v in own.items()}


def _about(room: str) -> None:
    """What the embedded model is, where that is the one, and the way to others."""
    checkpoint = st.session_state[key(room, "checkpoint")]
    if checkpoint not in checkpoints.names():
        return
    paints = (
        "paints spectrograms of loops, not things or scenes"
        if checkpoints.has_sound(checkpoint)
        else f"draws small scenes from a few words, such as *{EXAMPLE}*"
    )
    with st.container(horizontal=True, vertical_alignment="center", key=f"{room}_about"):
        st.caption(
            f"The embedded model **{checkpoint}** {paints}. For all else load a full one.",
            width="content",
        )
        st.button(
            "Models", key=f"{room}_models", icon=":material/deployed_code:", type="tertiary",
            on_click=plan.open_room, args=("models",),
            help="Fetch a Stable Diffusion checkpoint, or see where to put its file",
        )  # fmt: skip


# ---- widgets ----------------------------------------------------------------------------------


def row(room: str, *paths: str) -> None:
    """Widgets of the table side by side."""
    controls.row(room, image_table.table(), *paths)


def model(room: str) -> None:
    """Which checkpoint draws, and which autoencoder."""
    left, right = st.columns(2, wrap=False)
    name = key(room, "checkpoint")
    known = dict.fromkeys((*image_table.checkpoint_names(), st.session_state[name]))
    left.selectbox(
        "Checkpoint", list(known), key=name, accept_new_options=True, on_change=_forget,
        args=(room,), format_func=controls.called,
        help="Choose one, or type a file, a folder or a hub id (owner/name)",
    )  # fmt: skip
    vaes = list(image_table.vae_names())
    if st.session_state[key(room, "vae")] not in vaes:
        st.session_state[key(room, "vae")] = image_table.AUTOMATIC
    right.selectbox("SD VAE", vaes, key=key(room, "vae"))


def _forget(room: str) -> None:
    """Another checkpoint likes other settings best; a size that follows a picture stays."""
    drop(key(room, name) for name in (_LIKED if room == "txt2img" else _LIKED[2:]))


@apart
def words(room: str) -> None:
    """Prompts and styles, and the way to read a picture's parameters into everything."""
    row(room, "prompt")
    _hints(room)
    row(room, "negative")
    known = list(styles())
    if known:
        chosen = st.session_state[key(room, "styles")]
        st.session_state[key(room, "styles")] = [name for name in chosen if name in known]
        st.multiselect(
            "Styles", known, key=key(room, "styles"), persist_state="session",
            help="Put around the prompts when it is made",
        )  # fmt: skip


def _hints(room: str) -> None:
    """What an embedded model was never taught, and what it knows."""
    taught = checkpoints.taught(st.session_state[key(room, "checkpoint")])
    if not taught:
        return
    every = [word for group in taught.values() for word in group]
    for word in prompts.unknown_words(st.session_state[key(room, "prompt")], every):
        say.warning(str(word))
    with st.popover("Words that it knows", icon=":material/sell:", type="tertiary"):
        for name, group in taught.items():
            st.markdown(f"**{name.capitalize()}**: {', '.join(group)}")


@apart
def sampling(room: str) -> None:
    row(room, "sampler", "schedule")
    row(room, "steps", "cfg")


def swap_button(room: str) -> None:
    st.button(
        "Swap", key=key(room, "swap"), icon=":material/swap_horiz:", type="tertiary",
        on_click=_swap, args=(room,), help="Swap width and height",
    )  # fmt: skip


def _swap(room: str) -> None:
    width, height = key(room, "width"), key(room, "height")
    put({width: st.session_state[height], height: st.session_state[width]})


def batches(room: str) -> None:
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Batch count", step=1, key=key(room, "rounds"), help="Batches one after the other"
    )
    with right:
        row(room, "batch")


@apart
def seed(room: str) -> None:
    """The seed with dice and reuse, and its neighbours."""
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{room}_seeds"):
        with st.container(width=180):
            row(room, "seed")
        st.button(
            "Random", key=key(room, "dice"), icon=":material/casino:", on_click=_seeded,
            args=(room, None), help="Seed -1: a new one each time",
        )  # fmt: skip
        st.button(
            "Reuse", key=key(room, "reuse"), icon=":material/recycling:", on_click=_seeded,
            args=(room, "seed"), help="The seed of the last picture",
        )  # fmt: skip
    if optional(room, "variation", "Extra"):
        row(room, "variation.seed", "variation.strength")
        row(room, "variation.resize_from.0", "variation.resize_from.1")


def _seeded(room: str, fact: str | None) -> None:
    works = visitor.gallery().works(owner=visitor.owner(), kinds=[room], limit=1)
    last = works[0].facts.get("seed", -1) if works and fact else -1
    put({key(room, "seed"): last})


def optional(room: str, part: str, label: str, *, help: str | None = None) -> bool:
    """A box to tick for what need not be there; whether it is."""
    return st.checkbox(label, key=key(room, f"{part}_on"), help=help, persist_state="session")


@apart
def hires(room: str) -> None:
    if not optional(room, "hires", "Hires. fix", help="A second pass, larger"):
        return
    with st.container(border=True, key=f"{room}_hires_box"):
        row(room, "hires.upscaler", "hires.steps")
        row(room, "hires.strength", "hires.scale")
        row(room, "hires.width", "hires.height")
        row(room, "hires.checkpoint", "hires.cfg")
        row(room, "hires.sampler", "hires.schedule")
        row(room, "hires.prompt")
        row(room, "hires.negative")


@apart
def refiner(room: str) -> None:
    if optional(room, "refiner", "Refiner", help="Another checkpoint that takes over on the way"):
        row(room, "refiner.checkpoint", "refiner.switch_at")


@apart
def faces(room: str) -> None:
    if optional(
        room, "faces", "Restore faces", help="By GFPGAN or CodeFormer, if its file is here"
    ):
        row(room, "faces.restorer")
        row(room, "faces.visibility", "faces.weight")


@apart
def advanced(room: str) -> None:
    """All that may stay as it is."""
    with st.expander("Advanced", icon=":material/tune:"):
        row(room, "tiling", "clip_skip")
        row(room, "guidance.rescale", "guidance.ngms")
        row(room, "guidance.interval.0", "guidance.interval.1")
        row(room, "guidance.image_cfg", "emphasis")
        row(room, "noise", "eta_noise_delta")
        row(room, "compat", "discard_penultimate")
        st.caption("Of the sampler: empty is its own, and each takes only those that it has")
        row(room, "options.eta", "options.s_noise")
        row(room, "options.s_churn", "options.s_tmin", "options.s_tmax")


# ---- what they say ----------------------------------------------------------------------------


def told(room: str, part: str) -> dict[str, Any]:
    """The fields that a part's widgets say."""
    return controls.told(room, part, image_table.table())


def is_on(room: str, part: str) -> bool:
    return bool(st.session_state[key(room, f"{part}_on")])


def rounds(room: str) -> int:
    """The batch count. Raises UsageError for one that the page does not make."""
    said = st.session_state[key(room, "rounds")]
    count = 1 if said is None else int(said)
    if not 1 <= count <= MAX_ROUNDS:
        raise UsageError(f"a batch count of {count}: give 1 to {MAX_ROUNDS}")
    return count


def wish(room: str) -> ImageWish:
    """What the widgets say, seeds drawn, styles put on and wildcards drawn: all but a start.

    Raises UsageError and sdcore's errors.
    """
    st.session_state.pop(key(room, "notes"), None)  # of what was read before
    label = st.session_state[key(room, "vae")]
    return ImageWish(
        request=_composed(room, _drawn(_request(room), rounds(room))),
        checkpoint=st.session_state[key(room, "checkpoint")] or "",
        vae=None if label == image_table.AUTOMATIC else label,
    )


def _request(room: str) -> ImageRequest:
    from sdcore.types import Faces, Guidance, Hires, ImageRequest, Refiner, Variation

    options = {name: value for name, value in told(room, "options").items() if value is not None}
    variation = None
    if is_on(room, "variation"):
        varied = told(room, "variation")
        sides = varied["resize_from"]
        variation = Variation(**varied | {"resize_from": sides if any(sides) else None})
    refining = Refiner(**told(room, "refiner")) if is_on(room, "refiner") else None
    if refining is not None and not refining.checkpoint:
        raise UsageError("a refiner without a checkpoint: choose one, or leave the refiner out")
    return ImageRequest(
        **told(room, ""),
        guidance=Guidance(**told(room, "guidance")),
        sampler_options=options,
        variation=variation,
        refiner=refining,
        faces=Faces(**told(room, "faces")) if is_on(room, "faces") else None,
        hires=Hires(**told(room, "hires")) if is_on(room, "hires") else None,
    )


def _drawn(request: ImageRequest, rounds: int) -> ImageRequest:
    """The request with its seeds, so that a job that is run again makes the same."""
    if request.batch < 1:
        raise UsageError(f"a batch size of {request.batch}: give 1 or more")

    def seed() -> int:
        return secrets.randbelow(2**32 - request.batch * rounds)

    variation = request.variation
    if variation is not None and variation.seed == -1:
        variation = replace(variation, seed=seed())
    return replace(
        request, seed=seed() if request.seed == -1 else request.seed, variation=variation
    )


def styles() -> Mapping[str, Style]:
    """The styles of the home folder. Raises RequestError for a file that is none."""
    from sdcore.prompt import styles

    path = styles_file()
    return {} if path is None else styles.read(path)


def styles_file() -> Path | None:
    path = settings.load().home / STYLES
    return path if path.is_file() else None


def _composed(room: str, request: ImageRequest) -> ImageRequest:
    """Styles put on, and wildcards drawn by the seed."""
    from sdcore.prompt import compose, wildcards

    names, folder = st.session_state[key(room, "styles")], settings.load().home / WILDCARDS
    lines = wildcards.read(folder) if folder.is_dir() else {}
    if not names and not lines and "{" not in request.prompt + request.negative:
        return request
    composed = compose.composed(
        request.prompt,
        request.negative,
        seed=request.seed,
        names=names,
        styles=styles(),
        lines=lines,
    )
    ((prompt, negative),) = composed.results
    return replace(request, prompt=prompt, negative=negative)
