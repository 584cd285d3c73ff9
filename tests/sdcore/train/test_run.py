"""A training can be stopped and goes on where it was."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import nn

from sdcore.train.run import Run, batches
from sdcore.train.task import Recipe

RECIPE = Recipe(steps=6, batch=2, lr=0.1, warmup=2, ema=0.9)


def fit(folder: Path, steps: int) -> tuple[Run, nn.Linear]:
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    run = Run(
        {"net": net},
        Recipe(steps=steps, batch=2, lr=0.1, warmup=2, ema=0.9),
        folder,
        torch.device("cpu"),
    )
    for _ in run.steps("test"):
        run.update((net(torch.ones(2, 2)) - 3).square().mean())
    return run, net


def test_the_rate_rises_and_falls() -> None:
    rates = [RECIPE.rate(step) for step in range(7)]
    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == pytest.approx(0.1)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[6] == pytest.approx(0.002)


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    _, stopped = fit(tmp_path, 3)
    left = [p.detach().clone() for p in stopped.parameters()]
    resumed = Run({"net": nn.Linear(2, 1)}, RECIPE, tmp_path, torch.device("cpu"))
    assert resumed.step == 3
    assert all(torch.equal(a, b) for a, b in zip(left, resumed.parameters, strict=True))
    run, _ = fit(tmp_path, 6)
    assert run.step == 6


def test_a_finished_run_does_nothing_more(tmp_path: Path) -> None:
    _, net = fit(tmp_path, 4)
    before = net.weight.detach().clone()
    _, again = fit(tmp_path, 4)
    assert torch.equal(before, again.weight)


def test_the_average_is_what_is_used_in_the_end(tmp_path: Path) -> None:
    run, net = fit(tmp_path, 5)
    mean = run.average[0].clone()
    assert not torch.equal(mean, net.weight)
    run.use_average()
    assert torch.equal(mean, net.weight)
    assert not net.training


def test_batches_see_everything_once_an_epoch_and_resume_in_place() -> None:
    first = list(islice(batches(6, 2, seed=1), 6))
    assert sorted(torch.cat(first[:3]).tolist()) == list(range(6))
    assert sorted(torch.cat(first[3:]).tolist()) == list(range(6))
    later = list(islice(batches(6, 2, seed=1, start=4), 2))
    assert all(torch.equal(a, b) for a, b in zip(first[4:], later, strict=True))
