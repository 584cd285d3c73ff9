"""A spoken script as files: mix, stems, subtitles, chapters, a report and a picture of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audio import chapters, disk, stream, subtitles
from audio.align.fit import Report
from audio.chapters import Chapter
from riffapp.errors import UsageError
from riffapp.studio import record
from riffapp.studio.files import SUBTYPES, refuse_depth
from riffapp.studio.speech_picture import picture

if TYPE_CHECKING:
    from audio.types import Samples
    from audio.voice_over import Block
    from riffapp.studio.speech import Said, Spoken

STEMS: dict[str, Callable[[Block], Samples]] = {
    "": lambda block: block.mix,
    ".voice": lambda block: block.voice,
    ".bed": lambda block: block.bed,
}


@dataclass(frozen=True, kw_only=True)
class SavedSpeech:
    """Where everything went; `chapters` and `cue_sheet` are None for a script without chapters."""

    mix: Path
    voice: Path
    bed: Path
    srt: Path
    vtt: Path
    report: Path
    picture: Path
    chapters: Path | None = None
    cue_sheet: Path | None = None


def refuse_own_bed(path: Path, bed: Path) -> None:
    """Raises UsageError where a file of the mix at `path` would take the place of its bed."""
    for stem in STEMS:
        if path.with_name(f"{path.stem}{stem}{path.suffix}").resolve() == bed.resolve():
            raise UsageError(f"{path} would replace its own bed {bed}: give another name with -o")


def save(spoken: Spoken, path: Path, *, bit_depth: str = "16") -> SavedSpeech:
    """Write the mix to `path` and all else beside it; none of it where any of it fails.

    Raises UsageError for a bit depth that the format lacks, audio's errors for what the disk says.
    """
    refuse_depth(path, bit_depth)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        names = _written(spoken, Path(folder) / path.name, SUBTYPES[bit_depth])
        places = {name: path.with_name(made.name) for name, made in names.items()}
        for name, made in names.items():
            _moved(made, places[name])
    return SavedSpeech(**places)


def _written(spoken: Spoken, path: Path, subtype: str) -> dict[str, Path]:
    found = {}
    texts = {record.DOCUMENT: record.document("speech", request=asdict(spoken.request))}
    for stem, part in STEMS.items():
        place = path.with_name(f"{path.stem}{stem}{path.suffix}")
        found[stem.removeprefix(".") or "mix"] = place
        stream.write_blocks(
            place,
            (part(block) for block in spoken.mixed.blocks()),
            rate=spoken.bed.rate,
            channels=spoken.bed.channels,
            subtype=subtype,
            tags=texts,
        )
    cues = subtitles.cues((said.text, said.words) for said in spoken.said)
    written = {
        "srt": (".srt", subtitles.srt(cues)),
        "vtt": (".vtt", subtitles.vtt(cues)),
        "report": (".report.json", json.dumps(report(spoken), indent=2, ensure_ascii=False)),
    }
    if spoken.chapters:
        told, length_s = _from_the_start(spoken.chapters), spoken.duration_s
        written["chapters"] = (".chapters.json", chapters.to_json(told, duration_s=length_s))
        written["cue_sheet"] = (
            ".cue",
            chapters.cue_sheet(told, sound=path.name, title=path.stem, duration_s=length_s),
        )
        if path.suffix.lower() == ".mp3":
            chapters.add_to_mp3(path, told, duration_s=length_s)
    for name, (suffix, text) in written.items():
        found[name] = path.with_suffix(suffix)
        disk.write_whole(found[name], text.encode("utf-8"))
    found["picture"] = path.with_suffix(".fit.png")
    with disk.replacing(found["picture"]) as file:
        picture(spoken).save(file, "PNG")
    return found


def _moved(made: Path, place: Path) -> None:
    try:
        shutil.move(made, place)
    except OSError as error:
        raise disk.refusal(error, place, "written") from error


def _from_the_start(told: tuple[Chapter, ...]) -> tuple[Chapter, ...]:
    """The first chapter begins with the intro: players show none before it."""
    return (Chapter(start_s=0.0, title=told[0].title), *told[1:])


# ---- the report -------------------------------------------------------------------------------


def report(spoken: Spoken) -> dict[str, Any]:
    """What was achieved, in all and sentence by sentence, as plain data."""
    under, loud = spoken.accompaniment, spoken.mixed.loudness
    onsets = [s.report.onsets for s in spoken.said if s.report.onsets is not None]
    count = sum(o.count for o in onsets)
    cents = [s.report.pitch.median_cents for s in spoken.said if s.report.pitch is not None]
    stretch = np.array([s.report.stretch for s in spoken.said])
    return {
        "duration_s": round(spoken.duration_s, 3),
        "bpm": under.music.bpm,
        "key": under.key,
        "known_from": dict(under.origins),
        "lufs": round(loud.lufs, 2),
        "true_peak_db": round(loud.true_peak_db, 2),
        "voice_above_bed_lu": round(min(p.margin_lu for p in spoken.mixed.spoken), 2),
        "bed_ducked_db": [round(p.ducked_db, 2) for p in spoken.mixed.spoken],
        "anchors": count,
        "anchors_near": sum(o.near for o in onsets),
        "onset_mean_ms": _rounded(
            sum(o.mean_ms * o.count for o in onsets) / count if count else None
        ),
        "onset_worst_ms": _rounded(max((o.worst_ms for o in onsets), default=None)),
        "pitch_median_cents": _rounded(float(np.median(cents)) if cents else None),
        "stretch": [_rounded(stretch[:, 0].min()), _rounded(stretch[:, 2].max())],
        "did_not_fit": [str(misfit) for s in spoken.said for misfit in s.report.misfits],
        "sentences": [_sentence(said) for said in spoken.said],
    }


def _sentence(said: Said) -> dict[str, Any]:
    found: Report = said.report
    return {
        "text": said.text,
        "voice": f"{said.voice.engine}:{said.voice.id}",
        "licence": said.voice.licence,
        "start_s": _rounded(said.start_s),
        "end_s": _rounded(said.end_s),
        "mode": found.mode,
        "strength": found.strength,
        "onsets": None if found.onsets is None else asdict(found.onsets),
        "pitch": None if found.pitch is None else asdict(found.pitch),
        "stretch": [_rounded(ratio) for ratio in found.stretch],
        "did_not_fit": [str(misfit) for misfit in found.misfits],
        "words": [[w.text, _rounded(w.start_s), _rounded(w.end_s)] for w in said.words],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def misfits(spoken: Spoken) -> tuple[str, ...]:
    """What did not fit, a sentence each."""
    return tuple(
        f"'{said.text[:40]}': {misfit}" for said in spoken.said for misfit in said.report.misfits
    )


def lines(spoken: Spoken, saved: SavedSpeech) -> Iterator[str]:
    """The report in a few lines for people."""
    told = report(spoken)
    sentences = len(told["sentences"])
    yield (
        f"{saved.mix}  {sentences} sentence{'s' * (sentences != 1)}, {told['duration_s']:.3f} s at "
        f"{told['bpm']:g} bpm, {told['key'] or 'no key'}, {told['lufs']:.1f} LUFS, true peak "
        f"{told['true_peak_db']:.1f} dBTP, voice {told['voice_above_bed_lu']:.1f} LU above the bed"
    )
    fitted = []
    if told["onset_mean_ms"] is not None:
        fitted.append(
            f"{told['anchors']} onsets on the beat within {told['onset_mean_ms']:.1f} ms on "
            f"average, {told['onset_worst_ms']:.1f} ms at most"
        )
    if told["pitch_median_cents"] is not None:
        fitted.append(f"pitch within {told['pitch_median_cents']:.1f} cents (median)")
    fitted.append(f"stretched {told['stretch'][0]:.2f} to {told['stretch'][1]:.2f} times")
    yield "; ".join(fitted)
    yield f"{saved.voice.name}, {saved.bed.name}, {saved.srt.name}, {saved.vtt.name}, " + ", ".join(
        place.name
        for place in (saved.chapters, saved.cue_sheet, saved.report, saved.picture)
        if place is not None
    )
