"""The room of the models: what there is, what is loaded, where more goes, and more from the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping

import streamlit as st

from riffapp import settings
from riffapp.errors import UsageError
from riffapp.jobs.desk import NOTE
from riffapp.jobs.store import OPEN, OVER, Job
from riffapp.jobs.tasks.download import KIND, Download, Hashing
from riffapp.settings import Settings
from riffapp.studio import inventory
from riffapp.studio.inventory import Model, Place
from riffapp.studio.weight_files import Kind
from riffapp.ui import map as plan
from riffapp.ui import say, usage, visitor
from riffapp.ui.figures import size
from riffapp.ui.frame import bench, headline
from riffapp.ui.here import is_here
from riffapp.ui.map import Room
from riffapp.ui.recall import recall, redraw
from riffapp.ui.results import POLL_S, progress
from riffapp.ui.say import plain

_FRESH_S = 30.0  # folders are not read at every click
_SHA_DIGITS = 10
NAMES: Mapping[Kind, str] = {
    "checkpoint": "Checkpoints",
    "lora": "LoRAs",
    "embedding": "Embeddings",
    "vae": "VAEs",
    "upscaler": "Upscalers",
    "restorer": "Face restorers",
    "preview": "Previews",
    "voice": "Voices",
}
_ICONS = {True: ":material/check_circle:", False: ":material/error:", None: ":material/info:"}
_WELCOME = (
    "Everything is made on this machine, offline, by models that lie in folders. What came with "
    "riffapp is enough to begin."
)


def page() -> None:
    """Draw the room."""
    headline("Models", _WELCOME)
    found = settings.load()
    recall({"models_kind": "checkpoint", "models_ref": "", "models_into": "checkpoint"})
    left, right = bench((7, 5))
    with left:
        _loaded(found)
        shelf = st.container()
    with right:
        _jobs()
        _hub(found)
        _places(found)
    with shelf:  # last, for it brings the whole core along
        _shelf(found)


# ---- what there is


def _loaded(found: Settings) -> None:
    """What the worker has in memory, as it noted itself."""
    try:
        told = json.loads((found.home / NOTE).read_text(encoding="utf-8"))
        name, device = str(told["checkpoint"]), str(told["device"])
    except (OSError, ValueError, TypeError, LookupError):
        name, device = "", ""
    if name:
        st.markdown(f":material/memory: In memory: **{plain(name)}**, on {plain(device)}.")
    else:
        st.markdown(":material/memory: Nothing is in memory yet: the first piece loads its model.")


def _shelf(found: Settings) -> None:
    models = _models(found, _newest_over())
    counts = {kind: sum(one.kind == kind for one in models) for kind in NAMES}
    st.segmented_control(
        "Kind",
        [kind for kind in NAMES if counts[kind] or kind == st.session_state.models_kind],
        key="models_kind",
        format_func=lambda kind: f"{NAMES[kind]} ({counts[kind]})",
        required=True,
    )
    kind: Kind = st.session_state.models_kind
    shown = [one for one in models if one.kind == kind]
    for one in shown:
        _model(one)
    if not shown:
        st.markdown("There is none of this kind.")


def _newest_over() -> int:
    """The last job of this room that ended: what it left is looked for."""
    jobs = visitor.store().jobs(visitor.owner(), kinds=[KIND], states=OVER, limit=1)
    return jobs[0].id if jobs else 0


def _models(found: Settings, after: int) -> tuple[Model, ...]:
    roots = (found.home, found.checkpoint, *found.models_dirs)
    return _read(tuple(map(str, roots)), after, found)


@st.cache_data(ttl=_FRESH_S, show_spinner=False)
def _read(roots: tuple[str, ...], after: int, _found: Settings) -> tuple[Model, ...]:
    return inventory.models(_found)


def _model(one: Model) -> None:
    """A model: what it is, whether it is whole, and the way to its hash."""
    with st.container(border=True, key=f"model_{one.kind}_{one.name}", gap="xsmall"):
        facts = [one.family, "makes sound" if one.makes_sound else "", size(one.bytes)]
        told = " · ".join(filter(None, facts))
        st.markdown(f"**{plain(_short(one))}** :small[{plain(told)}]")
        if one.ok is not True:
            st.markdown(f"{_ICONS[one.ok]} {say.sentence(one.remark)}")
        lines = [f"Licence: {one.licence}", *([f"Words: {', '.join(one.words)}"] * bool(one.words))]
        st.caption(plain(" · ".join(lines)))
        if one.is_embedded:
            st.caption("Came with riffapp.")
        elif is_here():
            st.caption(plain(str(one.path)))
        if one.sha256 is not None:
            st.caption(f"sha256 {one.sha256[:_SHA_DIGITS]}…", help=one.sha256)
        elif one.ok is not False and not (one.is_embedded and one.kind == "voice"):
            st.button(
                "Hash", key=f"hash_{one.kind}_{one.name}", type="tertiary",
                icon=":material/fingerprint:", on_click=visitor.attempt,
                args=(KIND, _hashing, one), help="By which recipes in files know it",
            )  # fmt: skip


def _short(one: Model) -> str:
    """Its name; of a voice without the folder, which stands below."""
    return one.name.partition(":")[0] + f": {one.path.name}" if ":" in one.name else one.name


def _hashing(one: Model) -> Hashing:
    return Hashing(path=str(one.path), name=_short(one))


# ---- more of them


def _jobs() -> None:
    """Downloads and hashes: those under way, and what refused the last one."""
    if told := visitor.refusal(KIND):
        say.error(told)
    store, owner = visitor.store(), visitor.owner()
    opened = store.jobs(owner, kinds=[KIND], states=OPEN)
    if opened:
        watch(frozenset(job.id for job in opened))
    over = store.jobs(owner, kinds=[KIND], states=OVER, limit=1)
    if over and not opened:
        _outcome(over[0])


@st.fragment(run_every=POLL_S)
def watch(seen: frozenset[int]) -> None:
    """What is under way, looked at again and again."""
    jobs = visitor.store().jobs(visitor.owner(), kinds=[KIND], states=OPEN)
    if {job.id for job in jobs} != seen:
        redraw()
    for job in jobs:
        progress(job)


def _outcome(job: Job) -> None:
    if job.state == "failed":
        say.error(job.reason)
        st.button(
            "Try again", key=f"models_again_{job.id}", icon=":material/replay:",
            on_click=_again, args=(job,),
        )  # fmt: skip
    elif job.state == "succeeded":
        st.success(plain(f"{job.title}: done."), icon=":material/check:")
    else:
        st.markdown(f"{plain(job.title)}: stopped. The same again goes on from there.")


def _again(job: Job) -> None:
    visitor.store().again(job.id, owner=job.owner)


def _hub(found: Settings) -> None:
    st.header("From the hub", anchor=False)
    if not is_here():
        st.markdown("Models are fetched on the computer that riffapp runs on.")
        return
    st.markdown(
        "The one thing that needs a connection. Weights come as safetensors alone, are compared to "
        "the hashes that the hub states, and no code is run."
    )
    st.text_input(
        "Model", key="models_ref", placeholder="owner/name, or owner/name/file.safetensors",
        help="The id on huggingface.co, or the address of its page",
    )  # fmt: skip
    st.selectbox("As", list(NAMES), key="models_into", format_func=_one_of)
    free = size(usage.free(found.models))
    st.button(
        "Download", key="models_download", type="primary", icon=":material/download:",
        on_click=visitor.attempt, args=(KIND, _download, found), help=f"{free} are free there",
        shortcut="Ctrl+Enter",
    )  # fmt: skip


def _one_of(kind: Kind) -> str:
    return NAMES[kind].removesuffix("s")


def _download(found: Settings) -> Download:
    ref = st.session_state.models_ref.strip()
    if not ref:
        raise UsageError("no model is named: give owner/name, as it stands on its page")
    places = {place.kind: place for place in inventory.places(found)}
    return Download(ref=ref, folder=str(places[st.session_state.models_into].folder))


def _places(found: Settings) -> None:
    st.header("By hand", anchor=False)
    st.markdown("Put a file into the folder of its kind, and look again.")
    st.button(
        "Look again", key="models_look", icon=":material/refresh:", on_click=_read.clear
    )  # fmt: skip
    with st.expander("What goes where", icon=":material/folder:"):
        for place in inventory.places(found):
            _place(place)
        st.caption("Folders of AUTOMATIC1111 or ComfyUI can be used as they are.")
        st.button(
            "Name other folders in the settings", key="models_settings", type="tertiary",
            icon=":material/settings:", on_click=plan.open_room, args=("preferences",),
        )  # fmt: skip


def _place(place: Place) -> None:
    where = f" :small[{plain(str(place.folder))}]" if is_here() else ""
    st.markdown(f"**{NAMES[place.kind]}**{where}")
    st.caption(plain(place.words))


ROOMS = (Room(key=KIND, title="Models", icon=":material/deployed_code:", group="More", page=page),)
