"""Does the embedded model do what it is told? Measured from rendered sound by a judge.

First the judge itself is measured, on raw renders of the band and on renders through
autoencoder and codec; then the model on prompts that training never saw; then the same sounds
against other loops' prompts, where a score above chance would mean that the measure is worth
nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from audio.synth.band import PARTS, Song, render
from riffapp.errors import UsageError
from riffapp.studio import checkpoints
from riffapp.studio.checkpoints import EMBEDDED, Instrument
from riffapp.studio.dataset import GREY_LEVEL_DB, picture, song_number, unseen_caption
from riffapp.studio.judge import JUDGE_FILE, Judge, Verdict
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.train_judge import reconstructed
from riffapp.studio.types import LoopRequest
from sdcore.train.autoencoder import roundtrip

TEST_SEED = 2026  # no song of the training set has it
BARS = 2


@dataclass(eq=False)
class Tally:
    """Hits and tries by name."""

    hits: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tries: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, name: str, hit: bool) -> None:
        self.tries[name] += 1
        self.hits[name] += hit

    def percent(self) -> dict[str, float]:
        """Share of hits in percent, for everything that was tried."""
        return {name: 100 * self.hits[name] / tries for name, tries in self.tries.items()}


@dataclass(frozen=True, kw_only=True)
class Report:
    """All figures of one evaluation, in percent but for the decibels."""

    prompts: int
    judge_raw: dict[str, float]
    judge_codec: dict[str, float]
    roundtrip_db: float
    roundtrip_audible_db: float
    model: dict[str, float]
    shuffled: dict[str, float]
    tries: dict[str, int]


def evaluate(
    ref: str,
    *,
    prompts: int,
    judge: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Report:
    """Measure a loops checkpoint on `prompts` unseen prompts, by the embedded judge or another.

    Raises UsageError for fewer than two prompts, which nothing could be shuffled with.
    """
    if prompts < 2:
        raise UsageError(f"prompts {prompts}: give at least 2, so that they can be shuffled")
    instrument = checkpoints.load(ref, device=device, threads=threads)
    ear = Judge.load(judge or EMBEDDED / JUDGE_FILE, instrument.sound.params)
    cases = unseen(prompts)
    songs = [song for song, _ in cases]
    raw, codec = Tally(), Tally()
    vae = instrument.checkpoint.vae
    for song in tqdm(songs, desc="the judge on the band", unit="loop"):
        score(ear.hear(render(song)), song, raw)
        score(ear.hear(reconstructed(picture(song), song.tempo, vae)), song, codec)
    everywhere, audible = roundtrip_error_db(songs, vae)
    verdicts = list(hear_model(instrument, ear, cases))
    model, shuffled = Tally(), Tally()
    for i, (verdict, song) in enumerate(zip(verdicts, songs, strict=True)):
        score(verdict, song, model)
        score(verdict, songs[(i + len(songs) // 2) % len(songs)], shuffled)
    return Report(
        prompts=len(cases),
        judge_raw=raw.percent(),
        judge_codec=codec.percent(),
        roundtrip_db=everywhere,
        roundtrip_audible_db=audible,
        model=model.percent(),
        shuffled=shuffled.percent(),
        tries=dict(model.tries),
    )


def lines(report: Report) -> list[str]:
    """The report as a table for people."""
    head = f"{'':24}{'judge raw':>11}{'judge codec':>12}{'model':>8}{'shuffled':>10}{'tries':>7}"
    rows = [
        f"{name:24}{report.judge_raw[name]:10.1f}%{report.judge_codec[name]:11.1f}%"
        f"{report.model[name]:7.1f}%{report.shuffled.get(name, float('nan')):9.1f}%{tries:7}"
        for name, tries in report.tries.items()
    ]
    foot = (
        f"autoencoder round trip {report.roundtrip_db:.2f} dB mean mel error"
        f" ({report.roundtrip_audible_db:.2f} dB where it sounds), {report.prompts} unseen prompts"
    )
    return [head, *rows, foot]


def unseen(count: int) -> list[tuple[Song, str]]:
    """Songs and captions that training held out by their text."""
    found: list[tuple[Song, str]] = []
    index = 0
    while len(found) < count:
        song = song_number(index, bars=BARS, seed=TEST_SEED)
        text = unseen_caption(song, np.random.default_rng((TEST_SEED, index)))
        if text is not None:
            found.append((song, text))
        index += 1
    return found


def hear_model(
    instrument: Instrument, judge: Judge, cases: Sequence[tuple[Song, str]]
) -> Iterator[Verdict]:
    """What the judge hears in the model's loop for each caption, word for word."""
    for i, (song, text) in enumerate(tqdm(cases, desc="the model", unit="loop")):
        request = LoopRequest(prompt=text, bpm=song.bpm, bars=BARS, seed=i)
        for result in make_loops(instrument, request):
            yield judge.hear(result.loop)


def score(verdict: Verdict, song: Song, tally: Tally) -> None:
    """Add one loop to a tally: each part asked or unasked, its player, genre and key."""
    named = {"drums": song.kit, "bass": song.bass, "chords": song.chords, "lead": song.lead}
    for part in PARTS:
        asked = named[part] is not None
        heard = verdict.presence[part] > 0.5
        tally.add(f"{part} {'asked, present' if asked else 'unasked, absent'}", heard == asked)
        if asked:
            tally.add(f"{part} player", verdict.players.get(part) == named[part])
    if song.kit is not None:
        tally.add("genre (with drums)", verdict.genre == song.genre)
    if song.chords is not None:
        tally.add("key (with chords)", verdict.key == song.key)


def roundtrip_error_db(songs: Sequence[Song], vae: Any) -> tuple[float, float]:
    """Mean absolute mel error of the autoencoder in dB: everywhere, and where it sounds."""
    pictures = np.stack([picture(song) for song in songs])
    back = np.concatenate([roundtrip(vae, pictures[i : i + 8]) for i in range(0, len(songs), 8)])
    error = np.abs(pictures.astype(np.float64) - back) * (GREY_LEVEL_DB)
    return float(error.mean()), float(error[pictures < 255].mean())
