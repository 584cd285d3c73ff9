"""The room of the queue: what runs and waits is steered, what is over says what became of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from riffapp import settings
from riffapp.database import Database
from riffapp.jobs import store as module
from riffapp.jobs import wire
from riffapp.jobs.store import Store
from riffapp.jobs.tasks.loops import Loops
from riffapp.studio.types import LoopRequest
from riffapp.ui.visitor import SOMEBODY

Opened = Callable[..., AppTest]


@pytest.fixture
def store() -> Store:
    return Store(Database(settings.load().home))


def ask(store: Store, *titles: str, owner: str = SOMEBODY) -> list[int]:
    return [store.submit(owner, "loop", "{}", title=title) for title in titles]


def texts(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(element.value for element in at.markdown)


def waiting(store: Store) -> list[str]:
    return [job.title for job in store.jobs(SOMEBODY, states=["queued"])]


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception
    return at


def test_an_empty_queue_says_what_it_is_for_and_leads_to_a_first_loop(opened: Opened) -> None:
    at = opened("queue")
    assert at.title[0].value == "Queue"
    assert any("Nothing waits." in element.proto.body for element in at.get("html"))
    press(at, "queue_begin")
    assert at.title[0].value == "Loops from words"


def test_what_waits_stands_in_its_order_and_is_this_browsers_own(
    opened: Opened, store: Store
) -> None:
    ask(store, "of another", owner="ben")
    ask(store, "one", "two *stars*\n\n- and a line")
    shown = texts(opened("queue"))
    assert shown.index("**one**") < shown.index(r"**two \*stars\* \- and a line**")
    assert "of another" not in shown


@pytest.mark.parametrize(
    ("key", "of", "order"),
    [
        ("first", "c", "cab"),
        ("up", "c", "acb"),
        ("down", "a", "bac"),
        ("cancel", "b", "ac"),
    ],
)
def test_what_waits_can_be_moved_and_taken_out(
    opened: Opened, store: Store, key: str, of: str, order: str
) -> None:
    numbers = dict(zip("abc", ask(store, *"abc"), strict=True))
    press(opened("queue"), f"{key}_{numbers[of]}")
    assert waiting(store) == list(order)


def test_the_ends_of_the_line_go_no_further(opened: Opened, store: Store) -> None:
    first, last = ask(store, "a", "b")
    at = opened("queue")
    is_off = {key: at.button(key=key).disabled for key in (f"up_{first}", f"down_{last}")}
    assert is_off == {f"up_{first}": True, f"down_{last}": True}
    assert not at.button(key=f"down_{first}").disabled


def test_a_pause_holds_what_waits_until_it_goes_on(opened: Opened, store: Store) -> None:
    ask(store, "a")
    at = press(opened("queue"), "queue_pause")
    assert store.take() is None
    assert at.button(key="queue_pause").label == "Go on"
    press(at, "queue_pause")
    assert store.take() is not None


def test_a_pause_can_be_ended_when_nothing_waits(opened: Opened, store: Store) -> None:
    store.pause(SOMEBODY, paused=True)
    press(opened("queue"), "queue_pause")
    assert not store.is_paused(SOMEBODY)


def test_what_runs_shows_its_steps_and_can_be_stopped(opened: Opened, store: Store) -> None:
    (number,) = ask(store, "a")
    store.take()
    store.report(number, done=3, total=8, stage="take 1 of 2")
    at = opened("queue")
    (bar,) = at.get("progress")
    assert bar.proto.value == 37 and "take 1 of 2, step 3 of 8" in bar.proto.text
    press(at, f"stop_{number}")
    assert store.is_stopping(number)
    assert at.button(key=f"stop_{number}").disabled


def test_the_picture_in_hand_can_be_skipped(opened: Opened, store: Store) -> None:
    number = store.submit(SOMEBODY, "txt2img", "{}", title="a house")
    store.take()
    store.report(number, done=3, total=8, stage="")
    at = opened("queue")
    press(at, f"skip_{number}")
    assert store.is_skipping(number) and not store.is_stopping(number)


def test_what_is_over_says_its_outcome_its_time_and_its_reason(
    opened: Opened, store: Store
) -> None:
    for state, reason in (
        ("succeeded", ""),
        ("failed", "out of memory: ask for fewer bars"),
        ("cancelled", "stopped while it was being made"),
    ):
        (number,) = ask(store, f"a {state} one")
        store.take()
        store.finish(number, state, reason)  # type: ignore[arg-type]
    shown = texts(opened("queue"))
    assert "**a succeeded one**: done in 0.0 s" in shown
    assert "**a failed one**: failed in 0.0 s" in shown
    assert "Out of memory\\: ask for fewer bars." in shown
    assert "**a cancelled one**: stopped in 0.0 s" in shown


def test_again_asks_for_the_same_once_more(opened: Opened, store: Store) -> None:
    request = LoopRequest(prompt="house drums", seed=3)
    task = wire.dumps(Loops(request=request), settings.load().home)
    number = store.submit(SOMEBODY, "loop", task, title="house drums")
    store.cancel(number, owner=SOMEBODY)
    press(opened("queue"), f"repeat_{number}")
    (job,) = store.jobs(SOMEBODY, states=["queued"])
    assert job.id != number and (job.task, job.title) == (task, "house drums")


def test_again_beyond_what_can_wait_is_refused_in_words(
    opened: Opened, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, *_ = ask(store, "a", "b", "c")
    store.cancel(number, owner=SOMEBODY)
    monkeypatch.setattr(module, "MAX_OPEN", 2)
    at = press(opened("queue"), f"repeat_{number}")
    (error,) = at.error
    assert "2 jobs are waiting already" in error.value


def test_show_opens_the_room_that_made_it(opened: Opened, store: Store) -> None:
    (number,) = ask(store, "a")
    store.cancel(number, owner=SOMEBODY)
    at = press(opened("queue"), f"show_{number}")
    assert at.title[0].value == "Loops from words"


def test_a_job_of_a_room_that_is_no_more_is_shown_by_its_name(opened: Opened, store: Store) -> None:
    number = store.submit(SOMEBODY, "origami", "{}", title="a crane")
    store.cancel(number, owner=SOMEBODY)
    at = opened("queue")
    assert "origami" in texts(at)
    assert f"show_{number}" not in {button.key for button in at.button}
