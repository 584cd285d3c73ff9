"""Recordings or pictures to learn from, each with a caption in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from audio.errors import AudioError
from riffapp import uploads
from riffapp.errors import RiffappError
from riffapp.jobs import wire
from riffapp.jobs.tasks.train import Sample
from riffapp.jobs.worker import sentence_for
from riffapp.studio import files, own_data
from riffapp.ui import say, visitor
from riffapp.ui.components.source import MAX_MB, TYPES

MOST = 200
PLACE = "train_samples"
_TABLE, _NAME, _CAPTION = "train_table", "File", "What it shows"


def samples() -> tuple[Sample, ...]:
    """A box for files, and a table of what was given: captions can be written, rows taken out."""
    st.file_uploader(
        "Recordings, or pictures",
        TYPES["sound"] + TYPES["picture"],
        accept_multiple_files=True,
        key=f"{PLACE}_upload",
        max_upload_size=MAX_MB,
        on_change=_take,
        help=f"At most {MOST} files. A name such as deep-kick_124bpm.wav says what it is, and its "
        "tempo",
    )
    for told in st.session_state.get(f"{PLACE}_refusals", ()):
        say.error(told)
    found = given()
    if found:
        st.data_editor(
            {_NAME: [one.name for one in found], _CAPTION: [one.caption for one in found]},
            key=_TABLE,
            on_change=_edited,
            num_rows="delete",
            hide_index=True,
            disabled=[_NAME],
            width="stretch",
            column_config={
                _CAPTION: st.column_config.TextColumn(
                    help="The words that will call it up: what is heard or seen, commas between",
                    max_chars=500,
                )
            },
        )
    return found


def given() -> tuple[Sample, ...]:
    """What is in the table, of what is still there."""
    return tuple(one for one in st.session_state.get(PLACE, ()) if one.path.exists())


def give(samples: Sequence[Sample]) -> None:
    """Put samples into the table, as if they had been uploaded."""
    st.session_state[PLACE] = tuple(samples)
    st.session_state[f"{PLACE}_refusals"] = ()
    st.session_state.pop(_TABLE, None)


def caption_of(path: Path, name: str) -> str:
    """What a file shows, until somebody says it: the words that made it, or its name."""
    try:
        return files.record_of(path).request.prompt
    except (RiffappError, AudioError):
        return own_data.named_words(Path(name))


def _take() -> None:
    """Check what was uploaded; what is refused says why, and the others stay, with their words."""
    home = visitor.database().home
    known = {(one.path, one.name): one for one in given()}
    found, told = [], []
    uploaded = st.session_state[f"{PLACE}_upload"] or []
    if len(uploaded) > MOST:
        told.append(f"{len(uploaded)} files: the first {MOST} are taken")
    for file in uploaded[:MOST]:
        try:
            accepted = uploads.accept(
                file,
                file.name,
                kinds=frozenset({"sound", "picture"}),
                folder=home / wire.INPUTS,
            )
        except Exception as error:  # a defect is a sentence too, with its traceback in the log
            told.append(sentence_for(error))
            continue
        path, name = accepted.path, accepted.name
        sample = Sample(path=path, name=name, caption=caption_of(path, name))
        found.append(known.get((path, name), sample))
    give(found)
    st.session_state[f"{PLACE}_refusals"] = tuple(told)


def _edited() -> None:
    """What was written into the table, and which rows were taken out."""
    edits, there = st.session_state[_TABLE], list(given())
    for row, cells in edits["edited_rows"].items():
        if _CAPTION in cells:
            there[int(row)] = replace(there[int(row)], caption=cells[_CAPTION] or "")
    gone = set(edits["deleted_rows"])
    st.session_state[PLACE] = tuple(one for row, one in enumerate(there) if row not in gone)
