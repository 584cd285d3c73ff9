"""Small pictures of finished ones, made once and kept among the previews."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.jobs.desk import LIVE, whole

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE = (400, 250)
_SOUND = "spectrogram"  # the text in a picture that says how it sounds
_INK = (201, 75, 32)  # seen on paper and in the dark alike


def thumbnail(path: Path, home: Path) -> Path:
    """The small picture of a picture; the picture itself where it cannot be read."""
    kept = home / LIVE / f"{path.stem}-{path.stat().st_mtime_ns}.webp"
    if not kept.exists():
        from PIL import Image

        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            with Image.open(path) as found:
                small = _inked(found) if _SOUND in found.info else _cut(found)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return path
        whole(kept, lambda place: small.save(place, "WEBP", quality=80))
    return kept


def _cut(picture: Image) -> Image:
    """The middle of a picture of things."""
    from PIL import Image, ImageOps

    return ImageOps.fit(picture.convert("RGB"), SIZE, Image.Resampling.LANCZOS)


def _inked(picture: Image) -> Image:
    """All of a spectrogram, whatever its shape: ink where it sounds, and no paper behind it."""
    from PIL import Image, ImageOps

    loud = ImageOps.invert(picture.convert("L")).resize(SIZE, Image.Resampling.BICUBIC)
    inked = Image.new("RGB", SIZE, _INK)
    inked.putalpha(loud)
    return inked
