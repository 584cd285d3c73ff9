"""Settings inside files: what is written is read, whatever else stands there."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image

from audio.types import BeatFrames, DecibelCurve, SpectrogramParams
from riffapp.errors import UsageError
from riffapp.studio import record
from riffapp.studio.types import Journey, LoopRequest, LoopResult, Mark, Origin, Timeline, Variant

REQUEST = LoopRequest(
    prompt='say "hi", then: 1, 2',
    negative="lead, pads",
    bpm=123.4,
    bars=4,
    key="F# minor",
    seed=0,
    steps=16,
    cfg=4.5,
    sampler="DPM++ 2M",
    schedule="Karras",
    quality="best",
    rate=48000,
    bit_depth="24",
    checkpoint="my models/a, b",
)
PARAMS = SpectrogramParams(n_mels=128, frames=BeatFrames(per_beat=32), curve=DecibelCurve())
ORIGIN = Origin(sha256="ab" * 32, device="cpu", threads=2, torch="2.11.0", riffapp="0.1.0")


def result(request: LoopRequest = REQUEST) -> LoopResult:
    return LoopResult(
        picture=Image.new("RGB", (512, 128)),
        params=PARAMS,
        request=request,
        origin=ORIGIN,
        drawing_s=0.5,
    )


def test_what_is_written_is_read() -> None:
    assert record.read(record.texts(result())) == record.Record(request=REQUEST, origin=ORIGIN)


def test_words_along_the_time_are_read_back() -> None:
    marks = (Mark(bar=4, prompt="drums"), Mark(bar=6.5, prompt='bass, "loud"'))
    wished = (
        replace(REQUEST, bars=8, closed=False, timeline=Timeline(marks=marks, blend_beats=2.0)),
        replace(REQUEST, journey=Journey(prompt="lead", seed=5, share=0.25)),
        replace(REQUEST, variant=Variant(seed=0, distance=0.5)),
    )
    for request in wished:
        assert record.read(record.texts(result(request))) == record.Record(
            request=request, origin=ORIGIN
        )


def test_the_parameters_text_alone_makes_the_same_request() -> None:
    """Programs that drop what they do not know keep this one."""
    found = record.read({"parameters": record.parameters(result())})
    assert found == record.Record(request=REQUEST, origin=None)


def test_the_parameters_text_reads_as_picture_tools_write_it() -> None:
    plain = replace(REQUEST, prompt="house drums", key=None, checkpoint="loops", bpm=124.0)
    assert record.parameters(result(plain)) == (
        "house drums\n"
        "Negative prompt: lead, pads\n"
        "Steps: 16, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 4.5, Seed: 0, "
        "Size: 512x128, Model hash: ababababab, Model: loops, RNG: CPU, Tiling: x, "
        "BPM: 124, Bars: 4, Meter: 4/4, "
        "Quality: best, Rate: 48000, Bit depth: 24, Device: cpu, Threads: 2, "
        "Version: riffapp 0.1.0"
    )


def test_a_key_of_a_later_version_is_passed_over() -> None:
    document = json.loads(record.texts(result())["riffapp"])
    document["request"]["swing"] = {"amount": 0.6}
    document["version"] = 99
    document["mastering"] = True
    found = record.read({"riffapp": json.dumps(document)})
    assert found is not None and found.request == REQUEST


def test_a_file_of_an_earlier_version_takes_the_defaults() -> None:
    document = {"kind": "loop", "version": 1, "request": {"prompt": "house", "seed": 3}}
    found = record.read({"riffapp": json.dumps(document)})
    assert found == record.Record(request=LoopRequest(prompt="house", seed=3))


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"title": "My song"},
        {"parameters": "a cat\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 512x512"},
        {"parameters": "just a remark"},
        {"riffapp": json.dumps({"kind": "image"})},
    ],
)
def test_a_file_that_holds_no_loop_says_so(tags: dict[str, str]) -> None:
    assert record.read(tags) is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"kind": "loop"}',
        '{"kind": "loop", "request": {"seed": 1}}',
        '{"kind": "loop", "request": {"prompt": 5}}',
        '{"kind": "loop", "request": {"prompt": "a", "bars": "2"}}',
        '{"kind": "loop", "request": {"prompt": "a", "seed": true}}',
        '{"kind": "loop", "request": [1]}',
        "[" * 60000,
    ],
)
def test_damaged_settings_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="settings are damaged"):
        record.read({"riffapp": text})


def test_settings_longer_than_64_kib_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 65536"):
        record.read({"parameters": "a " * 40000})


def test_requests_and_results_travel_between_processes_and_as_json() -> None:
    made = result()
    again = pickle.loads(pickle.dumps(made))
    assert again.request == made.request and again.origin == made.origin
    assert np.array_equal(again.loop.clip.samples, made.loop.clip.samples)
    assert LoopRequest(**json.loads(json.dumps(asdict(REQUEST)))) == REQUEST
