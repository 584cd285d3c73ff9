"""Speech in rhythm: stressed vowels on the grid, laid out by dynamic programming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from audio.align.music import FloatArray, Music
from audio.align.pieces import (
    CONSONANT,
    SILENCE,
    VOWEL,
    Give,
    Pieces,
    Segment,
    pieces,
    segments,
)
from audio.align.plan import OFF, PAUSED, Misfit, Plan, Sentence, anchored
from audio.align.settings import FLOWS, Flow, Settings
from audio.align.syllables import Syllable
from audio.align.time_map import TimeMap

KEPT_S = 0.03  # at ratio 1 on either side of an anchor, or a quarter of the way to the next
# What a layout costs, next to seconds * log(stretch / pace) ** 2.
_SKIPPED = {2: 0.5, 1: 0.3, 0: 0.3}  # by stress
_PAUSED, _PAUSED_S = 0.4, 0.5
_BEAM = 40  # slots that an anchor may still be on
_SKIPS = 3  # anchors between two that are on the grid
_WAIT_BEATS = 2.0  # longest search for a free place


@dataclass(frozen=True, kw_only=True)
class _Gap:
    """What lies between two anchors; `door_s` is where a pause may be: after the first's word."""

    pieces: Pieces
    door_s: float | None


def planned(
    sentence: Sentence, music: Music, start_beat: float, *, strength: float, settings: Settings
) -> Plan:
    """Each stressed vowel on a slot, the first one on `start_beat` or the slot after it.

    Sounds are stretched within the limits; where no slot can be reached so, the voice waits at the
    end of a word, or within a word leaves the vowel off the grid: both are misfits.
    """
    spoken = sentence.syllables
    anchors = [s for s in spoken if s.stress > 0] or [spoken[0]]
    parts = segments(sentence.speech)
    grid, flow = music.grid, FLOWS[settings.flow]
    laid_out = _pieces(parts, [s.anchor_s for s in anchors], settings.limits)
    spoken_s = parts[-1].end_s - parts[0].start_s
    beats = 4 * spoken_s / grid.beat_s + 2 * len(anchors) + 8 * grid.meter
    slots = grid.slots(settings.subdivision, start_beat, start_beat + beats, swing=settings.swing)
    search = _Search(
        anchors=anchors,
        parts=parts,
        pieces=laid_out,
        slots_s=np.array([grid.seconds(slot) for slot in slots]),
        weakness=grid.weakness(slots),
        flow=flow,
        wait_s=_WAIT_BEATS * grid.beat_s,
    )
    chosen = search.best()
    full, waited = search.mapped(chosen)
    first = anchors[0].anchor_s
    natural_s = float(search.slots_s[chosen[0]]) - (first - float(full.source_s[0]))
    time_map = full.towards(natural_s, strength)
    wanted, misfits = [], []
    for k, syllable in enumerate(anchors):
        text = sentence.speech.words[syllable.word].text
        if k in chosen:
            asked = float(search.slots_s[chosen[k]])
        else:
            at = float(full.after(syllable.anchor_s))
            asked = float(search.slots_s[np.abs(search.slots_s - at).argmin()])
            misfits.append(Misfit(word=syllable.word, text=text, reason=OFF))
        if k in waited:
            misfits.append(Misfit(word=syllable.word, text=text, reason=PAUSED))
        wanted.append((syllable.word, syllable.anchor_s, asked))
    return Plan(
        time_map=time_map,
        pitch=None,
        anchors=anchored(time_map, tuple(wanted)),
        misfits=tuple(misfits),
    )


def _pieces(
    parts: Sequence[Segment], anchors_s: Sequence[float], limits: tuple[float, float]
) -> Pieces:
    low, high = limits
    gives = {
        VOWEL: Give(give=1.0, low=low, high=high),
        CONSONANT: Give(give=0.5, low=low, high=high),
        SILENCE: Give(give=1.5, low=min(low, 0.3), high=np.inf),
    }
    kept = []
    for k, t in enumerate(anchors_s):
        before = KEPT_S if k == 0 else min(KEPT_S, (t - anchors_s[k - 1]) / 4)
        after = KEPT_S if k == len(anchors_s) - 1 else min(KEPT_S, (anchors_s[k + 1] - t) / 4)
        kept.append((t - before, t + after))
    return pieces(parts, gives, kept=kept, edges_s=anchors_s)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Search:
    """The cheapest slots for anchors, one after the other (Viterbi's algorithm over slots)."""

    anchors: Sequence[Syllable]
    parts: Sequence[Segment]
    pieces: Pieces
    slots_s: FloatArray
    weakness: FloatArray
    flow: Flow
    wait_s: float

    def best(self) -> dict[int, int]:
        """The slot of each anchor that has one."""
        count = len(self.anchors)
        layers: dict[int, FloatArray] = {0: np.full(len(self.slots_s), np.inf)}
        layers[0][0] = 0.0
        back: dict[tuple[int, int], tuple[int, int]] = {}
        for k in range(1, count):
            cost = np.full(len(self.slots_s), np.inf)
            for before in list(layers)[-1 - _SKIPS :][::-1]:
                skipped = sum(_SKIPPED[s.stress] for s in self.anchors[before + 1 : k])
                if np.isfinite(cost).any() and skipped > 0 and self._are_apart(before, k):
                    continue
                self._extend(layers[before] + skipped, before, k, cost, back)
            if np.isfinite(cost).any():
                kept = np.argsort(cost)[:_BEAM]
                layers[k] = np.full(len(self.slots_s), np.inf)
                layers[k][kept] = cost[kept]
        last = min(layers, key=lambda k: float(layers[k].min()) + self._missing(k))
        slot = int(layers[last].argmin())
        chosen = {last: slot}
        while last > 0:
            last, slot = back[last, slot]
            chosen[last] = slot
        return chosen

    def mapped(self, chosen: dict[int, int]) -> tuple[TimeMap, set[int]]:
        """The map that brings chosen anchors onto their slots, and those that a pause precedes."""
        order = sorted(chosen)
        first = self.anchors[order[0]].anchor_s
        begins, ends = self.parts[0].start_s, self.parts[-1].end_s
        at = float(self.slots_s[chosen[order[0]]])
        knots, waited = [(begins, at - (first - begins))], set()
        for a, b in pairwise(order):
            gap = self._gap(a, b)
            start, end = (float(self.slots_s[chosen[k]]) for k in (a, b))
            voiced, longest = end - start, gap.pieces.longest_s
            door = None
            if voiced > longest + 1e-6:
                waited.add(b)
                door = gap.door_s
                voiced = (longest * gap.pieces.spoken_s) ** 0.5
            knots += gap.pieces.knots(start, end, voiced_s=voiced, door_s=door)
        final = order[-1]
        knots.append(
            (ends, float(self.slots_s[chosen[final]]) + ends - self.anchors[final].anchor_s)
        )
        return TimeMap.of(*zip(*knots, strict=True)), waited

    def _gap(self, a: int, b: int) -> _Gap:
        one, other = self.anchors[a], self.anchors[b]
        door = None
        if one.word != other.word:
            door = max(p.end_s for p in self.parts if p.word == one.word)
        return _Gap(pieces=self.pieces.between(one.anchor_s, other.anchor_s), door_s=door)

    def _extend(
        self,
        costs: FloatArray,
        before: int,
        k: int,
        cost: FloatArray,
        back: dict[tuple[int, int], tuple[int, int]],
    ) -> None:
        """Cheapen `cost` of anchor k's slots by ways from anchor `before`'s."""
        gap = self._gap(before, k)
        starts = np.flatnonzero(np.isfinite(costs))
        shortest, longest = gap.pieces.shortest_s, gap.pieces.longest_s
        far = longest if gap.door_s is None else longest + self.wait_s
        far = min(far, 3 * gap.pieces.spoken_s + self.wait_s)
        steps = self.slots_s[None, :] - self.slots_s[starts][:, None]
        rows, slots = np.nonzero((steps >= shortest - 1e-6) & (steps <= far + 1e-6) & (steps > 0))
        if not len(rows):
            return
        totals, which = np.unique(np.round(steps[rows, slots], 6), return_inverse=True)
        ways = costs[starts[rows]] + self._costs(gap, totals)[which]
        weight = self.flow.weak * self.anchors[k].stress / 2
        ways = ways + weight * self.weakness[slots]
        for way in np.argsort(ways)[::-1]:  # the cheapest is written last
            slot = int(slots[way])
            if ways[way] < cost[slot]:
                cost[slot] = ways[way]
                back[k, slot] = (before, int(starts[rows[way]]))

    def _costs(self, gap: _Gap, totals_s: FloatArray) -> FloatArray:
        """What each length of a gap costs: its stretch against the pace, and waiting."""
        pieces = gap.pieces
        waits = np.maximum(totals_s - pieces.longest_s, 0)
        ratios = pieces.laid(np.minimum(totals_s, pieces.longest_s)) / pieces.lengths_s
        speech = pieces.lengths_s * (pieces.kind != SILENCE)
        silence = pieces.lengths_s * (pieces.kind == SILENCE)
        found: FloatArray = (
            np.log(ratios / self.flow.pace) ** 2 @ speech
            + 0.3 * np.log(ratios) ** 2 @ silence
            + np.where(waits > 1e-6, _PAUSED + _PAUSED_S * waits, 0.0)
        )
        return found

    def _are_apart(self, before: int, k: int) -> bool:
        """Whether anchors are in words of their own, so that waiting can part them."""
        words = [s.word for s in self.anchors[before : k + 1]]
        return len(set(words)) == len(words)

    def _missing(self, k: int) -> float:
        return sum(_SKIPPED[s.stress] for s in self.anchors[k + 1 :])
