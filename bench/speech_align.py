"""Speech fitted to music, measured in its sound: onsets, pitch, formants, lengths, phones, speed.

English and German sentences of two espeak voices, at several tempi. The judges are
`audio.align.measure`'s; their controls are printed beside them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

import numpy as np

from audio.align import measure
from audio.align.fit import Fitted, fit
from audio.align.intonation import Contour, contour, pitch_at, to_hz
from audio.align.music import FloatArray, Music, Tone
from audio.align.pieces import SHORTEST_S
from audio.align.psola import length, resynthesised
from audio.align.settings import Settings
from audio.align.syllables import syllables
from audio.align.time_map import TimeMap
from audio.speech.espeak import Espeak
from audio.speech.types import Speech
from audio.types import Clip

ENGLISH = (
    "Welcome back to the beautiful show, my dear friends.",
    "The night is long and the music plays for everyone who is awake.",
    "Seventeen little rivers carried the summer down to the harbour.",
    "Nobody remembers what the captain said about the broken compass.",
    "Today we are talking about tomorrow, and about the weather in between.",
    "Stop, look and listen before you cross the street.",
)
GERMAN = (
    "Willkommen zurück in der schönen Küche, liebe Freunde.",
    "Die Nacht ist lang und die Musik spielt für alle, die noch wach sind.",
    "Siebzehn kleine Flüsse trugen den Sommer hinunter zum Hafen.",
    "Niemand erinnert sich, was der Kapitän über den Kompass gesagt hat.",
    "Heute reden wir über morgen, und über das Wetter dazwischen.",
    "Der Zug nach Hamburg wartet auf Gleis sieben.",
)
VOICES = {"en-us": ENGLISH, "en-us+f3": ENGLISH, "de": GERMAN, "de+f3": GERMAN}
TEMPI = (72.0, 84.0, 96.5, 110.0, 128.0, 150.0)
TUNE = (0, 2, 3, 7, 5, 3, 0, -2)  # semitones
OFF = 0.37  # of a semitone: no note agrees by luck
SPEED_S = 60.0
RISE_S, CLEAR_S = 0.03, 0.025  # where a rise is looked for, and where it is the anchor's
AUDIBLE_DB = 40.0  # below the loudest sample: quieter phones are not compared


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", help="not used here")
    parser.parse_args()
    spoken = list(said())
    offsets(spoken)
    onsets(spoken)
    pitch(spoken)
    formants(spoken)
    phones(spoken)
    speed(spoken)
    return 0


def said() -> Iterator[Speech]:
    engine = Espeak()
    for name, texts in VOICES.items():
        for text in texts:
            yield engine.speak(text, engine.voice(name))


def offsets(spoken: list[Speech]) -> None:
    """Where syllables are felt from their vowels' onsets: the fastest rise, by language."""
    for language in ("en", "de"):
        rises = []
        for speech in spoken:
            if speech.voice.language.startswith(language):
                vowels = [s.vowel_s for s in syllables(speech, offset_s=0.0) if s.stress > 0]
                rises += (measure.fastest_rises(speech.clip, np.array(vowels)) - vowels).tolist()
        found = 1000 * np.array(rises)
        quartiles = np.percentile(found, (25, 75))
        print(
            f"offset {language}: median {np.median(found):+.1f} ms of {len(found)} stressed vowels "
            f"(quartiles {quartiles[0]:+.1f} {quartiles[1]:+.1f})"
        )


def onsets(spoken: list[Speech]) -> None:
    """Rhythmic at full strength: each stressed vowel is an anchor, misfits are misses."""
    late, misfits, lengths, controls, rises = [], 0, [], [], []
    stretch: list[tuple[float, float, float]] = []
    for speech, bpm in zip(spoken * 2, cycle(TEMPI), strict=False):
        subdivision = ("1/16", "1/8t")[len(stretch) >= len(spoken)]
        settings = Settings(subdivision=subdivision)
        done = fit(speech, Music(bpm=bpm), mode="rhythmic", start_beat=4, settings=settings)
        anchors = done.plan.anchors
        sources = np.array([a.source_s for a in anchors])
        asked = np.array([a.asked_s for a in anchors]) - done.start_s
        late += measure.onsets_found(speech.clip, sources, done.speech.clip, asked).tolist()
        misfits += len(done.report.misfits)
        stretch.append(done.report.stretch)
        lengths.append(done.speech.clip.n - length(done.plan.time_map, done.speech.clip.rate))
        controls.append(controlled(speech, sources))
        rises += rises_late(speech, done.speech.clip, sources, asked)
    away = 1000 * np.abs(late)
    near = (away <= 10).sum() - misfits
    identity, shift = np.max(controls, axis=0)
    print(
        f"a rhythmic: {len(away)} anchors, mean {away.mean():.2f} ms, p95 "
        f"{np.percentile(away, 95):.2f}, worst {away.max():.1f}, <= 10 ms {near / len(away):.1%}, "
        f"misfits {misfits / len(away):.1%}; stretch {min(s[0] for s in stretch):.2f} to "
        f"{max(s[2] for s in stretch):.2f}; judge: identity {identity:.3f} ms, 20 ms read within "
        f"{shift:.3f} ms"
    )
    by_rise = 1000 * np.abs(rises)
    print(
        f"a by the fastest rise, where it is clear ({len(rises)} anchors): mean "
        f"{by_rise.mean():.2f} ms, p95 {np.percentile(by_rise, 95):.2f}, <= 10 ms "
        f"{(by_rise <= 10).mean():.1%}"
    )
    print(f"d length: at most {max(map(abs, lengths))} samples from the plan")


def rises_late(speech: Speech, moved: Clip, sources: FloatArray, asked: FloatArray) -> list[float]:
    """The second judge: how much later than asked the level rises fastest, in seconds, where that
    is clear: near the anchor in the source, the fastest within 60 ms, to more than the double."""
    rises = measure.fastest_rises(speech.clip, sources, RISE_S)
    level, rate = measure.envelope(speech.clip), speech.clip.rate
    reach = round(RISE_S * rate)
    at = np.rint(rises * rate).astype(int)
    before = level[np.maximum(at - reach, 0)]
    after = level[np.minimum(at + reach, len(level) - 1)]
    alone = measure.fastest_rises(speech.clip, sources, 2 * RISE_S) == rises
    clear = alone & (np.abs(rises - sources) < CLEAR_S) & (after > 2 * before)
    places = (asked + rises - sources)[clear]
    return (measure.fastest_rises(moved, places, RISE_S) - places).tolist()


def controlled(speech: Speech, sources: FloatArray) -> tuple[float, float]:
    """What the judge says of the same sound, and how far it is from a true shift of 20 ms."""
    clip = speech.clip
    n = round(0.02 * clip.rate)
    moved = replace(clip, samples=np.pad(clip.samples, ((0, 0), (n, 0))))
    same = measure.onsets_found(clip, sources, clip, sources)
    shifted = measure.onsets_found(clip, sources, moved, sources) - n / clip.rate
    return 1000 * float(np.abs(same).max()), 1000 * float(np.abs(shifted).max())


def pitch(spoken: list[Speech]) -> None:
    """Sung, each syllable a flat note 37 cents off: heard by two trackers."""
    rows: dict[str, list[FloatArray]] = {}
    for speech in spoken:
        intonation = contour(speech.clip)
        done = sung(speech, intonation)
        local = done.plan.time_map.shifted(-done.plan.start_s)
        asked = done.plan.pitch
        assert asked is not None
        t = measure.voiced_times(local, intonation)
        wanted = to_hz(asked.at(local.source(t)))
        hz_range = (0.7 * float(wanted.min()), 1.5 * float(wanted.max()))
        plain = resynthesised(
            speech.clip, local, None, hz_range=(intonation.floor_hz, intonation.ceiling_hz)
        )
        for name, clip in (("", done.speech.clip), (", unedited", plain)):
            for tracker, heard in (("Praat", pitch_at), ("YIN", measure.yin_at)):
                cents = measure.cents_off(heard(clip, t, hz_range), wanted)
                rows.setdefault(tracker + name, []).append(cents)
    for name, found in rows.items():
        cents = np.concatenate(found)
        heard_ = np.abs(cents[np.isfinite(cents)])
        print(
            f"b sung, {name}: median {np.median(heard_):.2f} cents, within 50 "
            f"{measure.near(cents):.1%} of {len(cents)} frames"
        )


def sung(speech: Speech, intonation: Contour) -> Fitted:
    middle = round(intonation.middle or 57.0) + OFF
    tones = tuple(
        Tone(start_beat=0.5 * k, beats=0.5, pitch=middle + step) for k, step in enumerate(TUNE)
    )
    settings = Settings(tones=tones, octaves=0, vibrato_cents=0.0)
    return fit(speech, Music(bpm=96), mode="sung", start_beat=4, settings=settings)


def formants(spoken: list[Speech]) -> None:
    """The voice four semitones up and down: second formant and envelope in mid-vowel.

    The control is the sound played faster, whose formants move with its pitch.
    """
    for semitones in (4, -4):
        cents: list[float] = []
        control: list[float] = []
        away: list[float] = []
        factor = 2 ** (semitones / 12)
        for speech in spoken:
            heard, t = contour(speech.clip), middles(speech)
            asked = replace(heard, hz=heard.hz * factor)
            moved, _ = evenly(speech, 1.0, asked)
            played = replace(speech.clip, rate=round(speech.clip.rate * factor))
            before = measure.formants_at(speech.clip, t)
            cents += np.abs(measure.cents_off(measure.formants_at(moved, t), before)).tolist()
            faster = measure.formants_at(played, t / factor)
            control += np.abs(measure.cents_off(faster, before)).tolist()
            gap = measure.envelopes_at(moved, t) - measure.envelopes_at(speech.clip, t)
            away += np.sqrt(((gap - gap.mean(1, keepdims=True)) ** 2).mean(1)).tolist()
        print(
            f"c {semitones:+d} semitones: F2 {np.nanmedian(cents):.1f} cents, envelope "
            f"{np.median(away):.2f} dB (medians of {len(away)} vowels; played faster or slower, F2 "
            f"{np.nanmedian(control):.0f} cents)"
        )


def middles(speech: Speech) -> FloatArray:
    """The middles of the vowels of 50 ms and more."""
    return np.array(
        [
            (s.vowel_s + s.vowel_end_s) / 2
            for s in syllables(speech)
            if s.vowel_end_s - s.vowel_s >= 0.05
        ]
    )


def phones(spoken: list[Speech]) -> None:
    """What became of each phone, mapped back through the plan.

    The control is PSOLA at ratio 1.01 and the pitch asked for: at ratio 1 and the voice's own pitch
    each pulse falls on itself, and the sound is all but copied.
    """
    copied = []
    for speech in spoken:
        copied += measure.phone_distances(speech, *evenly(speech, 1 + 1e-6, None))
    for mode in ("talk", "rhythmic", "sung"):
        away, control, levels, lengths = [], [], [], []
        for speech, bpm in zip(spoken, cycle(TEMPI), strict=False):
            music = Music(bpm=bpm, tonic=9, mode="minor")
            done = fit(speech, music, mode=mode, start_beat=4)
            local = done.plan.time_map.shifted(-done.plan.start_s)
            away += measure.phone_distances(speech, done.speech.clip, local)
            control += measure.phone_distances(speech, *evenly(speech, 1.01, done.plan.pitch))
            loudest = 20 * np.log10(np.abs(speech.clip.samples).max())
            for old, new in zip(speech.phones, done.speech.phones, strict=True):
                before = measure.level_db(speech.clip, old.start_s, old.end_s)
                after = measure.level_db(done.speech.clip, new.start_s, new.end_s)
                if before > loudest - AUDIBLE_DB:
                    levels.append(after - before)
                if old.end_s - old.start_s >= SHORTEST_S:
                    lengths.append(new.end_s - new.start_s)
        print(
            f"g {mode}: {np.median(away):.2f} dB of log-mel a phone, {np.median(control):.2f} by "
            f"PSOLA alone ({np.median(copied):.2f} where it copies): "
            f"{np.median(away) / np.median(control):.2f} times; weakest {min(levels):+.1f} dB, "
            f"shortest {1000 * min(lengths):.1f} ms of {len(away)} phones"
        )


def evenly(speech: Speech, ratio: float, asked: Contour | None) -> tuple[Clip, TimeMap]:
    """The whole of a speech by PSOLA at one ratio, and its map."""
    heard = contour(speech.clip)
    end = np.array([0.0, speech.clip.duration_s])
    found = TimeMap(source_s=end, target_s=ratio * end)
    hz_range = (heard.floor_hz, heard.ceiling_hz)
    return resynthesised(speech.clip, found, asked, hz_range=hz_range), found


def speed(spoken: list[Speech]) -> None:
    """Seconds that a minute of speech takes, without the engine, on one core."""
    whole = sum(speech.clip.duration_s for speech in spoken)
    music = Music(bpm=96, tonic=9, mode="minor")
    for mode in ("talk", "rhythmic", "sung"):
        start = time.process_time()
        for speech in spoken:
            fit(speech, music, mode=mode, start_beat=4)
        took = (time.process_time() - start) / whole * SPEED_S
        print(f"f {mode}: {took:.2f} s for {SPEED_S:g} s of speech")


if __name__ == "__main__":
    sys.exit(main())
