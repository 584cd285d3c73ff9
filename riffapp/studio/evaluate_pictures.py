"""Does a pictures model draw what it is told? Read from its pictures by a judge.

First the judge itself is measured, on drawn scenes and on the same through the autoencoder; then
the model on prompts whose combinations and words training never saw; then the same pictures
against other prompts, where a score above chance would mean that the measure is worth nothing.
What is more than a prompt (negative prompt, AND, inpainting ...) is measured in
`evaluate_picture_tools`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from riffapp.errors import UsageError
from riffapp.studio import checkpoints, scenes
from riffapp.studio.checkpoints import EMBEDDED
from riffapp.studio.evaluate import Tally
from riffapp.studio.evaluate_picture_tools import TEST_SEED, TOOLS, Figure, Tool, Watched, asked
from riffapp.studio.picture_judge import PICTURE_JUDGE_FILE, PictureJudge, Seen
from riffapp.studio.scene_drawing import picture
from riffapp.studio.scenes import Scene
from sdcore.models.load import load
from sdcore.train.autoencoder import roundtrip


@dataclass(frozen=True, kw_only=True)
class Report:
    """All figures of one evaluation, in percent; `tries` of the model."""

    prompts: int
    judge_raw: dict[str, float]
    judge_decoded: dict[str, float]
    model: dict[str, float]
    shuffled: dict[str, float]
    tries: dict[str, int]
    tools: dict[str, Figure]


def evaluate_pictures(
    ref: str,
    *,
    prompts: int,
    judge: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    tools: Sequence[Tool] | None = None,
) -> Report:
    """Measure a checkpoint of the scenes on `prompts` unseen prompts, and each tool (all of them,
    or those given) on as many.

    Raises UsageError for fewer than two prompts, which nothing could be shuffled with.
    """
    if prompts < 2:
        raise UsageError(f"prompts {prompts}: give at least 2, so that they can be shuffled")
    if threads is not None:
        torch.set_num_threads(threads)
    checkpoint = load(checkpoints.folder(ref), device=device)
    eye = PictureJudge.load(judge or EMBEDDED / PICTURE_JUDGE_FILE)
    cases = unseen(prompts)
    raw, decoded, model, shuffled = Tally(), Tally(), Tally(), Tally()
    drawn = np.stack([picture(scene) for scene, _ in cases])
    back = [
        roundtrip(checkpoint.vae, drawn[k : k + 8], tiling="none") for k in range(0, prompts, 8)
    ]
    seen = [eye.look(drawn), eye.look(np.concatenate(back))]
    for (scene, text), first, second in zip(cases, *seen, strict=True):
        score(first, scene, text, raw)
        score(second, scene, text, decoded)

    watched = Watched(checkpoint=checkpoint, judge=eye)
    verdicts = [
        watched.see(asked(text, seed=i))
        for i, (_, text) in enumerate(tqdm(cases, desc="prompts", unit="picture"))
    ]
    for i, (verdict, (scene, text)) in enumerate(zip(verdicts, cases, strict=True)):
        score(verdict, scene, text, model)
        score(verdict, *cases[(i + prompts // 2) % prompts], shuffled)
    chosen = TOOLS if tools is None else tools
    return Report(
        prompts=prompts,
        judge_raw=raw.percent(),
        judge_decoded=decoded.percent(),
        model=model.percent(),
        shuffled=shuffled.percent(),
        tries=dict(model.tries),
        tools={tool.name: tool.measured(watched, prompts) for tool in chosen},
    )


def lines(report: Report) -> list[str]:
    """The report as tables for people."""
    head = f"{'':30}{'judge raw':>11}{'decoded':>9}{'model':>8}{'shuffled':>10}{'tries':>7}"
    rows = [
        f"{name:30}{report.judge_raw[name]:10.1f}%{report.judge_decoded[name]:8.1f}%"
        f"{report.model[name]:7.1f}%{report.shuffled.get(name, float('nan')):9.1f}%{tries:7}"
        for name, tries in report.tries.items()
    ]
    second = f"{'':46}{'model':>8}{'control':>9}{'tries':>7}"
    more = [
        f"{name:46}{figure.model:7.1f}%{figure.control:8.1f}%{figure.tries:7}"
        for name, figure in report.tools.items()
    ]
    return [head, *rows, second, *more, f"{report.prompts} unseen prompts"]


def unseen(count: int) -> list[tuple[Scene, str]]:
    """Scenes with one or two things, one at least of a held-out combination, and captions that
    training held out by their text."""
    found: list[tuple[Scene, str]] = []
    index = 0
    while len(found) < count:
        rng = np.random.default_rng((TEST_SEED, index))
        scene = scenes.draw(rng)
        index += 1
        if not 1 <= len(scene.things) <= 2 or not scenes.has_held_out(scene):
            continue
        text = scenes.unseen_caption(scene, rng)
        if text is not None:
            found.append((scene, text))
    return found


def score(seen: Seen, scene: Scene, text: str, tally: Tally) -> None:
    """Add one picture to a tally: each thing asked, all of them, and what the text says besides."""
    wanted = Counter((thing.name, thing.colour) for thing in scene.things)
    there = Counter((thing.name, thing.colour) for thing in seen.things)
    names = Counter(thing.name for thing in seen.things)
    for (name, colour), count in wanted.items():
        tally.add("thing asked, there", names[name] >= count)
        tally.add("thing and colour asked, there", there[name, colour] >= count)
    kinds = "one thing" if len(scene.things) == 1 else "both things"
    tally.add(f"{kinds}, nothing else", there == wanted)
    if " left" in text or " right" in text or "middle" in text or "centre" in text:
        places = {(t.name, t.slot) for t in scene.things}
        tally.add("on the side asked", places <= {(t.name, t.slot) for t in seen.things})
    tally.add("place", seen.place == scene.place)
    if any(word in text for word in (*scenes.TIMES[scene.time], f", {scene.time}")):
        tally.add("time of day", seen.time == scene.time)
    if any(word in text for word in scenes.STYLES[scene.style]):
        tally.add("style", seen.style == scene.style)
