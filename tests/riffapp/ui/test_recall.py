"""What a person has set, kept and put, in Streamlit's test bench."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from riffapp.ui import recall


def room() -> None:
    import streamlit as st

    from riffapp.ui.recall import apart, put, recall

    @apart
    def part() -> None:
        st.number_input("Seed", step=1, key="seed")
        st.button("New", key="new", on_click=put, args=({"seed": 7},))

    recall({"seed": 1})
    part()


def test_what_a_button_has_put_outlives_a_browser_that_has_not_heard_of_it() -> None:
    at = AppTest.from_function(room).run()
    at.button(key="new").click().run()
    assert at.number_input(key="seed").value == 7
    at.number_input(key="seed").set_value(1).run()  # as a poll says that was under way
    assert at.number_input(key="seed").value == 7
    at.number_input(key="seed").set_value(3).run()  # what a person types is another thing
    assert at.number_input(key="seed").value == 3


def test_a_moment_later_the_old_value_can_be_typed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "LATE_S", 0.0)
    at = AppTest.from_function(room).run()
    at.button(key="new").click().run()
    at.number_input(key="seed").set_value(1).run()
    assert at.number_input(key="seed").value == 1
