"""A checkpoint learns what it is shown, whatever its family; stopped anywhere, to the same bits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sdcore.conditioning import Context
from sdcore.denoise import network
from sdcore.errors import Interrupted, MachineError, ModelError, RequestError
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.circular import circular
from sdcore.models.load import load
from sdcore.train import own, state
from sdcore.train.own import Examples, Learned, Moment, batch, train, weight
from sdcore.train.task import Recipe, Task, What

RECIPE = Recipe(steps=3, batch=2, lr=1e-2, warmup=2, ema=0.9, save_minutes=0.0)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread and float32, which is fast for networks as small as these, whatever the machine.

    In bf16, where it is native, the tests of the app train.
    """
    torch.set_num_threads(1)
    monkeypatch.setattr(own, "pick_dtype", lambda device, wanted: torch.float32)


@pytest.fixture
def fresh(folder: Path) -> Callable[[], Checkpoint]:
    """Loads the tiny checkpoint anew, since training in full changes it."""
    return lambda: load(folder, device="cpu", dtype=torch.float32)


def examples(n: int = 3, *, roll: int = 0, seed: int = 0, channels: int = 4) -> Examples:
    rng = torch.Generator().manual_seed(seed)
    captions = tuple(f"zorp house {i}" for i in range(n))
    return Examples(
        latents=torch.randn(n, channels, 4, 8, generator=rng), captions=captions, roll=roll
    )


def task(what: What = "lora", **changes: Any) -> Task:
    plain = {"name": "zorp", "rank": 2, "begins_as": "house", "recipe": RECIPE}
    plain |= {"convolutions": False}
    return Task(what=what, **plain | changes)


def learn(
    checkpoint: Checkpoint, place: Path, wanted: Task, *groups: Examples, **options: Any
) -> Learned:
    return train(checkpoint, groups or (examples(),), wanted, folder=place, **options)


def weights(learned: Learned) -> list[Tensor]:
    modules = learned.subject.modules
    return [t.clone() for name in sorted(modules) for t in modules[name].state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


class Killed(BaseException):
    """As sudden as a signal: nothing catches it."""


def killed_at(step: int) -> Callable[[Moment], None]:
    def on_moment(moment: Moment) -> None:
        if moment.step == step:
            raise Killed

    return on_moment


def test_the_weight_of_x0_s_error_makes_it_the_error_of_the_prediction() -> None:
    rng = torch.Generator().manual_seed(0)
    x0, noise, said = (torch.randn(5, 1, generator=rng).double() for _ in range(3))
    s = torch.tensor([0.05, 0.5, 1.0, 3.0, 14.0], dtype=torch.float64)[:, None]
    x, scale = x0 + s * noise, (s**2 + 1).rsqrt()
    by_epsilon = x - s * said
    assert torch.allclose(weight(s, "epsilon", None) * (by_epsilon - x0) ** 2, (said - noise) ** 2)
    by_v = (x * scale - s * said) * scale
    v = scale * noise - s * scale * x0
    assert torch.allclose(weight(s, "v_prediction", None) * (by_v - x0) ** 2, (said - v) ** 2)
    for prediction in ("epsilon", "v_prediction"):
        assert torch.allclose(weight(s, prediction, 5.0), (1 / s**2).clamp(max=5.0))


@pytest.mark.parametrize("what", ["lora", "embedding", "full"])
def test_a_run_that_was_killed_twice_ends_in_the_same_bits(
    fresh: Callable[[], Checkpoint], tmp_path: Path, what: What
) -> None:
    wanted = task(what, text=True, dropout=0.3)
    other = replace(examples(2, seed=1), captions=("zorp", "house zorp"))
    groups = (examples(3, roll=4), other)
    whole = weights(learn(fresh(), tmp_path / "whole", wanted, *groups))
    for step in (1, 2):
        with pytest.raises(Killed):
            learn(fresh(), tmp_path / "cut", wanted, *groups, on_moment=killed_at(step))
    again = learn(fresh(), tmp_path / "cut", wanted, *groups)
    assert equal(whole, weights(again))
    before = weights(
        learn(
            fresh(), tmp_path / "none", replace(wanted, recipe=replace(RECIPE, lr=1e-12)), *groups
        )
    )
    assert not equal(whole, before)


def test_who_interrupts_has_what_was_learned_by_then(
    fresh: Callable[[], Checkpoint], tmp_path: Path
) -> None:
    def interrupted_at(step: int) -> Callable[[Moment], None]:
        def on_moment(moment: Moment) -> None:
            if moment.step == step:
                raise Interrupted

        return on_moment

    whole = weights(learn(fresh(), tmp_path / "whole", task()))
    at_1, at_2, again = (
        weights(learn(fresh(), tmp_path / name, task(), on_moment=interrupted_at(step)))
        for name, step in (("a", 1), ("b", 2), ("c", 2))
    )
    assert equal(at_2, again)
    assert not equal(at_1, at_2) and not equal(at_2, whole)
    last = weights(learn(fresh(), tmp_path / "d", task(), on_moment=interrupted_at(3)))
    assert equal(last, whole)  # of three steps


def test_drawing_on_the_way_changes_nothing(
    fresh: Callable[[], Checkpoint], tmp_path: Path
) -> None:
    from sdcore.generate import generate
    from sdcore.types import ImageRequest

    def draw(moment: Moment) -> None:
        asked = ImageRequest(prompt="house", steps=1, width=64, height=32, tiling="x", seed=1)
        pictures.append(generate(moment.checkpoint, asked).images[0].tobytes())

    pictures: list[bytes] = []
    plain = learn(fresh(), tmp_path / "a", task(), tiling="x")
    drawn = learn(fresh(), tmp_path / "b", task(), tiling="x", on_moment=draw)
    assert equal(weights(plain), weights(drawn))
    assert len(set(pictures)) > 1  # and what is drawn is what has been learned by then


@pytest.mark.parametrize("what", ["lora", "embedding", "full"])
def test_it_learns_what_it_is_shown(
    fresh: Callable[[], Checkpoint], tmp_path: Path, what: What
) -> None:
    """Against the same steps, with the same noise, in which nothing was learned."""

    def losses(lr: float) -> float:
        recipe = replace(RECIPE, steps=12, lr=lr, save_minutes=9.0)
        wanted = task(what, recipe=recipe, vectors=8, dropout=0.0)
        seen: list[float] = []
        place = tmp_path / str(lr)
        learn(fresh(), place, wanted, examples(2), on_moment=lambda m: seen.append(m.loss))
        return sum(seen[-4:])

    # a word alone can say little to a network of noise
    most = 1.0 if what == "embedding" else 0.97
    rates: dict[What, float] = {"lora": 3e-2, "embedding": 1e-1, "full": 1e-2}
    assert losses(rates[what]) < most * losses(1e-12)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("what", ["lora", "embedding"])
def test_what_is_beside_the_checkpoint_leaves_it_as_it_was(
    family_folder: Callable[[str, str], Path], tmp_path: Path, family: str, what: What
) -> None:
    checkpoint = load(family_folder(family, "text"), device="cpu", dtype=torch.float32)
    networks = [checkpoint.unet, *(tower.encoder for tower in checkpoint.towers)]
    before = [t.clone() for n in networks for t in n.state_dict().values()]
    kinds = {name: type(one) for name, one in checkpoint.unet.attn_processors.items()}
    once = replace(RECIPE, steps=1)
    learned = learn(checkpoint, tmp_path, task(what, text=True, checkpointing=True, recipe=once))
    assert equal(before, [t for n in networks for t in n.state_dict().values()])
    assert not any(p.requires_grad for n in networks for p in n.parameters())
    assert kinds == {name: type(one) for name, one in checkpoint.unet.attn_processors.items()}
    assert not checkpoint.unet.is_gradient_checkpointing
    assert not any(module._forward_hooks for module in checkpoint.unet.modules())
    assert all(bool(t.isfinite().all()) for t in weights(learned))


def test_computing_again_on_the_way_back_learns_the_same(
    fresh: Callable[[], Checkpoint], tmp_path: Path
) -> None:
    """Also on a circle, whose padding must still be there on the way back."""
    twice = task(convolutions=True, recipe=replace(RECIPE, steps=2))
    plain = learn(fresh(), tmp_path / "a", twice, tiling="x")
    other = replace(twice, checkpointing=True)
    again = learn(fresh(), tmp_path / "b", other, tiling="x")
    for a, b in zip(weights(plain), weights(again), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_the_text_encoders_learn_only_if_they_are_asked_to(
    fresh: Callable[[], Checkpoint], tmp_path: Path
) -> None:
    for text in (False, True):
        checkpoint = fresh()
        encoder: nn.Module = checkpoint.towers[0].encoder
        before = [p.clone() for p in encoder.parameters()]
        learn(checkpoint, tmp_path / str(text), task("full", text=text))
        changed = [not torch.equal(a, b) for a, b in zip(before, encoder.parameters(), strict=True)]
        assert any(changed) == text


def test_an_epoch_shows_everything_once_in_batches_of_one_size() -> None:
    groups = [examples(5), examples(2, seed=1)]
    recipe = replace(RECIPE, batch=2)
    seen = [batch(groups, recipe, step) for step in range(8)]
    for epoch in (seen[:4], seen[4:]):
        shown = [(group, int(i)) for group, index in epoch for i in index]
        assert sorted(shown) == [(0, i) for i in range(5)] + [(1, i) for i in range(2)]
    assert [g for g, _ in seen] == [g for g, _ in [batch(groups, recipe, s) for s in range(8)]]


def test_loops_are_rolled_by_whole_beats_and_captions_dropped_in_their_share() -> None:
    latents = torch.arange(8.0).expand(1, 1, 1, 8)
    one = Examples(latents=latents, captions=("house",), roll=2)
    starts, dropped = set(), 0
    for seed in range(200):
        rng = torch.Generator().manual_seed(seed)
        x0, captions = own.shown(one, torch.tensor([0]), 0.25, rng)
        starts.add(int(x0.flatten()[0]))
        dropped += captions == [""]
        assert torch.equal(x0.flatten().sort().values, torch.arange(8.0))
    assert starts == {0, 2, 4, 6}
    assert 30 <= dropped <= 70  # of 200


def test_words_beyond_a_chunk_are_left_out_and_told(
    fresh: Callable[[], Checkpoint], tmp_path: Path
) -> None:
    long = replace(examples(2), captions=("house " * 90, "house"))
    learned = learn(fresh(), tmp_path, task(dropout=0.0), long)
    assert any("read up to 75 tokens" in note for note in learned.notes)


def test_sdxl_is_told_the_size_and_reads_dropped_captions_as_it_was_taught(
    family_folder: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = load(family_folder("sdxl", "text"), device="cpu", dtype=torch.float32)
    seen: list[Context] = []

    def watched(checkpoint: Checkpoint) -> Callable[..., Tensor]:
        real = network(checkpoint)

        def x0(x: Tensor, sigma: Tensor, context: Context) -> Tensor:
            seen.append(context)
            return real(x, sigma, context)

        return x0

    monkeypatch.setattr(own, "network", watched)
    learn(checkpoint, tmp_path, task(dropout=1.0))
    for context in seen:
        assert context.sizes is not None and context.pooled is not None
        assert context.sizes[0].tolist() == [32, 64, 0, 0, 32, 64]  # height, width
        assert not context.tokens.any() and not context.pooled.any()


def test_more_steps_may_be_asked_for_and_nothing_else_changed(
    fresh: Callable[[], Checkpoint], tmp_path: Path
) -> None:
    learn(fresh(), tmp_path, task())
    more = task(recipe=replace(RECIPE, steps=5))
    seen: list[int] = []
    learn(fresh(), tmp_path, more, on_moment=lambda moment: seen.append(moment.step))
    assert seen == [4, 5]
    for other, name in (
        (task(rank=3), "rank"),
        (task(recipe=replace(RECIPE, lr=0.5)), "lr"),
        (task("embedding"), "what"),
    ):
        with pytest.raises(RequestError, match=f"holds a training of another {name} "):
            learn(fresh(), tmp_path, other)
    with pytest.raises(RequestError, match="another data "):
        learn(fresh(), tmp_path, task(), data="others")


def test_another_checkpoint_does_not_fit_the_state(
    fresh: Callable[[], Checkpoint], tmp_path: Path
) -> None:
    learn(fresh(), tmp_path, task())
    with pytest.raises(RequestError, match="another checkpoint .* give another work folder"):
        learn(replace(fresh(), sha256="0" * 64), tmp_path, task())


def test_a_broken_state_is_refused(fresh: Callable[[], Checkpoint], tmp_path: Path) -> None:
    learn(fresh(), tmp_path, task())
    whole = (tmp_path / "state.pt").read_bytes()
    for broken in (b"", b"nothing", whole[: len(whole) // 2]):
        (tmp_path / "state.pt").write_bytes(broken)
        with pytest.raises(ModelError, match="is no state of this training"):
            learn(fresh(), tmp_path, task())


def test_a_full_disk_keeps_the_state_before(
    fresh: Callable[[], Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Killed):
        learn(fresh(), tmp_path, task(), on_moment=killed_at(2))
    before = (tmp_path / "state.pt").read_bytes()
    save = torch.save

    def full(what: object, where: Path) -> None:
        save(what, where)
        where.write_bytes(where.read_bytes()[:100])
        raise RuntimeError("PytorchStreamWriter failed writing file data/0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(MachineError, match="cannot be written .* free some space"):
        learn(fresh(), tmp_path, task())
    assert (tmp_path / "state.pt").read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"losses.csv", "state.pt", "training.json"}
    monkeypatch.undo()
    assert learn(fresh(), tmp_path, task()).losses


def test_the_losses_lie_in_a_table(fresh: Callable[[], Checkpoint], tmp_path: Path) -> None:
    recipe = replace(RECIPE, steps=21, save_minutes=9.0)
    learned = learn(fresh(), tmp_path, task("embedding", recipe=recipe))
    head, *rows = (tmp_path / "losses.csv").read_text().splitlines()
    assert head == "step,loss,rate"
    assert [int(row.split(",")[0]) for row in rows] == [0, 20]
    assert [float(row.split(",")[1]) for row in rows] == pytest.approx(
        [loss for _, loss in learned.losses], rel=1e-5
    )


def test_without_bitsandbytes_the_fused_optimiser_is_used_and_told(
    fresh: Callable[[], Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(state.importlib, "import_module", lacking)
    learned = learn(fresh(), tmp_path, task(eight_bit=True))
    assert learned.notes[0].startswith("bitsandbytes is not installed")


def test_with_bitsandbytes_its_optimiser_is_taken_up_again_too(
    fresh: Callable[[], Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library itself needs a GPU: one of its name stands for it."""
    made: list[object] = []

    class Eight(torch.optim.AdamW):
        def __init__(self, *args: Any, **options: Any) -> None:
            made.append(self)
            super().__init__(*args, **options)

    library = type("bitsandbytes", (), {"optim": type("optim", (), {"AdamW8bit": Eight})})
    monkeypatch.setattr(state.importlib, "import_module", lambda name: library)
    with pytest.raises(Killed):
        learn(fresh(), tmp_path, task(eight_bit=True), on_moment=killed_at(2))
    learn(fresh(), tmp_path, task(eight_bit=True))
    assert len(made) == 2


def test_all_of_a_checkpoint_holds_no_average_besides(
    fresh: Callable[[], Checkpoint], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, ema=0.0)
    learned = learn(fresh(), tmp_path / "a", task("full", recipe=recipe))
    sizes = [t.numel() * 4 for t in weights(learned)]
    # weights and the optimiser's two moments
    assert (tmp_path / "a" / "state.pt").stat().st_size < 3.6 * sum(sizes)
    with pytest.raises(Killed):
        learn(fresh(), tmp_path / "b", task("full", recipe=recipe), on_moment=killed_at(2))
    again = learn(fresh(), tmp_path / "b", task("full", recipe=recipe))
    assert equal(weights(learned), weights(again))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rank": 0}, "rank 0 is outside 1 to 512"),
        ({"vectors": 0}, "vectors 0 is outside 1 to 64"),
        ({"alpha": 0.0}, "alpha 0 is outside"),
        ({"dropout": 1.5}, "dropout 1.5 is outside 0 to 1"),
        ({"min_snr": 0.0}, "min-SNR 0 is outside"),
        ({"recipe": replace(RECIPE, steps=0)}, "steps 0 is outside"),
        ({"recipe": replace(RECIPE, batch=0)}, "batch 0 is outside"),
        ({"recipe": replace(RECIPE, lr=float("nan"))}, "rate of learning nan is outside"),
        ({"name": "a:b"}, "the name 'a:b'"),
        ({"name": ""}, "the name ''"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    checkpoint: Checkpoint, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        learn(checkpoint, tmp_path / "work", task(**changes))
    assert not (tmp_path / "work").exists()


def test_nothing_to_learn_from_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="nothing to learn from"):
        train(checkpoint, (), task(), folder=tmp_path)


def test_a_word_that_begins_as_none_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="begins as known ones"):
        learn(checkpoint, tmp_path, task("embedding", begins_as=" "))


def test_a_caption_without_the_new_word_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    plain = replace(examples(2), captions=("zorp house", "house"))
    with pytest.raises(RequestError, match="the caption 'house' lacks the word 'zorp'"):
        learn(checkpoint, tmp_path, task("embedding"), plain)


def test_a_loss_that_is_no_number_stops_the_training(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    bad = replace(examples(), latents=torch.full((3, 4, 4, 8), float("nan")))
    with pytest.raises(RequestError, match="the loss of step 0 is no number"):
        learn(checkpoint, tmp_path, task(), bad)


def test_a_checkpoint_that_reads_a_picture_is_refused(
    family_folder: Callable[[str, str], Path], tmp_path: Path
) -> None:
    inpainting = load(family_folder("sd1", "inpaint"), device="cpu", dtype=torch.float32)
    with pytest.raises(ModelError, match=r"reads a picture beside the words \(inpaint\)"):
        learn(inpainting, tmp_path, task())


def test_all_of_a_coarse_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    coarse = load(folder, device="cpu", dtype=torch.bfloat16)
    with pytest.raises(RequestError, match="too coarse for small changes"):
        learn(coarse, tmp_path, task("full"))


def test_a_coarse_checkpoint_learns_a_lora_and_draws_with_it(folder: Path, tmp_path: Path) -> None:
    from sdcore.generate import generate
    from sdcore.types import ImageRequest

    coarse = load(folder, device="cpu", dtype=torch.bfloat16)
    asked = ImageRequest(prompt="house", steps=1, width=64, height=32, seed=1)
    drawn: list[bytes] = [generate(coarse, asked).images[0].tobytes()]
    learn(
        coarse,
        tmp_path,
        task(text=True),
        on_moment=lambda m: drawn.append(generate(m.checkpoint, asked).images[0].tobytes()),
    )
    assert len(set(drawn)) > 1


def test_the_folder_says_what_is_trained_in_it(checkpoint: Checkpoint, tmp_path: Path) -> None:
    learn(checkpoint, tmp_path, task(), data="abc")
    said = json.loads((tmp_path / "training.json").read_text())
    assert said["data"] == "abc" and said["rank"] == 2 and said["checkpoint"] == checkpoint.sha256
    shutil.rmtree(tmp_path)
    with circular([checkpoint.unet], axes="x"):
        pass  # nothing of a training is left on the networks
