"""The voice that is always there: espeak-ng, over a hundred languages, with exact times.

Its sound is that of a formant synthesiser; its times are those at which the synthesiser begins each
sound, to the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from audio.errors import ParameterError
from audio.names import nearest
from audio.speech import espeak_text, phones
from audio.speech.espeak_process import Process
from audio.speech.types import Speech, Voice
from audio.types import Clip

NAME = "espeak"
LICENCE = "GPL-3.0-or-later"
RATE = 22050  # Hz
WORDS_PER_MINUTE, WORDS_PER_MINUTE_RANGE = 160, (80, 450)
PITCH, PITCH_RANGE = 50, (0, 99)
_START_S, _CHARACTERS_PER_S = 20.0, 200.0  # of the time limit: a hundred times what it takes


class Espeak:
    """espeak-ng at a speaking rate and a pitch: 80 to 450 words a minute, 0 to 99.

    Raises ParameterError for others. The process that speaks starts with the first request.
    """

    def __init__(self, *, words_per_minute: int = WORDS_PER_MINUTE, pitch: int = PITCH) -> None:
        for name, value, (low, high) in (
            ("words per minute", words_per_minute, WORDS_PER_MINUTE_RANGE),
            ("pitch", pitch, PITCH_RANGE),
        ):
            if not low <= value <= high:
                raise ParameterError(f"{name} {value}: give {low} to {high}")
        self.words_per_minute, self.pitch = words_per_minute, pitch
        self.process = Process()
        self._voices: tuple[Voice, ...] = ()
        self._files: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._variants: tuple[str, ...] = ()

    def voices(self) -> Sequence[Voice]:
        """A voice for each language, 'de' or 'en-us'; `voice` also takes variants of them."""
        if not self._voices:
            self._list()
        return self._voices

    def voice(self, name: str) -> Voice:
        """The voice of a language and perhaps a variant: 'de', 'en-US', 'German', 'en-us+f3'.

        Raises ParameterError for a language or variant that is not there, naming the nearest.
        """
        known = {voice.id: voice for voice in self.voices()}
        wanted, plus, variant = name.strip().partition("+")
        asked = wanted.strip().lower().replace("_", "-")
        # 'de-at' is spoken as 'de' where there is no nearer one
        shorter = [asked.rsplit("-", n)[0] for n in range(asked.count("-") + 1)]
        found = next((self._aliases[tag] for tag in shorter if tag in self._aliases), None)
        if found is None:
            near = known[self._aliases[nearest(asked, self._aliases)]]
            raise ParameterError(
                f"espeak speaks no language {wanted!r}: the nearest is "
                f"{near.id!r} ({near.name}), languages are named as in 'en-us' or 'de'"
            )
        if not plus:
            return known[found]
        if variant not in self._variants:
            raise ParameterError(
                f"no voice variant {variant!r}: the nearest is "
                f"{nearest(variant, self._variants)!r}, f1 to f5 are women and m1 to m8 men"
            )
        plain = known[found]
        return replace(plain, id=f"{found}+{variant}", name=f"{plain.name}, {variant}")

    def speak(self, text: str, voice: Voice) -> Speech:
        """The text said: mono at 22,050 Hz, the same samples for the same text.

        Words that the language runs together ('of the') are one word; what has no sound (emoji)
        is left out. A word begins with its first phone and ends with its last; where the library
        gives an l no time of its own, it has the second half of the vowel that it colours.
        Raises ParameterError for a text with nothing to say, more than 20,000 characters, or a
        word of more than 80 letters or 25 digits; MachineError where the library fails.
        """
        sayable = espeak_text.sayable(text)
        chosen = self.voice(voice.id)
        language, plus, variant = chosen.id.partition("+")
        request = {
            "text": sayable,
            "voice": self._files[language] + plus + variant,
            "words_per_minute": self.words_per_minute,
            "pitch": self.pitch,
        }
        limit_s = _START_S + len(text) / _CHARACTERS_PER_S
        reply, sound = self.process.ask(request, limit_s=limit_s)
        samples = np.frombuffer(sound, np.int16).astype(np.float32) / np.float32(32768)
        words = espeak_text.words(sayable, reply["events"], len(samples), RATE)
        if not words:
            given = espeak_text.quoted(text)
            raise ParameterError(f"{given} has no sound in {chosen.name}: give other words")
        clip = Clip(samples=samples[None], rate=RATE)
        return Speech(text=text, clip=clip, words=words, voice=chosen)

    def phonemes(self, text: str, voice: Voice) -> tuple[tuple[str, str], ...]:
        """Each word of the text with its IPA, stress marks before the vowels: ('hello', 'həlˈoʊ').

        Raises as `speak` does.
        """
        return tuple(
            (word.text, "".join(phones.MARKS.get(p.stress, "") + p.symbol for p in word.phones))
            for word in self.speak(text, voice).words
        )

    def _list(self) -> None:
        reply, _ = self.process.ask(None, limit_s=_START_S)
        self._variants = tuple(reply["variants"])
        voices, ranked = {}, []
        for entry in reply["voices"]:
            name = entry["languages"][0][1].lower()
            if name in voices:  # the same language read in another script
                continue
            voices[name] = Voice(
                id=name, engine=NAME, name=entry["name"], language=_tag(name), licence=LICENCE
            )
            self._files[name] = entry["file"]
            ranked += [(priority, tag.lower(), name) for priority, tag in entry["languages"][1:]]
            ranked.append((0, entry["name"].lower(), name))
        for _, alias, name in sorted(ranked, key=lambda entry: entry[0]):
            self._aliases.setdefault(alias, name)
        self._aliases |= {name: name for name in voices}
        self._voices = tuple(voices.values())


def _tag(name: str) -> str:
    """A language as BCP 47 writes it: 'en-us' is en-US."""
    first, *rest = name.split("-")
    return "-".join([first, *(part.upper() if len(part) == 2 else part for part in rest)])
