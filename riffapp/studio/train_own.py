"""A folder of recordings or pictures -> a LoRA, a new word, or a checkpoint that has learned them.

The work folder holds all of a training: the latents of what is learned, its state, `losses.csv`,
previews, and in the end the result in the folder that models of its kind lie in, so that the work
folder is itself a folder of models. The same command goes on where it was stopped.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.errors import UsageError
from riffapp.studio import checkpoints, files, own_data, own_examples, prompts
from riffapp.studio.checkpoints import SOUND_FILE, Instrument, Sound
from riffapp.studio.library import Library
from riffapp.studio.own_data import Example, OnFile
from riffapp.studio.own_examples import Material, Shown
from riffapp.studio.text_to_audio import OnProgress, Progress, ignore
from riffapp.studio.types import BEATS_PER_BAR, MAX_SEED, LoopRequest

if TYPE_CHECKING:
    from sdcore.models.checkpoint import Checkpoint
    from sdcore.train.own import Learned, Moment
    from sdcore.train.task import Task

KINDS = ("lora", "embedding", "full")
# Folders of models that results lie in, and how a prompt names them.
HOMES = {"lora": "Lora", "embedding": "embeddings", "full": "Stable-diffusion"}
_SMALL = 100_000_000  # parameters of a UNet that learns fast and is quick to draw with
PREVIEW_SEED = 7
SAVE_MINUTES = 1.0
_PREVIEW_STEPS = 20
_CACHE = "examples.pt"
# What a wish and the trainer's task call the same.
_SAME = (
    *("what", "name", "rank", "alpha", "convolutions", "text", "vectors", "clip_skip"),
    *("dropout", "min_snr", "checkpointing", "eight_bit"),
)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long and how fast, where nothing else is said."""

    steps: int
    batch: int
    lr: float


# By what learns, of small checkpoints and of others.
PACES: dict[str, tuple[Pace, Pace]] = {
    "lora": (Pace(steps=400, batch=4, lr=2e-3), Pace(steps=1500, batch=1, lr=1e-4)),
    "embedding": (Pace(steps=300, batch=4, lr=2e-2), Pace(steps=2000, batch=1, lr=5e-3)),
    "full": (Pace(steps=300, batch=4, lr=3e-4), Pace(steps=2000, batch=1, lr=1e-5)),
}


@dataclass(frozen=True, kw_only=True)
class OwnTraining:
    """One wish; `None` leaves a choice to what is learned and by what.

    `output` None is a file or folder below `work`. Previews come every so many steps, and at the
    end; 0 is never.
    `roll_beats`: loops are shown rolled by multiples of so many beats, 4 keeps bar 1 on a bar's
    first beat, 0 never rolls.
    """

    folder: Path
    work: Path
    what: str = "lora"
    name: str = ""
    checkpoint: str = "loops"
    models: tuple[Path, ...] = ()
    output: Path | None = None
    trigger: str = ""
    bpm: float | None = None
    size: int | None = None
    steps: int | None = None
    batch: int | None = None
    lr: float | None = None
    rank: int = 8
    alpha: float | None = None
    convolutions: bool = True
    text: bool = False
    vectors: int = 4
    begins_as: str = ""
    clip_skip: int = 1
    dropout: float = 0.1
    min_snr: float | None = None
    roll_beats: int = BEATS_PER_BAR
    checkpointing: bool = False
    eight_bit: bool = False
    seed: int = 0
    previews: int = 100
    device: str = "auto"
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Where the result lies, what to write into a prompt, and what a person should know."""

    path: Path
    use: str
    examples: int
    loss: float
    notes: tuple[str, ...]


def train_own(
    wish: OwnTraining,
    *,
    on_preview: Callable[[Path], None] = lambda path: None,
    on_file: OnFile = lambda name, number, count: None,
    on_progress: OnProgress = ignore,
) -> Trained:
    """Train what the wish says, or go on with it; the file or folder is there when it is whole.

    `on_file` hears of each of the folder's files before it is opened, `on_progress` of each step;
    it raises sdcore's Interrupted to end there, with what was learned by then.
    Raises UsageError, sdcore's and audio's errors: refusals before any work, a state of another
    training, a full disk.
    """
    from audio import disk
    from sdcore.models.load import load
    from sdcore.train import own, results

    wish = _named(wish)
    kind = own_data.kind_of(wish.folder)
    source = Library(wish.models).path(wish.checkpoint)
    target = _target(wish, is_file=wish.what != "full" or source.is_file())
    sound = checkpoints.read_sound(str(source)) if kind == "sounds" else None
    with _machine(wish.threads):
        checkpoint = load(source, device=wish.device, dtype=_dtype(wish.what))
        shown = own_examples.shown(
            _material(wish), wish.work / _CACHE, checkpoint, sound, on_file=on_file
        )
        learned = own.train(
            checkpoint,
            shown.groups,
            _task(wish, _pace(wish, checkpoint), first=shown.first.words),
            folder=wish.work,
            data=shown.digest,
            tiling=own_examples.tiling_of(sound),
            on_moment=_watched(_previews(wish, sound, shown.first, on_preview), on_progress),
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if wish.what == "lora":
        disk.write_whole(target, results.lora_file(learned, shown.groups))
    elif wish.what == "embedding":
        disk.write_whole(target, results.embedding_file(learned, shown.groups))
    else:
        results.write_full(checkpoint, source, target, text=wish.text)
        _copy_sound(source, target)
    return _report(wish, target, shown, learned, sound)


def refuse(wish: OwnTraining) -> None:
    """Refuse what can be told before anything is read or loaded.

    Raises UsageError and sdcore's errors as `train_own` does.
    """
    from sdcore.train import task

    named = _named(wish)
    task.refuse(_task(named, PACES[named.what][0], first=""))


def _named(wish: OwnTraining) -> OwnTraining:
    """The wish with its name: the one given, or the folder's."""
    if wish.what not in KINDS:
        raise UsageError(f"unknown training '{wish.what}': known are {', '.join(KINDS)}")
    if not 0 <= wish.seed <= MAX_SEED:
        raise UsageError(f"seed {wish.seed} is outside 0 to {MAX_SEED}: give one within")
    if wish.roll_beats < 0 or wish.previews < 0:
        raise UsageError("beats to roll by and steps between previews are 0 or more")
    name = wish.name or default_name(wish.folder)
    trigger = wish.trigger or (name if wish.what == "embedding" else "")
    return replace(wish, name=name, trigger=trigger)


def default_name(folder: Path) -> str:
    """What a training on a folder is called, where nothing else is said."""
    return re.sub(r"[^\w]+", "-", folder.resolve().name).strip("-")


def _target(wish: OwnTraining, *, is_file: bool) -> Path:
    """Where the result goes. Raises UsageError before any work where it cannot."""
    if wish.output is None:
        name = f"{wish.name}.safetensors" if is_file else wish.name
        return wish.work / HOMES[wish.what] / name
    target = wish.output
    if not target.parent.is_dir():
        raise UsageError(f"no folder {target.parent}: make it first, or name another")
    if is_file and (target.suffix != ".safetensors" or target.is_dir()):
        raise UsageError(f"{target} is no name for a {wish.what}: it must end in .safetensors")
    if wish.what == "full" and target.exists():
        raise UsageError(f"{target} exists: choose another name for the checkpoint")
    return target


def _dtype(what: str) -> Any:
    """Small changes of all weights need float32; what stays as it is may be coarser."""
    import torch

    return torch.float32 if what == "full" else None


@contextmanager
def _machine(threads: int | None) -> Iterator[None]:
    """While it is open, torch computes as is best for training: what the process does afterwards
    is to come out to the same bits as before."""
    import torch

    if threads is not None:
        if not 1 <= threads <= checkpoints.MAX_THREADS:
            raise UsageError(f"threads {threads}: give 1 to {checkpoints.MAX_THREADS}")
        torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _pace(wish: OwnTraining, checkpoint: Checkpoint) -> Pace:
    parameters = sum(p.numel() for p in checkpoint.unet.parameters())
    return PACES[wish.what][0 if parameters < _SMALL else 1]


def _task(wish: OwnTraining, pace: Pace, *, first: str) -> Task:
    """The trainer's task; `first` are the words of the first example."""
    from sdcore.train.task import Recipe, Task

    steps = pace.steps if wish.steps is None else wish.steps
    recipe = Recipe(
        steps=steps,
        batch=pace.batch if wish.batch is None else wish.batch,
        lr=pace.lr if wish.lr is None else wish.lr,
        warmup=min(100, max(1, steps // 20)),
        # all the weights of a large checkpoint are not held twice
        ema=0.0 if wish.what == "full" else 0.98,
        save_minutes=SAVE_MINUTES,
        seed=wish.seed,
    )
    words = first.removeprefix(f"{wish.trigger}, ")
    same = {field: getattr(wish, field) for field in _SAME}
    return Task(recipe=recipe, begins_as=wish.begins_as or words, **same)


def _material(wish: OwnTraining) -> Material:
    return Material(**{field.name: getattr(wish, field.name) for field in fields(Material)})


# ---- what is seen and said ----------------------------------------------------------------------


def _previews(
    wish: OwnTraining, sound: Sound | None, first: Example, on_preview: Callable[[Path], None]
) -> Callable[[Moment], None]:
    """Draws the first example's words now and then, from the same noise."""

    def on_moment(moment: Moment) -> None:
        is_last = moment.step == moment.steps
        if not wish.previews or (moment.step % wish.previews and not is_last):
            return
        moment.checkpoint.contexts.clear()  # words are read otherwise than a while ago
        path = wish.work / "previews" / f"step_{moment.step:06d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if sound is None:
            on_preview(_draw(moment.checkpoint, first, path.with_suffix(".png")))
        else:
            on_preview(_play(moment.checkpoint, sound, first, path.with_suffix(".wav")))

    return on_moment


def _watched(show: Callable[[Moment], None], on_progress: OnProgress) -> Callable[[Moment], None]:
    def on_moment(moment: Moment) -> None:
        show(moment)
        on_progress(Progress(done=moment.step, total=moment.steps))

    return on_moment


def _play(checkpoint: Checkpoint, sound: Sound, first: Example, path: Path) -> Path:
    from riffapp.studio.text_to_audio import make_loops

    instrument = Instrument(name=checkpoint.name, checkpoint=checkpoint, sound=sound)
    request = LoopRequest(
        prompt=first.words,
        key=first.key,
        bpm=120.0 if first.bpm is None else first.bpm,
        bars=max(sound.bars, default=2),
        seed=PREVIEW_SEED,
        checkpoint=checkpoint.name,
    )
    (result,) = make_loops(instrument, request)
    return files.save(result, path).sound


def _draw(checkpoint: Checkpoint, first: Example, path: Path) -> Path:
    from sdcore import infotext, picture_files
    from sdcore.generate import generate
    from sdcore.types import ImageRequest

    width, height = first.picture.size
    request = ImageRequest(
        prompt=first.caption, width=width, height=height, seed=PREVIEW_SEED, steps=_PREVIEW_STEPS
    )
    result = generate(checkpoint, request)
    picture_files.write(path, result.images[0], infotext.write(result))
    return path


def _report(
    wish: OwnTraining, target: Path, shown: Shown, learned: Learned, sound: Sound | None
) -> Trained:
    # a result in the work folder lies where it is found, if that is a folder of models
    where = f" in the prompt, with --models-dir {wish.work}" if wish.output is None else ""
    where = where or " in the prompt, once it lies in a folder of models"
    uses = {
        "lora": f"<lora:{target.stem}:1>{where}",
        "embedding": f"{target.stem}{where}",
        "full": f"--checkpoint {target}",
    }
    return Trained(
        path=target,
        use=uses[wish.what],
        examples=sum(len(group.captions) for group in shown.groups),
        loss=learned.losses[-1][1] if learned.losses else float("nan"),
        notes=(*shown.notes, *learned.notes, *_words(wish, sound)),
    )


def _words(wish: OwnTraining, sound: Sound | None) -> tuple[str, ...]:
    """What a person should know of a word that stands for what was learned."""
    if sound is None or not wish.trigger or not sound.words:
        return ()
    unknown = [found.word for found in prompts.unknown_words(wish.trigger, sound.words)]
    if wish.what == "embedding":
        if unknown:
            return ()
        return (f"the model knows '{wish.trigger}': in prompts the embedding takes its place",)
    return tuple(
        f"the model has no word '{word}' and learns it by its letters, which other unknown words "
        "share: write it exactly so, or train an embedding, which has vectors of its own"
        for word in unknown
    )


def _copy_sound(source: Path, target: Path) -> None:
    """What a single file says of how it sounds lies beside it; in a folder it was copied along."""
    beside = source.with_suffix(f".{SOUND_FILE}")
    if source.is_file() and beside.is_file():
        shutil.copyfile(beside, target.with_suffix(f".{SOUND_FILE}"))
