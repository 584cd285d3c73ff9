"""The commands export, retime, stems and clips: what is done with a finished sound."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import terminal
from riffapp.cli.common import add_json, add_output, report
from riffapp.errors import UsageError

if TYPE_CHECKING:
    from audio.types import Clip, Tempo


def add(commands: Any) -> None:
    """These commands, as subcommands."""
    p = _parser(commands, "export", "another format, a loudness, repeats, a click, MIDI", _export)
    p.add_argument("--lufs", type=float, help="integrated loudness, such as -14 for music")
    p.add_argument("--true-peak", type=float, default=-1.0, help="its limit in dBTP (-1)")
    p.add_argument("--repeat", type=int, default=1, metavar="TIMES", help="how often (1)")
    p.add_argument("--click", action="store_true", help="a click on each beat")
    p.add_argument("--count-in", type=int, default=0, metavar="BARS", help="bars of click before")
    p.add_argument(
        "--midi", type=Path, metavar="FILE", help="melody and chords as heard, and tempo"
    )
    p = _parser(commands, "retime", "another tempo or pitch, after the fact", _retime)
    p.add_argument("--bpm", type=float, help="play it at this tempo")
    p.add_argument("--from-bpm", type=float, help="the tempo it has, where its file says none")
    half = p.add_mutually_exclusive_group()
    half.add_argument("--half", action="store_true", help="half time: over twice the beats")
    half.add_argument("--double", action="store_true", help="double time: over half the beats")
    p.add_argument("--transpose", type=float, default=0.0, metavar="SEMITONES", help="-24 to 24")
    p.add_argument("--quality", default="fast", help="of a loop's new rendering (fast)")
    p = _parser(commands, "stems", "take a sound apart: harmonic and percussive, or Demucs", _stems)
    p.add_argument("--model", metavar="NAME", help="a Demucs model, such as htdemucs")
    p.add_argument("--weights", type=Path, metavar="FOLDER", help="where its files are")
    p = _parser(commands, "clips", "cut clips out of a recording, on its bars", _clips)
    p.add_argument("--count", type=int, default=8, help="how many (8)")
    length = p.add_mutually_exclusive_group()
    length.add_argument("--bars", type=int, help="length in bars, from a bar's first beat on")
    length.add_argument(
        "--duration-ms", type=float, default=5120.0, help="length in ms, anywhere (5120)"
    )
    p.add_argument("--bpm", type=float, help="its tempo, where it is not heard")
    p.add_argument("--first-beat", type=float, metavar="S", help="where a bar begins in it")
    p.add_argument("--seed", type=int, default=0, help="the same seed cuts the same clips (0)")


def _parser(commands: Any, name: str, words: str, run: Any) -> argparse.ArgumentParser:
    p: argparse.ArgumentParser = commands.add_parser(name, help=words)
    p.add_argument("sound", type=Path, help=".wav, .flac, .ogg or .mp3")
    p.add_argument("--bit-depth", default="16", help="16, 24, float (16)")
    is_many = name in ("stems", "clips")
    add_output(
        p, "folder (beside the sound)" if is_many else "sound file: its suffix is its format"
    )
    add_json(p)
    p.set_defaults(run=run)
    return p


def _export(args: argparse.Namespace) -> int:
    from riffapp.studio import arrange, files

    made = arrange.recording(args.sound)
    path = _target(args)
    wish = arrange.Export(
        lufs=args.lufs,
        true_peak_db=args.true_peak,
        repeat=args.repeat,
        click=args.click,
        count_in=args.count_in,
    )
    ready, loud = arrange.exported(made, wish)
    files.save_clip(
        ready.clip, path, bit_depth=args.bit_depth, tempo=ready.tempo, texts=ready.texts
    )
    facts: dict[str, Any] = {
        "lufs": round(loud.lufs, 2),
        "true_peak_db": round(loud.true_peak_db, 2),
    }
    if args.midi is not None:
        heard = arrange.write_midi(args.sound, args.midi)
        facts["midi"] = str(args.midi)
        facts |= {"notes": len(heard.melody), "chords": len(heard.chords)}
    return report(args, path, {"duration_s": round(ready.clip.duration_s, 3), **facts})


def _retime(args: argparse.Namespace) -> int:
    from riffapp.studio import arrange, files

    made = arrange.recording(args.sound)
    path = _target(args)
    wish = arrange.Retiming(
        bpm=args.bpm,
        from_bpm=args.from_bpm,
        times=2.0 if args.half else 0.5 if args.double else 1.0,
        semitones=args.transpose,
        quality=args.quality,
    )
    ready = arrange.retimed(made, wish)
    files.save_clip(ready.clip, path, bit_depth=args.bit_depth, tempo=ready.tempo)
    facts: dict[str, Any] = {"duration_s": round(ready.clip.duration_s, 3)}
    if ready.tempo is not None:
        facts |= {"bpm": ready.tempo.bpm, "beats": ready.tempo.beats}
    return report(args, path, facts)


def _stems(args: argparse.Namespace) -> int:
    from riffapp.studio import arrange

    made = arrange.recording(args.sound)
    folder = _folder(args)
    parts = arrange.stems_of(made, model=args.model, weights=args.weights)
    named = {name: (clip, made.tempo) for name, clip in parts.items()}
    return _save_all(args, folder, named)


def _clips(args: argparse.Namespace) -> int:
    from riffapp.studio import arrange

    made = arrange.recording(args.sound)
    folder = _folder(args)
    wish = arrange.Cuts(
        count=args.count,
        bars=args.bars,
        duration_ms=args.duration_ms,
        bpm=args.bpm,
        first_beat_s=args.first_beat,
        seed=args.seed,
    )
    found = arrange.clips_of(made, wish)
    width, named = arrange.digits(len(found)), {}
    for k, (_, clip, tempo) in enumerate(found, start=1):
        said = "" if tempo is None else f"_{tempo.bpm:g}bpm"
        named[f"clip-{k:0{width}}{said}"] = (clip, tempo)
    return _save_all(args, folder, named)


def _save_all(
    args: argparse.Namespace, folder: Path, named: dict[str, tuple[Clip, Tempo | None]]
) -> int:
    from riffapp.studio import files

    paths = [folder / f"{args.sound.stem}-{name}.wav" for name in named]
    for path, (clip, tempo) in zip(paths, named.values(), strict=True):
        files.save_clip(clip, path, bit_depth=args.bit_depth, tempo=tempo)
    if args.json:
        terminal.dump({"files": [str(path) for path in paths]})
    else:
        print("\n".join(map(str, paths)))
    return 0


def _target(args: argparse.Namespace) -> Path:
    from riffapp.studio import files

    beside = args.sound.with_name(f"{args.sound.stem}-{args.command}.wav")
    return files.target(args.output or files.beside(beside, ".wav"))


def _folder(args: argparse.Namespace) -> Path:
    folder: Path = args.output or args.sound.parent
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}: make it first, or name another")
    return folder
