"""transformers' own code on small random networks: the plumbing, not how a trained voice sounds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from audio import speech
from audio.errors import FileError, MachineError, ParameterError
from audio.speech.espeak import Espeak
from audio.speech.transformers import Transformers

LETTERS = "_abcdefghijklmnopqrstuvwxyzäöüß' -"
IPA = "_həloʊˈˌwɜːld,.! "


@pytest.fixture(autouse=True)
def empty_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program is on the path: neither espeak-ng nor ffmpeg."""
    monkeypatch.setenv("PATH", "")


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    return Espeak()


def random_vits(
    folder: Path, *, language: str = "deu", letters: str = LETTERS, **wishes: int
) -> Path:
    """MMS with 16 channels, as transformers saves one."""
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    torch.manual_seed(0)
    config = VitsConfig(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=1,
        ffn_dim=16,
        flow_size=16,
        upsample_initial_channel=32,
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1, 3, 5),),
        prior_encoder_num_flows=1,
        prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1,
        duration_predictor_filter_channels=16,
        use_stochastic_duration_prediction=False,
        speaking_rate=0.4,
        **wishes,
    )
    VitsModel(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({c: i for i, c in enumerate(letters)}))
    VitsTokenizer(
        str(folder / "vocab.json"), language=language, pad_token="_", phonemize=letters == IPA
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("code", "text", "tag"),
    [("deu", "Schöne Grüße, liebe Leute", "de"), ("eng", "Hello there, dear friends", "en-US")],
)
def test_plumbing_of_mms_words_are_aligned_within_the_clip(
    tmp_path: Path, espeak: Espeak, code: str, text: str, tag: str
) -> None:
    folder = random_vits(tmp_path / code, language=code)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    engine = Transformers(str(folder), espeak=espeak)
    (voice,) = engine.voices()
    assert (voice.licence, voice.name) == ("cc-by-nc-4.0", code)
    found = engine.speak(text, voice)
    reference = espeak.speak(text, espeak.voice(tag))
    assert (found.timing, found.clip.rate, found.clip.channels) == ("aligned", 16000, 1)
    assert [word.text for word in found.words] == [word.text for word in reference.words]
    times = [t for phone in found.phones for t in (phone.start_s, phone.end_s)]
    assert times == sorted(times) and times[-1] <= found.clip.duration_s
    again = engine.speak(text, voice)
    assert again.clip.samples.tobytes() == found.clip.samples.tobytes()


def test_plumbing_of_vits_that_reads_phonemes_needs_no_phonemizer(
    tmp_path: Path, espeak: Espeak
) -> None:
    folder = random_vits(tmp_path / "ipa", language="eng", letters=IPA)
    engine = Transformers(str(folder), espeak=espeak)
    found = engine.speak("Hello, world!", engine.voices()[0])
    assert [word.text for word in found.words] == ["Hello", "world"]


def test_plumbing_of_vits_speakers_are_voices(tmp_path: Path) -> None:
    folder = random_vits(tmp_path / "two", num_speakers=2, speaker_embedding_size=8)
    engine, voice = speech.find_voice(f"transformers:{folder}#1@de")
    assert [v.id for v in engine.voices()] == [f"{folder}#0", f"{folder}#1"]
    one, other = (engine.speak("guten Tag", v).clip.samples for v in engine.voices())
    assert one.shape != other.shape or np.abs(one - other).max() > 1e-5
    assert engine.speak("guten Tag", voice).voice.id == f"{folder}#1"
    with pytest.raises(ParameterError, match="no speaker '7' in .*: the nearest is"):
        speech.find_voice(f"transformers:{folder}#7")


def random_speecht5(folder: Path) -> Path:
    sentencepiece = pytest.importorskip("sentencepiece", reason="pip install 'riffapp[tts]'")
    from transformers import (
        SpeechT5Config,
        SpeechT5ForTextToSpeech,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
        SpeechT5Tokenizer,
    )

    torch.manual_seed(0)
    folder.mkdir()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["hello there dear friends", "the quick brown fox jumps"]),
        model_prefix=str(folder / "spm_char"),
        vocab_size=24,
        model_type="char",
        hard_vocab_limit=False,
        minloglevel=3,
    )
    tokenizer = SpeechT5Tokenizer(str(folder / "spm_char.model"))
    tokenizer.save_pretrained(folder)
    small = {"hidden_size": 16, "encoder_layers": 1, "decoder_layers": 1}
    config = SpeechT5Config(
        vocab_size=len(tokenizer),
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        speech_decoder_prenet_units=16,
        speech_decoder_postnet_units=16,
        speaker_embedding_dim=8,
        **small,
    )
    model = SpeechT5ForTextToSpeech(config)
    torch.nn.init.constant_(model.speech_decoder_postnet.prob_out.bias, -10)  # never stop early
    model.save_pretrained(folder)
    vocoder = SpeechT5HifiGanConfig(
        upsample_initial_channel=32,
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1, 3, 5),),
    )
    SpeechT5HifiGan(vocoder).save_pretrained(folder / "vocoder")
    np.save(folder / "speaker.npy", np.ones(8, np.float32))
    return folder


def test_plumbing_of_speecht5(tmp_path: Path, espeak: Espeak) -> None:
    folder = random_speecht5(tmp_path / "t5")
    engine = Transformers(str(folder), espeak=espeak)
    found = engine.speak("hello there", engine.voices()[0])
    assert [word.text for word in found.words] == ["hello", "there"]
    assert (found.clip.rate, found.timing) == (16000, "aligned")

    np.save(folder / "speaker.npy", np.ones(9, np.float32))
    with pytest.raises(FileError, match="holds 9 numbers: a speaker is 8"):
        Transformers(str(folder), espeak=espeak).voices()
    (folder / "speaker.npy").unlink()
    with pytest.raises(FileError, match="put 8 numbers into .*speaker.npy"):
        Transformers(str(folder), espeak=espeak).voices()


def random_bark(folder: Path) -> Path:
    """Bark with its true vocabularies, whose sizes its code counts on, and 8 channels."""
    from transformers import BarkConfig, BarkModel, BertTokenizer
    from transformers.models.bark.generation_configuration_bark import (
        BarkCoarseGenerationConfig,
        BarkFineGenerationConfig,
        BarkGenerationConfig,
        BarkSemanticGenerationConfig,
    )

    torch.manual_seed(0)
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "there"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    small = {"hidden_size": 8, "num_layers": 1, "num_heads": 1}
    model = BarkModel(
        BarkConfig(
            semantic_config={**small, "input_vocab_size": 129600, "output_vocab_size": 10048},
            coarse_acoustics_config={
                **small,
                "input_vocab_size": 12096,
                "output_vocab_size": 12096,
            },
            fine_acoustics_config={**small, "input_vocab_size": 1056, "output_vocab_size": 1056},
            codec_config={"num_filters": 4, "model_type": "encodec"},
        )
    )
    model.save_pretrained(folder)
    speaking = BarkGenerationConfig.from_sub_model_configs(
        BarkSemanticGenerationConfig(max_new_tokens=30, min_eos_p=None),
        BarkCoarseGenerationConfig(),
        BarkFineGenerationConfig(),
    )
    (folder / "generation_config.json").write_text(json.dumps(speaking.to_dict()))
    return folder


def test_plumbing_of_bark(tmp_path: Path, espeak: Espeak) -> None:
    engine = Transformers(str(random_bark(tmp_path / "bark")), espeak=espeak)
    (voice,) = engine.voices()
    found = engine.speak("hello there", voice)
    assert [word.text for word in found.words] == ["hello", "there"]
    assert (found.clip.rate, voice.licence) == (24000, "unknown: see its model card")


# ---- refusals -----------------------------------------------------------------------------------


def test_missing_weights_are_a_sentence_that_says_what_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no weights of facebook/mms-tts-deu here: `hf download"):
        Transformers("facebook/mms-tts-deu").voices()
    folder = random_vits(tmp_path / "half")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileError, match="no weights of .*half here: .*model.safetensors"):
        Transformers(str(folder)).voices()


def test_a_model_that_does_not_speak_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(FileError, match="kind 'bert': those that speak here are vits, speecht5"):
        Transformers(str(tmp_path)).voices()


def test_a_text_of_letters_that_the_model_never_met_is_refused(
    tmp_path: Path, espeak: Espeak
) -> None:
    engine = Transformers(str(random_vits(tmp_path / "vits")), espeak=espeak)
    with pytest.raises(MachineError, match="it was taught no letter of '42'"):
        engine.speak("42", engine.voices()[0])
    with pytest.raises(ParameterError, match="nothing to say"):
        engine.speak("😀", engine.voices()[0])
    with pytest.raises(ParameterError, match="has no voice 'de'"):
        engine.speak("gut", espeak.voice("de"))
