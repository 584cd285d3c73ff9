"""A script over a bed: speed, memory, drift and loudness, by the command's own path.

Sixty seconds of speech fitted and mixed (the engine's time is taken apart), then half an hour of
it: the peak of memory against that of three minutes, the beat at the end, and what is heard in the
files.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
from scipy.signal import resample_poly

from audio import files
from audio.speech import find_voice
from audio.speech.types import Speech, SpeechEngine, Voice
from audio.synth import band
from riffapp.studio import speech, speech_files
from riffapp.studio.accompaniment import open_accompaniment
from riffapp.studio.speech import SpeechRequest

TEXT = (
    "Welcome back to the show. Today we talk about music that is made of words, and about the "
    "people who make it. Some of them have played for years; others began last week. What they "
    "share is a good ear, a little patience, and a computer that is not too old. "
)
GERMAN = "Das war der erste Teil. Gleich geht es weiter mit einem Lied, das noch niemand kennt. "
BPM, SEED = 103.7, 8
MODES = ("talk", "rhythmic", "sung")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", help="not used here")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        print(json.dumps(_long(args.child, args.path)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bed = _bed(folder / "bed.wav")
        for mode in MODES:
            print(_speed(bed, mode, folder / f"{mode}.wav"), flush=True)
        rows = [_child(minutes, folder) for minutes in (3.0, args.minutes)]
    for row in rows:
        print(
            f"{row['speech_s'] / 60:5.1f} min of speech: peak {row['peak_mb']:.0f} MB, "
            f"{row['work_s']:.0f} s; bed against its grid {row['drift']} samples at the end, "
            f"voice on it within {row['onset_ms']:.1f} ms; {row['lufs']:.2f} LUFS, true peak "
            f"{row['peak_db']:.3f} dBTP (measured in the file), voice above the bed "
            f"{row['above_lu']:.1f} LU at least"
        )
    print(f"peak of the longest / shortest {rows[1]['peak_mb'] / rows[0]['peak_mb']:.3f}")
    return 0


def _bed(path: Path) -> Path:
    song = replace(band.draw(np.random.default_rng(SEED), bars=4), bpm=BPM)
    loop = band.render(song)
    files.write(path, loop.clip, tempo=loop.tempo)
    return path


class _Timed:
    """An engine that says how long it took."""

    def __init__(self, engine: SpeechEngine) -> None:
        self.engine, self.seconds, self.speech_s = engine, 0.0, 0.0

    def voices(self) -> Sequence[Voice]:
        return self.engine.voices()

    def speak(self, text: str, voice: Voice) -> Speech:
        start = time.perf_counter()
        said = self.engine.speak(text, voice)
        self.seconds += time.perf_counter() - start
        self.speech_s += said.clip.duration_s
        return said


def _speak(bed: Path, text: str, mode: str, path: Path) -> dict[str, Any]:
    engines: list[_Timed] = []

    def find(name: str) -> tuple[SpeechEngine, Voice]:
        engine, voice = find_voice(name)
        engines.append(_Timed(engine))
        return engines[-1], voice

    under = open_accompaniment(bed)
    start = time.perf_counter()
    request = SpeechRequest(script=text, mode=mode)
    with speech.speak(request, under, find=find) as spoken:
        fitted_s = time.perf_counter() - start
        saved = speech_files.save(spoken, path)
        told = speech_files.report(spoken)
    work_s = time.perf_counter() - start
    engine_s = sum(engine.seconds for engine in engines)
    return {
        **told,
        "saved": saved,
        "work_s": work_s - engine_s,
        "fitted_s": fitted_s - engine_s,
        "speech_s": sum(engine.speech_s for engine in engines),
    }


def _speed(bed: Path, mode: str, path: Path) -> str:
    count = 1
    while len(TEXT) * count < 60 * 14.5:  # characters a second
        count += 1
    row = _speak(bed, TEXT * count, mode, path)
    share = 60 / row["speech_s"]
    return (
        f"{mode:9} {row['speech_s']:.1f} s of speech: fitted and mixed in {row['fitted_s']:.2f} s, "
        f"with all files written {row['work_s']:.2f} s; of 60 s that is "
        f"{row['fitted_s'] * share:.2f} s and {row['work_s'] * share:.2f} s (<= 6)"
    )


def _child(minutes: float, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", str(minutes), "--path", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return row


def _long(minutes: float, folder: Path) -> dict[str, Any]:
    once = TEXT + f'<lang xml:lang="de">{GERMAN}</lang>'
    count = max(1, round(minutes * 60 / 19.5))
    row = _speak(folder / "bed.wav", once * count, "talk", folder / "long.wav")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    saved = row.pop("saved")
    return {
        "speech_s": row["speech_s"],
        "work_s": row["work_s"],
        "peak_mb": peak_mb,
        "drift": _drift(folder / "bed.wav", saved.bed),
        "onset_ms": row["onset_worst_ms"],
        "above_lu": row["voice_above_bed_lu"],
        **_heard(saved.mix),
    }


def _drift(bed: Path, stem: Path) -> int:
    """How far the loop lies from its grid in the last bars of the stem: by cross-correlation."""
    loop, tempo = files.read(bed), files.read_loop(bed)
    assert tempo is not None
    exact = tempo.exact(loop.rate)
    n = round(files.duration_s(stem) * loop.rate)
    k = int(n / exact) - 2  # clear of the fade
    start = round(k * exact)
    heard = files.read_part(stem, start_s=(start - 400) / loop.rate, duration_s=2.0).samples[0]
    wanted = loop.samples[0][: len(heard) - 800]
    size = 1 << (len(heard) + len(wanted)).bit_length()
    both = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size))
    found = np.fft.irfft(both, size)[:800]
    return int(np.argmax(found)) - 400


def _heard(path: Path) -> dict[str, float]:
    """Loudness by pyloudnorm on the whole file, true peak by scipy's own resampling."""
    samples = files.read(path).samples
    lufs = pyloudnorm.Meter(44100).integrated_loudness(samples.T.astype(np.float64))
    peak, step = 0.0, 1 << 20
    for first in range(0, samples.shape[1], step):
        part = samples[:, max(0, first - 1000) : first + step + 1000]
        peak = max(peak, float(np.abs(resample_poly(part, 4, 1, axis=1)).max()))
    return {"lufs": float(lufs), "peak_db": float(20 * np.log10(peak))}


if __name__ == "__main__":
    sys.exit(main())
