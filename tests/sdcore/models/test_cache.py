"""Checkpoints stay loaded while there is room, and are on a device no more than they must."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sdcore import latents
from sdcore.errors import RequestError, UnknownName
from sdcore.generate import generate
from sdcore.models import cache as module
from sdcore.models.cache import Cache, offloaded, size_of
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.load import load
from sdcore.types import ImageRequest

CPU = torch.device("cpu")


class Loader:
    """Loads from folders and counts."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def __call__(self, ref: str | Path) -> Checkpoint:
        self.loaded.append(Path(ref).name)
        return load(ref, device="cpu", dtype=torch.float32)


@pytest.fixture
def three(folder: Path, tmp_path: Path) -> dict[str, Path]:
    return {name: Path(shutil.copytree(folder, tmp_path / name)) for name in "abc"}


@pytest.fixture(scope="module")
def one(folder: Path) -> int:
    return size_of(load(folder, device="cpu", dtype=torch.float32))


def test_the_size_is_that_of_all_weights(checkpoint: Checkpoint) -> None:
    networks = (checkpoint.unet, checkpoint.vae, checkpoint.towers[0].encoder)
    numbers = sum(p.numel() for network in networks for p in network.parameters())
    assert size_of(checkpoint) == 4 * numbers


def test_the_same_file_is_the_same_object_until_it_changes(three: dict[str, Path]) -> None:
    loader = Loader()
    cache = Cache(2**40, load=loader)
    first = cache.get(three["a"])
    assert cache.get(three["a"]) is first and cache.get(str(three["a"])) is first
    weights = three["a"] / "unet" / "diffusion_pytorch_model.safetensors"
    os.utime(weights, ns=(0, weights.stat().st_mtime_ns + 10**9))
    assert cache.get(three["a"]) is not first
    assert loader.loaded == ["a", "a"] and cache.size == size_of(first)


def test_the_one_used_longest_ago_goes_first(three: dict[str, Path], one: int) -> None:
    loader = Loader()
    cache = Cache(2 * one, load=loader)
    for name in "abacabc":  # c takes the place of b, then b that of c, then c that of a
        cache.get(three[name])
        assert cache.size <= 2 * one
    assert loader.loaded == ["a", "b", "c", "b", "c"]


def test_a_checkpoint_larger_than_the_budget_is_kept_alone(
    three: dict[str, Path], one: int
) -> None:
    cache = Cache(0, load=Loader())
    assert cache.get(three["a"]) is cache.get(three["a"])
    cache.get(three["b"])
    assert cache.size == one


def test_a_checkpoint_in_use_stays(three: dict[str, Path], one: int) -> None:
    loader = Loader()
    cache = Cache(one, load=loader)
    used, started, done = cache.get(three["a"]), threading.Event(), threading.Event()

    def run() -> None:
        with used.lock:
            started.set()
            done.wait(10)

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(10)
    cache.get(three["b"])
    cache.clear()
    assert cache.size == one and cache.get(three["a"]) is used
    done.set()
    thread.join()
    cache.clear()
    assert cache.size == 0 and loader.loaded == ["a", "b"]


def test_threads_that_ask_at_once_load_it_once(three: dict[str, Path]) -> None:
    loader, got = Loader(), []
    cache = Cache(2**40, load=loader)
    threads = [threading.Thread(target=lambda: got.append(cache.get(three["a"]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4 and len(set(map(id, got))) == 1 and loader.loaded == ["a"]


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(RequestError, match="a memory budget of -1 bytes"):
        Cache(-1, load=Loader())


REQUEST = ImageRequest(prompt="house", seed=1, steps=2, width=16, height=16, cfg=1.5)


@pytest.mark.parametrize("memory", ["normal", "medium", "low"])
def test_the_picture_is_the_same_in_every_mode(checkpoint: Checkpoint, memory: Any) -> None:
    (wanted,) = generate(checkpoint, REQUEST).images
    with offloaded(checkpoint, memory=memory, device=CPU) as moving:
        assert moving.device == CPU
        (image,) = generate(moving, REQUEST).images
    assert image.tobytes() == wanted.tobytes()


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[tuple[nn.Module, str]]:
    """What is moved where; the other device is one of the mind, for a test has none."""
    seen: list[tuple[nn.Module, str]] = []

    def move(moved: nn.Module, device: Any, *, below: bool = True) -> None:
        seen.append((moved, str(device)))

    monkeypatch.setattr(module, "_move", move)
    return seen


def test_medium_has_one_network_at_a_time(
    checkpoint: Checkpoint, moves: list[tuple[nn.Module, str]]
) -> None:
    there, most = set(), 0
    checkpoint.contexts.clear()  # so that the words are read anew
    with offloaded(checkpoint, memory="medium", device=torch.device("cuda")):
        assert {device for _, device in moves} == {"cpu"}
        moves.clear()
        # the networks are shared; this one computes where the test can
        latents.decode(checkpoint, torch.zeros(1, 4, 2, 2))
        generate(checkpoint, REQUEST)
        for network, device in moves:
            (there.add if device == "cuda" else there.discard)(network)
            most = max(most, len(there))
        encoder = checkpoint.towers[0].encoder
        order = [network for network, device in moves if device == "cuda"]
        assert order == [checkpoint.vae, encoder, checkpoint.unet, checkpoint.vae]
        assert most == 1
    count = len(moves)
    generate(checkpoint, REQUEST)
    assert len(moves) == count  # nothing moves any more


def test_low_has_one_layer_at_a_time(
    checkpoint: Checkpoint, moves: list[tuple[nn.Module, str]]
) -> None:
    there: list[nn.Module] = []
    with offloaded(checkpoint, memory="low", device=torch.device("cuda")):
        moves.clear()
        generate(checkpoint, REQUEST)
        for layer, device in moves:
            if device == "cuda":
                there.append(layer)
            else:
                assert there.pop() is layer
            # what has weights of its own and layers with weights below it is rare and small
            assert len(there) <= 2
    assert there == []


def test_everything_comes_home_though_the_run_fails(
    checkpoint: Checkpoint, moves: list[tuple[nn.Module, str]]
) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        offloaded(checkpoint, memory="normal", device=torch.device("cuda")),
    ):
        assert {device for _, device in moves} == {"cuda"}
        moves.clear()
        raise KeyboardInterrupt
    assert {network for network, _ in moves} == {
        checkpoint.unet,
        checkpoint.vae,
        checkpoint.towers[0].encoder,
    }
    assert {device for _, device in moves} == {"cpu"}


def test_an_unknown_mode_is_refused(checkpoint: Checkpoint) -> None:
    unknown: Any = "lowest"
    with (
        pytest.raises(UnknownName, match="unknown memory mode 'lowest': nearest 'low'"),
        offloaded(checkpoint, memory=unknown, device=CPU),
    ):
        pass
