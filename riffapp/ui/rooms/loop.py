"""The room where a loop is made from words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from riffapp import settings
from riffapp.errors import RiffappError
from riffapp.settings import Settings
from riffapp.studio import checkpoints, prompts
from riffapp.studio.checkpoints import Sound
from riffapp.studio.plan import plan_loop
from riffapp.studio.types import LoopResult
from riffapp.ui import downloads, say
from riffapp.ui.components import wish
from riffapp.ui.components.player import player
from riffapp.ui.work import Work, sentence_for, worker

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

KEPT_TAKES = 12  # of a visit; a take of 8 bars at 40 bpm is 4 MB
POLL_S = 0.2

_WELCOME = (
    "Say what should play and press **Make a loop**. It comes out exactly in tempo, repeats "
    "without a seam, and is made on this computer alone."
)
_PLACE = (
    '<div class="place {mood}" role="note"><div class="steps" aria-hidden="true">{steps}</div>'
    "<p><b>{head}</b><br>{text}</p></div>"
)
_EMPTY = (
    "Your loop appears here.",
    "A picture of its sound, time from left to right and pitch from bottom to top, "
    "a player that repeats it, and the files to take home.",
)
_MAKING = ("Your loop is being made.", "It plays as soon as it is there.")
_STEPS_REM = (3.8, 0.9, 1.9, 0.9, 2.8, 0.9, 1.9, 1.4, 3.8, 0.9, 1.9, 0.9, 2.8, 1.6, 1.9, 1.1)


def page() -> None:
    """Draw the room as the session has it now."""
    with st.container(key="headline", gap="small"):
        st.title("Loops from words", anchor=False)
        st.markdown(_WELCOME)
    try:
        found = settings.load()
        sound = checkpoints.read_sound(st.session_state.get("checkpoint", found.checkpoint))
    except RiffappError as error:
        say.error(str(error))
        return
    wish.begin(found, sound)
    # Asked once: work that ends while this run draws would leave a button that stays grey.
    busy = _busy()
    with st.container(key="bench"):
        left, right = st.columns([5, 7], gap="large")
    with left:
        _controls(found, sound, busy=busy)
        more = st.container()
    with right, st.container(key="results"):
        news = st.container()
        _results(sound)
    with more:  # late, for its names of samplers bring the whole core along
        wish.advanced(found, sound)
    if busy:
        _watch(_works()[0], news)


def _controls(found: Settings, sound: Sound, *, busy: bool) -> None:
    wish.prompt_box(sound)
    wish.music()
    st.button(
        "Making it …" if busy else "Make a loop",
        key="make",
        type="primary",
        icon=":material/graphic_eq:",
        width="stretch",
        disabled=busy,
        on_click=_start,
        args=(found, sound),
        shortcut="Ctrl+Enter",
    )


def _works() -> list[Work]:
    """This visit's works, the newest first."""
    works: list[Work] = st.session_state.setdefault("works", [])
    return works


def _busy() -> bool:
    return bool(_works()) and not _works()[0].finished


def _start(found: Settings, sound: Sound) -> None:
    """Queue what the widgets say, or keep the sentence that refuses it."""
    st.session_state.refusal = None
    try:
        planned = plan_loop(wish.request(), sound)
    except Exception as error:  # a defect is a sentence too, with its traceback in the log
        st.session_state.refusal = sentence_for(error)
        return
    works = _works()
    works.insert(0, worker().submit(planned, found))
    while len(works) > 1 and sum(work.request.takes for work in works) > KEPT_TAKES:
        works.pop()


def _results(sound: Sound) -> None:
    if st.session_state.get("refusal"):
        say.error(st.session_state.refusal)
    works = _works()
    if not works:
        _placeholder("quiet", *_EMPTY)
        return
    newest, *earlier = works
    if newest.error:
        say.error(newest.error)
    if newest.finished and newest.stopped and not newest.takes:
        st.info("Stopped before the first take was done.", icon=":material/stop_circle:")
    if not newest.finished and not newest.takes:
        _placeholder("busy", *_MAKING)
    _warnings(newest, sound)
    for i, take in enumerate(newest.takes):
        _take(newest, i, take, play=i == 0 and st.session_state.play)
    heard = sum(len(work.takes) for work in earlier)
    if heard:
        with st.expander(f"Earlier takes ({heard})", icon=":material/history:"):
            for work in earlier:
                for i, take in enumerate(work.takes):
                    _take(work, i, take, play=False)


def _placeholder(mood: str, head: str, text: str) -> None:
    """What stands where a loop will be: sixteen steps of a beat, which move while one is made."""
    steps = "".join(f'<i style="height:{rem}rem"></i>' for rem in _STEPS_REM)
    st.html(_PLACE.format(mood=mood, steps=steps, head=head, text=text))


def _watch(work: Work, place: DeltaGenerator) -> None:
    """A bar that follows the worker; the page is drawn anew with each take.

    A touch of any widget ends this run of the script, never the work: the next run watches on.
    """
    shown = len(work.takes)
    with place, st.container(horizontal=True, vertical_alignment="center", key="progress"):
        bar = st.progress(0.0)
        st.button("Stop", icon=":material/stop:", on_click=work.stop, key="stop")
    while not work.finished and len(work.takes) == shown:
        bar.progress(work.progress.done / work.progress.total, text=_stage(work))
        work.wait(POLL_S)
    st.rerun()


def _stage(work: Work) -> str:
    """Where the work stands, in words."""
    done, takes = work.progress.done, work.request.takes
    if work.stopped:
        return "Stopping …"
    if not work.started:
        return "Waiting: another loop is being made first …"
    if done == 0:
        return "Warming up …"
    steps = work.progress.total // takes
    take = min((done - 1) // steps, takes - 1)
    of = f"Take {take + 1} of {takes}: " if takes > 1 else ""
    step = done - take * steps
    left_s = work.left_s
    left = "" if left_s is None or left_s < 1 else f", about {left_s:.0f} s left"
    return f"{of}step {step} of {steps}{left}" if step < steps else f"{of}turning it into sound …"


def _warnings(work: Work, sound: Sound) -> None:
    """What the newest takes' makers want said, unless it stands beside the prompt already."""
    said = {str(u) for u in prompts.unknown_words(st.session_state.prompt, sound.words)}
    for text in work.takes[0].warnings if work.takes else ():
        if text not in said:
            say.warning(text)


def _take(work: Work, i: int, take: LoopResult, *, play: bool) -> None:
    key = f"{work.id}_{i}"
    name = f"take {i + 1}" if work.request.takes > 1 else "the loop"
    title = _title(take) if work.request.takes == 1 else f"{i + 1} · {_title(take)}"
    with st.container(border=True, key=f"take_{key}", gap="small"):
        st.markdown(f"**{say.plain(title)}**")
        player(take, name=name, key=key, play=play)
        try:
            _downloads(work, i, take)
        except Exception as error:
            say.error(sentence_for(error))
        st.caption(_facts(take), help="RTF: seconds of work for one second of sound")


def _title(take: LoopResult) -> str:
    request = take.request
    return request.prompt if request.key is None else f"{request.prompt} · {request.key}"


def _facts(take: LoopResult) -> str:
    return (
        f"Seed {take.request.seed} · {take.loop.clip.duration_s:.3f} s of sound "
        f"made in {take.seconds:.2f} s (RTF {take.rtf:.2f})"
    )


def _downloads(work: Work, i: int, take: LoopResult) -> None:
    suffix, key = st.session_state.suffix, f"{work.id}_{i}"
    if (i, suffix) not in work.files:
        work.files[i, suffix] = downloads.of(take, suffix=suffix)
    made = work.files[i, suffix]
    with st.container(horizontal=True, key=f"files_{key}"):
        _download(made.sound, made.stem + suffix, label=suffix[1:].upper(), key=f"sound_{key}")
        _download(made.picture, made.stem + ".png", label="PNG", key=f"picture_{key}")
        st.button(
            "Keep this seed",
            icon=":material/keep:",
            key=f"seed_{key}",
            type="tertiary",
            on_click=_keep_seed,
            args=(take.request.seed,),
            help="Makes this very loop again until you clear the seed under Advanced",
        )


def _download(data: bytes, name: str, *, label: str, key: str) -> None:
    suffix = name[name.rindex(".") :]
    st.download_button(
        label,
        data,
        file_name=name,
        mime=downloads.MIMES[suffix],
        icon=":material/download:",
        key=key,
        on_click="ignore",
        help="All settings stand inside the file",
    )


def _keep_seed(seed: int) -> None:
    st.session_state.seed = seed
