"""From a mel spectrogram back to sound: how fast and how true, against torchaudio.

    python bench/inversion.py [--clips DIR] [--seeds 7]

At Riffusion's settings the reference is torchaudio's own chain: MelScale, InverseMelScale and
GriffinLim with 32 iterations. For each seed the reference and every rung of our ladder run one
after the other on the same spectrogram, and ratios are taken within the seed: CPU time of one
thread, with caches warm (the inverse of the mel bank is computed once in a process). mel SC is
20 log10(|mel(y) - mel| / |mel|) on torchaudio's analysis of the result, linear SC the same against
the linear spectrogram of the original sound below 10 kHz; lower is better.

Stereo is two players of the band, or a recording as it is, for the reference two sounds of its own.
On the beat grid loops of the procedural band go through the 8 bit picture and back.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchaudio import transforms

from audio import files
from audio.codec import analyse, from_image, invert, to_image
from audio.phase import QUALITIES
from audio.synth import band
from audio.types import (
    RIFFUSION,
    BeatFrames,
    Clip,
    DecibelCurve,
    Samples,
    Spectrogram,
    SpectrogramParams,
    Tempo,
)

RATE, HOP, WINDOW, N_FFT = 44100, 441, 4410, 17640
LENGTH = 511 * HOP  # 512 frames, the width of Riffusion's pictures
REFERENCE = "torchaudio"
BEATS = SpectrogramParams(
    n_mels=128, min_hz=20.0, max_hz=16000.0, frames=BeatFrames(), curve=DecibelCurve()
)
TEMPI = (40, 60, 90, 124, 170, 240)
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")

Row = dict[str, float]


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="At least one mel filterbank has all zero values")
    reference = Reference()
    found: dict[str, Any] = {}
    for name, sounds in _materials(arguments).items():
        rows = [_side_by_side(x, seed, reference) for seed, x in enumerate(sounds)]
        found[name] = _print_ladder(name, rows)
    found["beat grid"] = _beat_grid(arguments.seeds)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=1), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, help="folder of real recordings to take along")
    parser.add_argument("--seeds", type=int, default=7)
    parser.add_argument("--json", help="write the figures here as well")
    return parser.parse_args()


def _materials(arguments: argparse.Namespace) -> dict[str, list[Samples]]:
    seeds = range(arguments.seeds)
    materials = {
        "procedural band": [_played(seed) for seed in seeds],
        "procedural band in stereo": [_two_played(seed) for seed in seeds],
    }
    if arguments.clips:
        stereo = list(_pieces(arguments.clips, arguments.seeds))
        materials["real clips"] = [x.mean(0, keepdims=True) for x in stereo]
        materials["real clips in stereo"] = [x for x in stereo if len(x) == 2]
    return {name: sounds for name, sounds in materials.items() if sounds}


def _played(seed: int) -> Samples:
    """(1, LENGTH) of a random song with everybody playing."""
    loop = band.render(_full_band(seed))
    return np.ascontiguousarray(np.resize(loop.clip.samples[0], LENGTH)[None])


def _two_played(seed: int) -> Samples:
    """(2, LENGTH): one song to the left, another to the right, each a little on the other side."""
    one, other = _played(seed), _played(1000 + seed)
    return np.concatenate([one + 0.3 * other, other + 0.3 * one]) / np.float32(1.3)


def _full_band(seed: int) -> band.Song:
    rng = np.random.default_rng(seed)
    while True:
        song = band.draw(rng)
        if len(song.parts) >= 3:
            return song


def _pieces(folder: Path, count: int) -> Iterator[Samples]:
    """`count` pieces of LENGTH from the sounds in a folder, spread over them."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUNDS)
    clips = [files.resample(files.read(p), RATE) for p in paths]
    long = [c.samples for c in clips if c.n >= LENGTH]
    if not long:
        raise SystemExit(f"{folder} holds no sound of {LENGTH / RATE:.2f} s or more")
    for i in range(count):
        whole = long[i % len(long)]
        steps = max(1, -(-count // len(long)) - 1)
        start = (whole.shape[1] - LENGTH) * (i // len(long)) // steps
        yield np.ascontiguousarray(whole[:, start : start + LENGTH])


class Reference:
    """torchaudio's chain at Riffusion's settings."""

    def __init__(self) -> None:
        mel: dict[str, Any] = dict(
            n_mels=512, sample_rate=RATE, f_min=0.0, f_max=10000.0, n_stft=N_FFT // 2 + 1
        )
        grid: dict[str, Any] = dict(n_fft=N_FFT, win_length=WINDOW, hop_length=HOP)
        self.spectrogram = transforms.Spectrogram(power=1.0, **grid)
        self.mel_scale = transforms.MelScale(norm=None, mel_scale="htk", **mel)
        self.inverse = transforms.InverseMelScale(norm=None, mel_scale="htk", **mel)
        self.griffin_lim = transforms.GriffinLim(n_iter=32, power=1.0, momentum=0.99, **grid)

    def linear(self, x: Samples) -> torch.Tensor:
        """Magnitudes below 10 kHz."""
        magnitudes: torch.Tensor = self.spectrogram(torch.from_numpy(x))
        return magnitudes[:, : 10000 * N_FFT // RATE]

    def mel(self, x: Samples) -> torch.Tensor:
        mel: torch.Tensor = self.mel_scale(self.spectrogram(torch.from_numpy(x)))
        return mel

    def sound(self, mel: torch.Tensor, seed: int) -> Samples:
        torch.manual_seed(seed)
        found: Samples = self.griffin_lim(self.inverse(mel)).numpy()
        return found


def _side_by_side(x: Samples, seed: int, reference: Reference) -> dict[str, Row]:
    mel = reference.mel(x)
    shown = analyse(Clip(samples=x), replace(RIFFUSION, stereo=len(x) == 2))
    ways: dict[str, Callable[[], Samples]] = {
        REFERENCE: lambda: reference.sound(mel, seed),
        **{name: _ours(shown, name, seed) for name in QUALITIES},
    }
    rows = {}
    for name, way in ways.items():
        if name != REFERENCE:
            way()  # fill the caches
        started = time.process_time()
        y = way()
        seconds = time.process_time() - started
        y = y[:, :LENGTH]
        rows[name] = {
            "cpu_s": seconds,
            "mel_sc": _convergence(reference.mel(y), mel),
            "linear_sc": _convergence(reference.linear(y), reference.linear(x)),
        }
    return rows


def _ours(shown: Spectrogram, quality: str, seed: int) -> Callable[[], Samples]:
    return lambda: _inverted(shown, quality, seed)


def _inverted(shown: Spectrogram, quality: str, seed: int) -> Samples:
    """`synthesise` at the picture's own level: what leaves full scale is not turned down."""
    with torch.inference_mode():
        found: Samples = invert(shown, QUALITIES[quality], seed=seed).numpy()
    return found


def _convergence(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(20 * torch.log10((found - wanted).norm() / wanted.norm()))


def _print_ladder(name: str, rows: list[dict[str, Row]]) -> dict[str, Row]:
    print(f"\n{name}, {len(rows)} seeds, medians (ratio and gain within each seed)")
    print(f"{'':12s}{'CPU s':>8s}{'mel SC':>9s}{'lin SC':>9s}{'faster':>9s}{'mel gain':>10s}")
    table = {}
    for way in rows[0]:
        ratios = [r[REFERENCE]["cpu_s"] / r[way]["cpu_s"] for r in rows]
        gains = [r[REFERENCE]["mel_sc"] - r[way]["mel_sc"] for r in rows]
        line = {key: statistics.median(r[way][key] for r in rows) for key in rows[0][way]}
        line |= {"faster": statistics.median(ratios), "gain_db": statistics.median(gains)}
        print(
            f"{way:12s}{line['cpu_s']:8.2f}{line['mel_sc']:9.1f}{line['linear_sc']:9.1f}"
            f"{line['faster']:8.1f}x{line['gain_db']:+8.1f} dB"
            f"   (worst {min(ratios):.1f}x, {min(gains):+.1f} dB; mel SC "
            f"{max(r[way]['mel_sc'] for r in rows):.1f})"
        )
        table[way] = line
    return table


def _beat_grid(seeds: int) -> dict[str, Row]:
    """mel SC and real-time factor over tempi, through the picture."""
    print(f"\nbeat grid, 2 bars, {seeds} seeds: median mel SC in dB (CPU s per s of sound)")
    print(f"{'bpm':12s}" + "".join(f"{bpm:>16d}" for bpm in TEMPI) + "          spread")
    table = {}
    for quality in QUALITIES:
        line = {}
        cells = []
        for bpm in TEMPI:
            measured = [_round_trip(bpm, seed, quality) for seed in range(seeds)]
            line[f"{bpm}"] = statistics.median(sc for sc, _ in measured)
            speed = statistics.median(rtf for _, rtf in measured)
            cells.append(f"{line[f'{bpm}']:9.1f} ({speed:.3f})")
        spread = max(line.values()) - min(line.values())
        print(f"{quality:12s}" + "".join(cells) + f"{spread:13.1f} dB", flush=True)
        table[quality] = line
    return table


def _round_trip(bpm: int, seed: int, quality: str) -> tuple[float, float]:
    song = replace(_full_band(seed), bpm=float(bpm))
    loop, tempo = band.render(song), Tempo(bpm=float(bpm), beats=8)
    drawn = to_image(analyse(loop.clip, BEATS, tempo=tempo, circular=True))
    shown = from_image(drawn, BEATS, tempo=tempo, circular=True)
    started = time.process_time()
    clip = Clip(samples=_inverted(shown, quality, seed))
    seconds = time.process_time() - started
    again = analyse(clip, BEATS, tempo=tempo, circular=True)
    wanted = torch.from_numpy(shown.magnitudes)
    return _convergence(torch.from_numpy(again.magnitudes), wanted), seconds / clip.duration_s


if __name__ == "__main__":
    main()
