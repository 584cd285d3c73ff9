"""Extras as jobs: pictures made larger, and what is refused before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from riffapp.errors import UsageError
from riffapp.gallery import Gallery, Work
from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks.extras import Enlarge, Face
from riffapp.studio.library import Library
from sdcore import picture_files
from sdcore.errors import SdError

Performed = Callable[[str, Enlarge], list[Work]]


@pytest.fixture
def task(picture: Path) -> Enlarge:
    return Enlarge(pictures=(picture,), names=("photo.png",))


def _opened(work: Work) -> Image.Image:
    file = work.file("picture")
    assert file is not None
    with Image.open(file.path) as made:
        made.load()
        return made


def test_a_picture_is_made_larger_and_keeps_its_text(
    performed: Performed, tmp_path: Path, picture: Path
) -> None:
    told = tmp_path / "told.png"
    with Image.open(picture) as small:
        picture_files.write(told, small, "a house\nSteps: 2, Sampler: Euler, Seed: 5")
    (work,) = performed("extras", Enlarge(pictures=(told,), names=("a house.png",), to=1.5))
    made = _opened(work)
    assert made.size == (96, 96) and work.title == "a house.png"
    assert picture_files.text_of(made) == work.facts["parameters"]
    assert "Seed: 5" in work.facts["parameters"]


def test_a_size_is_covered_and_cut(performed: Performed, task: Enlarge) -> None:
    (cut,) = performed("extras", replace(task, to=(96, 128)))
    (whole,) = performed("extras", replace(task, to=(96, 128), crop=False))
    assert _opened(cut).size == (96, 128) and _opened(whole).size == (128, 128)
    (small,) = performed("extras", replace(task, to=4.0, max_side=100))
    assert max(_opened(small).size) == 100


def test_the_second_upscaler_lies_over_the_first_by_its_share(
    performed: Performed, task: Enlarge
) -> None:
    mixed = replace(task, upscaler="Nearest", second="Lanczos", share=0.25)
    (work,) = performed("extras", mixed)
    nearest, lanczos = (
        np.asarray(_opened(performed("extras", replace(task, upscaler=name))[0]), float)
        for name in ("Nearest", "Lanczos")
    )
    made = np.asarray(_opened(work), float)
    assert np.abs(made - (0.75 * nearest + 0.25 * lanczos)).max() <= 1.0


def test_a_batch_goes_on_where_it_was_cut_off(
    desk: Callable[[Enlarge], Desk], picture: Path
) -> None:
    task = Enlarge(pictures=(picture,) * 3, names=("a.png", "b.png", "c.png"))
    place = desk(task)
    task.perform(place)
    works = Gallery(place.database).of_job(place.job.id)
    assert [work.title for work in works] == ["a.png", "b.png", "c.png"]
    place.database.connection.execute("DELETE FROM works WHERE id = ?", (works[2].id,))
    file = works[0].file("picture")
    assert file is not None
    file.path.unlink()
    task.perform(place)
    assert len(Gallery(place.database).of_job(place.job.id)) == 3 and not file.path.exists()
    assert task.title == "Extras: a.png and 2 more"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"to": 99.0}, "an upscale by 99"),
        ({"to": (0, 64)}, "0 x 64 pixels"),
        ({"max_side": -1}, "a longest side of -1"),
        ({"upscaler": "nothing"}, "unknown upscaler 'nothing'"),
        ({"second": "nothing"}, "unknown upscaler 'nothing'"),
        ({"share": 1.5}, "a visibility of upscaler 2 of 1.5: give 0 to 1"),
        ({"faces": (Face(restorer="GFPGAN"),)}, "no weight file of GFPGAN"),
        ({"faces": (Face(restorer="nothing"),)}, "unknown face restorer 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_refused_before(
    task: Enlarge, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises((SdError, UsageError), match=sentence):
        replace(task, **change).refuse(Library(device="cpu"), [(64, 64)])


def test_a_restorer_s_numbers_are_refused_where_its_file_is_there(
    task: Enlarge, tmp_path: Path
) -> None:
    (tmp_path / "CodeFormer").mkdir()
    (tmp_path / "CodeFormer" / "codeformer.pth").touch()
    library = Library([tmp_path], device="cpu")
    replace(task, faces=(Face(restorer="CodeFormer"),)).refuse(library, [(64, 64)])
    with pytest.raises(UsageError, match="a CodeFormer weight of 2: give 0 to 1"):
        wrong = Face(restorer="CodeFormer", weight=2.0)
        replace(task, faces=(wrong,)).refuse(library, [(64, 64)])
