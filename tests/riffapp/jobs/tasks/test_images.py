"""Pictures as jobs, on a tiny checkpoint of random weights: plumbing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from riffapp.errors import UsageError
from riffapp.gallery import Gallery, Work
from riffapp.jobs import wire
from riffapp.jobs.desk import Desk
from riffapp.jobs.store import Store
from riffapp.jobs.tasks.images import Canvas, Pictures, later
from riffapp.jobs.tasks.refusals import refuse
from riffapp.studio.images import ImageWish, Outpaint, Redraw, open_picture
from riffapp.studio.library import Library
from sdcore import infotext, picture_files
from sdcore.errors import SdError
from sdcore.grow import Mk2Way, PoorMansWay
from sdcore.types import (
    Alternative,
    Faces,
    Guidance,
    Hires,
    ImageRequest,
    Refiner,
    Variation,
)

Performed = Callable[[str, Pictures], list[Work]]
ASKED = ImageRequest(prompt="house", seed=5, width=32, height=32, steps=2, cfg=1.0)


@pytest.fixture
def wish(tiny: Path) -> ImageWish:
    return ImageWish(request=ASKED, checkpoint=str(tiny))


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A drawing on the 64 x 64 picture: red in its left 24 columns, transparent elsewhere."""
    drawn = Image.new("RGBA", (64, 64))
    drawn.paste((255, 0, 0, 255), (0, 0, 24, 64))
    path = tmp_path / "layer.png"
    drawn.save(path)
    return path


def _file(work: Work) -> Path:
    file = work.file("picture")
    assert file is not None
    return file.path


def _pixels(path: Path) -> np.ndarray[Any, Any]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _request(work: Work) -> ImageRequest:
    text = picture_files.read(_file(work))
    assert text is not None and text == work.facts["parameters"]
    return infotext.read(text).request


def test_rounds_of_a_batch_have_one_seed_after_the_other(
    performed: Performed, wish: ImageWish
) -> None:
    wish = replace(wish, request=replace(ASKED, batch=2))
    works = performed("txt2img", Pictures(wish=wish, rounds=2))
    assert [work.facts["seed"] for work in works] == [5, 6, 7, 8]
    assert [_request(work).seed for work in works] == [5, 6, 7, 8]
    assert len({_file(work).read_bytes() for work in works}) == 4
    assert {work.kind for work in works} == {"txt2img"}


def test_neighbours_of_a_seed_stay_neighbours_in_every_round() -> None:
    varied = replace(ASKED, batch=3, variation=Variation(seed=9, strength=0.2))
    second = later(varied, 1)
    assert second.variation is not None
    assert (second.seed, second.variation.seed) == (5, 12)
    assert later(replace(ASKED, batch=3, variation=Variation(seed=9)), 1).seed == 8


def test_the_settings_of_a_picture_make_it_alone_again(
    performed: Performed, wish: ImageWish, found: Any
) -> None:
    wish = replace(wish, request=replace(ASKED, batch=2))
    second = performed("txt2img", Pictures(wish=wish, rounds=2))[3]
    task = wire.loads(second.task, found.home)
    assert task.rounds == 1 and task.wish.request.batch == 1
    (again,) = performed("txt2img", task)
    assert np.array_equal(_pixels(_file(again)), _pixels(_file(second)))


def test_a_job_that_was_cut_off_makes_only_what_is_missing(
    desk: Callable[[Pictures], Desk], wish: ImageWish
) -> None:
    task = Pictures(wish=wish, rounds=3)
    place = desk(task)
    task.perform(place)
    works = Gallery(place.database).of_job(place.job.id)
    place.database.connection.execute("DELETE FROM works WHERE id = ?", (works[2].id,))
    first = _file(works[0])
    first.unlink()
    task.perform(place)
    again = Gallery(place.database).of_job(place.job.id)
    assert [work.number for work in again] == [0, 1, 2] and not first.exists()
    assert _pixels(_file(again[2])).shape == (32, 32, 3)


def test_interrupting_keeps_the_picture_as_it_is_by_then(
    desk: Callable[[Pictures], Desk], wish: ImageWish
) -> None:
    task = Pictures(wish=replace(wish, request=replace(ASKED, steps=9)), rounds=3)
    place = desk(task)
    Store(place.database).cancel(place.job.id, owner="ann")
    task.perform(place)
    (work,) = Gallery(place.database).of_job(place.job.id)
    assert work.facts["seed"] == 5 and _file(work).exists()


def test_skipping_goes_on_with_the_next_picture(
    desk: Callable[[Pictures], Desk], wish: ImageWish
) -> None:
    task = Pictures(wish=replace(wish, request=replace(ASKED, steps=9)), rounds=3)
    place = desk(task)
    store = Store(place.database)
    store.skip(place.job.id, owner="bob")  # somebody else's
    assert not store.is_skipping(place.job.id)
    store.skip(place.job.id, owner="ann")
    task.perform(place)
    works = Gallery(place.database).of_job(place.job.id)
    assert [work.facts["seed"] for work in works] == [5, 6, 7]
    assert any("skipped at step 1 of 9" in line for line in works[0].lines)
    assert not works[1].lines


def test_progress_counts_all_rounds_and_shows_what_forms(
    desk: Callable[[Pictures], Desk], wish: ImageWish, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[int, int]] = []
    shown: list[tuple[int, int]] = []

    def step(self: Desk, step: Any) -> None:
        said.append((step.run * step.steps + step.index + 1, step.runs * step.steps))

    monkeypatch.setattr(Desk, "walked", step)
    monkeypatch.setattr(Desk, "show", lambda self, picture: shown.append(picture.size))
    task = Pictures(wish=replace(wish, request=replace(ASKED, batch=2)), rounds=2)
    task.perform(desk(task))
    assert said == [(done, 8) for done in range(1, 9)]
    assert shown and set(shown) == {(32, 32)}


def test_img2img_is_drawn_from_the_file_and_its_settings_come_back(
    performed: Performed, wish: ImageWish, picture: Path, found: Any
) -> None:
    start = {"strength": 0.0, "resize": "just resize"}
    wish = replace(wish, request=replace(ASKED, width=64, height=64))
    canvas = Canvas(picture=picture, start=start)
    (work,) = performed("img2img", Pictures(wish=wish, canvases=(canvas,)))
    assert work.kind == "img2img" and "Denoising strength: 0" in work.facts["parameters"]
    (kept,) = wire.loads(work.task, found.home).canvases
    assert kept.picture.read_bytes() == picture.read_bytes() and kept.start == start


def test_a_sketch_lies_on_the_picture(picture: Path, layer: Path) -> None:
    canvas = Canvas(picture=picture, sketch=layer, way="Sketch")
    laid = canvas.laid(ASKED)
    assert laid.start is not None and laid.mask is None
    pixels = np.asarray(laid.start.image)
    assert (pixels[:, :24] == (255, 0, 0)).all()
    assert np.array_equal(pixels[:, 24:], _pixels(picture)[:, 24:])


def test_half_a_sketch_s_opacity_shows_half_of_it(picture: Path, layer: Path) -> None:
    laid = Canvas(picture=picture, sketch=layer, opacity=0.5).laid(ASKED)
    assert laid.start is not None
    wanted = (_pixels(picture)[:, :24].astype(float) + (255, 0, 0)) / 2
    assert np.abs(np.asarray(laid.start.image)[:, :24] - wanted).max() <= 2


def test_inpainting_leaves_what_was_not_drawn_on(
    performed: Performed, wish: ImageWish, picture: Path, layer: Path
) -> None:
    wish = replace(wish, request=replace(ASKED, width=64, height=64))
    mask = {"blur": (0.0, 0.0), "content": "original"}
    canvas = Canvas(picture=picture, covers=layer, mask=mask, start={"strength": 0.9})
    (work,) = performed("img2img", Pictures(wish=wish, canvases=(canvas,)))
    before, after = _pixels(picture), _pixels(_file(work))
    assert np.array_equal(after[:, 24:], before[:, 24:])
    assert not np.array_equal(after[:, :24], before[:, :24])


def test_an_inpaint_sketch_is_mask_and_colour_in_one(picture: Path, layer: Path) -> None:
    laid = Canvas(picture=picture, sketch=layer, opacity=0.5, mask={}).laid(ASKED)
    assert laid.start is not None and laid.mask is not None
    white = np.asarray(laid.mask.image)
    assert (white[:, :24] == 255).all() and not white[:, 24:].any()


def test_a_picture_stands_as_its_camera_held_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (40, 24)).save(tmp_path / "phone.jpg", exif=exif)
    laid = Canvas(picture=tmp_path / "phone.jpg").laid(ASKED)
    assert laid.start is not None and laid.start.image.size == (24, 40)
    assert open_picture(tmp_path / "phone.jpg", mode="RGBA").size == (24, 40)  # so do masks


def test_every_picture_of_a_batch_is_redrawn(
    performed: Performed, wish: ImageWish, picture: Path, layer: Path
) -> None:
    canvases = tuple(Canvas(picture=path, way="Batch") for path in (picture, layer))
    works = performed("img2img", Pictures(wish=wish, canvases=canvases, rounds=2))
    assert [work.facts["seed"] for work in works] == [5, 6, 5, 6]


@pytest.mark.parametrize(
    ("around", "size", "pictures"),
    [
        ({"loops": 3, "last_strength": 0.2, "curve": "Lazy"}, (32, 32), 3),
        ({"script": Redraw(scale=1.0, overlap=8)}, (64, 64), 1),
        ({"script": Outpaint(way=Mk2Way(pixels=64), sides=("left", "up"))}, (128, 128), 1),
        ({"script": Outpaint(way=PoorMansWay(pixels=16), sides=("right",))}, (128, 64), 1),
    ],
)
def test_scripts_make_what_they_should_and_reach_the_end_of_the_bar(
    desk: Callable[[Pictures], Desk],
    wish: ImageWish,
    picture: Path,
    around: dict[str, Any],
    size: tuple[int, int],
    pictures: int,
) -> None:
    task = Pictures(wish=replace(wish, **around), canvases=(Canvas(picture=picture),))
    place = desk(task)
    task.perform(place)
    works = Gallery(place.database).of_job(place.job.id)
    assert len(works) == pictures and _pixels(_file(works[0])).shape[1::-1] == size
    job = Store(place.database).job(place.job.id)
    assert job is not None and job.share == 1.0


def test_img2img_alternative_begins_from_the_picture_s_own_noise(
    performed: Performed, wish: ImageWish, picture: Path
) -> None:
    start = {"alternative": Alternative(prompt="noise", cfg=1.5)}
    canvas = Canvas(picture=picture, start=start)
    (work,) = performed("img2img", Pictures(wish=wish, canvases=(canvas,)))
    assert "Decode prompt: noise, Decode CFG scale: 1.5" in work.facts["parameters"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "0 steps: give 1 to 1000"),
        ({"width": 65}, "65 pixels"),
        ({"sampler": "eular"}, "unknown sampler 'eular'"),
        ({"prompt": "(a:200)"}, "weighs 'a' by 200"),
        ({"prompt": "<lora:nothing:1>"}, "unknown LoRA 'nothing'"),
        ({"hires": Hires(upscaler="nothing")}, "unknown upscaler 'nothing'"),
        ({"refiner": Refiner(checkpoint="nothing")}, "unknown checkpoint 'nothing'"),
        ({"faces": Faces()}, "no weight file of GFPGAN"),
        ({"guidance": Guidance(rescale=2.0)}, "rescale"),
        ({"sampler_options": {"rho": 1.0}}, "unknown option of this sampler"),
    ],
)
def test_a_request_is_refused_without_a_model(
    wish: ImageWish, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((SdError, UsageError), match=re.escape(sentence)):
        refuse(Library(device="cpu"), replace(wish, request=replace(ASKED, **change)))


@pytest.mark.parametrize(
    ("change", "canvas", "sentence"),
    [
        ({"checkpoint": "nothing"}, {}, "unknown checkpoint 'nothing'"),
        ({"vae": "nothing"}, {}, "unknown VAE 'nothing'"),
        ({}, {"start": {"strength": 2.0}}, "a denoising strength of 2"),
        ({}, {"mask": {"padding": -1}}, "a padding of -1"),
        ({"loops": 99}, {}, "99 loops: give 1 to 32"),
        ({"loops": 2}, None, "no picture to begin from"),
        ({"loops": 2, "request": replace(ASKED, batch=2)}, {}, "one picture at a time"),
        ({"script": Redraw(upscaler="nothing")}, {}, "unknown upscaler 'nothing'"),
        ({"script": Redraw(scale=99.0)}, {}, "an upscale by 99"),
        ({"script": Redraw(overlap=32)}, {}, "overlap by 32 pixels"),
        ({"script": Outpaint(way=Mk2Way(), sides=())}, {}, "to no side"),
        ({"script": Outpaint(way=Mk2Way(pixels=4), sides=("up",))}, {}, "outpainting by 4"),
        ({"script": Outpaint(way=Mk2Way(), sides=("up",))}, {"mask": {}}, "makes its own mask"),
    ],
)
def test_what_is_around_a_request_is_refused_without_a_model(
    wish: ImageWish, change: dict[str, Any], canvas: dict[str, Any] | None, sentence: str
) -> None:
    begun = None if canvas is None else Canvas(picture=Path("nowhere.png"), **canvas)
    with pytest.raises((SdError, UsageError), match=re.escape(sentence)):
        refuse(Library(device="cpu"), replace(wish, **change), begun)


def test_what_can_be_made_is_not_refused_and_no_hub_is_asked(wish: ImageWish) -> None:
    refuse(Library(device="cpu"), wish)
    refuse(Library(device="cpu"), replace(wish, checkpoint="nobody/nothing"))


@pytest.mark.parametrize("name", ["nobody/nothing", "TINY", "FILE"])
def test_who_sits_elsewhere_reaches_for_no_other_file_and_has_none_fetched(
    wish: ImageWish, tiny: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "other.safetensors"
    file.touch()
    library, known = Library(device="cpu"), ["loops", str(tiny)]
    name = {"TINY": str(tiny.parent), "FILE": str(file)}.get(name, name)
    refuse(library, wish, known=known)
    with pytest.raises(SdError, match="unknown checkpoint"):
        refuse(library, replace(wish, checkpoint=name), known=known)
    for change in ({"prompt": f"<lora:{file}:1>"}, {"refiner": Refiner(checkpoint=name)}):
        with pytest.raises(SdError, match="unknown"):
            refuse(library, replace(wish, request=replace(ASKED, **change)), known=known)
    with pytest.raises(SdError, match="unknown VAE"):
        refuse(library, replace(wish, vae=str(file)), known=known)


def test_a_sketch_of_another_size_is_refused(tmp_path: Path, layer: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "small.png")
    with pytest.raises(SdError, match="a sketch of 64 x 64 pixels on a picture of 32 x 32"):
        Canvas(picture=tmp_path / "small.png", sketch=layer).laid(ASKED)
