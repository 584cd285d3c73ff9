"""What a person chooses about the fit of a voice."""

from __future__ import annotations

import math
from dataclasses import dataclass

from audio.align.music import SUBDIVISIONS, Tone
from audio.errors import ParameterError
from audio.names import lookup, within


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How words lie on slots: their pace against the spoken one, and how much weak slots cost."""

    pace: float
    weak: float


FLOWS = {"dense": Flow(pace=0.95, weak=0.004), "laid back": Flow(pace=1.2, weak=0.02)}
STARTS: dict[str, int | None] = {"beat": 1, "bar": None}  # beats; a bar has the meter's
MELODIES = {
    "made": "from the chords and the scale",
    "lead": "what the music's lead plays",
    "snap": "none: each syllable goes to the scale's nearest note, in its own time",
}
LIMITS = (0.25, 4.0)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All modes' settings; each mode reads its own.

    All: `starts_on` 'beat' or 'bar'; `anchor_offset_s` from a vowel's onset to where it is felt,
    None for the language's own.
    Rhythmic: `subdivision` as in SUBDIVISIONS; `swing` 0 .. 1; `flow` as in FLOWS; `limits` of the
    stretch of sounds, the least and the most, 1 being as spoken.
    Talk: `pull` 0 .. 1 of the way to the scale's nearest notes.
    Sung: `melody` as in MELODIES, or `tones` to sing (beat 0 is where the sentence starts);
    `octaves` that the melody is moved by, None for those nearest to the voice; `glide_s` from one
    note to the next; `vibrato_cents` either way at `vibrato_hz`; `seed` of a made melody.
    """

    starts_on: str = "beat"
    anchor_offset_s: float | None = None
    subdivision: str = "1/16"
    swing: float = 0.0
    flow: str = "dense"
    limits: tuple[float, float] = (0.6, 1.8)
    pull: float = 0.35
    melody: str = "made"
    tones: tuple[Tone, ...] | None = None
    octaves: int | None = None
    glide_s: float = 0.06
    vibrato_cents: float = 30.0
    vibrato_hz: float = 5.5
    seed: int = 0

    def __post_init__(self) -> None:
        lookup(STARTS, self.starts_on, "start")
        lookup(SUBDIVISIONS, self.subdivision, "subdivision")
        lookup(FLOWS, self.flow, "flow")
        lookup(MELODIES, self.melody, "melody")
        within("swing", self.swing, 0, 1)
        within("pull", self.pull, 0, 1)
        within("glide", self.glide_s, 0, 0.5)
        within("vibrato of cents", self.vibrato_cents, 0, 200)
        within("vibrato at Hz", self.vibrato_hz, 0.5, 12)
        if self.octaves is not None:
            within("octaves", self.octaves, -5, 5)
        low, high = self.limits
        if not (LIMITS[0] <= low <= 1 <= high <= LIMITS[1]):
            raise ParameterError(
                f"limits of stretch {low:g} and {high:g}: give one from {LIMITS[0]:g} to 1 and one "
                f"from 1 to {LIMITS[1]:g}"
            )
        if self.tones is not None:
            _refuse_tones(self.tones)


def _refuse_tones(tones: tuple[Tone, ...]) -> None:
    if not tones:
        raise ParameterError("a melody without notes: give one or more")
    end = 0.0
    for tone in tones:
        if not all(map(math.isfinite, (tone.start_beat, tone.beats, tone.pitch))):
            raise ParameterError("a melody with notes that are no numbers: give beats and pitches")
        if tone.beats <= 0 or tone.start_beat < end - 1e-6:
            raise ParameterError(
                f"a note at beat {tone.start_beat:g}, {tone.beats:g} beats long, after one that "
                f"ends at {end:g}: give notes in order, one at a time, longer than 0"
            )
        if not 0 <= tone.pitch <= 127:
            raise ParameterError(f"a note of pitch {tone.pitch:g}: give MIDI pitches 0 to 127")
        end = tone.start_beat + tone.beats
