"""Voices of Coqui TTS (extra `tts`) from a folder that holds the model, sounds told by espeak.

A VITS model that was taught phonemes says how long each sound lasts, and takes it too: its times
are exact. What any other model says is compared to espeak saying the same (`recorded.aligned`).
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio.compiled import librosa
from audio.errors import FileError, MachineError, ParameterError
from audio.speech import espeak_text, phone_tokens, recorded
from audio.speech.espeak import Espeak
from audio.speech.types import Speech, Voice
from audio.types import Clip

NAME = "coqui"
_WEIGHTS = ("model_file.pth", "model.pth", "best_model.pth")
_VOCODER = "vocoder"  # a folder inside the model's, for models that make spectrograms
_LANGUAGES = {"en": "en-us", "zh-cn": "cmn", "zh": "cmn"}  # espeak's names for TTS's
_ESPEAK = "espeak"  # the phonemizer's name in a config
_CPML = "CPML (non-commercial: the model and all that it says)"


class Coqui:
    """A model in a folder: config.json and its weights, and vocoder/ with the same where needed.

    `language` chooses among those of a multilingual model and names that of a model which does not
    say its own; `seed` makes the same text sound the same. Raises FileError where files are
    missing.
    """

    def __init__(
        self, folder: Path, *, language: str = "", seed: int = 0, espeak: Espeak | None = None
    ) -> None:
        self._folder, self._wished, self._seed = folder, language, seed
        self._espeak = espeak or Espeak()
        self._weights = _weights(folder)

    def voices(self) -> Sequence[Voice]:
        """A voice for each speaker of the model: the folder, or folder#speaker."""
        config = self._synthesizer.tts_config
        licence = _licence(self._folder, config.model)
        return tuple(
            Voice(
                id=f"{self._folder}#{speaker}" if speaker else str(self._folder),
                engine=NAME,
                name=f"{self._folder.name} {speaker}".strip(),
                language=self._language,
                licence=licence,
            )
            for speaker in self._speakers or [""]
        )

    def speak(
        self, text: str, voice: Voice, *, durations_s: Sequence[float] | None = None
    ) -> Speech:
        """The text, said by one of the speakers.

        `durations_s` holds a duration for each phone of the speech that the same call gives without
        them, for models whose times are exact; pauses stay.
        Raises ParameterError for a text with nothing to say, a speaker that is not there and
        durations that cannot be; MachineError where the model fails.
        """
        if voice.id not in {known.id for known in self.voices()}:
            raise ParameterError(
                f"{self._folder.name} has no voice {voice.id!r}: known are "
                f"{', '.join(known.id for known in self.voices())}"
            )
        reference = self._espeak.speak(text, self._espeak.voice(self._reference_language))
        speaker = voice.id.partition("#")[2] or None
        if self._tells_durations:
            return self._timed(reference, voice, speaker, durations_s)
        if durations_s is not None:
            raise ParameterError(
                f"{self._folder.name} takes no durations: only VITS models of espeak phonemes do"
            )
        wave = self._run(
            lambda: self._synthesizer.tts(
                espeak_text.sayable(text),
                speaker_name=speaker,
                language_name=self._language,
                split_sentences=False,
            )
        )
        clip = _clip(wave, self._synthesizer.output_sample_rate)
        return recorded.aligned(clip, reference, voice=voice)

    @cached_property
    def _synthesizer(self) -> Any:
        _register_phonemizer(self._espeak)
        from TTS.utils.synthesizer import Synthesizer

        vocoder = self._folder / _VOCODER
        files: dict[str, str] = {}
        if vocoder.is_dir():
            files["vocoder_checkpoint"] = str(_weights(vocoder))
            files["vocoder_config"] = str(vocoder / "config.json")
        try:
            return Synthesizer(
                tts_checkpoint=str(self._weights),
                tts_config_path=str(self._folder / "config.json"),
                **files,
            )
        except Exception as error:  # a pickle, a config and a network may each be wrong in any way
            raise FileError(
                f"{self._folder} cannot be read as a Coqui model ({error}): fetch it again"
            ) from error

    @cached_property
    def _speakers(self) -> list[str]:
        manager = self._synthesizer.tts_model.speaker_manager
        names = [] if manager is None else list(manager.name_to_id)
        return names if len(names) > 1 else []

    @cached_property
    def _language(self) -> str:
        """The language as the model calls it."""
        known = self._synthesizer.tts_model.language_manager.language_names
        said = self._wished or self._synthesizer.tts_config.get("phoneme_language")
        if len(known) == 1:
            return str(said or known[0])
        if self._wished and self._wished not in known:
            raise ParameterError(
                f"{self._folder.name} speaks no {self._wished!r}: known are {', '.join(known)}"
            )
        return str(said if said in known else known[0])

    @property
    def _reference_language(self) -> str:
        return _LANGUAGES.get(self._language, self._language)

    @cached_property
    def _tells_durations(self) -> bool:
        config = self._synthesizer.tts_config
        return bool(config.model == "vits" and config.use_phonemes and config.phonemizer == _ESPEAK)

    def _timed(
        self,
        reference: Speech,
        voice: Voice,
        speaker: str | None,
        durations_s: Sequence[float] | None,
    ) -> Speech:
        """The text said by a VITS model, each phone as long as its tokens."""
        import torch

        model = self._synthesizer.tts_model
        model.tokenizer.text_cleaner = None  # espeak reads numbers and abbreviations itself
        owned = phone_tokens.owners(reference, model.tokenizer)

        def run(extra: dict[str, Any]) -> tuple[Clip, NDArray[np.int64]]:
            said = self._run(
                lambda: model.synthesize(
                    reference.text, speaker=speaker, language=self._language, extra_aux_input=extra
                )
            )
            frames = said["outputs"]["durations"].flatten().numpy().astype(np.int64)
            return _clip(said["wav"], self._synthesizer.output_sample_rate), frames

        clip, frames = run({})
        if durations_s is not None:
            frame_s = clip.duration_s / frames.sum()
            wished = phone_tokens.stretched(owned, frames, durations_s, frame_s)
            clip, frames = run({"durations": torch.from_numpy(wished).float()[None]})
        words = phone_tokens.words(reference, owned, frames, clip.duration_s)
        return Speech(text=reference.text, clip=clip, words=words, voice=voice)

    def _run(self, say: Callable[[], Any]) -> Any:
        """What the model says, the same each time. Raises MachineError where it fails."""
        import torch

        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self._seed)
                return say()
        except Exception as error:  # any network may fail in any way
            raise MachineError(f"{self._folder.name} failed to speak: {error}") from error


def _weights(folder: Path) -> Path:
    """The file of weights in a model's folder; the folder itself for XTTS, which reads several."""
    found = [folder / name for name in _WEIGHTS if (folder / name).is_file()]
    if not found or not (folder / "config.json").is_file():
        raise FileError(
            f"no Coqui model in {folder}: it needs config.json and {' or '.join(_WEIGHTS)}; "
            "`tts --model_name tts_models/en/ljspeech/vits --text hello` fetches one and says "
            "into which folder"
        )
    return folder if (folder / "vocab.json").is_file() else found[0]


def _licence(folder: Path, model: str) -> str:
    """The licence that TTS's own list gives for a model that was fetched by it.

    Such a folder is called tts_models--language--data--name, or ends with data and name.
    """
    if model == "xtts":
        return _CPML
    spec = importlib.util.find_spec("TTS")
    assert spec is not None and spec.origin is not None
    listed = json.loads(Path(spec.origin).with_name(".models.json").read_text(encoding="utf-8"))
    kind, *keys = folder.name.split("--")
    entry = listed.get(kind, {})
    for key in keys:
        entry = entry.get(key, {})
    return str(entry.get("license", "unknown: ask where the model comes from"))


def _clip(wave: Any, rate: int) -> Clip:
    samples = np.asarray(wave, np.float32).reshape(1, -1)
    if not np.isfinite(samples).all():
        raise MachineError("the model gave samples that are no numbers: fetch it again")
    return Clip(samples=np.clip(samples, -1, 1), rate=int(rate))


def _register_phonemizer(espeak: Espeak) -> None:
    """Puts our espeak where TTS looks for the program of that name.

    Raises MachineError where TTS is not installed.
    """
    librosa()  # TTS loads it as well
    try:
        from TTS.tts.utils.text import phonemizers
        from TTS.tts.utils.text.phonemizers.base import BasePhonemizer
    except ImportError as error:
        raise MachineError(
            f"Coqui TTS is not installed ({error}): pip install 'riffapp[tts]'"
        ) from error

    class Phonemizer(BasePhonemizer):  # type: ignore[misc]
        """Text to IPA in the spelling of `phone_tokens`."""

        @staticmethod
        def name() -> str:
            return _ESPEAK

        @classmethod
        def is_available(cls) -> bool:
            return True

        def version(self) -> str:
            return "embedded"

        @staticmethod
        def supported_languages() -> dict[str, str]:
            return {voice.id: voice.name for voice in espeak.voices()}

        def is_supported_language(self, language: str) -> bool:
            return True  # what is not is refused with the nearest name when it speaks

        def _phonemize(self, text: str, separator: str) -> str:
            return self.phonemize(text, separator)

        def phonemize(self, text: str, separator: str = "", language: str | None = None) -> str:
            wanted = language or str(self.language)
            speech = espeak.speak(text, espeak.voice(_LANGUAGES.get(wanted, wanted)))
            return separator.join(letter for letter, _ in phone_tokens.spelled(speech))

    phonemizers.get_default_phonemizer("be")  # the registry fills itself at its first use
    phonemizers.PHONEMIZERS[_ESPEAK] = Phonemizer
    for language in Phonemizer.supported_languages():
        phonemizers.DEF_LANG_TO_PHONEMIZER.setdefault(language, _ESPEAK)
