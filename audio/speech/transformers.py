"""Voices of transformers: VITS and MMS, SpeechT5, Bark, from a folder or the Hugging Face cache.

Nothing is fetched. None of these says when it says what: their speech is compared to espeak saying
the same (`recorded.aligned`), its times are 'aligned'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from audio.errors import FileError, MachineError, ParameterError
from audio.speech import espeak_text, phone_tokens, recorded
from audio.speech.espeak import Espeak
from audio.speech.types import Speech, Voice
from audio.types import Clip

NAME = "transformers"
_VOCODERS = ("vocoder", "microsoft/speecht5_hifigan")  # inside the folder, or in the cache
_SPEAKER_FILE = "speaker.npy"
_LICENCE = re.compile(r"^license:\s*(\S+)", re.MULTILINE)
# MMS names languages by ISO 639-3, espeak by 639-1 where that has a name.
_LANGUAGES = {
    **{"eng": "en-us", "deu": "de", "fra": "fr", "spa": "es", "ita": "it", "por": "pt"},
    **{"nld": "nl", "swe": "sv", "dan": "da", "fin": "fi", "pol": "pl", "ces": "cs", "ron": "ro"},
    **{"hun": "hu", "ell": "el", "rus": "ru", "ukr": "uk", "tur": "tr", "ara": "ar", "hin": "hi"},
    **{"vie": "vi", "kor": "ko", "ind": "id", "cat": "ca"},
}

Say = Callable[[str, Speech, str], Any]  # text, espeak's speech of it, speaker -> samples


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A network that is loaded: what it speaks, who in it speaks, and how."""

    rate: int
    language: str
    speakers: tuple[str, ...]
    say: Say


class Transformers:
    """A model in a folder as `save_pretrained` writes it, or a cached name such as
    'facebook/mms-tts-deu'.

    `language` is espeak's name of the one that it speaks, where the model does not say; `seed`
    makes the same text sound the same. SpeechT5 finds its vocoder in vocoder/ or the cache, and a
    speaker's 512 numbers in speaker.npy. Digits are read by models that were taught to.
    """

    def __init__(
        self, source: str, *, language: str = "", seed: int = 0, espeak: Espeak | None = None
    ) -> None:
        self._source, self._wished, self._seed = source, language, seed
        self._espeak = espeak or Espeak()

    def voices(self) -> Sequence[Voice]:
        """A voice for each speaker of the model: the source, or source#speaker.

        Raises FileError where there are no weights, or none that speak.
        """
        licence = _licence(self._source)
        name = Path(self._source).name
        return tuple(
            Voice(
                id=f"{self._source}#{speaker}" if speaker else self._source,
                engine=NAME,
                name=f"{name} {speaker}".strip(),
                language=self._language,
                licence=licence,
            )
            for speaker in self._model.speakers
        )

    def speak(self, text: str, voice: Voice) -> Speech:
        """The text, said by one of the speakers.

        Raises ParameterError for a text with nothing to say and a speaker that is not there,
        MachineError where the model fails.
        """
        known = [known.id for known in self.voices()]
        if voice.id not in known:
            raise ParameterError(
                f"{self._source} has no voice {voice.id!r}: known are {', '.join(known)}"
            )
        reference = self._espeak.speak(text, self._espeak.voice(self._language))
        wave = self._run(text, reference, voice.id.partition("#")[2])
        samples = np.asarray(wave, np.float32).reshape(1, -1)
        if not np.isfinite(samples).all():
            raise MachineError(f"{self._source} gave samples that are no numbers: fetch it again")
        clip = Clip(samples=np.clip(samples, -1, 1), rate=self._model.rate)
        return recorded.aligned(clip, reference, voice=voice)

    @property
    def _language(self) -> str:
        return self._wished or self._model.language

    @cached_property
    def _model(self) -> _Model:
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(self._source, local_files_only=True)
        except (OSError, ValueError) as error:
            raise _missing(self._source) from error
        if config.model_type not in KINDS:
            raise FileError(
                f"{self._source} is a model of kind {config.model_type!r}: those that speak here "
                f"are {', '.join(KINDS)}"
            )
        try:
            return KINDS[config.model_type](self._source)
        except OSError as error:
            raise _missing(self._source) from error
        except ImportError as error:
            raise MachineError(
                f"{self._source} needs a library that is not installed: pip install 'riffapp[tts]'"
            ) from error
        except (RuntimeError, ValueError) as error:
            raise FileError(f"{self._source} cannot be loaded: {error}") from error

    def _run(self, text: str, reference: Speech, speaker: str) -> Any:
        import torch

        try:
            with torch.random.fork_rng(devices=[]), torch.inference_mode():
                torch.manual_seed(self._seed)
                return self._model.say(espeak_text.sayable(text), reference, speaker)
        except (RuntimeError, ValueError, IndexError, OSError) as error:
            raise MachineError(f"{self._source} failed to speak: {error}") from error


def _missing(source: str) -> FileError:
    return FileError(
        f"no weights of {source} here: `hf download {source}` fetches those of the Hugging Face "
        "hub into its cache, or give a folder that holds config.json and model.safetensors"
    )


def _vits(source: str) -> _Model:
    """VITS (Kim et al. 2021) and MMS (Pratap et al. 2023)."""
    from transformers import VitsModel, VitsTokenizer

    tokenizer = VitsTokenizer.from_pretrained(source, local_files_only=True)
    model = VitsModel.from_pretrained(source, local_files_only=True).eval()
    takes_phonemes, tokenizer.phonemize = tokenizer.phonemize, False

    def say(text: str, reference: Speech, speaker: str) -> Any:
        if takes_phonemes:
            text = "".join(letter for letter, _ in phone_tokens.spelled(reference))
        tokens = tokenizer(text, return_tensors="pt")
        if tokens["input_ids"].shape[1] <= 1:
            raise ValueError(f"it was taught no letter of {espeak_text.quoted(text)}")
        return model(**tokens, speaker_id=int(speaker) if speaker else None).waveform[0].numpy()

    n = int(model.config.num_speakers)
    return _Model(
        rate=int(model.config.sampling_rate),
        language=_LANGUAGES.get(tokenizer.language or "eng", str(tokenizer.language)),
        speakers=tuple(str(i) for i in range(n)) if n > 1 else ("",),
        say=say,
    )


def _speecht5(source: str) -> _Model:
    """SpeechT5 (Ao et al. 2022) with its HiFi-GAN, in the voice that its embedding names."""
    import torch
    from transformers import SpeechT5ForTextToSpeech, SpeechT5HifiGan, SpeechT5Tokenizer

    tokenizer = SpeechT5Tokenizer.from_pretrained(source, local_files_only=True)
    model = SpeechT5ForTextToSpeech.from_pretrained(source, local_files_only=True).eval()
    inside = Path(source) / _VOCODERS[0]
    home = str(inside) if inside.is_dir() else _VOCODERS[1]
    vocoder = SpeechT5HifiGan.from_pretrained(home, local_files_only=True).eval()
    file = Path(source) / _SPEAKER_FILE
    size = int(model.config.speaker_embedding_dim)
    if not file.is_file():
        raise FileError(
            f"SpeechT5 needs a speaker: put {size} numbers into {file}, for instance one of "
            "the x-vectors of Matthijs/cmu-arctic-xvectors"
        )
    numbers = np.load(file, allow_pickle=False).astype(np.float32).reshape(1, -1)
    if numbers.shape[1] != size:
        raise FileError(f"{file} holds {numbers.shape[1]} numbers: a speaker is {size}")

    def say(text: str, reference: Speech, speaker: str) -> Any:
        tokens = tokenizer(text, return_tensors="pt")["input_ids"]
        return model.generate_speech(tokens, torch.from_numpy(numbers), vocoder=vocoder).numpy()

    return _Model(rate=int(vocoder.config.sampling_rate), language="en-us", speakers=("",), say=say)


def _bark(source: str) -> _Model:
    """Bark (Suno 2023), in its own choice of voice or one of the presets beside it."""
    from transformers import BarkModel, BarkProcessor

    processor = BarkProcessor.from_pretrained(source, local_files_only=True)
    model = BarkModel.from_pretrained(source, local_files_only=True).eval()
    presets = [name for name in processor.speaker_embeddings or {} if name != "repo_or_path"]

    def say(text: str, reference: Speech, speaker: str) -> Any:
        tokens = processor(text, voice_preset=speaker or None)
        return model.generate(**tokens)[0].numpy()

    return _Model(
        rate=int(model.config.codec_config.sampling_rate),
        language="en-us",
        speakers=("", *presets),
        say=say,
    )


def _licence(source: str) -> str:
    """What the model card beside the weights says."""
    from transformers.utils import cached_file

    try:
        card = cached_file(source, "README.md", local_files_only=True)
    except OSError:
        card = None
    found = _LICENCE.search(Path(card).read_text(encoding="utf-8")) if card else None
    return found.group(1) if found else "unknown: see its model card"


KINDS: dict[str, Callable[[str], _Model]] = {"vits": _vits, "speecht5": _speecht5, "bark": _bark}
