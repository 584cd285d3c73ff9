"""From a request to takes, on a tiny checkpoint of random weights: plumbing, not music."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audio.types import Tempo
from riffapp.errors import RiffappError, UsageError
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.drawing import image_request, window
from riffapp.studio.plan import plan_loop, warnings
from riffapp.studio.text_to_audio import Progress, make_loops, render, strayed
from riffapp.studio.types import Journey, LoopRequest, Mark, Timeline, Variant
from sdcore.errors import UnknownName

WISH = LoopRequest(prompt="house drums, A minor", bpm=240, bars=1, seed=0, quality="draft")


def test_a_loop_is_as_long_as_its_bars_to_the_sample(instrument: Instrument) -> None:
    for bpm, rate in ((40.0, 44100), (123.4, 48000), (240.0, 44100)):
        (take,) = make_loops(instrument, replace(WISH, bpm=bpm, rate=rate))
        assert take.loop.clip.rate == rate
        assert take.loop.clip.n == Tempo(bpm=bpm, beats=4).samples(rate)
        assert take.picture.size == (64, 32)


def test_take_i_alone_is_take_i_of_many(instrument: Instrument) -> None:
    many = list(make_loops(instrument, replace(WISH, takes=3)))
    assert [take.request.seed for take in many] == [0, 1, 2]
    for take in many:
        (alone,) = make_loops(instrument, replace(WISH, seed=take.request.seed))
        assert np.array_equal(alone.loop.clip.samples, take.loop.clip.samples)
        assert alone.picture.tobytes() == take.picture.tobytes()
        assert alone.request == take.request
    assert not np.array_equal(many[0].loop.clip.samples, many[1].loop.clip.samples)


def test_the_resolved_request_makes_the_same_loop_again(instrument: Instrument) -> None:
    (first,) = make_loops(instrument, replace(WISH, seed=-1))
    assert first.request.seed >= 0
    (again,) = make_loops(instrument, first.request)
    assert again.request == first.request
    assert np.array_equal(again.loop.clip.samples, first.loop.clip.samples)


def test_the_picture_alone_gives_the_same_samples(instrument: Instrument) -> None:
    (take,) = make_loops(instrument, WISH)
    again = render(take.picture.copy(), take.params, take.loop.tempo, quality="draft")
    assert np.array_equal(again.clip.samples, take.loop.clip.samples)


def test_words_change_the_loop(instrument: Instrument) -> None:
    (house,) = make_loops(instrument, WISH)
    (techno,) = make_loops(instrument, replace(WISH, prompt="techno"))
    assert house.picture.tobytes() != techno.picture.tobytes()


def test_progress_counts_the_steps_of_all_takes(instrument: Instrument) -> None:
    seen: list[Progress] = []
    list(make_loops(instrument, replace(WISH, takes=2, steps=3), on_progress=seen.append))
    assert [p.done for p in seen] == [1, 2, 3, 4, 5, 6]
    assert {p.total for p in seen} == {6}


def test_bars_beyond_the_training_are_drawn_in_windows(instrument: Instrument) -> None:
    sound = instrument.sound
    assert window(64, sound) is None and window(128, sound) is None
    wide = window(512, sound)
    assert wide is not None and (wide.width, wide.stride) == (128, 64)
    (take,) = make_loops(instrument, replace(WISH, bars=8))
    assert take.loop.clip.n == Tempo(bpm=240, beats=32).samples(44100)
    assert "beyond the training" in " ".join(take.warnings)


def test_the_picture_joins_itself_along_time(instrument: Instrument) -> None:
    wanted = image_request(plan_loop(WISH, instrument.sound), instrument.sound)
    assert wanted.tiling == "x"
    assert wanted.prompt == "house drums, A minor, 240 bpm"


def test_planning_leaves_nothing_open(instrument: Instrument) -> None:
    planned = plan_loop(LoopRequest(prompt="  house\n drums ", key="bbm"), instrument.sound)
    assert planned.prompt == "house drums"
    assert planned.key == "Bb minor"  # as the tiny checkpoint spells it
    assert (planned.steps, planned.cfg) == (2, 3.0)
    assert (planned.sampler, planned.schedule) == ("DPM++ 2M", "Karras")
    assert 0 <= planned.seed < 2**32
    assert plan_loop(planned, instrument.sound) == planned


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": " \n "}, "the prompt is empty"),
        ({"prompt": "a " * 1500}, "the prompt has 3000 characters: at most 2000"),
        ({"negative": "a " * 1500}, "the negative prompt has 3000 characters"),
        ({"prompt": "drums \udcff"}, "the prompt holds characters that are no text"),
        ({"negative": "a\0b"}, "the negative prompt holds characters"),
        ({"bpm": 0.0}, "bpm 0 is outside 40 to 240"),
        ({"bpm": 240.1}, "bpm 240.1 is outside 40 to 240"),
        ({"bpm": float("nan")}, "bpm nan is outside"),
        ({"bars": 0}, "bars 0: a piece has 1 to 1200 bars"),
        ({"bars": 1201}, "bars 1201: a piece has 1 to 1200 bars"),
        ({"bars": 300, "bpm": 40}, "300 bars at 40 bpm are 1800 s: a piece has at most 1200 s"),
        (
            {"timeline": Timeline(marks=(Mark(bar=1, prompt="b"),))},
            "bar 1 stands after bar 0 in a piece of 1 bars",
        ),
        (
            {
                "bars": 8,
                "timeline": Timeline(marks=(Mark(bar=4, prompt="b"), Mark(bar=2, prompt="c"))),
            },
            "bar 2 stands after bar 4 in a piece of 8 bars",
        ),
        (
            {"bars": 8, "timeline": Timeline(marks=(Mark(bar=4, prompt=" "),))},
            "the prompt from bar 4 on is empty",
        ),
        ({"journey": Journey(prompt="")}, "the journey's prompt is empty"),
        ({"journey": Journey(prompt="a", share=2.0)}, "the journey's share 2 is outside 0 to 1"),
        ({"variant": Variant(distance=1.5)}, "the variant's distance 1.5 is outside 0 to 1"),
        (
            {"timeline": Timeline(marks=()), "journey": Journey(prompt="a")},
            "a timeline and a journey: give one of them",
        ),
        ({"meter": "3/4"}, "meter '3/4': loops are made in 4/4 only"),
        ({"key": "H minor"}, "key 'H minor' is not a key"),
        ({"takes": 0}, "takes 0 is outside 1 to 64"),
        ({"takes": 65}, "takes 65 is outside 1 to 64"),
        ({"seed": -2}, "seed -2 is outside -1 to 4294967295"),
        ({"seed": 2**32}, "seed 4294967296 is outside"),
        ({"steps": 0}, "steps 0 is outside 1 to 150"),
        ({"cfg": -1.0}, "cfg -1 is outside 0 to 30"),
        ({"cfg": float("inf")}, "cfg inf is outside"),
        ({"quality": "great"}, "unknown quality 'great': known are draft, fast, best"),
        ({"rate": 22050}, "unknown rate '22050': known are 44100, 48000"),
        ({"bit_depth": "32"}, "unknown bit depth '32': known are 16, 24, float"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    instrument: Instrument, change: dict[str, object], sentence: str
) -> None:
    wish = replace(WISH, **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError) as refused:
        plan_loop(wish, instrument.sound)
    assert sentence in str(refused.value)
    assert isinstance(refused.value, RiffappError)


@pytest.mark.parametrize(("field", "name"), [("sampler", "eular"), ("schedule", "karas")])
def test_an_unknown_sampler_or_schedule_is_named_with_the_nearest(
    instrument: Instrument, field: str, name: str
) -> None:
    wish = replace(WISH, **{field: name})  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match=f"unknown {field} '{name}': nearest"):
        plan_loop(wish, instrument.sound)


def test_a_word_never_taught_is_a_warning_and_no_refusal(instrument: Instrument) -> None:
    planned = plan_loop(replace(WISH, prompt="huose drums", negative="zither"), instrument.sound)
    said = warnings(planned, instrument.sound)
    assert "never taught 'huose': the nearest word it knows is 'house'" in said[0]
    assert "'zither'" in said[1]


def test_words_that_contradict_the_settings_are_said(instrument: Instrument) -> None:
    wish = replace(WISH, prompt="house drums, A minor, 124 bpm", key="C major")
    said = warnings(plan_loop(wish, instrument.sound), instrument.sound)
    assert said == (
        "the prompt says 124 bpm, the loop is made at 240 bpm",
        "the prompt says A minor, the loop is made in C major, as asked",
    )


def test_another_machine_is_named_as_the_reason_for_other_bytes(instrument: Instrument) -> None:
    (take,) = make_loops(instrument, WISH)
    assert strayed(None, take.origin) == strayed(take.origin, take.origin) == ()
    other = replace(take.origin, threads=7, sha256="f" * 64)
    assert [line.split(", ")[0] for line in strayed(other, take.origin)] == [
        f"made before with weights {'f' * 16}",
        "made before with threads 7",
    ]
