"""What people wrote about a model: its licence, and the words that call it forth.

Read are the texts in a safetensors header, the sound.json and model card (README.md) of a folder or
`name.sound.json` and `name.md` beside a file, and what A1111 (`name.json`) and Civitai
(`name.civitai.info`) keep beside it. All of it is written by strangers: text to show, no more.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from riffapp.studio.weight_files import Kind

NOT_STATED = "not stated"
XTTS = "CPML (non-commercial: the model and all that it says)"
MAX_WORDS, MAX_CHARS = 8, 80
# A caption's part is taken for a trigger where it stands in so large a share of the captions.
_TRIGGER_SHARE = 0.5
_MAX_BYTES = 1 << 20
_CARD, _SOUND, _OF_A1111, _OF_CIVITAI = ".md", ".sound.json", ".json", ".civitai.info"
_STATED = re.compile(r"^(license|license_name):(.*)$", re.MULTILINE)


def beside(path: Path) -> tuple[Path, ...]:
    """What is read of a file besides itself, there or not."""
    return tuple(map(path.with_suffix, (_CARD, _SOUND, _OF_A1111, _OF_CIVITAI)))


def licence(path: Path, texts: Mapping[str, str]) -> str:
    """The licence that a model states, as it does; `texts` are those of its header."""
    sound = path / "sound.json" if path.is_dir() else path.with_suffix(_SOUND)
    card = path / "README.md" if path.is_dir() else path.with_suffix(_CARD)
    own = [read_json(facts).get("licence") for facts in (sound, path / "picture.json")]
    said = (texts.get("modelspec.license"), *own, _on_card(_text(card)))
    return next((_short(one) for one in said if isinstance(one, str) and one.strip()), NOT_STATED)


def words(path: Path, kind: Kind, texts: Mapping[str, str]) -> tuple[str, ...]:
    """What to write into a prompt so that it shows: an embedding's name, a LoRA's triggers."""
    if kind == "embedding":
        return (path.stem,)
    if kind != "lora":
        return ()
    told = [
        *_parted(read_json(path.with_suffix(_OF_A1111)).get("activation text")),
        *_parted(read_json(path.with_suffix(_OF_CIVITAI)).get("trainedWords")),
        *_parted(texts.get("modelspec.trigger_phrase")),
    ]
    found = told or _frequent(texts)
    return tuple(dict.fromkeys(map(_short, found)))[:MAX_WORDS]


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a small file; empty where there is none."""
    try:
        return dict(json.loads(_text(path)))
    except (ValueError, TypeError, RecursionError):
        return {}


def _on_card(text: str) -> str:
    """What the block between lines of --- at the beginning of a model card says."""
    begin, _, rest = text.replace("\r\n", "\n").partition("\n")
    if begin.rstrip() != "---":
        return ""
    lines = _STATED.findall(rest.partition("\n---")[0])
    stated: dict[str, str] = {name: said.strip(" \t'\"") for name, said in lines}
    named = stated.get("license", "")
    return stated.get("license_name", named) if named == "other" else named


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _parted(said: object) -> list[str]:
    """The parts between commas of a text, or of a list of texts."""
    texts = said if isinstance(said, list) else [said]
    parts = (part.strip() for text in texts if isinstance(text, str) for part in text.split(","))
    return [part for part in parts if part]


def _frequent(texts: Mapping[str, str]) -> list[str]:
    """The parts that stand in most captions, by what kohya's trainer counted."""
    tags: Counter[str] = Counter()
    try:
        for folder in json.loads(texts.get("ss_tag_frequency", "{}")).values():
            tags.update({str(tag): int(n) for tag, n in folder.items()})
        captions = int(texts.get("ss_num_train_images", 0)) or max(tags.values(), default=0)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
    return [tag for tag, n in tags.most_common(MAX_WORDS) if tag and n >= captions * _TRIGGER_SHARE]


def _short(text: str) -> str:
    """One printable line."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[:MAX_CHARS]
