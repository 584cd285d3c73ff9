"""The room of the settings: each is shown with who says so, a change is kept or refused."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from riffapp import settings
from riffapp.doctor import Finding
from riffapp.settings import FIELDS
from riffapp.ui.rooms import preferences
from riffapp.ui.rooms.preferences import KEY

Opened = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test bench has no connection that could say where it is."""
    monkeypatch.setattr(preferences, "is_here", lambda: True)


@pytest.fixture
def file(own_home: Path) -> Path:
    return own_home / "settings.toml"


def save(at: AppTest) -> AppTest:
    at.button(key="preferences_save").click().run()
    assert not at.exception
    return at


def captions(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(element.value.replace("\\", "") for element in at.caption)


def saved(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text()) if file.exists() else {}


def test_every_setting_stands_in_one_group() -> None:
    names = [name for group in preferences.GROUPS for name in group.names]
    assert sorted(names) == sorted(FIELDS)


def test_each_setting_says_what_it_is_and_who_says_so(
    opened: Opened, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('suffix = ".flac"\n')
    monkeypatch.setenv("RIFFAPP_PREVIEWS", "false")
    at = opened("preferences")
    said = captions(at)
    for field in FIELDS.values():
        assert field.words[1:].rstrip(".") in said
    assert "Format of finished sounds: .wav, .flac, .ogg or .mp3. Set in settings.toml." in said
    assert "Set by the environment variable RIFFAPP_PREVIEWS, which goes before this page." in said
    assert at.selectbox(key="preferences_suffix").value == ".flac"
    previews = at.toggle(key="preferences_previews")
    assert previews.value is False and previews.disabled


def test_changes_are_saved_together_and_hold(opened: Opened, file: Path, tmp_path: Path) -> None:
    at = opened("preferences")
    at.text_input(key="preferences_outputs").set_value(str(tmp_path / "mine"))
    at.selectbox(key="preferences_suffix").set_value(".ogg")
    at.toggle(key="preferences_previews").set_value(False)
    at.text_input(key="preferences_hosts").set_value("a.example.org, b.example.org")
    save(at)
    assert at.success[0].value == r"4 changes saved."
    assert saved(file) == {
        "outputs": str(tmp_path / "mine"),
        "suffix": ".ogg",
        "previews": False,
        "hosts": ["a.example.org", "b.example.org"],
    }
    found = settings.load()
    assert (found.outputs, found.suffix, found.previews) == (tmp_path / "mine", ".ogg", False)


def test_what_was_not_touched_is_not_written(opened: Opened, file: Path) -> None:
    at = save(opened("preferences"))
    assert at.success[0].value == "Nothing was changed."
    assert saved(file) == {}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("name_pattern", "{words}", "Name_pattern is '{words}': it must hold {number}"),
        ("threads", "none", "Threads is 'none': give a whole number from 1 up"),
        ("hosts", "http://x", "Hosts is 'http://x': give names such as studio.example.org"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_nothing_is_saved(
    opened: Opened,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    said: str,
) -> None:
    at = opened("loop")  # which sets the test bench's own
    monkeypatch.delenv("RIFFAPP_THREADS")
    at.session_state["going"] = KEY
    at.run()
    at.selectbox(key="preferences_suffix").set_value(".mp3")
    at.text_input(key=f"preferences_{name}").set_value(value)
    save(at)
    (error,) = at.error
    assert said in error.value.replace("\\", "")
    assert saved(file) == {}
    assert at.text_input(key=f"preferences_{name}").value == value  # to be mended, not typed anew


def test_a_device_beyond_the_list_is_shown_and_stays(
    opened: Opened, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('device = "cuda:1"\n')
    at = opened("loop")  # which sets the test bench's own
    monkeypatch.delenv("RIFFAPP_DEVICE")
    at.session_state["going"] = KEY
    at.run()
    assert at.selectbox(key="preferences_device").value == "cuda:1"
    at.selectbox(key="preferences_suffix").set_value(".mp3")
    save(at)
    assert saved(file) == {"device": "cuda:1", "suffix": ".mp3"}


def test_a_setting_goes_back_to_its_default(opened: Opened, file: Path) -> None:
    file.write_text('suffix = ".flac"\noutputs = "here"\n')
    at = opened("preferences")
    at.button(key="preferences_suffix_unset").click().run()
    assert saved(file) == {"outputs": "here"}
    assert at.selectbox(key="preferences_suffix").value == ".wav"
    at.text_input(key="preferences_outputs").set_value("")  # emptied is the same
    save(at)
    assert saved(file) == {}


def test_a_secret_is_never_shown_nor_asked_for(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIFFAPP_PASSWORD", "correct horse battery")
    at = opened("preferences")
    password = at.text_input(key="preferences_password")
    assert (password.value, password.disabled) == ("set", True)
    assert "horse" not in str(at)


def test_from_elsewhere_settings_are_looked_at_only(
    opened: Opened, file: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('models_dirs = ["a", "b"]\n')
    monkeypatch.setattr(preferences, "is_here", lambda: False)
    at = opened("preferences")
    assert str(own_home) not in str(at.main)  # nor where anything lies
    assert at.text_input(key="preferences_models_dirs").value == "a:b"
    assert at.button(key="preferences_save").disabled
    assert all(element.disabled for element in (*at.text_input, *at.selectbox, *at.toggle))
    assert any("riffapp config set" in element.value for element in at.warning)


def test_names_that_no_setting_has_are_said(opened: Opened, file: Path) -> None:
    file.write_text('sufix = ".flac"\n')
    warnings = [element.value.replace("\\", "") for element in opened("preferences").warning]
    said = "'sufix' in settings.toml is no setting: the nearest is 'suffix'"
    assert any(said in warning for warning in warnings)


def test_what_is_broken_in_the_installation_stands_open_with_its_cure(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding(subject="torch", ok=False, words="missing: pip install torch")
    monkeypatch.setattr(preferences, "_findings", lambda _: (finding,))
    at = opened("preferences")
    (expander,) = (e for e in at.expander if e.label.startswith("What was found"))
    assert expander.label == "What was found: 1 to mend" and expander.proto.expanded
    assert "pip install torch" in expander.markdown[0].value.replace("\\", "")


def test_a_sound_installation_says_its_versions_and_its_licence(opened: Opened) -> None:
    at = opened("preferences")
    text = "\n".join(element.value for element in at.markdown)
    assert "GNU General Public License" in text and "torchvision" in text
