"""The room Checkpoint merger in Streamlit's test bench."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

from riffapp import settings
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.ui.rooms import merger

Worked = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]
NAME = "model.diffusion_model.out.0.weight"


@pytest.fixture
def at(opened: Callable[..., AppTest], own_home: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The room as who sits at this machine sees it, with two models in the home's own folder."""
    monkeypatch.setattr(merger, "is_here", lambda: True)
    folder = own_home / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    for name, value in (("one", 1.0), ("three", 3.0)):
        save_file({NAME: torch.full((4,), value)}, folder / f"{name}.safetensors")
    page = opened("merger")
    assert not page.exception and page.title[0].value == "Checkpoint merger"
    return page


def put(at: AppTest, **values: Any) -> AppTest:
    for name, value in values.items():
        at.session_state[f"merger_{name}"] = value
    return at


def press(at: AppTest) -> AppTest:
    at.button(key="make").click().run()
    assert not at.exception
    return at


def refusals(at: AppTest) -> str:
    return " ".join(element.value.replace("\\", "") for element in at.error)


def test_two_models_become_one_that_is_found_at_once(
    at: AppTest, work_off: Worked, works: Works, own_home: Path
) -> None:
    put(at, A="one", B="three", multiplier=0.25, name="both", half=True)
    work_off(press(at))
    (work,) = works()
    made = load_file(own_home / "models" / "Stable-diffusion" / "both.safetensors")[NAME]
    assert made.tolist() == [1.5] * 4 and made.dtype == torch.float16
    assert work.title == "both.safetensors"
    assert "both" in at.selectbox(key="merger_A").options
    task = wire.loads(work.task, settings.load().home)

    def script() -> None:
        import streamlit as st

        from riffapp.ui.rooms import merger

        if "task" in st.session_state:
            merger.fill(st.session_state.pop("task"))
        merger.page()

    back = AppTest.from_function(script, default_timeout=300)
    back.session_state["task"] = task
    back.run()
    assert back.selectbox(key="merger_B").value == "three"
    assert back.number_input(key="merger_multiplier").value == 0.25
    assert back.checkbox(key="merger_half").value is True


def test_a_model_without_a_name_is_called_by_its_recipe(
    at: AppTest, work_off: Worked, own_home: Path
) -> None:
    work_off(press(put(at, A="one", B="three")))
    assert (own_home / "models" / "Stable-diffusion" / "0.7(one) + 0.3(three).safetensors").exists()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "Weighted sum without the model A"),
        ({"A": "one"}, "Weighted sum without the model B"),
        ({"A": "one", "B": "three", "method": "Add difference"}, "without the model C"),
        ({"A": "one", "B": "three", "name": "one"}, "There is a one.safetensors already"),
        ({"A": "one", "B": "three", "name": "../out"}, "The name '../out'"),
        ({"A": "one", "B": "three", "discard": "("}, "is no regular expression"),
    ],
)
def test_a_refusal_is_a_sentence_and_nothing_is_written(
    at: AppTest, values: dict[str, Any], sentence: str, own_home: Path
) -> None:
    assert sentence in refusals(press(put(at, **values)))
    assert len(list((own_home / "models").rglob("*.safetensors"))) == 2


def test_who_sits_elsewhere_merges_nothing(at: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merger, "is_here", lambda: False)
    at.run()
    assert not at.button and "on the computer that riffapp runs on" in at.markdown[-1].value


def test_without_models_the_page_says_what_to_do(
    opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merger, "is_here", lambda: True)
    page = opened("merger")
    assert "No single-file checkpoint is here" in page.warning[0].value.replace("\\", "")
