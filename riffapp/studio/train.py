"""Train the embedded loops model: render the band, autoencoder, diffusion, judge, checkpoint
folder.

Each stage leaves its result in the work folder and is passed over when that is there, and the two
long ones save their state every few minutes: a run that was stopped goes on where it was, with the
same command, on CPU or GPU.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audio.synth import captions
from audio.synth.band import Song
from audio.synth.instruments import INSTRUMENTS
from riffapp.errors import UsageError
from riffapp.studio.checkpoints import SOUND_FILE
from riffapp.studio.dataset import (
    KEYS,
    LOOP_PARAMS,
    load_band,
    render_band,
    song_number,
    stated_key,
    training_caption,
)
from riffapp.studio.judge import JUDGE_FILE
from riffapp.studio.train_judge import train_judge
from sdcore.models.load import pick_device
from sdcore.train.autoencoder import (
    block_autoencoder,
    encode_all,
    load_autoencoder,
    train_decoder,
)
from sdcore.train.diffusion import (
    EDGE,
    UNCONDITIONAL,
    load_networks,
    noise_schedule,
    small_text_encoder,
    small_unet,
    train_diffusion,
)
from sdcore.train.export import write_checkpoint
from sdcore.train.labels import Labels, Table, teach_words
from sdcore.train.task import Recipe
from sdcore.train.tokens import load_tokenizer, write_tokenizer

BARS = 2
SEED = 1
TEXT_WIDTH = 128
LATENT_CHANNELS = 12
TEMPLATE = "{prompt}, {key}, {bpm} bpm"
DEFAULTS = {"steps": 16, "cfg": 3.0, "sampler": "DPM++ 2M", "schedule": "Karras"}
LICENCE = "GPL-3.0-or-later"
# Share of the updates in which the key comes as a vector, and captions a batch when that is put
# into words.
_LABELLED = 0.6
_WORD_BATCH = 64
# Words without a sound of their own that stand in what people type.
_PLAIN_WORDS = ("the", "a", "an", "of", "at", "with", "in", "and", "on", "for", "some")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much of everything: `loops` to render, and updates for each network."""

    loops: int = 12288
    decoder_steps: int = 6000
    diffusion_steps: int = 6500
    word_steps: int = 1500
    judge_epochs: int = 6
    batch: int = 16


def train_embedded_loops(
    folder: Path,
    target: Path,
    budget: Budget,
    *,
    start: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Everything from nothing: work in `folder`, write the checkpoint into `target`.

    With `start`, a checkpoint's folder, its networks are trained further; autoencoder and tokenizer
    stay what they are. The judge is written beside the checkpoint.
    Raises UsageError for a budget that trains nothing.
    """
    for name, number in asdict(budget).items():
        if number < 1:
            raise UsageError(f"{name.replace('_', ' ')} {number}: give at least 1")
    torch.set_flush_denormal(True)  # forgotten rows of an optimiser fade to them, 100 times slower
    if threads is not None:
        torch.set_num_threads(threads)
    where = pick_device(device)
    workers = os.cpu_count() or 1
    if start is not None:
        shutil.copytree(start / "vae", folder / "autoencoder" / "vae", dirs_exist_ok=True)
        shutil.copytree(start / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
    render_band(folder / "band", count=budget.loops, bars=BARS, seed=SEED, workers=workers)
    pictures, songs = load_band(folder / "band", bars=BARS)
    vae = _autoencoder(folder / "autoencoder", pictures, budget, where)
    tokenizer = folder / "tokenizer"
    if not (tokenizer / "vocab.json").exists():
        write_tokenizer(tokenizer, (*taught_words(), *_PLAIN_WORDS, *"0123456789,#"))
    latents = _latents(folder / "latents.pt", vae, pictures, where)
    _diffusion(folder / "diffusion", tokenizer, latents, songs, budget, where, start)
    export(folder, target)
    train_judge(pictures, songs, vae.cpu(), epochs=budget.judge_epochs, seed=SEED).save(
        target.parent / JUDGE_FILE
    )


def export(folder: Path, target: Path) -> None:
    """Write the checkpoint from whatever state the diffusion training in `folder` has reached."""
    tokenizer = load_tokenizer(folder / "tokenizer")
    unet, text_encoder = _networks(tokenizer)
    state = torch.load(folder / "diffusion" / "state.pt", map_location="cpu", weights_only=True)
    parameters = [*unet.parameters(), *text_encoder.parameters()]
    with torch.no_grad():
        for parameter, mean in zip(parameters, state["average"], strict=True):
            parameter.copy_(mean)
    write_checkpoint(
        target,
        unet=unet,
        vae=load_autoencoder(folder / "autoencoder" / "vae"),
        text_encoder=text_encoder,
        tokenizer=folder / "tokenizer",
        scheduler=noise_schedule(),
        edge=EDGE,
    )
    text = json.dumps(sound_facts(), indent=1, ensure_ascii=False) + "\n"
    (target / SOUND_FILE).write_text(text, encoding="utf-8")


def sound_facts() -> dict[str, object]:
    """The sound.json of the embedded loops model."""
    return {
        "params": LOOP_PARAMS.to_json(),
        "template": TEMPLATE,
        "bars": [BARS],
        "meter": "4/4",
        "words": list(taught_words()),
        "groups": word_groups(),
        "licence": LICENCE,
        "defaults": DEFAULTS,
    }


def taught_words() -> tuple[str, ...]:
    """Every word that captions are made of, lower case, sorted."""
    rng = np.random.default_rng(SEED)
    songs = (song_number(i, bars=BARS, seed=SEED) for i in range(20000))
    texts = (captions.caption(song, rng).lower() for song in songs)
    return tuple(sorted({word for text in texts for word in re.findall(r"[a-z]+", text)}))


def word_groups() -> dict[str, list[str]]:
    """What a person may pick from, by what it is about."""

    def flat(table: Mapping[str, tuple[str, ...]]) -> list[str]:
        return list(dict.fromkeys(word for words in table.values() for word in words))

    return {
        "genre": flat(captions.GENRE_WORDS),
        "drums": [f"{word} drums" for word in flat(captions.KIT_WORDS)],
        "bass": list(INSTRUMENTS["bass"]),
        "bass line": flat(captions.BASS_STYLE_WORDS),
        "chords": list(INSTRUMENTS["chords"]),
        "chord playing": flat(captions.CHORD_STYLE_WORDS) + ["jazzy", "seventh"],
        "lead": list(INSTRUMENTS["lead"]),
        "lead playing": flat(captions.SPEED_WORDS) + flat(captions.REGISTER_WORDS),
        "mood": flat(captions.DENSITY_WORDS) + flat(captions.TONE_WORDS) + ["quiet"],
        "space": flat(captions.SPACE_WORDS) + ["echo", "pumping"],
        "groove": ["swung", "straight", "drum fill"],
    }


def _autoencoder(
    folder: Path, pictures: NDArray[np.uint8], budget: Budget, device: torch.device
) -> Any:
    """The finished autoencoder: its encoder is computed at once, its decoder trained."""
    if (folder / "vae").exists():
        return load_autoencoder(folder / "vae").to(device).eval()
    if not (folder / "start").exists():
        torch.manual_seed(SEED)
        start = block_autoencoder(pictures[:1500], latent_channels=LATENT_CHANNELS)
        start.save_pretrained(folder / "start")
    vae = load_autoencoder(folder / "start")
    recipe = Recipe(steps=budget.decoder_steps, batch=4, lr=2e-3, warmup=100, ema=0.998)
    run = train_decoder(vae, pictures, recipe, folder=folder, device=device)
    run.use_average()
    temporary = folder / "vae.part"
    vae.save_pretrained(temporary)
    temporary.replace(folder / "vae")
    return vae


def _latents(path: Path, vae: Any, pictures: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Latents of all pictures, kept in a file."""
    if path.exists():
        latents: Tensor = torch.load(path, weights_only=True)
        if len(latents) == len(pictures):
            return latents
    latents = encode_all(vae, pictures, device=device)
    torch.save(latents, path)
    return latents


def _networks(tokenizer: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
    height, width = LOOP_PARAMS.n_mels // 8, BARS * 16
    torch.manual_seed(SEED)
    unet = small_unet(
        latent_channels=LATENT_CHANNELS, height=height, width=width, text_width=TEXT_WIDTH
    )
    return unet, small_text_encoder(len(tokenizer), width=TEXT_WIDTH)


def _diffusion(
    folder: Path,
    tokenizer_folder: Path,
    latents: Tensor,
    songs: Sequence[Song],
    budget: Budget,
    device: torch.device,
    start: Path | None,
) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    unet, text_encoder = _networks(tokenizer) if start is None else load_networks(start)

    def write(indices: Sequence[int], generator: torch.Generator) -> list[str]:
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        return [training_caption(songs[i], rng) for i in indices]

    def stated(indices: Sequence[int], texts: Sequence[str]) -> Tensor:
        return torch.tensor([stated_key(songs[i], t) for i, t in zip(indices, texts, strict=True)])

    def drawn(generator: torch.Generator) -> tuple[list[str], Tensor]:
        indices = torch.randint(len(songs), (_WORD_BATCH,), generator=generator).tolist()
        texts = write(indices, generator)
        # Guidance reads no words beside the words: these say nothing too.
        silent = torch.rand(len(texts), generator=generator) < UNCONDITIONAL
        texts = ["" if dropped else text for text, dropped in zip(texts, silent, strict=True)]
        return texts, stated(indices, texts)

    first = round(_LABELLED * budget.diffusion_steps)
    parts = (unet, text_encoder, tokenizer)
    groups = [(latents, write)]
    if start is None:
        labels = Labels(count=KEYS, of=stated)
        recipe = Recipe(steps=first, batch=budget.batch, lr=8e-4)
        run = train_diffusion(
            *parts, groups, recipe, folder=folder / "1", device=device, labels=labels
        )
        run.use_average()
        table = run.modules["table"]
        assert isinstance(table, Table)
        recipe = Recipe(steps=budget.word_steps, batch=_WORD_BATCH, lr=1e-3, warmup=30, ema=0.99)
        teach_words(*parts, table, drawn, recipe, folder=folder / "2", device=device).use_average()
        recipe = Recipe(steps=budget.diffusion_steps - first, batch=budget.batch, lr=4e-4)
    else:
        recipe = Recipe(steps=budget.diffusion_steps, batch=budget.batch, lr=4e-4)
    train_diffusion(*parts, groups, recipe, folder=folder, device=device)
