"""The texts inside sound and picture files: named, checked, and a tempo as one of them.

`parameters` is the text that picture tools have always written, for people; others are JSON
documents for programs. `tempo` is ours: the exact decimal, where other fields round it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict

from audio.errors import ParameterError
from audio.types import Tempo

PARAMETERS, TEMPO, SPECTROGRAM = "parameters", "tempo", "spectrogram"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def checked(texts: Mapping[str, str] | None) -> dict[str, str]:
    """A copy, fit for every format. Raises ParameterError for what no file could give back."""
    found = dict(texts or {})
    for name, text in found.items():
        if not _NAME.fullmatch(name) or name in (TEMPO, SPECTROGRAM):
            raise ParameterError(
                f"text name {name!r}: up to 32 of a-z, 0-9 and _, other than 'tempo' and "
                "'spectrogram'"
            )
        if "\0" in text:
            raise ParameterError(f"the text '{name}' holds a NUL character: leave it out")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ParameterError(
                f"the text '{name}' is no valid Unicode at character {error.start}: correct it"
            ) from error
    return found


def of_tempo(tempo: Tempo) -> str:
    """A tempo as JSON."""
    return json.dumps(asdict(tempo), sort_keys=True)


def to_tempo(text: str) -> Tempo:
    """The tempo in `of_tempo`'s text; keys of a later version are passed over.

    Raises ParameterError for a damaged one.
    """
    try:
        plain = json.loads(text)
        return Tempo(
            bpm=float(plain["bpm"]), beats=int(plain["beats"]), meter=int(plain.get("meter", 4))
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as e:
        raise ParameterError(f"the tempo {text[:60]!r} is damaged") from e
