"""A picture of a spoken script: waveform, words, beats, and pitch against what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from audio.key import NAMES

if TYPE_CHECKING:
    from audio.align.music import Music
    from audio.types import Samples
    from riffapp.studio.speech import Said, Spoken

BARS_A_ROW, MOST_ROWS = 2, 24
# Narrow enough for its letters to be read where it is shown at half its size.
WIDTH, WAVE, WORDS, PITCH, GAP, LEFT = 1100, 90, 52, 150, 28, 62
PAPER, INK, FAINT, BEAT, BAR = "#ffffff", "#1c2733", "#8a97a5", "#e8ecf0", "#b9c3cd"
VOICE, ASKED, HEARD = "#3b82c4", "#f2b36b", "#b3261e"
_FONT, _LETTER = 18, 20  # pixels of a letter, and from one line of text to the next
_ROW = WAVE + WORDS + PITCH + GAP


def picture(spoken: Spoken) -> Image.Image:
    """The first 48 bars, two to a row: the voice's level with its words on the beat grid, below
    it the pitch asked for (broad) and heard (fine), over the scale's notes."""
    music = spoken.accompaniment.music
    bar_s = music.meter * music.grid.beat_s
    rows = min(MOST_ROWS, int(np.ceil(spoken.duration_s / bar_s / BARS_A_ROW)))
    canvas = Image.new("RGB", (WIDTH, rows * _ROW + GAP), PAPER)
    draw, pitches = ImageDraw.Draw(canvas), _range(spoken.said)
    for row in range(rows):
        first_s = row * BARS_A_ROW * bar_s
        _Row(draw, music, GAP + row * _ROW, first_s, BARS_A_ROW * bar_s, pitches).paint(spoken.said)
    return canvas


def _range(said: Sequence[Said]) -> tuple[float, float]:
    """Lowest and highest MIDI pitch to be shown."""
    curves = [hz for s in said for c in (s.heard, s.asked) if c is not None for hz in (c[1],)]
    every = np.concatenate([*curves, np.zeros(0)])
    if not len(every):
        return 48.0, 72.0
    low, high = np.percentile(_midi(every), (1, 99))
    return float(np.floor(low - 2)), float(np.ceil(high + 2))


class _Row:
    """Four bars from a time on."""

    def __init__(
        self,
        draw: ImageDraw.ImageDraw,
        music: Music,
        top: int,
        first_s: float,
        length_s: float,
        pitches: tuple[float, float],
    ) -> None:
        self.draw, self.music, self.top, self.pitches = draw, music, top, pitches
        self.first_s, self.last_s = first_s, first_s + length_s
        self.font = ImageFont.load_default(_FONT)

    def paint(self, said: Sequence[Said]) -> None:
        self._grid()
        self._scale()
        for one in said:
            if one.end_s > self.first_s and one.start_s < self.last_s:
                self._level(one)
                self._words(one)
                if one.asked is not None:
                    self._curve(one.asked, ASKED, 6)
                self._curve(one.heard, HEARD, 2)

    def _x(self, t: float) -> float:
        share = (t - self.first_s) / (self.last_s - self.first_s)
        return LEFT + share * (WIDTH - LEFT - 10)

    def _y(self, pitch: float) -> float:
        low, high = self.pitches
        return self.top + WAVE + WORDS + PITCH * (1 - (pitch - low) / (high - low))

    def _grid(self) -> None:
        grid, meter = self.music.grid, self.music.meter
        first = int(np.ceil(grid.beat(self.first_s) - 1e-6))
        for beat in range(first, int(np.floor(grid.beat(self.last_s) + 1e-6)) + 1):
            x, is_bar = self._x(grid.seconds(beat)), beat % meter == 0
            bottom = self.top + WAVE + WORDS + PITCH
            self.draw.line((x, self.top, x, bottom), fill=BAR if is_bar else BEAT)
            if is_bar and self._x(self.last_s) - x > 1:
                self.draw.text(
                    (x + 2, self.top - _LETTER), f"{beat // meter + 1}", FAINT, self.font
                )

    def _scale(self) -> None:
        (low, high), written = self.pitches, float("inf")
        for note in range(int(low) + 1, int(high)):
            if note % 12 in self.music.scale and self.music.tonic is not None:
                y, is_tonic = self._y(note), note % 12 == self.music.tonic
                self.draw.line((LEFT, y, WIDTH - 10, y), fill=BAR if is_tonic else BEAT)
                room = min(written - y, abs(y - self._y(self._tonic_near(note))))
                if is_tonic or room > _LETTER:
                    written = y
                    name = f"{NAMES[note % 12]}{note // 12 - 1}"
                    self.draw.text(
                        (6, y - _FONT / 2 - 2), name, INK if is_tonic else FAINT, self.font
                    )

    def _tonic_near(self, note: int) -> int:
        """The key's tonic nearest to a note: its name is written whatever lies beside it."""
        assert self.music.tonic is not None
        return note - (note - self.music.tonic + 6) % 12 + 6

    def _level(self, said: Said) -> None:
        middle, half = self.top + WAVE / 2, WAVE * 0.48 / (float(said.level.max()) or 1.0)
        times = said.start_s + said.seconds_a_level * np.arange(len(said.level))
        inside = (times >= self.first_s) & (times < self.last_s)
        xs = [self._x(t) for t in times[inside].tolist()]
        heights = np.maximum(0.5, said.level[inside] * half).tolist()
        upper = [(x, middle - height) for x, height in zip(xs, heights, strict=True)]
        lower = [(x, middle + height) for x, height in zip(xs, heights, strict=True)]
        if len(xs) > 1:
            self.draw.polygon([*upper, *reversed(lower)], fill=VOICE)

    def _words(self, said: Said) -> None:
        free = [float(LEFT)] * 2  # of two lines, how far each is written
        for word in said.words:
            x = self._x(word.start_s)
            if not LEFT <= x < WIDTH - 10:
                continue
            self.draw.line((x, self.top + WAVE, x, self.top + WAVE + 6), fill=INK)
            line = int(np.argmin(free)) if x < free[0] else 0
            if x >= free[line]:  # else what came first stays
                y = self.top + WAVE + 4 + line * _LETTER
                length = self.draw.textlength(word.text, self.font)
                self.draw.text((min(x + 2, WIDTH - length - 4), y), word.text, INK, self.font)
                free[line] = x + 4 + length

    def _curve(self, curve: tuple[Samples, Samples], colour: str, width: int) -> None:
        times, hz = curve
        inside = (times >= self.first_s) & (times < self.last_s)
        points = [
            (self._x(t), self._y(m))
            for t, m in zip(times[inside].tolist(), _midi(hz[inside]).tolist(), strict=True)
        ]
        for (x, y), (x2, y2) in zip(points[:-1], points[1:], strict=True):
            if x2 - x < 12:  # not across what has no pitch
                self.draw.line((x, y, x2, y2), fill=colour, width=width)


def _midi(hz: Samples) -> Samples:
    found: Samples = (69 + 12 * np.log2(np.maximum(hz, 1.0) / 440)).astype(np.float32)
    return found
