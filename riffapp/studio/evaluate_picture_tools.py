"""What is more than a prompt, measured on the pictures model: negative prompt, AND, inpainting,
editing, attention. Each stands beside a control, the same seeds without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from riffapp.studio import scenes
from riffapp.studio.picture_judge import PictureJudge, Seen
from riffapp.studio.scene_drawing import SIDE, picture
from riffapp.studio.scene_things import COLOURS
from riffapp.studio.scenes import PLACES, THINGS, TIMES, Scene, Thing
from riffapp.studio.train_pictures import DEFAULTS
from sdcore.generate import generate
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import ImageRequest, Mask, Start

TEST_SEED = 2026  # no scene of the training or of the judge has it


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Shares of hits in percent; nan where there was no try."""

    model: float
    control: float
    tries: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Watched:
    """The model, and the judge that looks at what it draws."""

    checkpoint: Checkpoint
    judge: PictureJudge

    def draw(self, request: ImageRequest) -> Image.Image:
        """The picture of a request."""
        return generate(self.checkpoint, request).images[0]

    def see(self, request: ImageRequest) -> Seen:
        """What is in it."""
        return self.judge.look([self.draw(request)])[0]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One try: two different things, left and right, held out at the place where they stand."""

    seed: int
    place: str
    time: str
    left: Thing
    right: Thing

    @property
    def where(self) -> str:
        """The place in words."""
        return PLACES[self.place][0]

    @property
    def when(self) -> str:
        """The time of day in words."""
        return TIMES[self.time][0]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What is measured: whether a case is hit, and its control; None where a case is no try."""

    name: str
    salt: int
    tried: Callable[[Watched, Case], tuple[bool, bool] | None]

    def measured(self, watched: Watched, count: int) -> Figure:
        """The figure of `count` cases."""
        rows = tqdm(cases(count, salt=self.salt), total=count, desc=self.name, unit="case")
        tries = [hit for case in rows if (hit := self.tried(watched, case)) is not None]
        if not tries:
            return Figure(model=float("nan"), control=float("nan"), tries=0)
        model, control = 100 * np.mean(tries, axis=0)
        return Figure(model=float(model), control=float(control), tries=len(tries))


def asked(prompt: str, *, seed: int, negative: str = "", **rest: Any) -> ImageRequest:
    """The request that all is measured with."""
    return ImageRequest(prompt=prompt, negative=negative, seed=seed, **{**DEFAULTS, **rest})


def cases(count: int, *, salt: int) -> Iterator[Case]:
    """As many tries as wanted, the same for a salt."""
    rng = np.random.default_rng((TEST_SEED, salt))
    seed = 0
    while seed < count:
        place = str(rng.choice(list(PLACES)))
        left, right = (
            Thing(name=str(rng.choice(THINGS)), colour=str(rng.choice(list(COLOURS))), slot=slot)
            for slot in ("left", "right")
        )
        differ = left.name != right.name and left.colour != right.colour
        if differ and (scenes.held_out(left, place) or scenes.held_out(right, place)):
            time = tuple(TIMES)[seed % len(TIMES)]
            yield Case(seed=seed, place=place, time=time, left=left, right=right)
            seed += 1


def _said(thing: Thing) -> str:
    return f"{'an' if thing.colour[0] in 'aeiou' else 'a'} {thing.colour} {thing.name}"


def _shows(seen: Seen, thing: Thing, slot: str | None = None) -> bool:
    return seen.shows(thing.name, thing.colour, slot)


def _negative(
    watched: Watched, case: Case, text: str, found: Callable[[Seen], list[str]], other: str
) -> tuple[bool, bool] | None:
    """What comes unasked is named in the negative prompt; the control names something else."""
    before = found(watched.see(asked(text, seed=case.seed)))
    if not before:
        return None
    negatives = (before[0], other)
    after = [found(watched.see(asked(text, seed=case.seed, negative=n))) for n in negatives]
    return before[0] not in after[0], before[0] not in after[1]


def _without_sky(watched: Watched, case: Case) -> tuple[bool, bool] | None:
    text = f"{_said(case.left)} {case.where} {case.when}"
    other = "clouds" if case.time == "night" else "moon"
    return _negative(watched, case, text, lambda seen: list(seen.extras), other)


def _without_thing(watched: Watched, case: Case) -> tuple[bool, bool] | None:
    text = f"a {case.left.colour} thing {case.where} {case.when}"
    return _negative(
        watched, case, text, lambda seen: [thing.name for thing in seen.things], case.right.name
    )


def _joined(watched: Watched, case: Case) -> tuple[bool, bool]:
    """Two prompts with a thing each; the control is the first of them alone."""
    things = (case.left, case.right)
    texts = [f"{_said(thing)} on the {thing.slot} {case.where}" for thing in things]
    seen = [watched.see(asked(text, seed=case.seed)) for text in (" AND ".join(texts), texts[0])]
    both, control = (all(_shows(one, thing) for thing in things) for one in seen)
    return both, control


def _inpainted(watched: Watched, case: Case) -> tuple[bool, bool]:
    """The right half of a drawn scene is done again with another thing; the control has no
    words."""
    scene = Scene(
        things=(case.left,),
        place=case.place,
        time=case.time,
        style="flat",
        extras=(),
        look=case.seed,
    )
    mask = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(mask).rectangle((SIDE // 2, 24, SIDE, SIDE), fill=255)
    rest: dict[str, Any] = {
        "start": Start(image=Image.fromarray(picture(scene)), strength=1.0),
        "mask": Mask(image=mask, content="latent noise", blur=(2.0, 2.0)),
    }
    text = f"{_said(case.right)} on the right {case.where} {case.when}"
    seen = [watched.see(asked(words, seed=case.seed, **rest)) for words in (text, "")]
    hit, control = (_shows(one, case.right, "right") for one in seen)
    return hit, control


def _edited(watched: Watched, case: Case) -> tuple[bool, bool]:
    """A thing gives way to another after a tenth of the steps; the control asks for the first."""
    a, b = case.left, case.right
    text = f"a {a.colour} [{a.name}:{b.name}:0.1] {case.where}"
    seen = watched.see(asked(text, seed=case.seed))
    return seen.shows(b.name), seen.shows(a.name)


def _stressed(watched: Watched, case: Case) -> tuple[bool, bool]:
    """A colour is stressed and played down; in the control the place is."""
    a, more = case.left, []
    for words in ("a ({colour}:{weight}) {name} {where}", "a {colour} {name} ({where}:{weight})"):
        strong, weak = (
            coloured(
                watched.draw(
                    asked(
                        words.format(colour=a.colour, name=a.name, where=case.where, weight=weight),
                        seed=case.seed,
                    )
                ),
                a.colour,
            )
            for weight in (1.4, 0.6)
        )
        more.append(strong > weak)
    return more[0], more[1]


def coloured(image: Image.Image, colour: str) -> float:
    """How much of a picture is of a colour: the mean over pixels, 0 far away to 1 the same."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
    distance = np.linalg.norm(pixels - np.array(COLOURS[colour]), axis=-1)
    return float(np.exp(-((distance / 60) ** 2)).mean())


TOOLS = (
    Tool(name="negative removes unasked sun, clouds, moon", salt=1, tried=_without_sky),
    Tool(name="negative removes an unnamed thing", salt=2, tried=_without_thing),
    Tool(name="AND joins both things and colours", salt=3, tried=_joined),
    Tool(name="inpainting puts the thing in the mask", salt=4, tried=_inpainted),
    Tool(name="[a:b:0.1] shows b (control: shows a)", salt=5, tried=_edited),
    Tool(name="(red:1.4) is redder than (red:0.6)", salt=6, tried=_stressed),
)
