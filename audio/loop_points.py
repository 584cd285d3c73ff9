"""Where a longer recording can be cut into a loop: bars that end as they begin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audio.errors import ParameterError
from audio.loops import Seam, seam
from audio.onsets import RATE, FloatArray
from audio.semitones import HOP, levels_db, semitones
from audio.tempo import heard
from audio.types import Clip

_CONTEXT_S = 0.5  # of what follows the start and the end, that should be alike
_SEARCH_S = 0.002  # by which a cut may move to a moment where the wave fits


@dataclass(frozen=True, kw_only=True)
class LoopPoint:
    """Samples [start, end) of a clip that make a loop; `likeness` of what follows both, 0 .. 1."""

    start: int
    end: int
    likeness: float
    seam: Seam


def loop_points(
    clip: Clip, downbeats_s: FloatArray, *, bars: int, count: int = 5
) -> tuple[LoopPoint, ...]:
    """The best loops of so many bars, each from a bar's first beat on, the most alike first.

    What is heard after the end is to be like what is heard after the start, so that going back is
    not noticed; then the end moves by up to 2 ms to where the wave goes on.
    Raises ParameterError where the recording has fewer bars.
    """
    if len(downbeats_s) <= bars:
        raise ParameterError(
            f"{len(downbeats_s)} bars begin in the recording: a loop of {bars} needs one more"
        )
    db = levels_db(semitones(heard(clip)))
    notes = 10 ** (np.maximum(db, -60) / 40)
    reach = max(1, round(_CONTEXT_S * RATE / HOP))
    found = []
    for start_s, end_s in zip(downbeats_s[:-bars], downbeats_s[bars:], strict=True):
        first, last = (round(t * RATE / HOP) for t in (start_s, end_s))
        here, there = notes[:, first : first + reach], notes[:, last : last + reach]
        n = min(here.shape[1], there.shape[1])
        end = round(end_s * clip.rate)
        if n == 0 or end > clip.n:
            continue
        a, b = here[:, :n].ravel(), there[:, :n].ravel()
        likeness = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-12))
        found.append((likeness, round(start_s * clip.rate), end))
    best = sorted(found, reverse=True)[:count]
    return tuple(_point(clip, *one) for one in best)


def _point(clip: Clip, likeness: float, start: int, end: int) -> LoopPoint:
    reach = round(_SEARCH_S * clip.rate)
    ends = np.arange(max(start + 1, end - reach), min(clip.n, end + reach) + 1)
    steps = np.abs(clip.samples[:, ends - 1] - clip.samples[:, start : start + 1]).sum(0)
    end = int(ends[int(np.argmin(steps))])
    cut = replace(clip, samples=clip.samples[:, start:end])
    return LoopPoint(start=start, end=end, likeness=likeness, seam=seam(cut))
