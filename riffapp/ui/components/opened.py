"""A sound that a room begins from, shown before anything is made of it.

An upload is opened by a job of its own, which hears its tempo and draws its picture; a sound of the
gallery, which knows both, is shown at once.
"""

from __future__ import annotations

import filecmp
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from audio.types import SpectrogramParams
from riffapp.errors import RiffappError, UsageError
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import MAX_OPEN, OPEN, Job
from riffapp.jobs.tasks.sources import KIND, Opened, Opening, Source, opened_by
from riffapp.studio import files, record
from riffapp.studio.checkpoints import Sound
from riffapp.studio.plan import plan_loop
from riffapp.studio.types import BPM_RANGE, LoopRequest
from riffapp.ui import say, serving, visitor
from riffapp.ui.components.player import Face, Track, pitches
from riffapp.ui.components.source import given, source
from riffapp.ui.recall import put, recall, redraw
from riffapp.ui.results import POLL_S, progress

_RECENT = 100  # jobs and works that are looked through
_LOSSLESS = (".wav", ".flac")


def opened(
    place: str, label: str, *, checkpoint: str, sound: Sound, help: str | None = None
) -> Opened | None:
    """A box for a sound or a spectrogram PNG; what is in it, once it is opened on the checkpoint's
    grid.

    `place` is the session's key of the file: `source.give` puts one there from elsewhere.
    """
    recall({f"{place}_bpm": None, f"{place}_first": None})
    path = given(place)
    if path is None:
        source(place, label, "sound", "picture", help=help)
        return None
    name = str(st.session_state.get(f"{place}_name", path.name))
    _head(place, name)
    try:
        asked = _asked(place, path)
    except UsageError as error:
        say.error(str(error))
        return None
    found = _of_work(asked, sound.params) or _by_job(
        Opening(source=asked, name=name, checkpoint=checkpoint)
    )
    if found is not None:
        for line in found.lines:
            st.caption(say.sentence(line))
    return found


def face(shown: Opened, *, name: str, selects: bool = False) -> Face:
    """What the player shows of a source."""
    facts = shown.facts
    params = SpectrogramParams.from_json(dict(facts["params"]))
    bars = facts["beats"] / facts["meter"]
    counted = "1 bar" if bars == 1 else f"{bars:g} bars"
    length = f"{counted} · {facts['bpm']:g} bpm · {facts['seconds']:.3f} s"
    return Face(
        id=shown.sound.stem,
        name=name,
        alt=f"Spectrogram of {name}: {length} from left to right, {params.min_hz:g} to "
        f"{params.max_hz:g} Hz from bottom to top",
        title=length,
        tracks=(Track(name=name, url=serving.input_url(shown.sound)),),
        seconds=facts["seconds"],
        rate=facts["rate"],
        beats=facts["beats"],
        meter=facts["meter"],
        loops=facts["loops"],
        picture=serving.input_url(shown.picture),
        pitches=pitches(params),
        hz=(params.min_hz, params.max_hz),
        selects=selects,
    )


def title(place: str) -> str:
    """What the owner calls what lies at a place."""
    return str(st.session_state.get(f"{place}_name", "the sound"))


def fill(place: str, begun: Source, *, name: str) -> None:
    """Put a source back, with the tempo that it was taken at."""
    st.session_state[place] = begun.path
    st.session_state[f"{place}_name"] = name
    put({f"{place}_bpm": begun.bpm, f"{place}_first": begun.first_beat_s})


def planned(shown: Opened, sound: Sound, *, prompt: str, **told: Any) -> LoopRequest:
    """The request to make something of a source: what its file was asked for, with what is told on
    top; words, key and what to leave out where they are given.

    Raises UsageError where nothing says any words, and as `plan_loop`.
    """
    found = record.read(files.read_texts(shown.source.path))
    if found is None and not prompt.strip():
        raise UsageError("this sound says no words: say what to play, such as 'house drums'")
    own = LoopRequest(prompt=prompt) if found is None else found.request
    kept = {name: getattr(own, name) for name in ("negative", "key") if not told.get(name)}
    if not prompt.strip():
        kept["prompt"] = own.prompt
    facts = shown.facts
    laid = {"bpm": facts["bpm"], "bars": facts["beats"] // facts["meter"]}
    laid |= {"closed": facts["loops"], "rate": facts["rate"]}
    own = replace(own, timeline=None, journey=None, variant=None, detail=False, takes=1)
    return plan_loop(replace(own, **{"prompt": prompt, **told, **kept, **laid}), sound)


def wanted(shown: Opened | None, place: str) -> Opened:
    """What is opened. Raises UsageError where there is none as yet."""
    if shown is not None:
        return shown
    if given(place) is None:
        raise UsageError("no sound is given: choose a file, or send one here from another room")
    raise UsageError("the sound is not opened: wait until its picture is there")


# ---- where it comes from ----------------------------------------------------------------------


def _head(place: str, name: str) -> None:
    """The file's name, a way to another one, and its tempo for who knows better."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"{place}_head"):
        st.markdown(f":material/attach_file: {say.plain(name)}")
        st.button(
            "Another sound", key=f"{place}_remove", type="tertiary", on_click=_remove, args=(place,)
        )
        with st.popover("Tempo", icon=":material/speed:", type="tertiary"):
            st.number_input(
                "Its tempo (BPM)", step=1.0, format="%g", key=f"{place}_bpm",
                placeholder="its own, or heard",
                help="Where it is not to be heard, or was heard wrongly",
            )  # fmt: skip
            st.number_input(
                "A bar begins at (s)", step=0.01, format="%.3f", key=f"{place}_first",
                placeholder="heard", help="Seconds from the beginning of the sound",
            )  # fmt: skip


def _remove(place: str) -> None:
    for name in (place, f"{place}_name", f"{place}_refusal"):
        st.session_state.pop(name, None)
    put({f"{place}_bpm": None, f"{place}_first": None})


def _asked(place: str, path: Path) -> Source:
    """The file with what is typed of its tempo. Raises UsageError for what cannot be."""
    bpm, first_s = st.session_state[f"{place}_bpm"], st.session_state[f"{place}_first"]
    low, high = BPM_RANGE
    if bpm is not None and not low <= bpm <= high:
        raise UsageError(f"tempo {bpm:g} is outside {low:g} to {high:g} bpm: give one within")
    if first_s is not None and first_s < 0:
        raise UsageError(f"a bar that begins at {first_s:g} s: give a place within the sound")
    return Source(path=path, bpm=bpm, first_beat_s=first_s)


def _of_work(asked: Source, grid: SpectrogramParams) -> Opened | None:
    """The sound as the gallery knows it, where it is one of its own on this grid and nothing is
    typed."""
    if asked.bpm is not None or asked.first_beat_s is not None:
        return None
    work = _work(asked.path, grid)
    picture = None if work is None else work.file("picture")
    if work is None or picture is None or not picture.path.is_file():
        return None
    kept = wire.kept(picture.path, visitor.database().home)
    return Opened(
        source=replace(asked, picture=kept), sound=asked.path, picture=kept, facts=work.facts
    )


def _work(path: Path, grid: SpectrogramParams) -> Work | None:
    """The work that this is the very sound of, if its picture is on the grid."""
    if path.suffix not in _LOSSLESS:
        return None
    for work in visitor.gallery().works(owner=visitor.owner(), limit=_RECENT):
        sound, facts = work.file("sound"), work.facts
        if sound is None or not sound.path.is_file() or not {"params", "beats"} <= facts.keys():
            continue
        drawn = SpectrogramParams.from_json(facts["params"])
        if _bands(drawn) == _bands(grid) and filecmp.cmp(sound.path, path, shallow=False):
            return work
    return None


def _bands(params: SpectrogramParams) -> tuple[object, ...]:
    return params.n_mels, params.min_hz, params.max_hz, params.frames


def _by_job(opening: Opening) -> Opened | None:
    """What the opening has left, which is asked for where it was not yet."""
    job = _job(opening)
    if job is not None and job.state == "succeeded":
        found = opened_by(job.id, visitor.database().home)
        if found is not None:
            return found
        job = None
    job = job or _begun(opening)
    if job is None:
        return None
    if job.state in OPEN:
        _watched(job.id)
        return None
    if job.state == "failed":
        say.error(job.reason)
    st.button(
        "Open it again",
        key=f"reopen_{job.id}",
        icon=":material/replay:",
        on_click=_again,
        args=(job,),
    )
    return None


def _again(job: Job) -> None:
    visitor.store().again(job.id, owner=job.owner)


def _job(opening: Opening) -> Job | None:
    """The latest job that opens the same, whatever it was called then."""
    home = visitor.database().home
    for job in visitor.store().jobs(visitor.owner(), kinds=[KIND], limit=_RECENT):
        with suppress(UsageError):  # another version's are none of ours
            if replace(wire.loads(job.task, home), name=opening.name) == opening:
                return job
    return None


def _begun(opening: Opening) -> Job | None:
    """The opening, put before all else that waits: somebody is looking."""
    store, owner, home = visitor.store(), visitor.owner(), visitor.database().home
    try:
        number = store.submit(owner, KIND, wire.dumps(opening, home), title=opening.title)
    except RiffappError as error:
        say.error(str(error))
        return None
    store.move(number, owner=owner, by=-MAX_OPEN)
    return store.job(number)


@st.fragment(run_every=POLL_S)
def _watched(number: int) -> None:
    """An opening, looked at until it is over."""
    job = visitor.store().job(number, owner=visitor.owner())
    if job is None or job.is_over:
        redraw()
    progress(job)
