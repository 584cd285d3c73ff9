"""The judge: who plays, in which genre and key, heard from a rendered loop alone.

Two small networks. The first looks at the loop's own mel analysis and names players and genre;
the second hears the key from pitch classes. They are trained on the band's raw renders and on
renders that went through codec and autoencoder, never on anything that the diffusion model
made, so what they say of it is evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from audio.codec import analyse, to_image
from audio.synth.band import PARTS, Song
from audio.synth.drums import KITS
from audio.synth.harmony import Key
from audio.synth.instruments import INSTRUMENTS
from audio.synth.patterns import GENRES
from audio.types import Loop, SpectrogramParams

HEADS: dict[str, tuple[str, ...]] = {
    "drums": KITS,
    **{part: tuple(INSTRUMENTS[part]) for part in ("bass", "chords", "lead")},
    "genre": tuple(GENRES),
}
JUDGE_FILE = "judge.safetensors"
_SEMITONES = 60  # from A1, 55 Hz, five octaves
_SLICES_PER_BEAT = 2


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the judge hears. A part that does not play is absent from `players`."""

    players: dict[str, str]
    presence: dict[str, float]  # probability that each part plays
    genre: str
    key: Key


class PlayerNet(nn.Module):
    """Grey picture (B, 1, mels, frames) in [0, 1], 1 loud -> one row of scores for each head.

    The score at 0 of a part's head stands for 'does not play'.
    """

    def __init__(self, mels: int = 128) -> None:
        super().__init__()
        widths = (1, 24, 48, 96, 128)
        blocks = [
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.SiLU())
            for a, b in zip(widths, widths[1:], strict=False)
        ]
        self.body = nn.Sequential(
            *blocks, nn.Conv2d(128, 128, 3, padding=1), nn.BatchNorm2d(128), nn.SiLU()
        )
        heights = mels // 16
        self.shared = nn.Sequential(nn.Linear(2 * 128 * heights, 256), nn.SiLU(), nn.Dropout(0.2))
        self.heads = nn.ModuleDict(
            {
                name: nn.Linear(256, len(values) + (name != "genre"))
                for name, values in HEADS.items()
            }
        )
        # the groove is where hits fall in the bar, which averages over time forget
        self.groove = nn.Sequential(
            nn.Linear(128 * heights * 8, 128), nn.SiLU(), nn.Linear(128, len(GENRES))
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.body(x)
        shared = self.shared(torch.cat([y.mean(dim=-1), y.amax(dim=-1)], dim=1).flatten(1))
        scores = {name: head(shared) for name, head in self.heads.items()}
        bar = nn.functional.adaptive_avg_pool2d(y, (y.shape[-2], 8)).flatten(1)
        scores["genre"] = scores["genre"] + self.groove(bar)
        return scores


class KeyNet(nn.Module):
    """Pitch-class history (B, octaves, 12, slices) -> scores (B, 24): 12 minor keys from C,
    then 12 major.

    The same small network scores every tonic on the history rotated to it, so it knows each key
    as well as any.
    """

    def __init__(self, octaves: int = 5, slices: int = 16) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(octaves * 12 * slices, 128),
            nn.SiLU(),
            nn.Dropout(0.2),
            nn.Linear(128, 64),
            nn.SiLU(),
            nn.Linear(64, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        rotated = torch.stack(
            [torch.roll(x, -root, dims=2).flatten(1) for root in range(12)], dim=1
        )
        scores: Tensor = self.score(rotated)
        return scores.movedim(1, 2).flatten(1)


class Judge:
    """Both networks, ready to hear loops of the given params."""

    def __init__(self, params: SpectrogramParams) -> None:
        self.params = params
        self.player, self.key = PlayerNet(params.n_mels).eval(), KeyNet().eval()

    @torch.inference_mode()
    def hear(self, loop: Loop) -> Verdict:
        """What plays in a loop of two bars."""
        scores = self.player(picture_input(loop_picture(loop, self.params)[None]))
        probabilities = {name: score[0].softmax(dim=-1) for name, score in scores.items()}
        players = {
            part: HEADS[part][int(probabilities[part].argmax()) - 1]
            for part in PARTS
            if int(probabilities[part].argmax()) > 0
        }
        best = int(self.key(torch.from_numpy(pitch_history(loop))[None])[0].argmax())
        return Verdict(
            players=players,
            presence={part: 1.0 - float(probabilities[part][0]) for part in PARTS},
            genre=HEADS["genre"][int(probabilities["genre"].argmax())],
            key=Key(root=best % 12, mode=("minor", "major")[best // 12]),
        )

    def save(self, path: Path) -> None:
        """Write both networks as one fp16 safetensors file."""
        tensors = {f"player.{k}": v for k, v in self.player.state_dict().items()}
        tensors |= {f"key.{k}": v for k, v in self.key.state_dict().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}, path)

    @staticmethod
    def load(path: Path, params: SpectrogramParams) -> Judge:
        """The judge that `save` wrote."""
        judge = Judge(params)
        tensors = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
        for name, network in (("player.", judge.player), ("key.", judge.key)):
            network.load_state_dict(
                {k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)}
            )
        return judge


def loop_picture(loop: Loop, params: SpectrogramParams) -> NDArray[np.uint8]:
    """The grey picture (mels, frames) of a loop's own sound."""
    image = to_image(analyse(loop.clip, params, tempo=loop.tempo, circular=True))
    return np.ascontiguousarray(np.asarray(image)[:, :, 0])


def picture_input(pictures: NDArray[np.uint8]) -> Tensor:
    """Grey pictures (n, mels, frames), dark loud -> the network's input, 1 loud."""
    return 1.0 - torch.from_numpy(np.ascontiguousarray(pictures))[:, None].float() / 255.0


def pitch_history(loop: Loop) -> NDArray[np.float32]:
    """How strongly each pitch sounds over time: (5 octaves from A1 turned to C, 12 from C,
    slices), level-free.

    Semitone bands of a long-window spectrum, two slices a beat, compressed and scaled to a
    maximum of 1.
    """
    x, rate = loop.clip.samples.mean(axis=0), loop.clip.rate
    slices = loop.tempo.beats * _SLICES_PER_BEAT
    length, n_fft = len(x) // slices, 16384
    window = min(n_fft, 2 * length)
    index = (np.arange(slices)[:, None] * len(x) // slices + np.arange(window)) % len(x)
    spectrum = np.abs(np.fft.rfft(x[index] * np.hanning(window), n_fft, axis=1)).astype(np.float32)
    midi = 69 + 12 * np.log2(np.maximum(np.fft.rfftfreq(n_fft, 1 / rate), 1.0) / 440)
    bank = np.maximum(
        0, 1 - np.abs(midi[None] - (36 + np.arange(_SEMITONES))[:, None]) / 0.6
    ).astype(np.float32)
    strength = np.log1p(30 * (spectrum @ bank.T) / (window / 4))
    history = (strength / max(float(strength.max()), 1e-9)).T.reshape(_SEMITONES // 12, 12, slices)
    return np.ascontiguousarray(history, dtype=np.float32)


def targets(songs: list[Song]) -> dict[str, Tensor]:
    """Class numbers for each head, and the key's."""
    rows: dict[str, list[int]] = {name: [] for name in HEADS}
    for song in songs:
        named = {"drums": song.kit, "bass": song.bass, "chords": song.chords, "lead": song.lead}
        for part, name in named.items():
            rows[part].append(0 if name is None else 1 + HEADS[part].index(name))
        rows["genre"].append(HEADS["genre"].index(song.genre))
    rows["key"] = [song.key.root + 12 * (song.key.mode == "major") for song in songs]
    return {name: torch.tensor(numbers) for name, numbers in rows.items()}
