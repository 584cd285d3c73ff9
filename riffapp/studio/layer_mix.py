"""The folder of layers: takes made or used again, stems, their mix, and the document of it all.

The stems are written first and the mix is the sum of what their files hold, so that in 16 and 24
bit they sum to it to the sample.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.errors import UsageError
from riffapp.studio import files, pack_files
from riffapp.studio.layers import SUFFIXES, LayersPlan, PlannedLayer, checked
from riffapp.studio.pack_files import Entries, Entry, PackLoop
from riffapp.studio.packs import Maker, Meter
from riffapp.studio.text_to_audio import OnProgress, ignore, strayed
from riffapp.studio.types import BEATS_PER_BAR

if TYPE_CHECKING:
    from audio.types import Clip

DOCUMENT, STEMS, TAKES = "layers.json", "stems", "takes"
VERSION = 1
PEAK_DB = -1.0  # what the mix and each stem reach at most


@dataclass(frozen=True, kw_only=True)
class MadeLayers:
    """What was written: the mix, a stem for each layer, and the names of the takes made for it.

    `headroom_db` is the gain that all stems have in common, 0 or below.
    """

    mix: Path
    stems: tuple[Path, ...]
    headroom_db: float
    duration_s: float
    made: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_plan(path: Path) -> LayersPlan:
    """The plan in a layers.json. Raises UsageError for what is none."""
    plain = _read(path)
    try:
        layers = [
            PlannedLayer(
                name=str(one["name"]),
                role=one["role"],
                prompt=str(one["prompt"]),
                request=pack_files.request_of(one["request"]),
                gain_db=float(one["gain_db"]),
                mute=one["mute"] is True,
                solo=one["solo"] is True,
            )
            for one in plain["layers"]
        ]
        plan = LayersPlan(
            layers=tuple(layers), bit_depth=str(plain["bit_depth"]), suffix=str(plain["suffix"])
        )
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{path} holds no layers ({error!r}): give a layers.json") from error
    return checked(plan)


def _read(path: Path) -> dict[str, Any]:
    from audio.disk import read_whole

    if not path.is_file():
        raise UsageError(f"no file {path}: check the name")
    try:
        plain = json.loads(read_whole(path))
        if plain["kind"] != "layers":
            raise ValueError(f"kind {plain['kind']!r}")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(f"{path} holds no layers ({error!r}): give a layers.json") from error
    return dict(plain)


# ---- making -----------------------------------------------------------------------------------


def make_layers(
    folder: Path, plan: LayersPlan, *, make: Maker, on_progress: OnProgress = ignore
) -> MadeLayers:
    """Put mix, stems and takes into the folder; takes that are there and still asked for are kept.

    The stems sum to the mix exactly in 16 and 24 bit, and to float32 rounding in float.
    Raises UsageError where the folder holds files that no layers made.
    """
    with pack_files.held(folder):
        before = _before(folder)
        loops = [PackLoop(file=f"{one.file}.wav", request=one.request) for one in plan.layers]
        (folder / TAKES).mkdir(exist_ok=True)
        entries, notes = pack_files.kept(folder / TAKES, loops, _known(plan, before))
        _write(folder, _document(plan, entries))
        todo = [loop for loop in loops if loop.file not in entries]
        meter = Meter([loop.request for loop in todo], on_progress)
        for loop in todo:
            result = make(loop.request, meter.next())
            for entry in entries.values():
                notes += strayed(entry.origin, result.origin)
            files.save(result, folder / TAKES / loop.file)
            entries[loop.file] = pack_files.entry(folder / TAKES, loop, result.origin)
        _drop_stale(folder, plan, before)
        mixed = _mixed(folder, plan)
        _write(folder, _document(plan, entries, mixed))
    made = tuple(one.name for one, loop in zip(plan.layers, loops, strict=True) if loop in todo)
    return replace(mixed, made=made, notes=tuple(dict.fromkeys([*plan.notes, *notes])))


def _before(folder: Path) -> dict[str, Any]:
    """The folder's layers.json; {} where nothing is there yet."""
    if (folder / DOCUMENT).exists():
        read_plan(folder / DOCUMENT)
        return _read(folder / DOCUMENT)
    names = [STEMS, TAKES, *(f"mix{suffix}" for suffix in SUFFIXES)]
    found = next((name for name in names if (folder / name).exists()), None)
    if found is not None:
        raise UsageError(f"{folder / found} exists and no layers made it: name another folder")
    return {}


def _known(plan: LayersPlan, before: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The takes by file name that the folder's document tells of and that are asked for still."""
    asked = {one.name: one for one in plan.layers}
    found: dict[str, Mapping[str, Any]] = {}
    for row in before.get("layers", ()):
        one, take = asked.get(row["name"]), row.get("take")
        if one and take and pack_files.request_of(row["request"]) == one.request:
            found[f"{one.file}.wav"] = dict(take)
    return found


def _mixed(folder: Path, plan: LayersPlan) -> MadeLayers:
    """Stems and mix, written. The mix is the sum of what the stems' files hold."""
    from audio import files as sounds
    from audio.mix import Stem, mixed, true_peak
    from audio.types import Tempo

    request = plan.layers[0].request
    tempo = Tempo(bpm=request.bpm, beats=request.bars * BEATS_PER_BAR)
    parts = [_part(folder, one, sounds=one.name in plan.audible) for one in plan.layers]
    whole = mixed([Stem(clip=part) for part in parts])
    peak = max(true_peak(clip, circular=request.closed) for clip in (*parts, whole))
    headroom_db = min(0.0, PEAK_DB - 20 * math.log10(peak)) if peak else 0.0
    (folder / STEMS).mkdir(exist_ok=True)
    paths = tuple(folder / STEMS / (one.file + plan.suffix) for one in plan.layers)
    for part, path in zip(parts, paths, strict=True):
        stem = mixed([Stem(clip=part, gain_db=headroom_db)])
        files.save_clip(stem, path, bit_depth=plan.bit_depth, tempo=tempo)
    mix = mixed([Stem(clip=sounds.read(path)) for path in paths])
    files.save_clip(mix, folder / f"mix{plan.suffix}", bit_depth=plan.bit_depth, tempo=tempo)
    return MadeLayers(
        mix=folder / f"mix{plan.suffix}",
        stems=paths,
        headroom_db=headroom_db,
        duration_s=mix.duration_s,
    )


def _part(folder: Path, layer: PlannedLayer, *, sounds: bool) -> Clip:
    """A take at its layer's gain; silence where the layer does not sound."""
    from audio import files as found
    from audio.mix import Stem, mixed

    take = found.read(folder / TAKES / f"{layer.file}.wav")
    if not sounds:
        return replace(take, samples=0 * take.samples)
    return mixed([Stem(clip=take, gain_db=layer.gain_db)])


def _drop_stale(folder: Path, plan: LayersPlan, before: Mapping[str, Any]) -> None:
    """Takes away stems and a mix that belong to the plan before alone."""
    old = {STEMS: [row.get("stem") for row in before.get("layers", ())], ".": [before.get("mix")]}
    new = {one.file + plan.suffix for one in plan.layers} | {f"mix{plan.suffix}"}
    for place, rows in old.items():
        # By their names alone: nothing outside of the folder is ever touched.
        for name in (Path(row["file"]).name for row in rows if row is not None):
            if name not in new and Path(name).suffix in SUFFIXES:
                (folder / place / name).unlink(missing_ok=True)


def _document(
    plan: LayersPlan, entries: Entries, mixed: MadeLayers | None = None
) -> dict[str, Any]:
    """What layers.json says; before there is a mix, of the takes alone."""
    first, rows = plan.layers[0].request, []
    for number, one in enumerate(plan.layers):
        row = {name: getattr(one, name) for name in ("name", "role", "prompt", "gain_db")}
        row |= {"mute": one.mute, "solo": one.solo, "request": asdict(one.request)}
        if f"{one.file}.wav" in entries:
            row["take"] = _take(entries[f"{one.file}.wav"])
        if mixed is not None:
            row["stem"] = _file(mixed.stems[number])
        rows.append(row)
    settings = {
        "kind": "layers",
        "version": VERSION,
        "bpm": first.bpm,
        "key": next((one.request.key for one in plan.layers if one.request.key), None),
        "bars": first.bars,
        "bit_depth": plan.bit_depth,
        "suffix": plan.suffix,
    }
    if mixed is not None:
        settings |= {"headroom_db": mixed.headroom_db, "mix": _file(mixed.mix)}
    return {**settings, "layers": rows}


def _take(entry: Entry) -> dict[str, Any]:
    names = ("file", "picture", "sha256", "picture_sha256")
    return {name: getattr(entry, name) for name in names} | {"origin": asdict(entry.origin)}


def _file(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": pack_files.sha256(path)}


def _write(folder: Path, document: Mapping[str, Any]) -> None:
    pack_files.write_json(folder / DOCUMENT, document)
