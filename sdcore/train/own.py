"""A loaded checkpoint learns what somebody has: as a LoRA, as a textual inversion, or in all its
weights.

    for each step:
        a batch of latents of one size, some captions dropped, some loops rolled
        x = x0 + sigma * noise
        loss = weight(sigma) * (what the checkpoint takes x for - x0)^2

What is learned is seen through the checkpoint's own reading of words and its own denoiser, so that
every family, both predictions and circular pictures are trained exactly as they draw.

Step i draws its batch, its noise and what it drops from (seed, i) alone, so a run that was stopped
anywhere goes on from its last state as if nothing had been: on a CPU to the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from sdcore.conditioning import Context, Reading, joined
from sdcore.conditioning import context_of as read_text
from sdcore.denoise import network
from sdcore.errors import Interrupted, ModelError, RequestError
from sdcore.models.checkpoint import Checkpoint, Prediction
from sdcore.models.circular import circular
from sdcore.models.load import pick_dtype
from sdcore.prompt import Span
from sdcore.train.state import STATE, OwnRun, write_text
from sdcore.train.subjects import SUBJECTS, Subject
from sdcore.train.task import Recipe, Task, refuse
from sdcore.types import Tiling

_FACTS = "training.json"
_KEPT = 512  # captions that are read once; one of SDXL's takes 0.6 MB


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Pictures of one size: latents (n, channels, h, w), as `sdcore.latents` encodes, and what each
    shows.

    Each time that a loop is seen it may be rolled by a multiple of `roll` latent columns; 0 never.
    """

    latents: Tensor
    captions: tuple[str, ...]
    roll: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """One step that was done: `checkpoint` draws with what has been learned so far."""

    step: int
    steps: int
    loss: float
    checkpoint: Checkpoint


OnMoment = Callable[[Moment], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """The end of a training: what was learned, and the losses on the way as (step, loss)."""

    subject: Subject
    losses: tuple[tuple[int, float], ...]
    notes: tuple[str, ...]


def train(
    checkpoint: Checkpoint,
    groups: Sequence[Examples],
    task: Task,
    *,
    folder: Path,
    data: str = "",
    tiling: Tiling = "none",
    on_moment: OnMoment = lambda moment: None,
) -> Learned:
    """Train on examples; goes on from the state in `folder`, where there is one.

    Args:
        data: what the examples are known by; a state of others is refused.
        tiling: axes on which the pictures close.
        on_moment: hears of each step that is done, and may draw with what is learned; it raises
        Interrupted to end here, with what was learned so far.
    Raises:
        RequestError: a task that cannot be, or a folder that holds another training.
        MachineError: a full disk; the last whole state stays.
    """
    refuse(task)
    _refuse_examples(checkpoint, groups, task)
    device = checkpoint.device
    with checkpoint.lock, fit_for_training(checkpoint, task):
        subject = SUBJECTS[task.what](checkpoint, task)
        seen = {"data": data, "tiling": tiling, "roll": [group.roll for group in groups]}
        _claim(folder, facts_of(checkpoint, task) | seen)
        run = OwnRun(subject.modules, task.recipe, folder, device, eight_bit=task.eight_bit)
        reader, denoise = _Reader(subject, task), network(subject.checkpoint)
        with subject.worn():
            for step in run.steps(task.name):
                x0, noise, sigma, captions = _drawn(checkpoint, groups, task, step=step)
                x0, noise, s = (t.to(device) for t in (x0, noise, sigma.view(-1, 1, 1, 1)))
                with circular([checkpoint.unet], axes=tiling, edge=checkpoint.edge):
                    with _precision(device):
                        context = reader(captions, x0)
                        error = denoise(x0 + s * noise, sigma.to(device), context) - x0
                    loss = (weight(s, checkpoint.prediction, task.min_snr) * error**2).mean()
                    run.update(_finite(loss, step))
                moment = Moment(
                    step=step + 1,
                    steps=task.recipe.steps,
                    loss=float(loss.detach()),
                    checkpoint=subject.checkpoint,
                )
                try:
                    on_moment(moment)
                except Interrupted:
                    break
        run.use_average()
    return Learned(subject=subject, losses=tuple(run.losses), notes=run.notes + reader.notes)


def weight(sigma: Tensor, prediction: Prediction, min_snr: float | None) -> Tensor:
    """The weight of a squared error of x0 at sigma.

    Without `min_snr` it makes the error that of the prediction: of epsilon x0's is sigma times as
    large, of v sigma / sqrt(sigma^2 + 1) times. With it: the signal-to-noise ratio 1 / sigma^2, at
    most min_snr, for both (Hang et al. 2023, eq. 8).
    """
    snr = sigma**-2
    if min_snr is not None:
        return snr.clamp(max=min_snr)
    return snr if prediction == "epsilon" else snr + 1


def batch(groups: Sequence[Examples], recipe: Recipe, step: int) -> tuple[int, Tensor]:
    """The group that a step shows, and which of it: in each epoch everything once."""
    per_epoch = sum(-(-len(group.captions) // recipe.batch) for group in groups)
    epoch, k = divmod(step, per_epoch)
    rng = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
    cut = [
        (number, part)
        for number, group in enumerate(groups)
        for part in torch.split(torch.randperm(len(group.captions), generator=rng), recipe.batch)
    ]
    return cut[int(torch.randperm(per_epoch, generator=rng)[k])]


def _drawn(
    checkpoint: Checkpoint, groups: Sequence[Examples], task: Task, *, step: int
) -> tuple[Tensor, Tensor, Tensor, list[str]]:
    """What a step shows: latents, their noise, its levels (n,), and captions."""
    rng = torch.Generator().manual_seed(task.recipe.seed * 1_000_003 + step)
    group, index = batch(groups, task.recipe, step)
    # a new word is learned where it is read
    dropout = 0.0 if task.what == "embedding" else task.dropout
    x0, captions = shown(groups[group], index, dropout, rng)
    levels = checkpoint.levels.sigmas  # each as likely as any
    sigma = levels[torch.randint(len(levels), (len(x0),), generator=rng)].float()
    return x0, torch.randn(x0.shape, generator=rng), sigma, captions


def shown(
    examples: Examples, index: Tensor, dropout: float, rng: torch.Generator
) -> tuple[Tensor, list[str]]:
    """Latents and captions of a batch, rolled and dropped."""
    x0 = examples.latents[index].float()
    if examples.roll:
        turns = torch.randint(x0.shape[-1] // examples.roll, (len(x0),), generator=rng)
        x0 = torch.stack(
            [x.roll(int(n) * examples.roll, -1) for x, n in zip(x0, turns, strict=True)]
        )
    kept = (torch.rand(len(x0), generator=rng) >= dropout).tolist()
    captions = (examples.captions[i] for i in index.tolist())
    return x0, [text if keep else "" for text, keep in zip(captions, kept, strict=True)]


def _precision(device: torch.device) -> torch.autocast:
    """bf16 where the device computes in it natively, as checkpoints are loaded."""
    native = pick_dtype(device, None) == torch.bfloat16
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=native)


def _finite(loss: Tensor, step: int) -> Tensor:
    if not bool(loss.isfinite()):
        raise RequestError(f"the loss of step {step} is no number: give a lower rate of learning")
    return loss


class _Reader:
    """Captions as the UNet reads them, kept where the text encoders do not learn."""

    def __init__(self, subject: Subject, task: Task) -> None:
        self._subject, self._clip_skip = subject, task.clip_skip
        self._known: dict[tuple[str, int, int], Context] = {}
        self.notes: tuple[str, ...] = ()

    def __call__(self, captions: Sequence[str], x: Tensor) -> Context:
        factor = self._subject.checkpoint.factor
        size = (x.shape[-1] * factor, x.shape[-2] * factor)
        return joined([self._one(caption, size) for caption in captions])

    def _one(self, caption: str, size: tuple[int, int]) -> Context:
        if self._subject.reads_anew:
            return self._read(caption, size)
        key = (caption, *size)
        if key in self._known:
            return self._known[key]
        where = self._subject.checkpoint.device.type
        with torch.no_grad(), torch.autocast(where, enabled=False):
            context = self._read(caption, size)
        if len(self._known) < _KEPT:
            self._known[key] = context
        return context

    def _read(self, caption: str, size: tuple[int, int]) -> Context:
        """The caption's first chunk: captions of one batch are to be equally long."""
        blocks = ((Span(caption, 1.0),),) if caption else ((),)
        # captions have no weights, and to scale by them would have no way back where a mean is 0
        reading = Reading(clip_skip=self._clip_skip, emphasis="Ignore", size=size)
        checkpoint = self._subject.checkpoint
        context = read_text(checkpoint, blocks, reading, is_negative=not caption)
        length = int(checkpoint.towers[0].encoder.config.max_position_embeddings)
        if context.tokens.shape[1] > length and not self.notes:
            self.notes = (
                f"captions are read up to {length - 2} tokens: '{caption[:40]}' is longer",
            )
        return Context(
            tokens=context.tokens[:, :length], pooled=context.pooled, sizes=context.sizes
        )


@contextmanager
def fit_for_training(checkpoint: Checkpoint, task: Task) -> Iterator[None]:
    """While it is open, the networks are set as is best on the way back; then as they were."""
    from diffusers.models.attention_processor import AttnProcessor

    unet, before = checkpoint.unet, checkpoint.unet.attn_processors
    with ExitStack() as after:
        if checkpoint.device.type == "cpu":
            # there the way back through fused attention is several times slower
            unet.set_attn_processor(AttnProcessor())
            after.callback(unet.set_attn_processor, before)
        if task.checkpointing:
            unet.enable_gradient_checkpointing()
            after.callback(unet.disable_gradient_checkpointing)
        for learning in (unet, *(tower.encoder for tower in checkpoint.towers)):
            after.callback(learning.requires_grad_, False)
        yield


def _refuse_examples(checkpoint: Checkpoint, groups: Sequence[Examples], task: Task) -> None:
    captions = [caption for group in groups for caption in group.captions]
    if not captions:
        raise RequestError("there is nothing to learn from: give at least one example")
    without = [caption for caption in captions if task.name not in caption]
    if task.what == "embedding" and without:
        raise RequestError(
            f"the caption '{without[0][:60]}' lacks the word '{task.name}', which is to be learned"
        )
    if checkpoint.kind != "text":
        raise ModelError(
            f"'{checkpoint.name}' reads a picture beside the words ({checkpoint.kind}): train the "
            "checkpoint that it was made from"
        )


def _claim(folder: Path, said: dict[str, object]) -> None:
    """Refuses a folder that holds the state of another training; else says there what this is."""
    facts = json.loads(json.dumps(said))
    path = folder / _FACTS
    if not (folder / STATE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(facts, indent=1) + "\n")
        return
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        found = {}
    other = [name for name in facts if found.get(name) != facts[name]]
    if other:
        was, now = (str(one.get(other[0]))[:40] for one in (found, facts))
        raise RequestError(
            f"{folder} holds a training of another {other[0]} ({was}, now {now}): give "
            "another work folder, or the settings of that one"
        )


def facts_of(checkpoint: Checkpoint, task: Task) -> dict[str, object]:
    """What must be the same for a state to be gone on from; more steps may be asked for."""
    plain = asdict(task)
    recipe = plain.pop("recipe")
    for free in ("steps", "save_minutes"):
        recipe.pop(free)
    plain.pop("checkpointing")
    return {"checkpoint": checkpoint.sha256 or checkpoint.name, **plain, **recipe}
