"""Speech with times: voices that speak here, and where each word and sound of theirs is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from audio.errors import ParameterError
from audio.names import nearest
from audio.speech.espeak import Espeak
from audio.speech.types import SpeechEngine, Voice

DEFAULT = "espeak"
_PLACE = re.compile(r"(.*?)(?:#([^#@]+))?(?:@([A-Za-z][\w-]+))?")  # source#speaker@language


def find_voice(name: str) -> tuple[SpeechEngine, Voice]:
    """An engine and the voice in it that a name stands for.

    'de' or 'en-us+f3' is espeak's; 'coqui:FOLDER', 'transformers:FOLDER' (or a cached name) and
    'recorded:FILE' are others', each with #SPEAKER where there are several, and @LANGUAGE where
    the model or recording does not say it: 'recorded:take.wav@de'.
    Raises ParameterError for an engine or a voice that is not there, naming the nearest, and as the
    engine does.
    """
    engine, colon, where = name.partition(":")
    if not colon:
        engine, where = DEFAULT, name
    if engine not in ENGINES:
        raise ParameterError(
            f"no speech engine {engine!r}: the nearest is {nearest(engine, ENGINES)!r}, "
            f"known are {', '.join(ENGINES)}"
        )
    return ENGINES[engine](where)


def _espeak(where: str) -> tuple[SpeechEngine, Voice]:
    engine = Espeak()
    return engine, engine.voice(where)


def _coqui(where: str) -> tuple[SpeechEngine, Voice]:
    from audio.speech.coqui import Coqui

    source, speaker, language = _parts(where)
    return _chosen(Coqui(Path(source), language=language), source, speaker)


def _transformers(where: str) -> tuple[SpeechEngine, Voice]:
    from audio.speech.transformers import Transformers

    source, speaker, language = _parts(where)
    return _chosen(Transformers(source, language=language), source, speaker)


def _recorded(where: str) -> tuple[SpeechEngine, Voice]:
    from audio.speech.recorded import Recorded

    source, _, language = _parts(where)
    engine = Recorded(Path(source), language=language or "en-us")
    return engine, engine.voices()[0]


def _parts(where: str) -> tuple[str, str, str]:
    found = _PLACE.fullmatch(where)
    assert found is not None  # the first group takes whatever there is
    source, speaker, language = found.groups(default="")
    return source, speaker, language


def _chosen(engine: SpeechEngine, source: str, speaker: str) -> tuple[SpeechEngine, Voice]:
    """The voice of a speaker; the first where none is named."""
    speakers = {voice.id.partition("#")[2]: voice for voice in engine.voices()}
    if not speaker:
        return engine, next(iter(speakers.values()))
    if speaker not in speakers:
        named = [known for known in speakers if known]
        known = f"the nearest is {nearest(speaker, named)!r}" if named else "it has one voice only"
        raise ParameterError(f"no speaker {speaker!r} in {source}: {known}")
    return engine, speakers[speaker]


ENGINES: dict[str, Callable[[str], tuple[SpeechEngine, Voice]]] = {
    "espeak": _espeak,
    "coqui": _coqui,
    "transformers": _transformers,
    "recorded": _recorded,
}
