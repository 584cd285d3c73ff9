"""What a file or a checkpoint says of itself."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from riffapp.errors import UsageError
from riffapp.studio import checkpoints, files, record

_OTHER_PICTURES = (".jpg", ".jpeg", ".webp", ".gif")
_SOUND_LIKE = "a PNG, a sound file, or a checkpoint"


def facts(what: str) -> dict[str, Any]:
    """Plain data on a PNG, a sound file or a checkpoint (by name, folder or hub id).

    Raises UsageError where it is none of them, audio's errors for a damaged file.
    """
    path = Path(what)
    if path.is_file():
        if files.is_picture(path):
            return _picture(path)
        return _painted(path) if path.suffix.lower() in _OTHER_PICTURES else _sound(path)
    try:
        return _checkpoint(what)
    except UsageError as error:
        if path.suffix:
            raise UsageError(f"no file {what}: give {_SOUND_LIKE}") from error
        raise


def lines(said: dict[str, Any]) -> list[str]:
    """The same for reading: a line for each fact, parts indented."""
    out = []
    for name, value in said.items():
        if isinstance(value, dict):
            out.append(f"{name}:")
            out += [f"  {line}" for line in lines(value)]
        elif isinstance(value, list):
            out.append(f"{name}: {', '.join(map(str, value))}")
        elif value is not None:
            out.append(f"{name}: {value}")
    return out


def _picture(path: Path) -> dict[str, Any]:
    from audio import pictures

    picture = pictures.read(path)
    said: dict[str, Any] = {
        "file": str(path),
        "kind": "picture",
        "size": f"{picture.image.width} x {picture.image.height}",
        "tempo": None if picture.tempo is None else asdict(picture.tempo),
        "spectrogram": None if picture.params is None else picture.params.to_json(),
    }
    if record.read(picture.texts) is None:
        said |= _parameters(path)
        return said if said["parameters"] is not None else said | {"settings": None}
    return said | _settings(path, picture.texts)


def _painted(path: Path) -> dict[str, Any]:
    """Of a picture that is no PNG, and therefore no sound."""
    from riffapp.studio import images

    picture = images.open_picture(path)
    size = f"{picture.width} x {picture.height}"
    return {"file": str(path), "kind": "picture", "size": size} | _parameters(path)


def _parameters(path: Path) -> dict[str, Any]:
    """What the image tools write, ours and others'."""
    from sdcore import infotext, picture_files

    text = picture_files.read(path)
    if text is None:
        return {"parameters": None}
    again = f"riffapp txt2img --from {path} -o again.png"
    return {"parameters": text, "notes": list(infotext.read(text).notes), "again": again}


def _sound(path: Path) -> dict[str, Any]:
    from audio import files as sounds

    clip, tempo = sounds.read(path), sounds.read_loop(path)
    said: dict[str, Any] = {
        "file": str(path),
        "kind": "sound",
        "channels": clip.channels,
        "rate": clip.rate,
        "samples": clip.n,
        "duration_s": round(clip.duration_s, 6),
        "tempo": None if tempo is None else asdict(tempo),
    }
    return said | _settings(path, sounds.read_tags(path))


def _settings(path: Path, texts: Any) -> dict[str, Any]:
    found = record.read(texts)
    if found is None:
        return {"settings": None}
    made_by = None if found.origin is None else asdict(found.origin)
    again = f"riffapp loop --from {path} -o again.wav"
    return {"settings": asdict(found.request), "made_by": made_by, "again": again}


def _checkpoint(ref: str) -> dict[str, Any]:
    sound = checkpoints.read_sound(ref)
    return {
        "checkpoint": ref,
        "folder": str(checkpoints.folder(ref)),
        "licence": sound.licence,
        "bars": list(sound.bars),
        "meter": sound.meter,
        "template": sound.template,
        "defaults": {
            "steps": sound.steps,
            "cfg": sound.cfg,
            "sampler": sound.sampler,
            "schedule": sound.schedule,
        },
        "spectrogram": sound.params.to_json(),
        "words": list(sound.words),
    }
