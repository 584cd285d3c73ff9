"""Small pictures of finished ones, made once and kept among the previews."""

from __future__ import annotations

from pathlib import Path

from riffapp.jobs.desk import LIVE, whole

SIZE = (400, 250)


def thumbnail(path: Path, home: Path) -> Path:
    """The small picture of a picture; the picture itself where it cannot be read."""
    kept = home / LIVE / f"{path.stem}-{path.stat().st_mtime_ns}.webp"
    if not kept.exists():
        from PIL import Image, ImageOps

        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            with Image.open(path) as found:
                small = ImageOps.fit(found.convert("RGB"), SIZE, Image.Resampling.LANCZOS)
        except (OSError, SyntaxError, ValueError):
            return path
        whole(kept, lambda place: small.save(place, "WEBP", quality=80))
    return kept
