"""Pieces of 30 s to 10 min: memory, time, tempo to the end, and the sound where blocks meet.

Each length is made by a child process of its own, straight into its file, by the command's own
path. Memory is the peak above what the loaded model takes, time that of the CPU.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SECONDS = (30, 60, 120, 300, 600)
BPM = 120.0
PROMPT = "house drums, saw bass, piano chords, A minor"
ENDS_S = 30.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", help="not used here")
    parser.add_argument("--steps", type=int, default=4, help="denoising steps: memory is the same")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        print(json.dumps(_make(args.child, args.path, steps=args.steps, threads=args.threads)))
        return 0
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seconds in SECONDS:
            rows.append(_child(seconds, Path(folder) / f"{seconds}.wav", args))
            print(_line(seconds, rows[-1]), flush=True)
    _sum_up(rows)
    return 0


def _child(seconds: int, path: Path, args: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", str(seconds), "--path", str(path)]
    command += ["--steps", str(args.steps), "--threads", str(args.threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return row | _heard(path)


def _make(seconds: int, path: Path, *, steps: int, threads: int) -> dict[str, Any]:
    from riffapp.studio import checkpoints, files
    from riffapp.studio.text_to_audio import make_loops
    from riffapp.studio.types import LoopRequest

    instrument = checkpoints.load("loops", device="cpu", threads=threads)
    bars = round(seconds * BPM / 60 / 4)
    wish = LoopRequest(prompt=PROMPT, bpm=BPM, bars=bars, seed=1, steps=steps, closed=False)
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()  # on a busy machine the clock on the wall is not linear
    (result,) = make_loops(instrument, wish)
    files.save(result, path)
    work_s = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": result.tempo.duration_s,
        "loaded_mb": loaded / 1024,
        "above_mb": (peak - loaded) / 1024,
        "work_s": work_s,
        "frames": result.picture.width,
    }


def _heard(path: Path) -> dict[str, Any]:
    from audio import files
    from audio.blocks import BLOCK

    y, rate = files.read(path).samples[0], 44100
    ends = [_offset_ms(part, rate) for part in (y[: int(ENDS_S * rate)], y[-int(ENDS_S * rate) :])]
    window = 1014
    flux = _flux(y, window)
    hop = 60 / BPM * 4 * rate / 128
    joints = [k * BLOCK * hop - 6 * hop for k in range(1, round(len(y) / hop / BLOCK))]
    at = np.unique([round(2 * j / window) + d for j in joints for d in (-1, 0, 1)])
    at = at[at < len(flux)].astype(int)
    inside = np.delete(flux, at)
    return {
        "start_ms": ends[0],
        "end_ms": ends[1],
        "joint_flux": float(np.percentile(flux[at], 95)) if len(at) else 0.0,
        "inside_flux": float(np.percentile(inside, 95)),
    }


def _offset_ms(y: NDArray[np.float32], rate: int) -> float:
    """Where onsets lie against the grid of sixteenths, by the angle of their mean."""
    flux = _flux(y, 512)
    period = 60 / BPM / 4 * rate
    angle = np.angle((flux * np.exp(2j * np.pi * np.arange(len(flux)) * 256 / period)).sum())
    return float(angle / (2 * np.pi) * period / rate * 1000)


def _flux(y: NDArray[np.float32], window: int) -> NDArray[np.float64]:
    half = window // 2
    frames = np.lib.stride_tricks.sliding_window_view(y, window)[::half]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    rises, before = [], None
    for first in range(0, len(frames), 4096):
        levels = np.abs(np.fft.rfft(frames[first : first + 4096] * hann))
        before = levels[:1] if before is None else before
        steps = np.diff(np.concatenate([before, levels]), axis=0)
        rises.append(np.maximum(steps, 0).sum(1))
        before = levels[-1:]
    return np.concatenate(rises)


def _line(seconds: int, row: dict[str, Any]) -> str:
    return (
        f"{seconds:4} s: {row['above_mb']:6.0f} MB above the loaded {row['loaded_mb']:.0f}, "
        f"{row['work_s']:6.1f} s of CPU, onsets {row['start_ms']:+.1f} ms at the start and "
        f"{row['end_ms']:+.1f} ms at the end, flux at joints {row['joint_flux']:.0f} "
        f"(inside {row['inside_flux']:.0f}, 95th percentiles)"
    )


def _sum_up(rows: list[dict[str, Any]]) -> None:
    lengths, works = (np.array([row[name] for row in rows]) for name in ("seconds", "work_s"))
    fit = np.polyval(np.polyfit(lengths, works, 1), lengths)
    r2 = 1 - ((works - fit) ** 2).sum() / ((works - works.mean()) ** 2).sum()
    ratio = rows[-1]["above_mb"] / rows[0]["above_mb"]
    print(f"memory at the longest / shortest {ratio:.3f} (<= 1.10), time linear R^2 {r2:.4f}")


if __name__ == "__main__":
    sys.exit(main())
