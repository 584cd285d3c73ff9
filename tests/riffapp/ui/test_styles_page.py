"""The room of styles: what it keeps is a styles.csv, and nothing is lost on the way there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from sdcore.prompt import styles
from sdcore.prompt.styles import Style

Opened = Callable[..., AppTest]
OIL = Style(name="Oil", prompt="oil painting of {prompt}", negative="photo")
INK = Style(name="Ink", prompt='black "ink", sharp')


@pytest.fixture
def file(own_home: Path) -> Path:
    return own_home / "styles.csv"


def fill(at: AppTest, style: Style) -> AppTest:
    at.text_input(key="styles_name").set_value(style.name)
    at.text_area(key="styles_prompt").set_value(style.prompt)
    at.text_area(key="styles_negative").set_value(style.negative)
    return press(at, "styles_save")


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception
    return at


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def test_the_first_style_is_kept_as_other_tools_keep_theirs(opened: Opened, file: Path) -> None:
    at = opened("styles")
    assert any("There is no style yet" in element.value for element in at.markdown)
    fill(at, OIL)
    assert styles.read(file) == {"Oil": OIL}
    assert file.read_text("utf-8-sig").startswith("name,prompt,negative_prompt")


def test_a_chosen_style_is_changed_in_its_place_under_a_new_name(
    opened: Opened, file: Path
) -> None:
    styles.write(file, [OIL, INK])
    at = opened("styles")
    at.selectbox(key="styles_chosen").set_value("Oil").run()
    assert at.text_area(key="styles_prompt").value == OIL.prompt
    renamed = Style(name="Oils", prompt="oils, {prompt}", negative="")
    fill(at, renamed)
    assert list(styles.read(file).values()) == [renamed, INK]
    assert at.selectbox(key="styles_chosen").value == "Oils"


@pytest.mark.parametrize(
    ("name", "said"), [("  ", "This style has no name"), ("Ink", "There is a style 'Ink' already")]
)
def test_a_name_that_cannot_be_is_refused_in_words(
    opened: Opened, file: Path, name: str, said: str
) -> None:
    styles.write(file, [INK])
    at = fill(opened("styles"), Style(name=name, prompt="other"))
    (error,) = refusals(at)
    assert said in error
    assert styles.read(file) == {"Ink": INK}


def test_what_is_deleted_comes_back(opened: Opened, file: Path) -> None:
    styles.write(file, [OIL, INK])
    at = opened("styles")
    assert at.button(key="styles_delete").disabled
    at.selectbox(key="styles_chosen").set_value("Ink").run()
    press(at, "styles_delete")
    assert styles.read(file) == {"Oil": OIL}
    press(at, "styles_undo")
    assert styles.read(file) == {"Oil": OIL, "Ink": INK}


def test_styles_of_another_tool_are_taken_over(opened: Opened, file: Path, tmp_path: Path) -> None:
    given = tmp_path / "styles.csv"
    styles.write(file, [INK])
    styles.write(given, [OIL, Style(name="Ink", prompt="of theirs")])
    at = opened("styles")
    upload = ("styles.csv", given.read_bytes(), "text/csv")
    at.file_uploader(key="styles_given_upload").set_value(upload).run()
    press(at, "styles_take")
    assert styles.read(file) == {"Ink": Style(name="Ink", prompt="of theirs"), "Oil": OIL}


def test_a_file_that_is_no_table_of_styles_is_a_sentence_and_stays(
    opened: Opened, file: Path
) -> None:
    file.write_text("a,b\n1,2\n")
    at = opened("styles")
    assert not at.exception
    (error,) = refusals(at)
    assert "'styles.csv' has the columns a, b" in error
    assert file.read_text() == "a,b\n1,2\n"


def test_words_that_look_like_markup_are_shown_as_typed(opened: Opened, file: Path) -> None:
    styles.write(file, [Style(name="<b>*x*</b>", prompt="[a](javascript:1)")])
    at = opened("styles")
    (table,) = at.table
    assert table.value.iloc[0].tolist()[:2] == [r"\<b\>\*x\*\</b\>", r"\[a\]\(javascript\:1\)"]
