"""Train a small image model: draw scenes, autoencoder, diffusion, judge, checkpoint folder.

Each stage leaves its result in the work folder and is passed over when that is there, and the two
long ones save their state every few minutes: a run that was stopped goes on where it was, with the
same command, on CPU or GPU. The encoder is computed at once, so diffusion needs no trained decoder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from riffapp.errors import UsageError
from riffapp.studio import scenes
from riffapp.studio.checkpoints import PICTURE_FILE
from riffapp.studio.picture_judge import PICTURE_JUDGE_FILE
from riffapp.studio.scene_drawing import SIDE, boxes, picture
from riffapp.studio.scene_things import COLOURS
from riffapp.studio.train_picture_judge import train_picture_judge
from sdcore.models.load import pick_device
from sdcore.train.autoencoder import (
    block_autoencoder,
    encode_all,
    load_autoencoder,
    train_decoder,
)
from sdcore.train.diffusion import (
    Captions,
    noise_schedule,
    small_text_encoder,
    small_unet,
    train_diffusion,
)
from sdcore.train.export import write_checkpoint
from sdcore.train.task import Recipe
from sdcore.train.tokens import load_tokenizer, write_tokenizer

SEED = 1
TEXT_WIDTH = 128
LATENT_CHANNELS = 12
DEFAULTS = {
    "width": SIDE,
    "height": SIDE,
    "steps": 16,
    "cfg": 4.0,
    "sampler": "DPM++ 2M",
    "schedule": "Karras",
}
LICENCE = "GPL-3.0-or-later"
# Scenes whose pictures are kept in memory: for the encoder's components, the decoder, the judge.
SEEN = 3072
_SHARD = 512
# What a cell of the picture counts where a thing stands and elsewhere.
_THING, _AROUND = 2.0, 0.4
# Words without a meaning of their own that stand in what people type.
_PLAIN_WORDS = ("the", "of", "with", "some", "one", "it", "is", "there", "picture", "drawing")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much of everything: `scenes` to draw, and updates for each network."""

    scenes: int = 30000
    decoder_steps: int = 1050
    diffusion_steps: int = 20000
    judge_steps: int = 1500
    batch: int = 16
    # Of scenes in a style or with three things one in so many is shown.
    thin: int = 2


def train_embedded_pictures(
    folder: Path,
    target: Path,
    budget: Budget,
    *,
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Everything from nothing: work in `folder`, write the checkpoint into `target` and the judge
    beside it.

    Raises UsageError for a budget that trains nothing.
    """
    for name, number in asdict(budget).items():
        if number < 1:
            raise UsageError(f"{name.replace('_', ' ')} {number}: give at least 1")
    torch.set_flush_denormal(True)
    if threads is not None:
        torch.set_num_threads(threads)
    where = pick_device(device)
    train_words(folder, budget, where)
    vae = train_autoencoder(folder, budget, where)
    export(folder, target)
    judge = train_picture_judge(vae.cpu(), steps=budget.judge_steps, folder=folder / "judge")
    judge.save(target.parent / PICTURE_JUDGE_FILE)


def train_words(folder: Path, budget: Budget, device: torch.device) -> None:
    """The UNet and the text encoder, on latents that the ready encoder makes."""
    start_autoencoder(folder)
    latents = _latents(folder, budget.scenes, device)
    tokenizer_folder = folder / "tokenizer"
    if not (tokenizer_folder / "vocab.json").exists():
        write_tokenizer(tokenizer_folder, (*taught_words(), *_PLAIN_WORDS))
    tokenizer = load_tokenizer(tokenizer_folder)
    unet, text_encoder = _networks(tokenizer)
    drawn = [scenes.scene_number(i, seed=SEED) for i in range(len(latents))]
    plain = [i for i, scene in enumerate(drawn) if scene.style == "flat" and len(scene.things) < 3]
    rest = sorted(set(range(len(drawn))) - set(plain))[:: budget.thin]

    def group(numbers: Sequence[int]) -> tuple[Tensor, Captions]:
        def write(indices: Sequence[int], generator: torch.Generator) -> list[str]:
            rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
            return [scenes.training_caption(drawn[numbers[i]], rng) for i in indices]

        return latents[torch.tensor(numbers)], write

    kinds = [numbers for numbers in (plain, rest) if len(numbers) >= budget.batch]
    recipe = Recipe(steps=budget.diffusion_steps, batch=budget.batch, lr=1e-3, ema=0.998)
    train_diffusion(
        unet,
        text_encoder,
        tokenizer,
        [group(numbers) for numbers in kinds],
        recipe,
        folder=folder / "diffusion",
        device=device,
        tiling="none",
        weights=[torch.stack([weight(drawn[i]) for i in numbers]) for numbers in kinds],
    )


def weight(scene: scenes.Scene) -> Tensor:
    """How much each cell of a picture counts, (16, 16): things are less of it than what is around
    them, and more of what is said."""
    cells = torch.full((SIDE // 8, SIDE // 8), _AROUND)
    for x0, y0, x1, y1 in boxes(scene):
        cells[int(max(y0, 0)) // 8 : int(y1) // 8 + 1, int(max(x0, 0)) // 8 : int(x1) // 8 + 1] = (
            _THING
        )
    return cells


def start_autoencoder(folder: Path) -> None:
    """The autoencoder with its encoder computed and its decoder at random, in `folder`/start."""
    if not (folder / "start").exists():
        torch.manual_seed(SEED)
        vae = block_autoencoder(drawn_pictures(min(1500, SEEN)), latent_channels=LATENT_CHANNELS)
        vae.save_pretrained(folder / "start.part")
        (folder / "start.part").replace(folder / "start")


def train_autoencoder(folder: Path, budget: Budget, device: torch.device) -> Any:
    """The finished autoencoder; its encoder stays what it was."""
    if (folder / "vae").exists():
        return load_autoencoder(folder / "vae").to(device).eval()
    start_autoencoder(folder)
    vae = load_autoencoder(folder / "start")
    recipe = Recipe(steps=budget.decoder_steps, batch=8, lr=2e-3, warmup=100, ema=0.998)
    run = train_decoder(
        vae,
        drawn_pictures(SEEN),
        recipe,
        folder=folder / "decoder",
        device=device,
        tiling="none",
    )
    run.use_average()
    vae.save_pretrained(folder / "vae.part")
    (folder / "vae.part").replace(folder / "vae")
    return vae


def export(folder: Path, target: Path) -> None:
    """Write the checkpoint from whatever state the diffusion training in `folder` has reached."""
    unet, text_encoder = _networks(load_tokenizer(folder / "tokenizer"))
    state = torch.load(folder / "diffusion" / "state.pt", map_location="cpu", weights_only=True)
    parameters = [*unet.parameters(), *text_encoder.parameters()]
    with torch.no_grad():
        for parameter, mean in zip(parameters, state["average"], strict=True):
            parameter.copy_(mean)
    write_checkpoint(
        target,
        unet=unet,
        vae=load_autoencoder(folder / "vae"),
        text_encoder=text_encoder,
        tokenizer=folder / "tokenizer",
        scheduler=noise_schedule(),
        edge=(),
    )
    text = json.dumps(picture_facts(), indent=1, ensure_ascii=False) + "\n"
    (target / PICTURE_FILE).write_text(text, encoding="utf-8")


def picture_facts() -> dict[str, object]:
    """The picture.json of the embedded image model."""

    def flat(table: Mapping[str, tuple[str, ...]]) -> list[str]:
        return [word for options in table.values() for word in options]

    plurals = [scenes.PLURALS[thing] for thing in scenes.THINGS]
    named = {
        "things": [*scenes.THINGS, *plurals],
        "colours": list(COLOURS),
        "places": flat(scenes.PLACES),
        "times": flat(scenes.TIMES),
        "styles": flat(scenes.STYLES),
    }
    said = {word for options in named.values() for text in options for word in text.split()}
    rest = [word for word in (*taught_words(), *_PLAIN_WORDS) if word not in said and word != ","]
    return {"defaults": DEFAULTS, "groups": named | {"others": rest}, "licence": LICENCE}


def taught_words() -> tuple[str, ...]:
    """Every word that captions are made of, lower case, sorted."""
    rng = np.random.default_rng(SEED)
    texts = (scenes.caption(scenes.draw(rng), rng) for _ in range(20000))
    return tuple(sorted({word for text in texts for word in re.findall(r"[a-z]+|,", text)}))


def drawn_pictures(count: int, *, first: int = 0) -> NDArray[np.uint8]:
    """Pictures of the training set's scenes, (count, 128, 128, 3)."""
    numbers = range(first, first + count)
    return np.stack([picture(scenes.scene_number(i, seed=SEED)) for i in numbers])


def _latents(folder: Path, count: int, device: torch.device) -> Tensor:
    """Latents of the training set, kept in a file."""
    path = folder / "latents.pt"
    if path.exists():
        latents: Tensor = torch.load(path, weights_only=True)
        if len(latents) == count:
            return latents
    vae = load_autoencoder(folder / "start").to(device)
    parts = []
    for first in tqdm(range(0, count, _SHARD), desc="scenes", unit="shard"):
        pictures = drawn_pictures(min(_SHARD, count - first), first=first)
        parts.append(encode_all(vae, pictures, device=device, tiling="none"))
    latents = torch.cat(parts)
    torch.save(latents, path)
    return latents


def _networks(tokenizer: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
    torch.manual_seed(SEED)
    cells = SIDE // 8
    unet = small_unet(
        latent_channels=LATENT_CHANNELS,
        height=cells,
        width=cells,
        text_width=TEXT_WIDTH,
        widths=(48, 96, 160),
        layers=1,
    )
    return unet, small_text_encoder(len(tokenizer), width=TEXT_WIDTH, layers=2)
