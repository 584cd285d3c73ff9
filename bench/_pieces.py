"""One piece for each sound room, made by the embedded checkpoint: what the screenshots show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from riffapp.gallery import Work
from riffapp.jobs.desk import Task
from riffapp.jobs.tasks.edit import Edit
from riffapp.jobs.tasks.journey import Piece
from riffapp.jobs.tasks.layers import Layers
from riffapp.jobs.tasks.loops import Loops
from riffapp.jobs.tasks.pack import Pack
from riffapp.jobs.tasks.remix import Remix
from riffapp.jobs.tasks.sources import Source
from riffapp.jobs.tasks.spectrogram import Drawing
from riffapp.jobs.tasks.speech import Bed, Speech
from riffapp.studio import checkpoints, packs
from riffapp.studio.layers import Layer, plan_layers
from riffapp.studio.plan import plan_loop
from riffapp.studio.speech import SpeechRequest
from riffapp.studio.types import LoopRequest, Mark, Timeline

SCRIPT = "Welcome back to the show. <break time='300ms'/> Today: music made of words."


def pieces(made: Callable[[str, Task], Work]) -> dict[str, Work]:
    """The works by their rooms."""
    sound = checkpoints.read_sound("loops")

    def planned(prompt: str, **told: object) -> LoopRequest:
        return plan_loop(LoopRequest(prompt=prompt, **told), sound)  # type: ignore[arg-type]

    words = "deep house 909 drums, saw bass, offbeat electric piano chords"
    loop = made("loop", Loops(request=planned(words, bpm=124, key="A minor", seed=7, takes=2)))
    wav = Source(path=_sound(loop))
    base = planned("house drums", bpm=124, key="A minor", seed=3)
    named = {"drums": "house 909 drums", "bass": "saw bass", "lead": "pluck lead"}
    layers = [Layer(name=name, prompt=prompt) for name, prompt in named.items()]
    timeline = Timeline(
        marks=(
            Mark(bar=2, prompt="warm pad chords, house drums"),
            Mark(bar=4, prompt="warm pad chords, house drums, saw bass"),
        )
    )
    piece = planned("warm pad chords, no drums", bpm=120, bars=8, seed=5, timeline=timeline)
    again = planned("techno drums, acid bass", bpm=124, seed=2)
    bar_two = planned("trap drums, pluck lead", bpm=124, seed=4)
    wish = packs.PackWish(base=planned("house drums|saw bass|pluck lead", bpm=124, seed=1))
    bed = Bed(request=planned("soft piano chords, house drums", bpm=96, key="C major", seed=0))
    works = {
        "loop": loop,
        "layers": made("layers", Layers(plan=plan_layers(base, layers))),
        "journey": made("journey", Piece(request=piece)),
        "remix": made("remix", Remix(source=wav, request=again)),
        "edit": made("edit", Edit(source=wav, request=bar_two, first_bar=1.0, last_bar=2.0)),
        "speech": made(
            "speech",
            Speech(request=SpeechRequest(script=SCRIPT, mode="rhythmic"), bed=bed),
        ),
    }
    made("pack", Pack(wish=wish))
    made("spectrogram", Drawing(source=_sound(loop)))
    return works


def _sound(work: Work) -> Path:
    file = work.file("sound")
    assert file is not None  # sound rooms make sounds
    return file.path
