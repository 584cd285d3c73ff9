"""Layers on a tiny checkpoint of random weights: words, plans, stems, remixing, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio.files import read
from riffapp.errors import UsageError
from riffapp.studio import checkpoints, files
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.layer_mix import MadeLayers, make_layers, read_plan
from riffapp.studio.layer_words import alone, role_of
from riffapp.studio.layers import Layer, LayersPlan, adjusted, changed, plan_layers
from riffapp.studio.text_to_audio import OnProgress, make_loops
from riffapp.studio.types import LoopRequest, LoopResult
from sdcore.errors import UnknownName

Command = Callable[..., Any]
WISHED = (
    Layer(name="drums", prompt="house drums"),
    Layer(name="bass", prompt="house saw bass", gain_db=-3.0),
    Layer(name="lead", prompt="pluck"),
)


@pytest.fixture(scope="module")
def band(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Instrument:
    """The tiny checkpoint, with the embedded one's words."""
    folder = shutil.copytree(tiny, tmp_path_factory.mktemp("checkpoints") / "band")
    plain = json.loads((folder / "sound.json").read_text())
    taught = json.loads((checkpoints.EMBEDDED / "loops" / "sound.json").read_text())
    plain |= {name: taught[name] for name in ("words", "groups")}
    (folder / "sound.json").write_text(json.dumps(plain))
    return checkpoints.load(str(folder), device="cpu")


@pytest.fixture
def base(band: Instrument) -> LoopRequest:
    wish = LoopRequest(prompt="", bpm=240, bars=1, key="A minor", seed=7, quality="draft")
    return replace(wish, steps=1, checkpoint=band.name)


@pytest.fixture
def plan(base: LoopRequest) -> LayersPlan:
    return plan_layers(base, WISHED)


class Maker:
    """The real maker, which tells what it was asked for."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.prompts: list[str] = []

    def __call__(self, request: LoopRequest, on_progress: OnProgress) -> LoopResult:
        self.prompts.append(request.prompt)
        (result,) = make_loops(self.instrument, request, on_progress=on_progress)
        return result


@pytest.fixture
def make(band: Instrument) -> Maker:
    return Maker(band)


def samples(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    return read(path).samples.astype(np.float64)


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def error_db(made: MadeLayers) -> float:
    """What the stems' files lack of the mix's file, against the mix."""
    mix = samples(made.mix)
    rest = sum(samples(stem) for stem in made.stems) - mix
    return float(20 * np.log10(max(np.sqrt((rest**2).mean() / (mix**2).mean()), 1e-15)))


# ---- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words", "role", "said"),
    [
        ("drums", "house drums", "drums", "only house drums"),
        ("drums", "house", "drums", "only house drums"),
        ("beat", "busy trap 808, dusty", "drums", "only busy trap 808 drums, dusty"),
        ("bass", "house acid bass", "bass", "only acid bass, house style"),
        ("bass", "rolling sub", "bass", "only rolling sub bass"),
        ("x", "drum and bass pluck, high", "lead", "only pluck, high, drum and bass style"),
        ("chords", "Deep House organ", "chords", "only organ, deep house style"),
        ("chords", "piano", "chords", "only piano"),
        ("lead", "solo flute melody", "lead", "solo flute melody"),
        ("lead", "flute, house style, no drums", "lead", "only flute, house style, no drums"),
        ("lead 2", "warehouse techno", "lead", "only lead, warehouse techno style"),
    ],
)
def test_a_layers_words_are_those_of_one_player_alone(
    name: str, words: str, role: str, said: str
) -> None:
    sound = checkpoints.read_sound("loops")
    assert role_of(name, words, sound) == role
    assert alone(words, role, sound) == said


def test_words_of_no_player_or_of_two_are_left_as_they_are(
    base: LoopRequest, instrument: Instrument
) -> None:
    sound = checkpoints.read_sound("loops")
    assert role_of("one", "house, dusty", sound) is None
    assert role_of("one", "house drums and saw bass", sound) is None
    untaught = plan_layers(replace(base, checkpoint=instrument.name), WISHED[:1])
    assert untaught.layers[0].request.prompt == "house drums"
    assert "layer 'drums' names no player" in untaught.notes[0]


# ---- plans ------------------------------------------------------------------------------------


def test_layers_share_tempo_bars_and_key_and_have_seeds_of_their_own(
    plan: LayersPlan, base: LoopRequest
) -> None:
    requests = [layer.request for layer in plan.layers]
    assert {(one.bpm, one.bars) for one in requests} == {(240.0, 1)}
    assert [one.key for one in requests] == [None, "A minor", "A minor"]  # drums have none
    assert len({one.seed for one in requests}) == 3
    assert plan_layers(base, WISHED) == plan
    fewer = plan_layers(base, WISHED[1:])
    assert fewer.layers == plan.layers[1:]
    assert plan_layers(replace(base, seed=8), WISHED).layers[0].request.seed != requests[0].seed
    own = plan_layers(base, (replace(WISHED[0], seed=3),))
    assert own.layers[0].request.seed == 3


def test_a_key_is_what_one_layer_says_or_is_drawn(base: LoopRequest) -> None:
    said = (WISHED[1], replace(WISHED[2], prompt="pluck lead, C# minor"))
    found = plan_layers(replace(base, key=None), said)
    assert [layer.request.key for layer in found.layers] == ["C# minor", "C# minor"]
    drawn = plan_layers(replace(base, key=None), WISHED)
    keys = {layer.request.key for layer in drawn.layers[1:]}
    assert len(keys) == 1 and None not in keys
    assert plan_layers(replace(base, key=None), WISHED) == drawn


def test_mute_and_solo_are_those_of_a_mixer(plan: LayersPlan) -> None:
    def heard(**chosen: list[str]) -> set[str]:
        return set(adjusted(plan, gains={}, seeds={}, **chosen).audible)

    assert heard() == {"drums", "bass", "lead"}
    assert heard(mutes=["bass"]) == {"drums", "lead"}
    assert heard(solos=["bass", "lead"]) == {"bass", "lead"}
    assert heard(solos=["bass", "lead"], mutes=["bass"]) == {"lead"}
    soloed = adjusted(plan, gains={}, seeds={}, solos=["bass"])
    assert adjusted(soloed, gains={}, seeds={}, mutes=["lead"]).audible == {"bass"}
    assert adjusted(soloed, gains={}, seeds={}, solos=[]).audible == {"drums", "bass", "lead"}


@pytest.mark.parametrize(
    ("layers", "change", "sentence"),
    [
        ([], {}, "0 layers: give 1 to 16"),
        ([Layer(name="drums", prompt="  ")], {}, "layer 'drums': the prompt is empty"),
        ([Layer(name="../drums", prompt="x")], {}, "layer name '../drums': give up to 32 letters"),
        ([WISHED[0], Layer(name="Drums", prompt="x")], {}, "'drums' and 'Drums' would share their"),
        ([replace(WISHED[0], gain_db=25.0)], {}, "gain 25 dB of layer 'drums' is outside -60 to"),
        ([replace(WISHED[0], gain_db=float("nan"))], {}, "gain nan dB"),
        ([replace(WISHED[0], mute=True)], {}, "every layer is muted: let at least one sound"),
        ([replace(WISHED[0], seed=-2)], {}, "layer 'drums': seed -2 is outside"),
        (WISHED, {"bpm": 300.0}, "layer 'drums': bpm 300 is outside"),
        (WISHED, {"bit_depth": "8"}, "unknown bit depth '8': known are 16, 24, float"),
        (WISHED, {"suffix": ".mp3"}, "unknown format '.mp3': stems that sum to their mix are"),
        (WISHED, {"suffix": ".flac", "bit_depth": "float"}, "FLAC holds 16 or 24 bit"),
    ],
)
def test_layers_that_cannot_be_are_refused(
    base: LoopRequest, layers: list[Layer], change: dict[str, Any], sentence: str
) -> None:
    suffix = change.get("suffix", ".wav")
    base = replace(base, **{name: x for name, x in change.items() if name != "suffix"})
    with pytest.raises(UsageError) as refused:
        plan_layers(base, layers, suffix=suffix)
    assert sentence in str(refused.value)


def test_two_keys_and_names_that_no_layer_has_are_refused(
    base: LoopRequest, plan: LayersPlan
) -> None:
    said = (
        Layer(name="bass", prompt="saw bass, A minor"),
        Layer(name="lead", prompt="pluck, C major"),
    )
    with pytest.raises(UsageError, match="'bass' says A minor and 'lead' says C major: layers"):
        plan_layers(replace(base, key=None), said)
    with pytest.raises(UnknownName, match="unknown layer 'base': nearest 'bass'"):
        adjusted(plan, gains={"base": 1.0}, seeds={})
    with pytest.raises(UsageError, match="seed -1 of layer 'bass' is outside"):
        adjusted(plan, gains={}, seeds={"bass": -1})


# ---- mixes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bit_depth", "suffix", "most_db"),
    [("16", ".wav", -300), ("24", ".wav", -300), ("16", ".flac", -300), ("float", ".wav", -120)],
)
def test_the_stems_files_sum_to_the_mixs_file(
    base: LoopRequest, make: Maker, tmp_path: Path, bit_depth: str, suffix: str, most_db: float
) -> None:
    plan = plan_layers(replace(base, bit_depth=bit_depth), WISHED, suffix=suffix)
    made = make_layers(tmp_path, plan, make=make)
    assert [stem.name for stem in made.stems] == [f"{n}{suffix}" for n in ("drums", "bass", "lead")]
    assert np.abs(samples(made.mix)).max() > 0.01
    assert error_db(made) <= most_db


def test_nothing_clips_and_all_stems_share_one_headroom(
    plan: LayersPlan, make: Maker, tmp_path: Path
) -> None:
    loud = adjusted(plan, gains={"drums": 24.0, "bass": 24.0, "lead": -60.0}, seeds={})
    made = make_layers(tmp_path, loud, make=make)
    assert made.headroom_db < -3
    tops = [np.abs(samples(path)).max() for path in (made.mix, *made.stems)]
    assert 0.5 < max(tops) <= 10 ** (-1 / 20) + 2 / 2**15
    for stem, gain_db in zip(made.stems, (24, 24, -60), strict=True):
        take = samples(tmp_path / "takes" / stem.name)
        expected = take * 10 ** ((gain_db + made.headroom_db) / 20)
        assert np.abs(samples(stem) - expected).max() <= 2 / 2**15  # dither and rounding


def test_other_gains_mix_anew_without_making_a_take(
    plan: LayersPlan, make: Maker, tmp_path: Path
) -> None:
    first = make_layers(tmp_path, plan, make=make)
    assert first.made == ("drums", "bass", "lead")
    before = contents(tmp_path)
    mix, drums = samples(first.mix), samples(first.stems[0])
    bass = samples(first.stems[1])
    make.prompts.clear()
    again = make_layers(tmp_path, adjusted(plan, gains={}, seeds={}, mutes=["bass"]), make=make)
    assert (make.prompts, again.made) == ([], ())
    assert not samples(again.stems[1]).any()
    assert error_db(again) <= -300
    gain = 10 ** ((again.headroom_db - first.headroom_db) / 20)
    assert np.abs(samples(again.mix) - gain * (mix - bass)).max() < 8 / 2**15
    assert np.abs(samples(again.stems[0]) - gain * drums).max() < 4 / 2**15
    make_layers(tmp_path, plan, make=make)
    assert make.prompts == [] and contents(tmp_path) == before


def test_only_the_take_whose_settings_changed_is_made_again(
    plan: LayersPlan, base: LoopRequest, make: Maker, tmp_path: Path
) -> None:
    make_layers(tmp_path, plan, make=make)
    make.prompts.clear()
    other = plan_layers(base, (*WISHED[:2], replace(WISHED[2], prompt="flute")))
    assert make_layers(tmp_path, other, make=make).made == ("lead",)
    reseeded = adjusted(other, gains={}, seeds={"bass": 3})
    assert make_layers(tmp_path, reseeded, make=make).made == ("bass",)
    assert make.prompts == ["only flute", "only saw bass, house style"]
    fewer = plan_layers(base, WISHED[:1], suffix=".flac")
    made = make_layers(tmp_path, fewer, make=make)
    assert made.made == ()
    assert {path.name for path in (tmp_path / "stems").iterdir()} == {"drums.flac"}
    assert not (tmp_path / "mix.wav").exists() and (tmp_path / "mix.flac").exists()


def test_a_damaged_take_is_made_again(plan: LayersPlan, make: Maker, tmp_path: Path) -> None:
    make_layers(tmp_path, plan, make=make)
    before = contents(tmp_path)
    (tmp_path / "takes" / "bass.wav").write_bytes(before["takes/bass.wav"][:-2])
    made = make_layers(tmp_path, plan, make=make)
    assert made.made == ("bass",) and "bass.wav was changed or taken away since" in made.notes[0]
    assert contents(tmp_path) == before


def test_a_stopped_run_goes_on_with_the_takes_that_it_made(
    plan: LayersPlan, make: Maker, tmp_path: Path
) -> None:
    def stopping(request: LoopRequest, on_progress: OnProgress) -> LoopResult:
        if len(make.prompts) == 2:
            raise KeyboardInterrupt
        return make(request, on_progress)

    with pytest.raises(KeyboardInterrupt):
        make_layers(tmp_path / "a", plan, make=stopping)
    assert make_layers(tmp_path / "a", plan, make=make).made == ("lead",)
    make_layers(tmp_path / "b", plan, make=make)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_document_makes_the_same_again_and_takes_changes(
    plan: LayersPlan, make: Maker, tmp_path: Path
) -> None:
    adjusted_plan = adjusted(plan, gains={"drums": -2.0}, seeds={}, mutes=["lead"])
    make_layers(tmp_path / "a", adjusted_plan, make=make)
    read_back = read_plan(tmp_path / "a" / "layers.json")
    assert read_back == replace(adjusted_plan, notes=())
    make_layers(tmp_path / "b", read_back, make=make)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    other = changed(read_back, {"bpm": 200, "key": "C major", "seed": 1, "bit_depth": "24"})
    assert {layer.request.bpm for layer in other.layers} == {200.0}
    assert [layer.request.key for layer in other.layers] == [None, "C major", "C major"]
    assert other.layers[0].request.seed != read_back.layers[0].request.seed
    assert (other.bit_depth, other.suffix) == ("24", ".wav")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 99999,
        '{"kind": "pack"}',
        '{"kind": "layers", "layers": [{}]}',
        '{"kind": "layers", "bit_depth": "16", "suffix": ".wav", "layers": [{"name": "a", '
        '"role": null, "prompt": "", "gain_db": 0, "mute": false, "solo": false, "request": 5}]}',
    ],
)
def test_a_document_that_is_none_is_refused_and_stays(
    plan: LayersPlan, make: Maker, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "layers.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="holds no layers|settings are damaged"):
        make_layers(tmp_path, plan, make=make)
    assert contents(tmp_path) == {"layers.json": text.encode()}


@pytest.mark.parametrize("name", ["mix.wav", "takes", "stems"])
def test_what_no_layers_made_is_not_replaced(
    plan: LayersPlan, make: Maker, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name} exists and no layers made it"):
        make_layers(tmp_path, plan, make=make)
    assert contents(tmp_path) == {name: b"mine"}


def test_a_document_cannot_make_files_elsewhere_go_away(
    plan: LayersPlan, make: Maker, tmp_path: Path
) -> None:
    make_layers(tmp_path / "a", plan, make=make)
    (tmp_path / "precious.wav").write_text("mine")
    path = tmp_path / "a" / "layers.json"
    plain = json.loads(path.read_text())
    plain["mix"]["file"] = "../precious.wav"
    plain["layers"][0]["stem"]["file"] = str(tmp_path / "precious.wav")
    path.write_text(json.dumps(plain))
    make_layers(tmp_path / "a", plan, make=make)
    assert (tmp_path / "precious.wav").read_text() == "mine"


# ---- the command ------------------------------------------------------------------------------


@pytest.fixture
def layers(riffapp: Command, band: Instrument, tmp_path: Path) -> Command:
    """`riffapp layers` with short settings, into a folder that is not there yet."""
    short = ["--bpm", 240, "--bars", 1, "--steps", 1, "--quality", "draft", "--device", "cpu"]
    short += ["--checkpoint", band.name, "-o", tmp_path / "song"]

    def run(*words: object) -> Any:
        return riffapp("layers", *words, *short)

    return run


def test_the_command_makes_layers_and_mixes_them_anew(
    layers: Command, riffapp: Command, tmp_path: Path
) -> None:
    run = layers("drums: house drums", "bass: saw bass@-3 dB", "--key", "A minor")
    assert (run.code, run.err) == (0, "")
    assert "2 layers, 1 bar at 240 bpm, A minor, 1.000 s, headroom" in run.out
    assert "'only saw bass', seed" in run.out and "-3 dB, take made" in run.out
    source = tmp_path / "song" / "layers.json"
    words = ("--from", source, "--mute", "bass", "--gain", "drums=-2", "--layer-seed", "bass=9")
    run = riffapp("layers", *words, "--json")
    assert run.code == 0, run.err
    document = json.loads(run.out)
    rows = {row["name"]: row for row in document["layers"]}
    assert (rows["drums"]["gain_db"], rows["drums"]["made"], rows["drums"]["sounds"]) == (
        *(-2.0, False, True),
    )
    assert (rows["bass"]["seed"], rows["bass"]["made"], rows["bass"]["sounds"]) == (9, True, False)
    assert document["mix"] == str(tmp_path / "song" / "mix.wav")
    assert files.record_of(tmp_path / "song" / "takes" / "bass.png").request.seed == 9
    run = riffapp("layers", "--from", source, "--mute", "none", "--solo", "bass")
    assert "silent" in run.out.splitlines()[1] and "silent" not in run.out.splitlines()[2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "0 layers: give 1 to 16"),
        (["house drums"], "layer 'house drums': write its name and words"),
        ([": drums"], "write its name and words"),
        (["drums: "], "layer 'drums': the prompt is empty"),
        (["drums: house@loud"], "layer 'drums': the gain 'loud' is no number"),
        (["drums: house", "--gain", "drums"], "--gain 'drums': give a name and decibels"),
        (["drums: house", "--layer-seed", "drums=x"], "--layer-seed 'drums=x': give a name and a"),
        (["drums: house", "--mute", "bass"], "unknown layer 'bass'"),
        (["drums: house", "--mute", "drums"], "every layer is muted"),
        (["drums: house", "--format", "ogg"], "unknown format '.ogg'"),
        (["drums: house", "--from", "x.json"], "layers and --from: give one of them"),
        (["--from", "absent.json"], "no file absent.json"),
    ],
)
def test_the_command_refuses_in_a_sentence_and_makes_no_folder(
    layers: Command, tmp_path: Path, words: list[str], sentence: str
) -> None:
    run = layers(*words)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("riffapp: ") and sentence in run.err and run.err.count("\n") == 1
    assert contents(tmp_path) == {}


def test_layers_without_a_folder_are_refused(riffapp: Command) -> None:
    run = riffapp("layers", "drums: house drums")
    assert run.code == 2 and "no folder: say where the layers go" in run.err
