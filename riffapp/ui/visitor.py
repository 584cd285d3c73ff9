"""Who looks at the page, and what is kept for them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

from riffapp import settings
from riffapp.database import Database
from riffapp.gallery import Gallery
from riffapp.jobs import wire
from riffapp.jobs.desk import Task
from riffapp.jobs.store import Store
from riffapp.jobs.worker import sentence_for
from riffapp.ui.guard import visitor_of

SOMEBODY = "local"  # whoever has no cookie, such as a test bench


def owner() -> str:
    """The browser that this session belongs to: its tabs share jobs and works."""
    return visitor_of(dict(st.context.cookies)) or SOMEBODY


@cache
def _database(home: Path) -> Database:
    return Database(home)


def database() -> Database:
    """The home's database, opened once for the process."""
    return _database(settings.load().home)


def store() -> Store:
    return Store(database())


def gallery() -> Gallery:
    return Gallery(database())


def submit(kind: str, task: Task) -> int:
    """Put a task into the queue, for the room `kind`; the job's number comes out.

    Raises what refuses it.
    """
    base = database()
    number = Store(base).submit(owner(), kind, wire.dumps(task, base.home), title=task.title)
    st.session_state.asked = number
    return number


def attempt(kind: str, build: object, *args: object) -> None:
    """As a button's callback: build a task and submit it, or keep the sentence that refuses it
    where `refusal` finds it."""
    assert callable(build)
    st.session_state[f"{kind}_refusal"] = None
    try:
        submit(kind, build(*args))
    except Exception as error:  # a defect is a sentence too, with its traceback in the log
        st.session_state[f"{kind}_refusal"] = sentence_for(error)


def refusal(kind: str) -> str | None:
    """The sentence that refused the last attempt in a room; None where it was taken."""
    found: str | None = st.session_state.get(f"{kind}_refusal")
    return found
