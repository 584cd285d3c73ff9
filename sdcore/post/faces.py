"""Faces in a picture found, restored by a network, and laid back.

Without a file faces are found by a cascade, which knows where a face is but not its parts: eyes,
nose and mouth are then placed by a face's usual proportions, and the result says so. A YuNet file
gives the five points themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sdcore.errors import MachineError, ModelError, RequestError, lookup
from sdcore.post.align import TEMPLATE, Points, aligned, laid_back, similarity
from sdcore.post.network import load_network

# The cascade looks at pictures of at most this many pixels to a side, for faces of at least that.
MAX_SIDE = 1024
MIN_FACE = 32
# So many windows must agree on a face: fewer find faces in cloth and sky.
AGREEING = 8
# In a box that the cascade finds, in shares of its side: between the eyes, and how far apart.
EYES = (0.5, 0.33)
EYES_APART = 0.42
# YuNet's own certainty, 0 .. 1, from which on it is a face.
CERTAIN = 0.6


@dataclass(frozen=True, kw_only=True)
class Face:
    """Where a face is."""

    # Left eye, right eye, tip of the nose, left and right corner of the mouth, as one sees them:
    # (x, y) in pixels from the picture's corner.
    points: Points
    # Whether these were placed by proportion in a box.
    is_placed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Restorer:
    """A network that makes a face of 512 x 512 pixels anew."""

    name: str
    # (1, 3, 512, 512) in -1 .. 1, and the fidelity -> the same restored.
    restore: Callable[[Tensor, float], Tensor]
    device: torch.device | str = "cpu"


@dataclass(frozen=True, kw_only=True, eq=False)
class Restoration:
    """A picture whose faces were restored."""

    picture: Image.Image
    faces: tuple[Face, ...]
    # What the user should know: none was found, or their parts were placed by proportion.
    note: str = ""


def restored(
    picture: Image.Image,
    restorer: Restorer,
    *,
    faces: Sequence[Face] | None = None,
    visibility: float = 1.0,
    weight: float = 0.5,
) -> Restoration:
    """The 'RGB' picture with its faces restored, of its own size.

    Args:
        faces: where they are; None is `found(picture)`.
        visibility: the restored face's share, 0 .. 1; 0 gives the picture back.
        weight: CodeFormer's fidelity, 0 .. 1: 0 restores most, 1 keeps most.
    Raises:
        RequestError: visibility or weight out of range.
    """
    for name, value in (("visibility", visibility), ("weight", weight)):
        if not 0 <= value <= 1:
            raise RequestError(f"a face restorer's {name} of {value:g}: give 0 to 1")
    whole = picture.convert("RGB")
    there = tuple(found(whole) if faces is None else faces)
    for face in there:
        to_square = similarity(face.points)
        new = _new_face(aligned(whole, to_square), restorer, weight)
        whole = laid_back(whole, new, to_square, visibility=visibility)
    return Restoration(picture=whole, faces=there, note=_note(there))


@torch.inference_mode()
def _new_face(face: Image.Image, restorer: Restorer, weight: float) -> Image.Image:
    pixels = torch.from_numpy(np.asarray(face, np.float32).transpose(2, 0, 1) / 127.5 - 1)
    new = restorer.restore(pixels[None].to(restorer.device), weight)[0].float().cpu()
    values = (new.clamp(-1, 1).permute(1, 2, 0).numpy() + 1) * 127.5
    return Image.fromarray(np.rint(values).astype(np.uint8))


def _note(faces: Sequence[Face]) -> str:
    if not faces:
        return "no face was found: nothing was restored"
    placed = sum(face.is_placed for face in faces)
    if placed == 0:
        return ""
    return (
        f"{placed} of {len(faces)} faces have their eyes and mouth placed by proportion, not "
        "seen: a YuNet file finds them exactly, turned heads too"
    )


def found(picture: Image.Image, *, yunet: Path | None = None) -> tuple[Face, ...]:
    """The faces in a picture, the largest first: by the cascade, or by YuNet's .onnx file.

    The cascade finds upright faces that look this way, of at least 32 pixels.

    Raises:
        MachineError: a YuNet file without opencv. ModelError: a file that is none of YuNet's.
    """
    faces = _by_cascade(picture) if yunet is None else _by_yunet(picture, yunet)
    return tuple(sorted(faces, key=_eyes_apart, reverse=True))


def _eyes_apart(face: Face) -> float:
    (x0, y0), (x1, y1) = face.points[:2]
    return float(np.hypot(x1 - x0, y1 - y0))


def _by_cascade(picture: Image.Image) -> list[Face]:
    """Source: scikit-image's cascade of local binary patterns, as trained by OpenCV."""
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    scale = min(1.0, MAX_SIDE / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    size = (width, height)
    if min(size) < MIN_FACE:
        return []
    grey = np.asarray(picture.convert("L").resize(size, Image.Resampling.BOX))
    boxes = Cascade(lbp_frontal_face_cascade_filename()).detect_multi_scale(
        img=grey,
        scale_factor=1.1,
        step_ratio=1.5,
        min_size=(MIN_FACE, MIN_FACE),
        max_size=size[::-1],
        min_neighbor_number=AGREEING,
    )
    return [placed(box["c"] / scale, box["r"] / scale, box["width"] / scale) for box in boxes]


def placed(left: float, top: float, side: float) -> Face:
    """The face in a square box, its five points where a face usually has them. Pixels."""
    (x0, y0), (x1, y1) = TEMPLATE[:2]
    scale = EYES_APART * side / (x1 - x0)
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    points = tuple(
        (
            left + EYES[0] * side + (x - middle[0]) * scale,
            top + EYES[1] * side + (y - middle[1]) * scale,
        )
        for x, y in TEMPLATE
    )
    return Face(points=points, is_placed=True)


def _by_yunet(picture: Image.Image, path: Path) -> list[Face]:
    try:
        import cv2
    except ImportError:
        raise MachineError(
            "a YuNet file needs the library opencv: pip install 'riffapp[faces]'"
        ) from None
    if not path.is_file():
        raise ModelError(f"{path} is missing: give YuNet's .onnx file")
    try:
        detector = cv2.FaceDetectorYN.create(str(path), "", picture.size, CERTAIN)
        _, rows = detector.detect(np.asarray(picture.convert("RGB"))[..., ::-1].copy())
    except cv2.error as error:
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{path} does not work as a YuNet file ({first})") from None
    return faces_of_yunet([] if rows is None else rows)


def faces_of_yunet(rows: Any) -> list[Face]:
    """The faces in YuNet's rows: x, y, width, height, five points (x, y), certainty.

    Its points are in the template's order: the person's right eye first, which is seen at the left.
    """
    return [
        Face(points=tuple((float(row[i]), float(row[i + 1])) for i in range(4, 14, 2)))
        for row in rows
    ]


def load_restorer(
    path: str | Path, name: str = "GFPGAN", *, device: torch.device | str = "cpu"
) -> Restorer:
    """The restorer `name` of RESTORERS from its weight file, .safetensors or .pth.

    Raises:
        UnknownName: a name that RESTORERS lacks.
        MachineError: spandrel is not installed.
        ModelError: a file that is broken, or of another network.
    """
    call = lookup(RESTORERS, name, "face restorer")
    network = load_network(Path(path), device=device)
    kind = network.architecture.id
    if kind != name:
        raise ModelError(f"{path} holds a network of {kind}: give a weight file of {name}")
    return Restorer(
        name=name, restore=lambda face, weight: call(network.model, face, weight), device=device
    )


def _gfpgan(model: Any, face: Tensor, weight: float) -> Tensor:
    """Wang et al. 2021, arXiv:2101.04061; with the noise of its file, so that it repeats itself."""
    new: Tensor = model(face, return_rgb=False, randomize_noise=False)[0]
    return new


def _codeformer(model: Any, face: Tensor, weight: float) -> Tensor:
    """Zhou et al. 2022, arXiv:2206.11253; weight is its w."""
    new: Tensor = model(face, weight=weight)[0]
    return new


# network, face (1, 3, 512, 512) in -1 .. 1, weight -> the same restored
RESTORERS: Mapping[str, Callable[[Any, Tensor, float], Tensor]] = {
    "GFPGAN": _gfpgan,
    "CodeFormer": _codeformer,
}
