"""Merging as a job, and what is refused before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from riffapp.errors import UsageError
from riffapp.gallery import Work
from riffapp.jobs.tasks.merge import Merge

NAME = "model.diffusion_model.out.0.weight"


@pytest.fixture
def models(tmp_path: Path) -> tuple[str, str]:
    for file, value in (("a", 1.0), ("b", 3.0)):
        save_file({NAME: torch.full((4,), value)}, tmp_path / f"{file}.safetensors")
    return str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")


@pytest.fixture
def task(models: tuple[str, str], tmp_path: Path) -> Merge:
    return Merge(models=models, folder=str(tmp_path / "new"), name="both", multiplier=0.25)


def test_two_models_become_one_and_the_recipe_a_work(
    performed: Callable[[str, Merge], list[Work]], task: Merge, models: tuple[str, str]
) -> None:
    task.refuse()
    (work,) = performed("merger", replace(task, precision="fp16"))
    made = load_file(task.out)[NAME]
    assert made.tolist() == [1.5] * 4 and made.dtype == torch.float16
    recipe = work.file("text")
    assert work.title == "both.safetensors" and recipe is not None
    assert f"models: {models}" in recipe.path.read_text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"method": "add difference"}, "2 models for 'add difference': give 3, A and B and C"),
        ({"method": "no interpolation"}, "give 1, A alone"),
        ({"multiplier": float("nan")}, "a multiplier of nan"),
        ({"name": ".hidden"}, "the name '.hidden': give letters"),
        ({"name": "../out"}, "the name '../out': give letters"),
        ({"discard": "("}, "is no regular expression"),
    ],
)
def test_what_cannot_be_merged_is_refused_before(
    task: Merge, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence.replace("(", r"\(")):
        replace(task, **change).refuse()


def test_no_model_is_replaced(task: Merge, models: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="there is a a.safetensors already: give another name"):
        replace(task, folder=str(Path(models[0]).parent), name="a").refuse()
