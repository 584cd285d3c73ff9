"""What a person sees on the terminal: a bar, a few lines, or one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from riffapp.studio.files import Saved
    from riffapp.studio.text_to_audio import OnProgress
    from riffapp.studio.types import LoopRequest, LoopResult
    from sdcore.types import Step

    Made = Sequence[tuple[LoopResult, Saved]]


def dump(document: object) -> None:
    """One JSON document on standard output."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    print()


def print_notes(notes: Sequence[str]) -> None:
    """Remarks, on standard error: what was made stands all the same."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def print_loops(made: Made, *, load_s: float) -> None:
    """Where each take went, and how fast it was made."""
    for result, saved in made:
        request, seconds = result.request, result.tempo.duration_s
        bars = "bar" if request.bars == 1 else "bars"
        print(
            f"{saved.sound}  {request.bars} {bars} at {request.bpm:g} bpm, "
            f"{seconds:.3f} s, {request.rate} Hz, seed {request.seed}"
        )
        print(f"{saved.picture}  {result.picture.width} x {result.picture.height} spectrogram")
    work_s = sum(result.seconds for result, _ in made)
    sound_s = sum(result.tempo.duration_s for result, _ in made)
    origin = made[0][0].origin
    threads = "1 thread" if origin.threads == 1 else f"{origin.threads} threads"
    where = f"{origin.device}, {threads}" if origin.device == "cpu" else origin.device
    print(
        f"made in {work_s:.2f} s (RTF {work_s / sound_s:.2f}) on {where}; "
        f"model loaded in {load_s:.1f} s"
    )


def loops_document(
    planned: LoopRequest, made: Made, notes: Sequence[str], *, load_s: float
) -> dict[str, Any]:
    """The same for programs."""
    takes = [
        {
            "sound": str(saved.sound),
            "picture": str(saved.picture),
            "seed": result.request.seed,
            "samples": result.tempo.samples(result.request.rate),
            "rate": result.request.rate,
            "duration_s": result.tempo.duration_s,
            "seconds": round(result.seconds, 4),
            "rtf": round(result.rtf, 4),
        }
        for result, saved in made
    ]
    return {
        "request": asdict(planned),
        "origin": asdict(made[0][0].origin),
        "takes": takes,
        "warnings": list(notes),
        "load_s": round(load_s, 3),
    }


def steps(on_progress: OnProgress) -> Callable[[Step], None]:
    """What the picture core reports, as a bar takes it."""
    from riffapp.studio.text_to_audio import Progress

    def on_step(step: Step) -> None:
        done = step.run * step.steps + step.index + 1
        on_progress(Progress(done=done, total=max(step.runs * step.steps, done)))

    return on_step


class Bar:
    """A progress bar on a terminal, silence elsewhere."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> OnProgress:
        from riffapp.studio.text_to_audio import Progress, ignore

        if not self._shown:
            return ignore
        from tqdm import tqdm

        self._bar = tqdm(unit="step", leave=False)

        def on_progress(progress: Progress) -> None:
            self._bar.total = progress.total
            self._bar.update(progress.done - self._bar.n)

        return on_progress

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
