"""Training sets: loops of the procedural band as pictures, with the songs that made them.

A folder holds shards `loops_<bars>_<number>.npz` (pictures uint8 (n, mels, frames), as the
codec draws them) and beside each a `.jsonl` with one song a line. Song i of a set depends on
(seed, i) alone, so a run that was cut off goes on where it stopped, and captions are written
anew from the song each time that it is seen.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from audio.codec import analyse, to_image
from audio.synth.band import Song, draw, render
from audio.synth.captions import caption
from audio.synth.harmony import Key
from audio.types import BeatFrames, DecibelCurve, SpectrogramParams

RANGE_DB = 64.0
GREY_LEVEL_DB = RANGE_DB / 255
LOOP_PARAMS = SpectrogramParams(
    rate=44100,
    n_mels=128,
    min_hz=20.0,
    max_hz=16000.0,
    frames=BeatFrames(per_beat=32, window_hops=6.0),
    curve=DecibelCurve(range_db=RANGE_DB, full_scale=1.0),
)
SHARD = 256
KEYS = 24


def song_number(index: int, *, bars: int, seed: int) -> Song:
    """Song `index` of the set with this seed; the same numbers always give the same song."""
    return draw(np.random.default_rng((seed, bars, index)), bars=bars)


def picture(song: Song) -> NDArray[np.uint8]:
    """The loop of a song as the grey levels of its spectrogram picture, (mels, frames)."""
    loop = render(song)
    image = to_image(analyse(loop.clip, LOOP_PARAMS, tempo=loop.tempo, circular=True))
    return np.ascontiguousarray(np.asarray(image)[:, :, 0])


def held_out(text: str) -> bool:
    """Whether a caption is kept from training, for prompts that training never saw."""
    return zlib.crc32(text.encode()) % 20 == 0


def training_caption(song: Song, rng: np.random.Generator) -> str:
    """A phrasing of the song that is not held out."""
    while held_out(text := caption(song, rng)):
        pass
    return text


def stated_key(song: Song, text: str) -> int:
    """The song's key, 0 .. KEYS - 1, or KEYS where its caption does not state it."""
    if re.search(r"\b(major|minor)\b", text) is None:
        return KEYS
    return 2 * song.key.root + (song.key.mode == "minor")


def unseen_caption(song: Song, rng: np.random.Generator) -> str | None:
    """A phrasing that is held out and names all that plays; None where there is none."""
    texts = (caption(song, rng, explicit=True) for _ in range(400))
    return next((text for text in texts if held_out(text)), None)


def render_band(folder: Path, *, count: int, bars: int, seed: int, workers: int) -> None:
    """Fill `folder` with `count` loops (rounded up to whole shards); shards that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [i for i in range(-(-count // SHARD)) if not _shard(folder, bars, i).exists()]
    work = partial(_render_shard, folder, bars, seed)
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for _ in tqdm(
            pool.map(work, wanted), total=len(wanted), desc=f"{bars}-bar loops", unit="shard"
        ):
            pass


def load_band(folder: Path, *, bars: int) -> tuple[NDArray[np.uint8], list[Song]]:
    """All loops of one length: pictures (n, mels, frames) and their songs."""
    shards = sorted(folder.glob(f"loops_{bars}_*.npz"))
    pictures = [np.load(shard)["pictures"] for shard in shards]
    songs = [song for shard in shards for song in _songs(shard.with_suffix(".jsonl"))]
    return np.concatenate(pictures), songs


def song_to_json(song: Song) -> dict[str, Any]:
    return asdict(song)


def song_from_json(plain: dict[str, Any]) -> Song:
    values = {**plain, "key": Key(**plain["key"]), "progression": tuple(plain["progression"])}
    return Song(**values)


def _songs(path: Path) -> Iterator[Song]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield song_from_json(json.loads(line))


def _shard(folder: Path, bars: int, number: int) -> Path:
    return folder / f"loops_{bars}_{number:05d}.npz"


def _render_shard(folder: Path, bars: int, seed: int, number: int) -> None:
    import torch

    torch.set_num_threads(1)
    songs = [song_number(number * SHARD + i, bars=bars, seed=seed) for i in range(SHARD)]
    pictures = np.stack([picture(song) for song in songs])
    path = _shard(folder, bars, number)
    lines = "\n".join(json.dumps(song_to_json(song)) for song in songs) + "\n"
    path.with_suffix(".jsonl").write_text(lines, encoding="utf-8")
    temporary = path.with_name(path.name + ".part.npz")
    np.savez(temporary, pictures=pictures)
    temporary.replace(path)
