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
_NAME, _CAPTION = "File", "What it shows"


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
    if _table() not in st.session_state:  # the room was left: what was written stays
        give(st.session_state.get(f"{PLACE}_now", _base()))
    if _base():
        st.data_editor(
            {_NAME: [s.name for s in _base()], _CAPTION: [s.caption for s in _base()]},
            key=_table(),
            num_rows="delete",
            hide_index=True,
            disabled=[_NAME],
            width="stretch",
            alt="The files to learn from, and what each of them shows",
            column_config={
                _CAPTION: st.column_config.TextColumn(
                    help="The words that will call it up: what is heard or seen, commas between",
                    max_chars=500,
                )
            },
        )
    st.session_state[f"{PLACE}_now"] = found = given()
    return found


def given() -> tuple[Sample, ...]:
    """What stands in the table, as it was written there."""
    edits = st.session_state.get(_table())
    if edits is None:
        return _base()
    written = {int(row): cells for row, cells in edits["edited_rows"].items() if _CAPTION in cells}
    return tuple(
        replace(sample, caption=written[row][_CAPTION] or "") if row in written else sample
        for row, sample in enumerate(_base())
        if row not in edits["deleted_rows"]
    )


def give(samples: Sequence[Sample]) -> None:
    """Put samples into the table, as if they had been uploaded."""
    s = st.session_state
    s[PLACE] = s[f"{PLACE}_now"] = tuple(one for one in samples if one.path.exists())
    s[f"{PLACE}_version"] = s.get(f"{PLACE}_version", 0) + 1


def caption_of(path: Path, name: str) -> str:
    """What a file shows, until somebody says it: the words that made it, or its name."""
    try:
        return files.record_of(path).request.prompt
    except (RiffappError, AudioError):
        return own_data.named_words(Path(name))


def _base() -> tuple[Sample, ...]:
    """The samples as they were put into the table."""
    found: tuple[Sample, ...] = st.session_state.get(PLACE, ())
    return found


def _table() -> str:
    """The table's key: another one each time that others are put in, so that what was written of
    those before is not taken for these."""
    return f"train_table_{st.session_state.get(f'{PLACE}_version', 0)}"


def _take() -> None:
    """Check what was uploaded; what is refused says why, and the others stay, with their words."""
    home = visitor.database().home
    known = {(one.path, one.name): one for one in given()}
    found, told = [], []
    uploaded = st.session_state[f"{PLACE}_upload"] or []
    if len(uploaded) > MOST:
        told.append(f"{len(uploaded)} files: at most {MOST} are taken, these are the first")
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
