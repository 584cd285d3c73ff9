"""The recipe of a pictures model and its judge. On two steps it proves plumbing only."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from riffapp.errors import UsageError
from riffapp.studio import scenes, train_picture_judge, train_pictures
from riffapp.studio.evaluate_picture_tools import asked, cases, coloured
from riffapp.studio.evaluate_pictures import evaluate_pictures, unseen
from riffapp.studio.picture_judge import PICTURE_JUDGE_FILE, PictureJudge
from riffapp.studio.scene_things import COLOURS
from riffapp.studio.train_pictures import Budget, train_embedded_pictures
from sdcore.generate import generate
from sdcore.models.load import load


def test_cases_are_held_out_and_differ_left_and_right() -> None:
    for case in cases(30, salt=1):
        assert case.left.name != case.right.name and case.left.colour != case.right.colour
        assert any(scenes.held_out(thing, case.place) for thing in (case.left, case.right))


def test_a_picture_of_a_colour_is_more_of_it_than_of_others() -> None:
    red = Image.new("RGB", (16, 16), COLOURS["red"])
    assert coloured(red, "red") == pytest.approx(1)
    assert coloured(red, "blue") < 0.01


def test_unseen_prompts_have_held_out_combinations_and_captions() -> None:
    for scene, text in unseen(20):
        assert scenes.has_held_out(scene)
        assert scenes.held_out_caption(text)


def test_one_prompt_cannot_be_shuffled() -> None:
    with pytest.raises(UsageError, match="prompts 1: give at least 2"):
        evaluate_pictures("pictures", prompts=1)


def test_a_budget_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="decoder steps 0: give at least 1"):
        train_embedded_pictures(tmp_path, tmp_path / "out", Budget(decoder_steps=0))
    assert list(tmp_path.iterdir()) == []


def test_training_is_resumed_and_ends_in_a_checkpoint_that_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_pictures, "SEEN", 8)
    monkeypatch.setattr(train_picture_judge, "SCENES", 8)
    monkeypatch.setattr(train_picture_judge, "DECODED", 4)
    monkeypatch.setattr(train_pictures, "taught_words", lambda: ("red", "ball", "a", "meadow"))
    budget = Budget(scenes=8, decoder_steps=2, diffusion_steps=1, judge_steps=1, batch=2)
    work, target = tmp_path / "work", tmp_path / "out" / "pictures"
    train_embedded_pictures(work, target, budget, device="cpu")
    state = work / "diffusion" / "state.pt"
    assert torch.load(state, weights_only=True)["step"] == 1
    train_embedded_pictures(work, target, replace(budget, diffusion_steps=2), device="cpu")
    assert torch.load(state, weights_only=True)["step"] == 2
    image = generate(load(target, device="cpu"), asked("a red ball", seed=1, steps=2)).images[0]
    assert image.size == (128, 128)
    judge = PictureJudge.load(target.parent / PICTURE_JUDGE_FILE)
    assert len(judge.look([image])) == 1


def test_an_image_model_is_measured_by_a_judge_of_pictures(
    tiny: Path, tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    folder = tmp_path / "image-model"
    shutil.copytree(tiny, folder)
    (folder / "sound.json").unlink()
    done = riffapp("evaluate", "--checkpoint", folder, "--judge", tmp_path / "none", "--threads", 1)
    assert done.code == 2 and "no judge of pictures at" in done.err
