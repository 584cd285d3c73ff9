"""The command speak: a script over a bed, in time and in key."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings, terminal
from riffapp.cli.common import add_machine, device, threads
from riffapp.errors import UsageError

if TYPE_CHECKING:
    from audio.align.settings import Settings
    from audio.voice_over import Balance
    from riffapp.studio.accompaniment import Accompaniment
    from riffapp.studio.speech import SpeechRequest

_EPILOG = """\
examples:
  riffapp speak "Welcome back to the show" --bed loop.wav --mode rhythmic -o out.wav
  riffapp speak --script show.txt --bed loop.wav --voice en-gb --as Anna=en-us+f2 -o show.mp3
  riffapp speak "Guten Morgen" --voice de --make "soft piano chords" --bpm 90 --mode sung -o out.wav
A script is plain text; marks: <break time="500ms"/>, <emphasis>, <mode name="sung" strength="80%">,
<voice name="Anna">, <lang xml:lang="de">, <chapter title="News"/>; or lines that begin 'Anna: '.
Voices: espeak's languages (en-us, de, en-gb+f2 ...), coqui:FOLDER, transformers:FOLDER,
recorded:FILE@LANGUAGE (your own recording of the script). riffapp speak --voices lists espeak's.
Beside the mix: stems of voice and bed, subtitles, chapters, a report and a picture of the fit.
"""


def add(commands: Any) -> None:
    """The command, as a subcommand."""
    p = commands.add_parser(
        "speak",
        help="a voice over a loop, on its beat and in its key: talked, rapped or sung",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("text", nargs="?", help="what to say")
    p.add_argument(
        "--script", type=Path, metavar="FILE", help="or a text file ('-': what is typed)"
    )
    p.add_argument("-o", "--output", type=Path, metavar="FILE", help="the mix (BED-speak.wav)")
    p.add_argument("--bit-depth", default="16", help="16, 24, float (16)")
    _add_bed(p)
    _add_voice(p)
    _add_fit(p)
    _add_mix(p)
    add_machine(p)
    p.set_defaults(run=_speak)


def _add_bed(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("the bed")
    g.add_argument("--bed", type=Path, metavar="FILE", help="a loop, or any recording")
    g.add_argument("--make", metavar="WORDS", help="or a loop made of these words")
    g.add_argument("--bpm", type=float, help="its tempo, where it is not to be heard (120 made)")
    g.add_argument("--key", help="its key, such as 'A minor', where it is not to be heard")
    g.add_argument("--seed", type=int, default=0, help="of a made loop and a made melody (0)")
    g.add_argument("--intro", type=int, default=2, metavar="BARS", help="before the voice (2)")
    g.add_argument("--outro", type=int, default=2, metavar="BARS", help="after it (2)")


def _add_voice(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("the voice")
    g.add_argument("--voice", default="en-us", help="as below (en-us)")
    g.add_argument(
        "--as", dest="cast", action="append", default=[], metavar="NAME=VOICE",
        help="another voice, for the script's NAME",
    )  # fmt: skip
    g.add_argument("--voices", action="store_true", help="list espeak's voices, and say nothing")


def _add_fit(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("the fit")
    g.add_argument("--mode", default="talk", help="talk, rhythmic or sung (talk)")
    g.add_argument("--strength", type=float, default=100.0, help="0 to 100 %% (100)")
    g.add_argument("--start", default="beat", help="sentences begin on a beat or bar (beat)")
    g.add_argument("--gap", type=float, default=0.25, metavar="S", help="between sentences (0.25)")
    g.add_argument("--grid", default="1/16", help="rhythmic: 1/4, 1/8, 1/8t, 1/16, 1/16t (1/16)")
    g.add_argument("--swing", type=float, default=0.0, help="rhythmic: 0 to 100 %% (0)")
    g.add_argument("--flow", default="dense", help="rhythmic: dense or 'laid back' (dense)")
    g.add_argument(
        "--limits", default="0.6-1.8", metavar="LEAST-MOST", help="rhythmic: stretch (0.6-1.8)"
    )
    g.add_argument("--pull", type=float, default=35.0, help="talk: towards the scale, %% (35)")
    g.add_argument(
        "--melody", default="made", metavar="HOW",
        help="sung: made, lead, snap, a .mid file, or notes 'C4 1/4 D4 1/8 - 1/8' (made)",
    )  # fmt: skip
    g.add_argument("--vibrato", type=float, default=30.0, help="sung: cents either way (30)")
    g.add_argument("--glide", type=float, default=60.0, help="sung: ms from note to note (60)")


def _add_mix(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("the mix")
    g.add_argument("--above", type=float, default=13.0, help="voice above the bed, LU (13)")
    g.add_argument("--lufs", type=float, help="loudness (-16 in stereo, -19 in mono)")
    g.add_argument("--true-peak", type=float, default=-1.0, help="its limit in dBTP (-1)")
    g.add_argument("--mono", action="store_true", help="one channel")


def _speak(args: argparse.Namespace) -> int:
    if args.voices:
        return _list_voices(args)
    from riffapp.studio import files, speech, speech_files

    found = settings.load()
    request = _request(args)
    named = args.bed or Path("made.wav")
    path = files.target(
        args.output or files.beside(named.with_name(f"{named.stem}-speak.wav"), ".wav")
    )
    files.refuse_depth(path, args.bit_depth)
    speech_files.refuse_own_bed(path, named)
    accompaniment = _accompaniment(args, found)
    with (
        terminal.Bar(shown=not (args.json or found.plain)) as on_progress,
        speech.speak(request, accompaniment, on_progress=on_progress) as spoken,
    ):
        saved = speech_files.save(spoken, path, bit_depth=args.bit_depth)
    if args.json:
        places = {name: str(place) for name, place in vars(saved).items() if place is not None}
        terminal.dump({"files": places, **speech_files.report(spoken)})
    else:
        print("\n".join(speech_files.lines(spoken, saved)))
    terminal.print_notes([*accompaniment.notes, *speech_files.misfits(spoken)])
    return 0


def _list_voices(args: argparse.Namespace) -> int:
    from audio.speech.espeak import Espeak

    voices = Espeak().voices()
    if args.json:
        terminal.dump([vars(voice) for voice in voices])
    else:
        print("\n".join(f"{voice.id:12}{voice.name}" for voice in voices))
        print("with +f1 to +f5 and +m1 to +m8 for women and men; all GPL-3.0-or-later")
    return 0


def _request(args: argparse.Namespace) -> SpeechRequest:
    from riffapp.studio.speech import SpeechRequest

    return SpeechRequest(
        script=_script(args),
        voice=args.voice,
        voices=tuple(_named(text) for text in args.cast),
        mode=args.mode,
        strength=args.strength / 100,
        settings=_settings(args),
        balance=_balance(args),
        intro_bars=args.intro,
        outro_bars=args.outro,
        gap_s=args.gap,
        channels=1 if args.mono else 2,
    )


def _script(args: argparse.Namespace) -> str:
    if (args.text is None) == (args.script is None):
        raise UsageError("say what is to be said: a text, or --script FILE")
    if args.text is not None:
        return str(args.text)
    if str(args.script) == "-":
        return sys.stdin.read()
    try:
        return str(args.script.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{args.script} is no text that can be read: give UTF-8") from error


def _named(text: str) -> tuple[str, str]:
    name, _, voice = text.partition("=")
    if not name.strip() or not voice.strip():
        raise UsageError(f"--as '{text[:60]}': give a name and a voice, as in Anna=en-us+f2")
    return name.strip(), voice.strip()


def _settings(args: argparse.Namespace) -> Settings:
    from audio.align.settings import Settings

    how, tones = _melody(args.melody)
    return Settings(
        starts_on=args.start,
        subdivision=args.grid,
        swing=args.swing / 100,
        flow=args.flow,
        limits=_limits(args.limits),
        pull=args.pull / 100,
        melody=how,
        tones=tones,
        glide_s=args.glide / 1000,
        vibrato_cents=args.vibrato,
        seed=args.seed,
    )


def _melody(told: str) -> tuple[str, Any]:
    """One of the settings' names, or the tones of a MIDI file or of notes as text."""
    from audio import midi
    from audio.align import melody_text
    from audio.align.music import Grid, tones
    from audio.align.settings import MELODIES

    if Path(told).suffix.lower() in (".mid", ".midi"):
        bpm, notes = midi.read_notes(Path(told))
        return "made", tones(notes, Grid(bpm=bpm))
    if " " in told.strip():
        return "made", melody_text.parsed(told)
    if told not in MELODIES:
        raise UsageError(
            f"melody '{told[:60]}': give {', '.join(MELODIES)}, a .mid file, or notes such as "
            "'C4 1/4 D4 1/8'"
        )
    return told, None


def _limits(text: str) -> tuple[float, float]:
    least, _, most = text.partition("-")
    try:
        return float(least), float(most)
    except ValueError:
        raise UsageError(f"--limits '{text[:40]}': give least and most, as in 0.6-1.8") from None


def _balance(args: argparse.Namespace) -> Balance:
    from audio.voice_over import Balance

    return Balance(margin_lu=args.above, lufs=args.lufs, true_peak_db=args.true_peak)


def _accompaniment(args: argparse.Namespace, found: settings.Settings) -> Accompaniment:
    from riffapp.studio.accompaniment import open_accompaniment

    if (args.bed is None) == (args.make is None):
        raise UsageError("no bed: give --bed FILE, or --make WORDS for a new loop")
    wanted: dict[str, Any] = {"key": args.key, "lead": args.melody == "lead"}
    if args.bed is not None:
        return open_accompaniment(args.bed, bpm=args.bpm, **wanted)
    from riffapp.studio import checkpoints, files
    from riffapp.studio.text_to_audio import make_loops
    from riffapp.studio.types import LoopRequest

    instrument = checkpoints.load(
        found.checkpoint, device=device(args, found, None), threads=threads(args, found, None)
    )
    wish = LoopRequest(
        prompt=args.make,
        bpm=120.0 if args.bpm is None else args.bpm,
        key=args.key,
        seed=args.seed,
        checkpoint=found.checkpoint,
    )
    (take,) = make_loops(instrument, wish)
    with tempfile.TemporaryDirectory() as folder:
        saved = files.save(take, Path(folder) / "made.wav")
        return open_accompaniment(saved.sound, **wanted)
