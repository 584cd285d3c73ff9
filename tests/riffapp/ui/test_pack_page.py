"""The room of packs in Streamlit's test bench, on random weights: what it will be is said before,
its loops can be picked, refusals are sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from riffapp.database import Database
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import Job, Store
from riffapp.jobs.tasks.pack import Pack
from riffapp.ui.components import sounds
from riffapp.ui.components.player import Face
from riffapp.ui.rooms import pack
from riffapp.ui.visitor import SOMEBODY
from sdcore.xyz import AXES

Opened = Callable[..., AppTest]
WorkOff = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]


@pytest.fixture
def at(opened: Opened) -> AppTest:
    """The room with a pack of two quick loops."""
    page = opened("pack")
    page.text_area(key="pack_prompt").set_value("house|saw bass")
    page.number_input(key="pack_bpm").set_value(200.0)
    page.session_state["pack_length"], page.session_state["pack_quality"] = 1, "draft"
    return page.run()


@pytest.fixture
def asked(own_home: Path) -> Callable[[], Pack]:
    """What was asked for last."""

    def last() -> Pack:
        task: Pack = wire.loads(newest(own_home).task, own_home)
        return task

    return last


def give(at: AppTest, path: Path) -> AppTest:
    at.file_uploader(key="pack_batch_upload").set_value((path.name, path.read_bytes(), "")).run()
    return at


def axis(at: AppTest, name: str, field: str, values: str) -> AppTest:
    at.selectbox(key=f"pack_axis_{name}").set_value(field).run()
    at.text_input(key=f"pack_values_{name}").set_value(values).run()
    return at


def newest(home: Path) -> Job:
    return max(Store(Database(home)).jobs(SOMEBODY), key=lambda job: job.id)


def press(at: AppTest) -> AppTest:
    at.button(key="pack_make").click().run()
    assert not at.exception
    return at


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def outlook(at: AppTest) -> str:
    """What is said beside the button before anything is made."""
    told = [element.value.replace("\\", "") for element in (*at.markdown, *at.caption)]
    return next(
        one for one in told if ":material/library_music:" in one or ":material/info:" in one
    )


# ---- before -----------------------------------------------------------------------------------


def test_how_many_loops_it_will_be_is_said_before(at: AppTest) -> None:
    assert "**2 loops** · 2.4 s of sound" in outlook(at)
    at.number_input(key="pack_takes").set_value(3).run()
    axis(at, "X", "bpm", "120-140 (+10)")
    assert "**18 loops**" in outlook(at) and "made in" not in outlook(at)


def test_how_long_it_will_take_is_said_by_what_was_made_before(
    at: AppTest, work_off: WorkOff, works: Works
) -> None:
    work_off(press(at))
    pace = works()[0].facts["pace_s"]
    at.number_input(key="pack_takes").set_value(2).run()
    (loops, steps, beats) = (4, 2, 4)
    told = f"made in about {sounds_span(loops * steps * beats * pace)}"
    assert told in outlook(at)


def sounds_span(seconds: float) -> str:
    from riffapp.ui.figures import span

    return span(seconds)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda at: at.text_area(key="pack_prompt").set_value(" "), "the prompt is empty"),
        (lambda at: at.number_input(key="pack_bpm").set_value(9.0), "bpm 9 is outside"),
        (lambda at: at.number_input(key="pack_takes").set_value(0), "takes 0 is outside"),
        (lambda at: axis(at, "Y", "bpm", ""), "the Y axis has no values"),
        (lambda at: axis(at, "Y", "bpm", "fast"), "is no number"),
        (lambda at: axis(at, "X", "key", "H minor"), "H minor"),
        (lambda at: axis(at, "X", "seed", "1-5000"), "5000 values on an axis"),
        (lambda at: axis(at, "Z", "prompt s/r", "techno, house"), "techno"),
        (lambda at: at.number_input(key="pack_own_seed").set_value(-1), "the pack's seed -1"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_is_queued(
    at: AppTest, own_home: Path, change: Callable[[AppTest], Any], sentence: str
) -> None:
    change(at).run()
    press(at)
    (error,) = refusals(at)
    assert sentence.lower() in error.lower()
    assert not Store(Database(own_home)).jobs(SOMEBODY)


def test_a_pack_that_cannot_be_says_so_while_it_is_set(at: AppTest) -> None:
    axis(at, "X", "bpm", "20, 30")
    assert "bpm 20 is outside" in outlook(at).lower() and not refusals(at)


def test_a_table_that_cannot_be_is_refused_by_its_name_and_line(
    at: AppTest, tmp_path: Path
) -> None:
    table = tmp_path / "my wishes.csv"
    table.write_text("prompt,bpm\nhouse,200\ntechno,999\n")
    give(at, table)
    press(at)
    assert "my wishes.csv line 3: bpm 999 is outside" in refusals(at)[0].replace("My", "my")


# ---- what is asked for ------------------------------------------------------------------------


def test_axes_matrix_and_table_reach_the_task(
    at: AppTest, asked: Callable[[], Pack], tmp_path: Path
) -> None:
    axis(at, "X", "prompt s/r", "house, techno")
    axis(at, "Z", "cfg", "2, 3")
    at.toggle(key="pack_brackets").set_value(True)
    at.number_input(key="pack_own_seed").set_value(11)
    at.selectbox(key="pack_suffix").set_value(".flac").run()
    assert not refusals(press(at))
    wish = asked().wish
    assert wish.axes == (("prompt s/r", "house, techno"), ("cfg", "2, 3"))
    assert (wish.every_bar, wish.seed, wish.suffix) == (True, 11, ".flac")
    table = tmp_path / "wishes.json"
    table.write_text('[{"prompt": "house"}, {"prompt": "techno", "bars": 2}]')
    at.toggle(key="pack_brackets").set_value(False)
    give(at, table)
    axis(at, "X", "bpm", "200, 210")
    assert "**8 loops**" in outlook(at)
    assert not refusals(press(at))
    assert asked().batch_name == "wishes.json" and asked().wish.batch is not None


def test_without_a_seed_each_press_is_another_pack(at: AppTest, asked: Callable[[], Pack]) -> None:
    seeds = {(press(at), asked().wish.seed)[1] for _ in range(2)}
    assert len(seeds) == 2


def test_every_axis_reads_its_example(at: AppTest) -> None:
    assert {"prompt s/r", "prompt order"} <= set(pack.AXES)
    assert "Prompt S/R" in AXES
    for field, one in pack.AXES.items():
        words = "house, techno" if field.startswith("prompt") else one.example
        at.text_area(key="pack_prompt").set_value("house, techno")
        axis(at, "X", field, words)
        assert "loops**" in outlook(at), field


# ---- what comes of it -------------------------------------------------------------------------


def test_loops_are_picked_from_a_list_of_ten(
    at: AppTest, work_off: WorkOff, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    at.number_input(key="pack_takes").set_value(6).run()
    work_off(press(at))
    (work,) = works()
    key = f"sounds_pack_{work.id}"
    rows = [b for b in at.button if str(b.key).startswith(f"{key}_row_")]
    assert len(rows) == 10 and rows[0].label.startswith("1. house · seed")
    shown: list[Face] = []
    monkeypatch.setattr(sounds, "player", lambda face, key: shown.append(face))
    at.button(key=f"{key}_row_7").click().run()
    assert not at.exception
    assert shown[-1].name == work.facts["rows"][7]["title"] and shown[-1].play
    assert shown[-1].tracks[0].url == f"/riffapp/files/{work.id}/{4 + 2 * 7}?wav"
    assert shown[-1].picture == f"/riffapp/files/{work.id}/{4 + 2 * 7 + 1}"
    assert shown[-1].beats == 4 and shown[-1].hz is not None
    next(p for p in at.get("pagination") if p.key == f"{key}_page").set_value(2).run()
    rows = [b for b in at.button if str(b.key).startswith(f"{key}_row_")]
    assert [row.label.partition(".")[0] for row in rows] == ["11", "12"]


def test_a_picked_loop_is_sent_to_another_room(
    at: AppTest, work_off: WorkOff, works: Works
) -> None:
    work_off(press(at))
    (work,) = works()
    key = f"sounds_pack_{work.id}"
    at.button(key=f"{key}_row_1").click().run()
    send = next(m for m in at.get("menu_button") if m.key == f"{key}_send")
    send.set_value("remix").run()
    assert not at.exception and at.title[0].value == "Sound to sound"
    sent = at.session_state["remix_source"]
    assert sent.read_bytes() == work.files[work.facts["rows"][1]["sound"]].path.read_bytes()


def test_everything_is_taken_home_in_one_file(at: AppTest, work_off: WorkOff) -> None:
    work_off(press(at))
    labels = [link.label for link in at.get("link_button")]
    assert labels == ["WAV", "ZIP of 2 loops", "Table", "Index", "Plan"]


def test_every_setting_of_a_pack_comes_back(
    at: AppTest, work_off: WorkOff, asked: Callable[[], Pack], tmp_path: Path
) -> None:
    table = tmp_path / "wishes.csv"
    table.write_text("prompt,bpm\nhouse,200\n")
    give(at, table)
    axis(at, "Y", "bpm", "200, 210")
    at.number_input(key="pack_seed").set_value(5).run()
    before = (press(at), asked())[1]
    work_off(at)
    at.button(key="pack_batch_remove").click().run()
    axis(at, "Y", "cfg", "2")
    at.text_area(key="pack_prompt").set_value("techno")
    at.number_input(key="pack_seed").set_value(None).run()
    use = next(m for m in at.get("menu_button") if str(m.key).startswith("use_pack_"))
    use.set_value("all").run()
    assert (press(at), asked())[1] == before
