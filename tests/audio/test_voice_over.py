"""A voice over a bed: heard above it in each phrase, as loud as podcasts are, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest

from audio import bed as beds
from audio import duck, files, mix, stream
from audio import voice_over as over
from audio.bed import Bed
from audio.duck import Ducking, Phrase
from audio.errors import ParameterError
from audio.speech.espeak import Espeak
from audio.synth import band
from audio.types import Clip, Loop, Samples
from audio.voice_over import Balance, Placed, VoiceOver

RATE = 22050
SCRIPTS = {
    "en-us": ("Welcome back to the show.", "Today: music from words!", "Ready? Here we go."),
    "de": ("Willkommen zurück zur Sendung.", "Heute: Musik aus Worten!", "Also los."),
}


@cache
def loop(seed: int, channels: int = 1) -> Loop:
    song = band.draw(np.random.default_rng(seed))
    return beds.matched(band.render(song), rate=RATE, channels=channels)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A voice track with its phrases."""

    track: Samples
    phrases: tuple[Phrase, ...]

    def blocks(self, size: int = 50_000) -> Iterator[Samples]:
        for first in range(0, self.track.shape[1], size):
            yield self.track[:, first : first + size]


@cache
def spoken(language: str, bar_s: float) -> Said:
    """Sentences by espeak-ng, each softer than the one before, a bar and a half apart."""
    engine = Espeak()
    voice = next(v for v in engine.voices() if v.id == language)
    placed, phrases, start_s = [], [], 2 * bar_s
    for number, text in enumerate(SCRIPTS[language]):
        speech = engine.speak(text, voice)
        clip = replace(speech.clip, samples=speech.clip.samples * np.float32(0.5**number))
        start = round(start_s * RATE)
        placed.append(Placed(start=start, clip=clip))
        words = duck.phrases(speech.words)
        phrases += [
            Phrase(start_s=p.start_s + start / RATE, end_s=p.end_s + start / RATE) for p in words
        ]
        start_s += np.ceil(speech.clip.duration_s / bar_s + 0.5) * bar_s
    track = np.concatenate(list(over.voice_track(placed, rate=RATE)), axis=1)
    return Said(track=track, phrases=tuple(phrases))


def laid(seed: int, said: Said, *, channels: int = 1) -> Bed:
    """Voices come with two bars of intro within them."""
    bed = loop(seed, channels)
    return beds.laid_out(bed, voice_s=said.track.shape[1] / RATE, intro_bars=0, outro_bars=2)


@cache
def made(seed: int, language: str, channels: int = 1) -> tuple[VoiceOver, Bed, Said]:
    said = spoken(language, beds.bar_seconds(loop(seed).tempo))
    bed = laid(seed, said, channels=channels)
    return over.voice_over(said.blocks, said.phrases, bed), bed, said


def written(result: VoiceOver) -> tuple[Samples, Samples, Samples]:
    blocks = list(result.blocks())
    return (
        np.concatenate([block.mix for block in blocks], axis=1),
        np.concatenate([block.voice for block in blocks], axis=1),
        np.concatenate([block.bed for block in blocks], axis=1),
    )


def judged_lufs(samples: Samples, phrase: Phrase) -> float:
    """How loud a stretch is, by pyloudnorm's own filters over the whole."""
    meter, found = pyloudnorm.Meter(RATE), samples.astype(np.float64)
    for stage in meter._filters.values():
        found = stage.apply_filter(found)
    part = found[:, round(phrase.start_s * RATE) : round(phrase.end_s * RATE)]
    return float(-0.691 + 10 * np.log10(np.square(part).sum() / part.shape[1]))


# ---- balance ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en-us", "de"])
@pytest.mark.parametrize("seed", [1, 4])
def test_the_voice_stands_above_the_bed_in_each_phrase(language: str, seed: int) -> None:
    """12 LU, the softest sentence too, which is a quarter of the loudest."""
    result, _, said = made(seed, language)
    _, voice, bed = written(result)
    assert len(said.phrases) >= 3
    for phrase, one in zip(said.phrases, result.spoken, strict=True):
        margin = judged_lufs(voice, phrase) - judged_lufs(bed, phrase)
        assert 12.0 <= margin <= 15.0  # nor is the bed ducked for nothing
        assert one.margin_lu == pytest.approx(margin, abs=0.15) and one.phrase == phrase


def test_a_bed_that_is_soft_already_is_not_ducked() -> None:
    said = spoken("en-us", 2.0)
    balance = Balance(bed_lu=-30.0)
    result = over.voice_over(said.blocks, said.phrases, laid(4, said), balance)
    assert all(one.ducked_db == 0.0 and one.margin_lu > 13 for one in result.spoken)


def test_no_phrase_ducks_deeper_than_allowed() -> None:
    said = spoken("en-us", 2.0)
    balance = Balance(most_db=6.0)
    result = over.voice_over(said.blocks, said.phrases, laid(4, said), balance)
    assert max(one.ducked_db for one in result.spoken) == 6.0
    assert min(one.margin_lu for one in result.spoken) < 12


def test_the_bed_is_itself_until_the_look_ahead_and_down_by_the_first_phone() -> None:
    result, bed, said = made(1, "en-us")
    played = written(result)[2] / result.master.at(0, bed.n)
    start, ducking = said.phrases[0].start_s, Ducking()
    until = int(np.ceil((start - ducking.look_ahead_s) * RATE))
    plain = bed.block(0, bed.n)
    gain = result.stems.gain
    np.testing.assert_allclose(played[:, :until], plain[:, :until] * gain, rtol=1e-5, atol=1e-8)
    down_db = 20 * np.log10(result.stems.curve.at(round(start * RATE), 1)[0][0])
    assert down_db == pytest.approx(-result.spoken[0].ducked_db, abs=1e-4)


def test_the_bed_alone_is_as_loud_against_the_voice_as_asked() -> None:
    said = spoken("de", 2.0)
    bed = laid(4, said)
    result = over.voice_over(said.blocks, said.phrases, bed, Balance(lufs=-30.0))
    assert result.master.limiter.min() == 1.0
    _, voice, _ = written(result)
    alone = mix.loudness(bed.loop.clip, circular=True).lufs
    alone += 20 * np.log10(result.stems.gain * result.master.gain)
    levels = [10 ** (judged_lufs(voice, p) / 10) for p in said.phrases]
    mean = np.average(levels, weights=[p.end_s - p.start_s for p in said.phrases])
    assert alone - 10 * np.log10(mean) == pytest.approx(-4.0, abs=0.05)


# ---- the whole ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "lufs"), [(1, -19.0), (2, -16.0)])
@pytest.mark.parametrize("seed", [1, 6])
def test_it_is_as_loud_as_podcasts_are(channels: int, lufs: float, seed: int) -> None:
    result, bed, _ = made(seed, "en-us", channels)
    found = written(result)[0]
    measured = mix.loudness(Clip(samples=found, rate=RATE))
    assert found.shape == (channels, bed.n)
    assert measured.lufs == pytest.approx(lufs, abs=0.06)
    assert measured.true_peak_db <= -1.0
    assert result.loudness.lufs == pytest.approx(measured.lufs, abs=0.02)
    assert result.loudness.true_peak_db == pytest.approx(measured.true_peak_db, abs=0.02)


def test_the_stems_are_the_mix_with_the_limiter_at_work() -> None:
    said = spoken("en-us", 2.0)
    balance = Balance(lufs=-9.0)
    result = over.voice_over(said.blocks, said.phrases, laid(6, said, channels=2), balance)
    found, voice, bed = written(result)
    assert result.master.limiter.min() < 0.8
    assert np.abs(voice + bed - found).max() <= 1e-6  # -120 dB
    assert mix.loudness(Clip(samples=found, rate=RATE)).true_peak_db <= -1.0


def test_it_is_the_same_however_the_voice_is_cut() -> None:
    result, bed, said = made(4, "en-us")
    other = over.voice_over(partial(said.blocks, 7_001), said.phrases, bed)
    np.testing.assert_allclose(written(other)[0], written(result)[0], atol=1e-6)


def test_it_streams_from_file_to_file(tmp_path: Path) -> None:
    result, bed, said = made(4, "en-us")
    track, path = tmp_path / "voice.wav", tmp_path / "mix.wav"
    stream.write_blocks(track, said.blocks(), rate=RATE, channels=1, subtype="float")
    again = over.voice_over(partial(files.read_blocks, track), said.phrases, bed)
    blocks = (block.mix for block in again.blocks())
    stream.write_blocks(path, blocks, rate=RATE, channels=1, subtype="float")
    np.testing.assert_allclose(files.read(path).samples, written(result)[0], atol=1e-6)


def test_memory_does_not_grow_with_the_length() -> None:
    def noise(seconds: int) -> Iterator[Samples]:
        for second in range(seconds):
            yield np.random.default_rng(second).normal(0, 0.1, (1, RATE)).astype(np.float32)

    def peak_mb(seconds: int) -> float:
        bed = beds.laid_out(loop(4, 2), voice_s=float(seconds))
        phrases = [Phrase(start_s=float(s), end_s=s + 0.8) for s in range(0, seconds, 2)]
        tracemalloc.start()
        result = over.voice_over(partial(noise, seconds), phrases, bed)
        for _ in result.blocks():
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 2**20

    peak_mb(5)  # what is imported on first use
    assert peak_mb(40) - peak_mb(10) < 3  # of 12 MB that 30 s of mix, voice and bed are


# ---- the voice's track --------------------------------------------------------------------------


def test_the_track_is_the_sum_of_what_is_placed() -> None:
    rng = np.random.default_rng(0)
    starts = [0, 10, 1000, 1000, 200_000, 200_500]
    clips = [rng.normal(0, 0.1, (1, int(n))).astype(np.float32) for n in rng.integers(1, 3000, 6)]
    placed = [
        Placed(start=s, clip=Clip(samples=x, rate=RATE)) for s, x in zip(starts, clips, strict=True)
    ]
    wanted = np.zeros(max(p.start + p.clip.n for p in placed), np.float32)
    for p in placed:
        wanted[p.start : p.start + p.clip.n] += p.clip.samples[0]
    found = np.concatenate(list(over.voice_track(placed, rate=RATE)), axis=1)
    np.testing.assert_allclose(found[0], wanted, atol=1e-6)


def test_other_rates_and_channels_are_made_the_tracks() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(11025) / 11025).astype(np.float32)
    clip = Clip(samples=np.stack([tone, tone]), rate=11025)
    found = np.concatenate(
        list(over.voice_track([Placed(start=100, clip=clip)], rate=RATE)), axis=1
    )
    assert found.shape == (1, RATE + 100) and np.all(found[0, :100] == 0)
    wanted = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    np.testing.assert_allclose(found[0, 1100:-1000], wanted[1000:-1000], atol=1e-3)


@pytest.mark.parametrize("starts", [(100, 50), (-1,)])
def test_clips_out_of_order_are_refused(starts: tuple[int, ...]) -> None:
    placed = [Placed(start=s, clip=Clip(samples=np.ones((1, 10), np.float32))) for s in starts]
    with pytest.raises(ParameterError, match="give them in order, from 0"):
        list(over.voice_track(placed, rate=RATE))


# ---- refusals -----------------------------------------------------------------------------------


def tried(
    track: Samples, *phrases: tuple[float, float], bed: Bed | None = None, channels: int = 1
) -> VoiceOver:
    samples = np.repeat(track.astype(np.float32)[None], channels, axis=0)
    spans = [Phrase(start_s=start_s, end_s=end_s) for start_s, end_s in phrases]
    return over.voice_over(lambda: [samples], spans, bed or Bed(loop=loop(4), bars=2))


HISS = np.random.default_rng(0).normal(0, 0.1, RATE)


def test_a_voice_without_phrases_is_refused() -> None:
    with pytest.raises(ParameterError, match="no phrases: say when the voice speaks"):
        tried(HISS)


def test_a_phrase_where_nobody_speaks_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"the voice is silent from 2\.000 s to 2\.500 s"):
        tried(HISS, (0.1, 0.5), (2.0, 2.5))


def test_a_voice_longer_than_the_bed_is_refused() -> None:
    with pytest.raises(ParameterError, match="give the bed more bars"):
        tried(np.tile(HISS, 20), (0.1, 0.5))


def test_a_voice_in_stereo_is_refused() -> None:
    with pytest.raises(ParameterError, match="a voice of 2 channels: give a mono track"):
        tried(HISS, (0.1, 0.5), channels=2)


def test_a_silent_bed_is_refused() -> None:
    silent = replace(loop(4), clip=replace(loop(4).clip, samples=0 * loop(4).clip.samples))
    with pytest.raises(ParameterError, match="the sound is silent"):
        tried(HISS, (0.1, 0.5), bed=Bed(loop=silent, bars=2))


def test_a_voice_of_no_numbers_is_refused() -> None:
    with pytest.raises(ParameterError, match="no numbers"):
        tried(HISS * np.nan, (0.1, 0.5))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"margin_lu": 41.0}, "voice above the bed 41 dB: give 0 to 40"),
        ({"bed_lu": np.nan}, "bed against the voice nan dB"),
        ({"room_db": 1.0}, "room for the voice 1 dB: give -24 to 0"),
        ({"most_db": -1.0}, "deepest ducking -1 dB"),
        ({"lufs": 1.0}, "loudness 1: give -60 to 0"),
        ({"true_peak_db": 1.0}, "true peak 1: give -60 to 0"),
    ],
)
def test_balances_that_cannot_be_are_refused(change: dict[str, float], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        replace(Balance(), **change)
