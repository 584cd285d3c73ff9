"""The judge of pictures: which things stand where in which colours, place, time, style and sky.

A small network that is trained on drawn scenes, raw and through the autoencoder, never on anything
that the diffusion model made, so what it says of that is evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from riffapp.errors import UsageError
from riffapp.studio.scene_drawing import SIDE
from riffapp.studio.scene_things import COLOURS
from riffapp.studio.scenes import EXTRAS, PLACES, SLOTS, STYLES, THINGS, TIMES, Scene, Thing
from sdcore.train.autoencoder import to_tensor

PICTURE_JUDGE_FILE = "pictures_judge.safetensors"
# Of each third of the picture, where 0 is "nothing there"; and of the whole picture.
SLOT_HEADS: dict[str, tuple[str, ...]] = {"thing": ("", *THINGS), "colour": tuple(COLOURS)}
SCENE_HEADS: dict[str, tuple[str, ...]] = {
    "place": tuple(PLACES),
    "time": tuple(TIMES),
    "style": tuple(STYLES),
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the judge sees in a picture; things from left to right."""

    things: tuple[Thing, ...]
    place: str
    time: str
    style: str
    extras: tuple[str, ...]

    def shows(self, name: str, colour: str | None = None, slot: str | None = None) -> bool:
        """Whether such a thing stands there, in any colour and third where none is given."""
        return any(
            thing.name == name and colour in (None, thing.colour) and slot in (None, thing.slot)
            for thing in self.things
        )


class SceneNet(nn.Module):
    """RGB (B, 3, 128, 128) in [-1, 1] -> scores: a third's heads (B, 3, n), a scene's (B, n),
    "extras" (B, 3)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 40, 80, 112)
        blocks = [
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.SiLU())
            for a, b in zip(widths, widths[1:], strict=False)
        ]
        self.body = nn.Sequential(
            *blocks, nn.Conv2d(112, 112, 3, padding=1), nn.BatchNorm2d(112), nn.SiLU()
        )
        self.third = nn.Sequential(nn.Linear(448, 128), nn.SiLU(), nn.Dropout(0.1))
        self.whole = nn.Sequential(nn.Linear(448, 128), nn.SiLU(), nn.Dropout(0.1))
        heads = {name: nn.Linear(128, len(values)) for name, values in SLOT_HEADS.items()}
        heads |= {name: nn.Linear(128, len(values)) for name, values in SCENE_HEADS.items()}
        self.heads = nn.ModuleDict(heads | {"extras": nn.Linear(128, len(EXTRAS))})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.body(x)  # (B, c, 8, 8)
        around = torch.cat([y.mean(dim=(2, 3)), y.amax(dim=(2, 3))], dim=1)
        # thirds of eight columns that overlap, for things are wider than a third
        columns = [y[..., begin : begin + 4] for begin in (0, 2, 4)]
        own = [torch.cat([c.mean(dim=(2, 3)), c.amax(dim=(2, 3)), around], dim=1) for c in columns]
        third = self.third(torch.stack(own, dim=1))
        halves = [y[:, :, :4], y[:, :, 4:]]
        parts = [part for h in halves for part in (h.mean(dim=(2, 3)), h.amax(dim=(2, 3)))]
        whole = self.whole(torch.cat(parts, dim=1))
        return {
            name: head(third if name in SLOT_HEADS else whole) for name, head in self.heads.items()
        }


class PictureJudge:
    """The network, ready to look at pictures."""

    def __init__(self) -> None:
        self.net = SceneNet().eval()

    @torch.inference_mode()
    def look(self, pictures: Sequence[Image.Image] | NDArray[np.uint8]) -> list[Seen]:
        """What is in each picture (any size; seen at 128 x 128)."""
        scores = self.net(to_tensor(as_array(pictures)))
        best = {name: score.argmax(dim=-1).tolist() for name, score in scores.items()}
        extras = (scores["extras"] > 0).tolist()
        return [
            Seen(
                things=tuple(
                    Thing(
                        name=SLOT_HEADS["thing"][thing],
                        colour=SLOT_HEADS["colour"][colour],
                        slot=slot,
                    )
                    for thing, colour, slot in zip(
                        best["thing"][i], best["colour"][i], SLOTS, strict=True
                    )
                    if thing > 0
                ),
                place=SCENE_HEADS["place"][best["place"][i]],
                time=SCENE_HEADS["time"][best["time"][i]],
                style=SCENE_HEADS["style"][best["style"][i]],
                extras=tuple(e for e, there in zip(EXTRAS, extras[i], strict=True) if there),
            )
            for i in range(len(extras))
        ]

    def save(self, path: Path) -> None:
        """Write the network as one fp16 safetensors file."""
        tensors = self.net.state_dict()
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}, path)

    @staticmethod
    def load(path: Path) -> PictureJudge:
        """The judge that `save` wrote. Raises UsageError where there is none."""
        if not path.is_file():
            raise UsageError(
                f"no judge of pictures at {path}: `riffapp train embedded-pictures` makes one "
                "beside its checkpoint, give it with --judge"
            )
        judge = PictureJudge()
        tensors = load_file(path)
        judge.net.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        )
        return judge


def as_array(pictures: Sequence[Image.Image] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures as (n, 128, 128, 3)."""
    if isinstance(pictures, np.ndarray):
        return pictures
    small = (p.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS) for p in pictures)
    return np.stack([np.asarray(p, dtype=np.uint8) for p in small])


def targets(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    """What the network should say: class numbers, -1 for the colour of nothing, 0 or 1 for
    extras."""
    things = torch.zeros(len(scenes), len(SLOTS), dtype=torch.int64)
    colours = torch.full_like(things, -1)
    for i, scene in enumerate(scenes):
        for thing in scene.things:
            slot = SLOTS.index(thing.slot)
            things[i, slot] = SLOT_HEADS["thing"].index(thing.name)
            colours[i, slot] = SLOT_HEADS["colour"].index(thing.colour)
    wanted = {"thing": things, "colour": colours}
    for name, values in SCENE_HEADS.items():
        wanted[name] = torch.tensor([values.index(getattr(scene, name)) for scene in scenes])
    wanted["extras"] = torch.tensor([[float(e in s.extras) for e in EXTRAS] for s in scenes])
    return wanted
