"""Tasks as JSON and back: frozen dataclasses, plain values, files and pictures.

A file that a task names is kept in the home's `inputs` by the hash of its bytes, so a task can
wait, and run again, whatever becomes of what was uploaded. Reading is kind to other versions:
fields that are not known any more are passed over, missing ones take their default.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from riffapp.errors import UsageError

INPUTS = "inputs"
_PACKAGES = ("riffapp.", "sdcore.", "audio.")
_IS = "is"


def dumps(task: object, home: Path) -> str:
    """The task as text; its files and pictures are copied into the home."""
    return json.dumps(_packed(task, home / INPUTS), sort_keys=True)


def loads(text: str, home: Path) -> Any:
    """The task that `dumps` wrote. Raises UsageError for what no version of ours wrote."""
    try:
        return _unpacked(json.loads(text), home / INPUTS)
    except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise UsageError(
            f"these settings were written by another version and cannot be read ({error})"
        ) from error


def kept(source: Path, home: Path) -> Path:
    """A copy of a file under the hash of its bytes; the file itself where it is one already."""
    return _stored(source.read_bytes(), source.suffix, home / INPUTS)


def _packed(value: Any, inputs: Path) -> Any:
    from PIL.Image import Image

    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        cls = type(value)
        told = {f.name: _packed(getattr(value, f.name), inputs) for f in fields(value) if f.init}
        return {_IS: f"{cls.__module__}:{cls.__qualname__}", **told}
    if isinstance(value, Mapping):
        return {_IS: "mapping", "items": [[k, _packed(v, inputs)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return [_packed(one, inputs) for one in value]
    if isinstance(value, Path):
        if value.is_dir():
            return {_IS: "folder", "path": str(value)}
        stored = kept(value, inputs.parent)
        return {_IS: "file", "file": stored.name}
    if isinstance(value, Image):
        data = io.BytesIO()
        value.save(data, "PNG")
        return {_IS: "picture", "file": _stored(data.getvalue(), ".png", inputs).name}
    raise TypeError(f"a task cannot hold {type(value).__name__}")


def _unpacked(plain: Any, inputs: Path) -> Any:
    if isinstance(plain, list):
        return tuple(_unpacked(one, inputs) for one in plain)
    if not isinstance(plain, dict):
        return plain
    kind = plain[_IS]
    if kind == "mapping":
        return {key: _unpacked(value, inputs) for key, value in plain["items"]}
    if kind == "folder":
        return Path(plain["path"])
    if kind in ("file", "picture"):
        path = inputs / Path(plain["file"]).name
        return path if kind == "file" else _picture(path)
    cls = _class(kind)
    told = {f.name: _unpacked(plain[f.name], inputs) for f in fields(cls) if f.name in plain}
    for f in fields(cls):
        if f.init and f.name not in told and f.default is f.default_factory is MISSING:
            raise KeyError(f.name)
    return cls(**told)


def _class(name: str) -> Any:
    """A dataclass of ours by its name; nothing else is ever called."""
    module, _, path = name.partition(":")
    if not module.startswith(_PACKAGES):
        raise ValueError(f"'{name}' is no class of riffapp's")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    if not (isinstance(found, type) and is_dataclass(found)):
        raise ValueError(f"'{name}' is no dataclass")
    return found


def _picture(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as found:
        found.load()
        return found


def _stored(data: bytes, suffix: str, inputs: Path) -> Path:
    path = inputs / (hashlib.sha256(data).hexdigest() + suffix.lower())
    if not path.exists():
        inputs.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=inputs, suffix=".part", delete=False) as file:
            shutil.copyfileobj(io.BytesIO(data), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)
    return path
