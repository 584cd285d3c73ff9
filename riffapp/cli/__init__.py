"""The command line: `riffapp loop "house drums, saw bass" --bpm 124 -o loop.wav`.

Nothing heavy is imported before a command runs. Exit codes: 0 done, 2 something to correct in
the command or its files, 3 something the machine lacks (disk, memory, permission), 130 stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from riffapp import __version__, settings, terminal
from riffapp.cli import (
    analysis,
    arrange,
    config,
    embedded,
    image,
    layers,
    loop,
    models,
    packs,
    remake,
    speak,
    train,
)
from riffapp.cli.common import add_json, add_output, report
from riffapp.errors import USER, blame

_STOPPED = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER, f"riffapp: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code comes out."""
    args = _parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except KeyboardInterrupt:
        print("riffapp: stopped", file=sys.stderr)
        return _STOPPED
    except BrokenPipeError:
        # The reader of our output has left, as `head` does: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        found = blame(error)
        if found is None:
            raise
        code, sentence = found
        print(f"riffapp: {sentence}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="riffapp", description="Loops from words, tempo-exact and without a seam."
    )
    parser.add_argument("--version", action="version", version=f"riffapp {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    loop.add(commands)
    remake.add(commands)
    analysis.add(commands)
    arrange.add(commands)
    for add in (
        _add_image_to_audio,
        _add_audio_to_image,
        _add_info,
        _add_doctor,
        _add_ui,
    ):
        add(commands)
    image.add(commands)
    models.add(commands)
    config.add(commands)
    packs.add(commands)
    layers.add(commands)
    speak.add(commands)
    embedded.add(commands, train.add(commands))
    return parser


# ---- pictures and files -----------------------------------------------------------------------


def _add_image_to_audio(commands: Any) -> None:
    p = commands.add_parser("image-to-audio", help="play a spectrogram picture")
    p.add_argument("picture", type=Path, help="PNG of riffapp's or Riffusion's")
    p.add_argument("--bpm", type=float, help="play a loop at another tempo, 40 to 240")
    p.add_argument("--quality", default="fast", help="draft, fast, best (fast)")
    p.add_argument("--rate", type=int, help="44100 or 48000 Hz (the picture's own)")
    p.add_argument("--bit-depth", default="16", help="16, 24, float (16)")
    add_output(p, "sound file: .wav, .flac, .ogg or .mp3 (beside the picture, .wav)")
    add_json(p)
    p.set_defaults(run=_image_to_audio)


def _image_to_audio(args: argparse.Namespace) -> int:
    from riffapp.studio import files, pictures

    path = files.target(args.output or files.beside(args.picture, ".wav"))
    played = pictures.image_to_audio(
        files.open_picture(args.picture), bpm=args.bpm, quality=args.quality, rate=args.rate
    )
    files.save_clip(played.clip, path, bit_depth=args.bit_depth, tempo=played.tempo)
    return report(args, path, pictures.facts(played), played.notes)


def _add_audio_to_image(commands: Any) -> None:
    p = commands.add_parser("audio-to-image", help="draw a sound as a spectrogram picture")
    p.add_argument("sound", type=Path, help=".wav, .flac, .ogg or .mp3")
    p.add_argument("--bpm", type=float, help="tempo of a loop, where the file does not say it")
    p.add_argument("--stereo", action="store_true", help="left in green, right in blue")
    p.add_argument("--checkpoint", help="draw a loop as this checkpoint sees it (loops)")
    add_output(p, "PNG (beside the sound)")
    add_json(p)
    p.set_defaults(run=_audio_to_image)


def _audio_to_image(args: argparse.Namespace) -> int:
    from riffapp.studio import files, pictures

    path = files.picture_target(args.output or files.beside(args.sound, ".png"))
    drawn = pictures.audio_to_image(
        args.sound,
        bpm=args.bpm,
        stereo=args.stereo,
        checkpoint=args.checkpoint or settings.load().checkpoint,
    )
    files.save_drawing(drawn, path)
    return report(args, path, pictures.facts(drawn))


def _add_info(commands: Any) -> None:
    p = commands.add_parser(
        "info",
        help="what a file or a checkpoint says of itself",
        epilog="example: riffapp info loop.wav",
    )
    p.add_argument("file", help="PNG or sound file; or a checkpoint: its words, bars and licence")
    add_json(p)
    p.set_defaults(run=_info)


def _info(args: argparse.Namespace) -> int:
    from riffapp.studio import info

    facts = info.facts(args.file)
    if args.json:
        terminal.dump(facts)
    else:
        print("\n".join(info.lines(facts)))
    return 0


# ---- the house --------------------------------------------------------------------------------


def _add_doctor(commands: Any) -> None:
    p = commands.add_parser("doctor", help="find what is wrong with the installation")
    add_json(p)
    p.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    from riffapp import doctor

    findings = doctor.examine()
    if args.json:
        terminal.dump([asdict(finding) for finding in findings])
    else:
        marks = {True: "ok     ", False: "BROKEN ", None: "note   "}
        for finding in findings:
            print(f"{marks[finding.ok]}{finding.subject:16}{finding.words}")
    return doctor.verdict(findings)


def _add_ui(commands: Any) -> None:
    p = commands.add_parser("ui", help="open the page in the browser")
    p.add_argument("--port", type=int, default=8501)
    p.add_argument("--host", default="127.0.0.1", help="address to listen on (this machine only)")
    p.add_argument("--no-browser", action="store_true", help="serve only")
    p.set_defaults(run=_ui)


def _ui(args: argparse.Namespace) -> int:
    # A process of its own: doors do not import one another, and Ctrl-C goes straight to it.
    command = [sys.executable, "-m", "riffapp.ui", "--port", str(args.port), "--host", args.host]
    sys.stdout.flush()
    os.execv(sys.executable, command + ["--no-browser"] * args.no_browser)


if __name__ == "__main__":
    sys.exit(main())
