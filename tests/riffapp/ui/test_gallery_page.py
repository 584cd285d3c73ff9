"""The room of the gallery: everything made is found, heard, compared, thrown away and had back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from riffapp import settings
from riffapp.database import Database
from riffapp.gallery import File, Gallery, Made, Work
from riffapp.jobs import wire
from riffapp.jobs.tasks.loops import Loops
from riffapp.studio.types import LoopRequest
from riffapp.ui.rooms import gallery as module
from riffapp.ui.visitor import SOMEBODY

Opened = Callable[..., AppTest]
Keep = Callable[..., Work]
REQUEST = LoopRequest(prompt="house drums", bpm=124.0, seed=7)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test bench has no connection that could say where it is."""
    monkeypatch.setattr(module, "is_here", lambda: True)


@pytest.fixture
def gallery(own_home: Path) -> Gallery:
    return Gallery(Database(own_home))


@pytest.fixture
def keep(gallery: Gallery, own_home: Path) -> Keep:
    """Keeps a loop with a picture and a sound, each of another job."""
    jobs = iter(range(1, 1000))

    def kept(title: str = "house drums", *, owner: str = SOMEBODY, **told: Any) -> Work:
        job = next(jobs)
        sound, picture = own_home / f"{job}.wav", own_home / f"{job}.png"
        sound.write_bytes(b"x" * 1_000_000)
        Image.new("RGB", (8, 8)).save(picture)
        task = Loops(request=replace(REQUEST, prompt=title, **told.pop("request", {})))
        made = Made(
            **{
                "kind": "loop",
                "title": title,
                "words": title,
                "task": wire.dumps(task, own_home),
                "files": (File(role="sound", path=sound), File(role="picture", path=picture)),
                "facts": {"seconds": 3.871, "rate": 44100, "seed": 7, "prompt": title},
            }
            | told
        )
        gallery.add(made, owner=owner, job=job, number=0)
        return gallery.works(limit=1)[0]

    return kept


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception
    return at


def texts(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(e.value.replace("\\", "") for e in (*at.markdown, *at.caption))


def shown(at: AppTest) -> list[str]:
    """The titles of the cards, in their order."""
    titles = [e.value.replace("\\", "") for e in at.markdown if e.value.startswith("**")]
    return [title.removeprefix("**").removesuffix("**") for title in titles]


def players(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(element.proto.json) for element in at.get("bidi_component")]


def test_an_empty_gallery_explains_itself_and_leads_to_a_first_loop(opened: Opened) -> None:
    at = opened("gallery")
    assert any("Nothing here yet." in element.proto.body for element in at.get("html"))
    press(at, "gallery_begin")
    assert at.title[0].value == "Loops from words"


def test_works_are_cards_the_newest_first_without_a_player_each(opened: Opened, keep: Keep) -> None:
    keep("older"), keep("newer *stars*")
    at = opened("gallery")
    assert shown(at) == ["newer *stars*", "older"]
    assert players(at) == []
    urls = [image.proto.imgs[0].url for image in at.get("image")]
    assert [url.partition("/riffapp")[2] for url in urls] == [
        "/files/2/1?small",
        "/files/1/1?small",
    ]


def test_a_work_opens_in_its_place_with_its_player_and_its_folder(
    opened: Opened, keep: Keep, own_home: Path
) -> None:
    first, _ = keep("one"), keep("two")
    at = press(opened("gallery"), f"open_{first.id}")
    (face,) = players(at)
    assert face["name"] == "one"
    assert f"In {own_home}, 1 MB" in texts(at)
    press(at, "gallery_close")
    assert players(at) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("house", ["deep house", "house"]), ("deep HOUSE", ["deep house"]), ("100%", [])],
)
def test_words_narrow_the_view(opened: Opened, keep: Keep, text: str, found: list[str]) -> None:
    keep("house"), keep("techno"), keep("deep house")
    at = opened("gallery")
    at.text_input(key="gallery_text").set_value(text).run()
    assert shown(at) == found
    assert found or "Nothing fits." in texts(at)


def test_kinds_and_stars_narrow_the_view(opened: Opened, keep: Keep, gallery: Gallery) -> None:
    loop, _ = keep("a loop"), keep("a speech", kind="speech")
    at = opened("gallery")
    at.selectbox(key="gallery_kind").set_value("speech").run()
    assert shown(at) == ["a speech"]
    at.selectbox(key="gallery_kind").set_value(None).run()
    press(at, f"gallery_star_{loop.id}")
    at.segmented_control(key="gallery_show").set_value(module.STARRED).run()
    assert shown(at) == ["a loop"]
    press(at, f"gallery_star_{loop.id}")
    assert gallery.works(starred=True) == []
    assert "Nothing here has a star." in texts(at)


def test_pages_part_many_works_and_a_search_begins_at_the_first(opened: Opened, keep: Keep) -> None:
    for n in range(module.PER_PAGE + 2):
        keep(f"loop {n}")
    at = opened("gallery")
    assert len(shown(at)) == module.PER_PAGE
    at.session_state["gallery_page"] = 2
    at.run()
    assert shown(at) == ["loop 1", "loop 0"]
    at.text_input(key="gallery_text").set_value("loop 1").run()
    assert "loop 1" in shown(at)


def test_what_others_made_is_shown_on_the_machine_itself_only(
    opened: Opened, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("mine"), keep("theirs", owner="ben")
    at = opened("gallery")
    assert shown(at) == ["mine"]
    at.toggle(key="gallery_all").set_value(True).run()
    assert shown(at) == ["theirs", "mine"]
    monkeypatch.setattr(module, "is_here", lambda: False)
    at.run()
    assert shown(at) == ["mine"] and not at.toggle
    assert str(settings.load().outputs) not in texts(at)


def test_what_is_deleted_is_in_the_bin_and_comes_back_both_ways(opened: Opened, keep: Keep) -> None:
    work = keep("a loop")
    at = press(opened("gallery"), f"open_{work.id}")
    press(at, f"delete_gallery_{work.id}")
    assert "“a loop” is in the bin." in texts(at) and shown(at) == []
    press(at, "undo_delete")
    assert "in the bin" not in texts(at)
    press(at, f"delete_gallery_{work.id}")
    at.segmented_control(key="gallery_show").set_value(module.BIN).run()
    assert shown(at) == ["a loop"]
    press(at, f"back_{work.id}")
    assert "The bin is empty." in texts(at)
    at.segmented_control(key="gallery_show").set_value(module.EVERYTHING).run()
    assert work.title in texts(at)


def test_an_emptied_bin_says_what_it_frees_and_leaves_no_file(
    opened: Opened, keep: Keep, gallery: Gallery
) -> None:
    gone, theirs, _ = keep("gone"), keep("theirs", owner="ben"), keep("kept")
    gallery.delete(gone.id)
    gallery.delete(theirs.id)
    at = opened("gallery")
    at.segmented_control(key="gallery_show").set_value(module.BIN).run()
    (popover,) = at.get("popover")
    assert popover.proto.popover.label == "Empty the bin (frees 1 MB)"
    press(at, "gallery_empty")
    assert not any(file.path.exists() for file in gone.files)
    assert all(file.path.exists() for file in theirs.files)
    assert gallery.work(gone.id) is None and gallery.work(theirs.id) is not None


def test_a_work_whose_files_are_gone_says_so_and_keeps_its_settings(
    opened: Opened, keep: Keep
) -> None:
    work = keep("a loop")
    for file in work.files:
        file.path.unlink()
    at = opened("gallery")
    assert "files are gone" in texts(at) and "no picture" in texts(at)
    press(at, f"open_{work.id}")
    (warning,) = (e.value.replace("\\", "") for e in at.warning)
    assert "Gone from the disk: 1.wav, 1.png" in warning


def test_two_works_are_compared_with_what_was_set_otherwise(opened: Opened, keep: Keep) -> None:
    first = keep("house")
    second = keep("techno", request={"bpm": 140.0, "detail": True})
    at = press(opened("gallery"), f"pick_{first.id}")
    assert at.button(key=f"pick_{first.id}").label == "is A"
    press(at, f"pick_{second.id}")
    assert [face["name"] for face in players(at)] == ["house", "techno"]
    rows = at.table[0].value.to_numpy().tolist()
    assert ["bpm", r"124.0", r"140.0"] in rows and ["detail", "off", "on"] in rows
    assert "seed" not in {row[0] for row in rows}
    press(at, "gallery_versus_close")
    assert players(at) == []


def test_the_same_settings_are_said_to_be_the_same(opened: Opened, keep: Keep) -> None:
    first, second = keep(), keep()
    at = press(opened("gallery"), f"pick_{first.id}")
    press(at, f"pick_{second.id}")
    assert "All settings of A and B are the same." in texts(at)


def test_a_pick_is_taken_back_and_one_in_the_bin_is_none(
    opened: Opened, keep: Keep, gallery: Gallery
) -> None:
    first, second = keep("one"), keep("two")
    at = press(opened("gallery"), f"pick_{first.id}")
    press(at, f"pick_{first.id}")
    assert at.button(key=f"pick_{first.id}").label == "A/B"
    press(at, f"pick_{second.id}")
    gallery.delete(second.id)
    press(at, f"pick_{first.id}")
    assert players(at) == []


def test_the_disk_is_told_in_words(opened: Opened, keep: Keep, own_home: Path) -> None:
    keep(), keep()
    (own_home / "inputs").mkdir()
    (own_home / "inputs" / "a.wav").write_bytes(b"x" * 2_500_000)
    said = texts(opened("gallery"))
    assert "2 works of yours: 2 MB · given files: 2.5 MB · models: 0 bytes · free: " in said
    assert f"New files go into {settings.load().outputs}, a folder for each day" in said
