"""Coqui's own code on small random networks: the plumbing, not how a trained voice sounds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio import speech
from audio.errors import FileError, MachineError, ParameterError
from audio.speech.coqui import Coqui, _licence, _register_phonemizer
from audio.speech.espeak import Espeak

pytest.importorskip("TTS", reason="pip install 'riffapp[tts]'")

ENGLISH = "Hello there, dear friends: 42 machines sing!"
GERMAN = "Schöne Grüße, liebe Leute! 42 Maschinen singen."
FRAME_S = 256 / 22050


@pytest.fixture(autouse=True, scope="module")
def empty_path() -> Iterator[None]:
    """No program is on the path: neither espeak-ng nor ffmpeg."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        yield


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    return Espeak()


def saved(model: Any, config: Any, folder: Path) -> Path:
    import torch

    folder.mkdir()
    torch.save({"model": model.state_dict()}, folder / "model_file.pth")
    config.save_json(str(folder / "config.json"))
    return folder


def random_vits(folder: Path, espeak: Espeak, language: str, **wishes: Any) -> Path:
    """A VITS with the layers of a real one and 16 channels, as Coqui saves one."""
    import torch

    _register_phonemizer(espeak)
    from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
    from TTS.tts.models.vits import Vits

    speakers = wishes.pop("speakers", None)
    args = VitsArgs(
        hidden_channels=16,
        hidden_channels_ffn_text_encoder=32,
        num_layers_text_encoder=1,
        num_layers_posterior_encoder=1,
        num_layers_flow=1,
        upsample_initial_channel_decoder=32,
        resblock_kernel_sizes_decoder=[3],
        resblock_dilation_sizes_decoder=[[1, 3, 5]],
        init_discriminator=False,
        length_scale=3.0,
        use_speaker_embedding=speakers is not None,
        speakers_file=speakers,
    )
    config = VitsConfig(
        model_args=args,
        use_phonemes=True,
        phonemizer="espeak",
        phoneme_language=language,
        text_cleaner="phoneme_cleaners",
        **wishes,
    )
    torch.manual_seed(1)
    return saved(Vits(config), config, folder)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, espeak: Espeak) -> dict[str, Coqui]:
    home = tmp_path_factory.mktemp("coqui")
    return {
        text: Coqui(random_vits(home / language, espeak, language), espeak=espeak)
        for text, language in ((ENGLISH, "en-us"), (GERMAN, "de"))
    }


@pytest.mark.parametrize("text", [ENGLISH, GERMAN])
def test_plumbing_of_vits_times_are_whole_frames_that_fill_the_clip(
    engines: dict[str, Coqui], espeak: Espeak, text: str
) -> None:
    engine = engines[text]
    (voice,) = engine.voices()
    found = engine.speak(text, voice)
    reference = espeak.speak(text, espeak.voice(voice.language))
    assert found.timing == "exact" and found.clip.rate == 22050 and found.clip.n % 256 == 0
    assert [word.text for word in found.words] == [word.text for word in reference.words]
    assert [p.symbol for p in found.phones] == [p.symbol for p in reference.phones]
    times = np.array([t for phone in found.phones for t in (phone.start_s, phone.end_s)])
    assert (np.diff(times) >= -1e-9).all() and times[-1] <= found.clip.duration_s
    np.testing.assert_allclose(times / FRAME_S, np.round(times / FRAME_S), atol=1e-6)


@pytest.mark.parametrize("text", [ENGLISH, GERMAN])
def test_plumbing_of_vits_phones_last_as_they_are_told_to(
    engines: dict[str, Coqui], text: str
) -> None:
    engine = engines[text]
    (voice,) = engine.voices()
    free = engine.speak(text, voice)
    wished = [0.05 + 0.02 * (i % 9) for i in range(len(free.phones))]
    found = engine.speak(text, voice, durations_s=wished)
    lengths = np.array([phone.end_s - phone.start_s for phone in found.phones])
    np.testing.assert_allclose(lengths, wished, atol=FRAME_S + 1e-6)
    pauses = free.clip.duration_s - sum(p.end_s - p.start_s for p in free.phones)
    assert found.clip.duration_s == pytest.approx(pauses + sum(wished), abs=FRAME_S)


def test_plumbing_of_vits_the_sound_follows_the_times(
    engines: dict[str, Coqui],
) -> None:
    """The network hears each token where the times say: a longer first phone moves all the rest."""
    engine = engines[ENGLISH]
    (voice,) = engine.voices()
    n = len(engine.speak(ENGLISH, voice).phones)
    even = engine.speak(ENGLISH, voice, durations_s=[10 * FRAME_S] * n)
    late = engine.speak(ENGLISH, voice, durations_s=[30 * FRAME_S] + [10 * FRAME_S] * (n - 1))
    assert late.clip.n - even.clip.n == 20 * 256
    moved = [b.start_s - a.start_s for a, b in zip(even.phones, late.phones, strict=True)]
    np.testing.assert_allclose(moved, [0] + [20 * FRAME_S] * (n - 1), atol=1e-6)


def test_plumbing_of_vits_the_same_text_gives_the_same_samples(engines: dict[str, Coqui]) -> None:
    import torch

    engine = engines[GERMAN]
    before = torch.get_rng_state()
    (voice,) = engine.voices()
    one, other = (engine.speak("Guten Tag", voice).clip.samples for _ in range(2))
    assert one.tobytes() == other.tobytes()
    assert torch.equal(before, torch.get_rng_state())


def test_plumbing_of_vits_speakers_are_voices(tmp_path: Path, espeak: Espeak) -> None:
    import torch

    speakers = tmp_path / "speakers.pth"
    torch.save({"anna": 0, "ben": 1}, speakers)
    folder = random_vits(tmp_path / "two", espeak, "en-us", speakers=str(speakers))
    engine, voice = speech.find_voice(f"coqui:{folder}#ben")
    assert [v.id for v in engine.voices()] == [f"{folder}#anna", f"{folder}#ben"]
    ben, anna = (engine.speak("Hello", v).clip.samples for v in (voice, engine.voices()[0]))
    assert ben.shape != anna.shape or np.abs(ben - anna).max() > 1e-4
    with pytest.raises(ParameterError, match="no speaker 'bert' in .*: the nearest is 'ben'"):
        speech.find_voice(f"coqui:{folder}#bert")
    with pytest.raises(ParameterError, match="has no voice"):
        engine.speak("Hello", espeak.voice("de"))


@pytest.mark.parametrize("vocoded", [False, True])
def test_plumbing_of_a_model_of_letters_is_aligned_to_espeak(
    tmp_path: Path, espeak: Espeak, vocoded: bool
) -> None:
    """Glow-TTS through Griffin-Lim and through HiFi-GAN: its times are found, not told."""
    import torch
    from TTS.tts.configs.glow_tts_config import GlowTTSConfig
    from TTS.tts.models.glow_tts import GlowTTS

    config = GlowTTSConfig(
        hidden_channels_enc=16,
        hidden_channels_dec=16,
        hidden_channels_dp=16,
        num_flow_blocks_dec=1,
        num_block_layers=1,
        encoder_params={
            "kernel_size": 3,
            "dropout_p": 0.1,
            "num_layers": 1,
            "num_heads": 2,
            "hidden_channels_ffn": 16,
            "input_length": None,
        },
        length_scale=5.0,
        text_cleaner="basic_german_cleaners",
        languages=["de"],
    )
    torch.manual_seed(0)
    folder = saved(GlowTTS(config), config, tmp_path / "glow")
    if vocoded:
        from TTS.vocoder.configs import HifiganConfig
        from TTS.vocoder.models import setup_model

        vocoder = HifiganConfig()
        vocoder.generator_model_params.update(
            upsample_initial_channel=32,
            resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3, 5]],
        )
        saved(setup_model(vocoder), vocoder, folder / "vocoder")
    engine = Coqui(folder, espeak=espeak)
    (voice,) = engine.voices()
    found = engine.speak("Guten Tag", voice)
    assert (found.timing, voice.language) == ("aligned", "de")
    assert [word.text for word in found.words] == ["Guten", "Tag"]
    assert found.words[-1].end_s <= found.clip.duration_s
    with pytest.raises(ParameterError, match="takes no durations"):
        engine.speak("Guten Tag", voice, durations_s=[0.1] * 8)


# ---- licences and refusals ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "model", "licence"),
    [
        ("tts_models--en--vctk--vits", "vits", "apache 2.0"),
        ("tts_models--de--thorsten--vits", "vits", "apache 2.0"),
        ("tts_models--multilingual--multi-dataset--xtts_v2", "xtts", "CPML (non-commercial"),
        ("mine", "xtts", "CPML (non-commercial"),
        ("mine", "vits", "unknown: ask where the model comes from"),
    ],
)
def test_the_licence_is_that_of_coquis_own_list(folder: str, model: str, licence: str) -> None:
    assert _licence(Path("home") / folder, model).startswith(licence)


def test_missing_weights_are_a_sentence_that_says_what_to_fetch(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileError, match="needs config.json and model_file.pth .* fetches one"):
        Coqui(tmp_path)


def test_weights_that_are_none_are_refused(
    tmp_path: Path, espeak: Espeak, engines: dict[str, Coqui]
) -> None:
    folder = random_vits(tmp_path / "vits", espeak, "de")
    (folder / "model_file.pth").write_bytes(b"no pickle")
    with pytest.raises(FileError, match="cannot be read as a Coqui model"):
        Coqui(folder, espeak=espeak).voices()


def test_without_tts_a_sentence_names_the_extra(
    engines: dict[str, Coqui], tmp_path: Path, espeak: Espeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = random_vits(tmp_path / "vits", espeak, "de")
    for name in [name for name in sys.modules if name.partition(".")[0] == "TTS"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "TTS", None)
    with pytest.raises(MachineError, match=r"pip install 'riffapp\[tts\]'"):
        Coqui(folder, espeak=espeak).voices()


def test_a_text_with_nothing_to_say_is_refused(engines: dict[str, Coqui]) -> None:
    engine = engines[ENGLISH]
    with pytest.raises(ParameterError, match="nothing to say"):
        engine.speak("😀", engine.voices()[0])
