"""Packs on a tiny checkpoint of random weights: plans, names, batch files, runs killed anywhere."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from riffapp.errors import UsageError
from riffapp.studio import files, packs
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.packs import PackWish, make_pack, name_for, plan_pack
from riffapp.studio.plan import plan_loop
from riffapp.studio.text_to_audio import OnProgress, Progress, make_loops
from riffapp.studio.types import LoopRequest, LoopResult
from sdcore.errors import RequestError

ROOT = Path(__file__).resolve().parents[2]
Command = Callable[..., Any]
Plan = Callable[..., packs.Pack]


@pytest.fixture
def base(tiny: Path) -> LoopRequest:
    return LoopRequest(
        prompt="house drums",
        bpm=240,
        bars=1,
        seed=7,
        steps=1,
        quality="draft",
        checkpoint=str(tiny),
    )


@pytest.fixture
def plan(base: LoopRequest) -> Plan:
    """Plans a pack of short loops; keywords are the wish's, or the base request's."""

    def planned(prompt: str = "house drums", **changes: Any) -> packs.Pack:
        own = {name: changes.pop(name) for name in list(changes) if hasattr(base, name)}
        seed = changes.pop("pack_seed", 0)
        wish = PackWish(base=replace(base, prompt=prompt, **own), seed=seed, **changes)
        return plan_pack(wish)

    return planned


@pytest.fixture
def batch(tmp_path: Path, plan: Plan) -> Callable[[str, str], packs.Pack]:
    """The plan of a batch file with this name and text."""

    def planned(name: str, text: str) -> packs.Pack:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return plan("", batch=path)

    return planned


class Maker:
    """The real maker, which counts."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.made: list[int] = []

    def __call__(self, request: LoopRequest, on_progress: OnProgress) -> LoopResult:
        self.made.append(request.seed)
        (result,) = make_loops(self.instrument, request, on_progress=on_progress)
        return result


@pytest.fixture
def make(instrument: Instrument) -> Maker:
    return Maker(instrument)


def asked(pack: packs.Pack, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(loop.request, name) for name in names) for loop in pack.loops]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# ---- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"key": "A minor"}, "house-drums_124bpm_Amin_2bars_s7"),
        ({"key": "F# major"}, "house-drums_124bpm_Fsharpmaj_2bars_s7"),
        ({}, "house-drums_124bpm_2bars_s7"),
        ({"prompt": "Saw bass, C# minor, 90 bpm!"}, "saw-bass_124bpm_Csharpmin_2bars_s7"),
        ({"prompt": "pad in Bb major"}, "pad-in_124bpm_Asharpmaj_2bars_s7"),
        ({"prompt": "../etc/passwd\\x"}, "etc-passwd-x_124bpm_2bars_s7"),
        ({"prompt": "(((", "bpm": 93.5, "bars": 1, "seed": 0}, "loop_93.5bpm_1bars_s0"),
        ({"prompt": "ж" * 300}, f"{'ж' * 40}_124bpm_2bars_s7"),
    ],
)
def test_a_name_says_words_tempo_key_length_and_seed(change: dict[str, Any], name: str) -> None:
    request = LoopRequest(**{"prompt": "house drums", "bpm": 124, "seed": 7, **change})
    assert name_for(request) == name


def test_no_two_loops_share_a_name_in_any_case_of_letters(plan: Plan) -> None:
    pack = plan(axes=(("prompt", "saw bass, SAW BASS, saw  bass"), ("cfg", "1, 2")))
    names = [loop.file for loop in pack.loops]
    assert names[0] == "saw-bass_240bpm_1bars_s7.wav" and names[5].endswith("_s7-6.wav")
    assert len({name.casefold() for name in names}) == 6


# ---- what is wished for -----------------------------------------------------------------------


def test_bars_make_a_matrix_of_the_prompt(plan: Plan) -> None:
    pack = plan("house drums|saw bass|A minor")
    assert asked(pack, "prompt", "seed") == [
        ("house drums", 7),
        ("house drums, saw bass", 7),
        ("house drums, A minor", 7),
        ("house drums, saw bass, A minor", 7),
    ]
    assert pack.loops[3].file == "house-drums-saw-bass_240bpm_Amin_1bars_s7.wav"


def test_bars_within_brackets_alternate_unless_they_are_asked_to_part(plan: Plan) -> None:
    assert asked(plan("[house|techno] drums"), "prompt") == [("[house|techno] drums",)]
    assert asked(plan("[house|techno] drums|saw bass"), "prompt") == [
        ("[house|techno] drums",),
        ("[house|techno] drums, saw bass",),
    ]
    assert len(plan("[house|techno] drums|saw bass", every_bar=True).loops) == 4


def test_axes_go_over_fields_the_first_fastest(plan: Plan) -> None:
    pack = plan(
        axes=(
            ("BPM", "120-140 (+10)"),
            ("key", "A minor, C major, none"),
            ("prompt s/r", "house, techno"),
        )
    )
    assert len(pack.loops) == 18
    assert asked(pack, "bpm", "key", "prompt")[:4] == [
        (120.0, "A minor", "house drums"),
        (130.0, "A minor", "house drums"),
        (140.0, "A minor", "house drums"),
        (120.0, "C major", "house drums"),
    ]
    assert asked(pack, "bpm", "key", "prompt")[-1] == (140.0, None, "techno drums")
    cfg = plan(axes=(("CFG Scale", "1-2 (+0.5)"), ("bit depth", "16, 24"), ("bars", "1, 2")))
    assert asked(cfg, "cfg", "bit_depth", "bars")[-1] == (2.0, "24", 2)


def test_seeds_that_nobody_names_follow_from_the_packs_seed(plan: Plan) -> None:
    wish = {"seed": -1, "axes": (("bpm", "100-139"),)}
    pack = plan(**wish)
    assert pack == plan(**wish)
    seeds = [seed for (seed,) in asked(pack, "seed")]
    assert len(set(seeds)) == 40 and min(seeds) >= 0
    assert not set(seeds) & {seed for (seed,) in asked(plan(**wish, pack_seed=1), "seed")}


def test_takes_are_loops_of_their_own(plan: Plan) -> None:
    pack = plan(takes=3)
    assert asked(pack, "seed", "takes") == [(7, 1), (8, 1), (9, 1)]


# ---- batch files ------------------------------------------------------------------------------

ENTRIES = [
    {"prompt": "house drums", "seed": 42, "steps": 3, "cfg": 6.0, "negative": ""},
    {"prompt": "saw bass", "seed": 100, "steps": 3, "cfg": 6.0, "negative": "drums"},
]
SAME = {
    "a.csv": "Prompt,negative_prompt,seed,steps,cfg\n"
    '"house drums",,42,3,6\n\nsaw bass,drums,100,3,6\n',
    "b.csv": "prompt;negative;seed;numInferenceSteps;guidance\n"
    "house drums;;42;3;6\nsaw bass;drums;100;3;6\n",
    "c.json": json.dumps(ENTRIES),
    "d.jsonl": "\n".join(map(json.dumps, ENTRIES)),
    "e.txt": "--prompt house drums --seed 42 --steps 3 --cfg_scale 6\n"
    "--prompt saw bass --negative_prompt drums --seed 100 --steps 3 --cfg_scale 6\n",
    # As Riffusion's page shows it, with the comma that no JSON may have there.
    "f.json": """
{
  "params": {
    "checkpoint": "riffusion/riffusion-model-v1",
    "scheduler": "DPMSolverMultistepScheduler",
    "num_inference_steps": 3,
    "guidance": 6.0,
    "width": 512,
  },
  "entries": [
    {
      "prompt": "house drums",
      "seed": 42
    },
    {
      "prompt": "saw bass",
      "negative_prompt": "drums",
      "seed": 100
    }
  ]
}
""",
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_wishes_from_every_kind_of_file(
    batch: Callable[[str, str], packs.Pack], name: str
) -> None:
    pack = batch(name, SAME[name])
    assert asked(pack, "prompt", "negative", "seed", "steps", "cfg", "bpm") == [
        ("house drums", "", 42, 3, 6.0, 240.0),
        ("saw bass", "drums", 100, 3, 6.0, 240.0),
    ]
    passed_over = [note for note in pack.notes if "passed over" in note]
    assert len(passed_over) == (2 if name == "f.json" else 0)


def test_riffusions_batch_goes_over_all_its_params(
    batch: Callable[[str, str], packs.Pack],
) -> None:
    params = [{"scheduler": "DDIMScheduler", "name": "a"}, {"guidance": 2}]
    whole = {"entries": [{"prompt": "techno"}, {"prompt": "house"}], "params": params}
    pack = batch("two.json", json.dumps(whole))
    assert asked(pack, "prompt", "sampler", "cfg") == [
        ("techno", "DDIM", 3.0),
        ("techno", "DPM++ 2M", 2.0),
        ("house", "DDIM", 3.0),
        ("house", "DPM++ 2M", 2.0),
    ]


def test_an_empty_cell_says_nothing_and_a_null_takes_the_key_away(
    tmp_path: Path, plan: Plan
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("prompt,key,seed\n,,3\ntechno,C major,\n")
    assert asked(plan(key="A minor", batch=path), "prompt", "key", "seed") == [
        ("house drums", "A minor", 3),
        ("techno", "C major", 7),
    ]
    path = tmp_path / "a.json"
    path.write_text('[{"key": null, "seed": null}]')
    assert asked(plan(key="A minor", batch=path), "key", "seed") == [(None, 7)]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "prompt,bpm\nhouse,120\nhouse,300\n", "a.csv line 3: bpm 300 is outside 40"),
        ("a.csv", 'prompt,bpm\n"house\ndrums",120\nx,fast\n', "a.csv line 4: bpm is 'fast': give"),
        ("a.csv", "prompt,bars\nx,2.5\n", "a.csv line 2: bars is '2.5': give a whole number"),
        ("a.csv", "prompt,tempo\nx,1\n", "a.csv line 1: unknown field 'tempo'"),
        ("a.csv", "prompt,cfg,guidance\nx,1,2\n", "a.csv line 1: the header names 'cfg' twice"),
        ("a.csv", "prompt,bpm\nhouse, drums,1\n", "a.csv line 2: 3 cells under 2 names"),
        ("a.csv", 'prompt,bpm\nx,1\n"house,2\n', "a.csv line 3: "),
        ("a.csv", "prompt,key\nx,H minor\n", "a.csv line 2: key 'H minor' is not a key"),
        ("a.csv", "prompt,sampler\nx,eular\n", "a.csv line 2: unknown sampler 'eular': nearest"),
        ("a.csv", "prompt\n", "a.csv holds no wish"),
        ("a.csv", "seed\n1\n", "a.csv line 2: the prompt is empty"),
        ("a.json", '[\n {},\n {"prompt": "x"}\n]', "a.json line 2: the prompt is empty"),
        ("a.json", '[\n {"prompt":"x"},\n {"prompt": "x",\n  "bpm": 9}\n]', "line 3: bpm 9 is"),
        ("a.json", '[\n {"prompt": }]', "a.json line 2 is no JSON"),
        ("a.json", "[" * 99999, "a.json line 1: brackets within brackets"),
        ("a.json", "[5]", "a.json line 1: '5' is no object"),
        ("a.json", '{"entries": 5}', "a.json: 'entries' is no list"),
        ("a.json", '{"params": 5, "entries": [{}]}', "a.json, params: '5' is no object"),
        ("a.json", '[{"prompt": "x", "seed": true}]', "line 1: seed is 'True': give a whole"),
        ("a.json", '[{"prompt": "x", "takes": 1e999}]', "line 1: takes is 'inf': give a whole"),
        ("a.json", '[{"prompt": "x", "negative": "a", "negativePrompt": "b"}]', "is said twice"),
        ("a.json", '{"entries": [{"prompt": "x"},\n{"prompt": "x", "bars": 0}]}', "line 2: bars 0"),
        ("a.jsonl", '{"prompt": "x"}\n\n{"prompt": "x", "bars": 0}', "a.jsonl line 3: bars 0"),
        ("a.jsonl", '{"prompt": "x"}\n{"prompt"', "a.jsonl line 2 is no JSON"),
        ("a.txt", "house\n--promt house", "a.txt line 2: unknown argument --promt"),
        ("a.txt", "house\n--prompt house --height 512", "a.txt line 2: unknown field 'height'"),
        ("a.xls", "house", "a.xls is no batch file's name: known are .csv, .tsv, .json"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_with_its_line(
    batch: Callable[[str, str], packs.Pack], name: str, text: str, sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        batch(name, text)
    assert sentence in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path, plan: Plan) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"prompt\n\xff\xfe\n")
    with pytest.raises(UsageError, match="a.csv is no text in UTF-8"):
        plan("", batch=path)
    with pytest.raises(UsageError, match="no file .*absent.csv"):
        plan("", batch=tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"axes": (("bmp", "120"),)}, "unknown field 'bmp': nearest 'bpm'"),
        ({"axes": (("bpm", "fast"),)}, "the value 'fast' is no number"),
        ({"axes": (("bpm", "100-140"), ("cfg", "1-50"))}, "the pack would have 2050 loops"),
        ({"axes": (("bpm", "300"),)}, "bpm 300 is outside 40 to 240"),
        ({"axes": (("s/r", "techno, trap"),)}, "'techno' stands in no prompt"),
        ({"axes": (("bpm", "120"),) * 4}, "4 axes: give at most three"),
        ({"every_bar": True}, "a matrix needs bars"),
        ({"pack_seed": -1}, "the pack's seed -1 is outside"),
        ({"suffix": ".aiff"}, "unknown format '.aiff': known are .wav"),
        ({"suffix": ".flac", "bit_depth": "float"}, "FLAC holds 16 or 24 bit"),
        ({"takes": 65}, "takes 65 is outside"),
        ({"takes": 2, "seed": 2**32 - 1}, "2 takes from seed 4294967295 on pass"),
        ({"takes": 64, "axes": (("bpm", "100-140"),)}, "loops or more: ask for at most 2000"),
    ],
)
def test_a_pack_that_cannot_be_is_refused(
    plan: Plan, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((UsageError, RequestError)) as refused:
        plan(**change)
    assert sentence in str(refused.value)


# ---- in the folder ----------------------------------------------------------------------------


def test_a_pack_is_loops_with_pictures_and_an_index_of_them(
    plan: Plan, make: Maker, tmp_path: Path
) -> None:
    pack = plan("house drums|A minor", axes=(("bpm", "200, 240"),))
    seen: list[Progress] = []
    made = make_pack(tmp_path / "pack", pack, make=make, zipped=True, on_progress=seen.append)
    assert (made.made, len(made.entries)) == (4, 4)
    assert [p.done for p in seen] == [1, 2, 3, 4] and {p.total for p in seen} == {4}
    index = json.loads((tmp_path / "pack" / "index.json").read_text())
    assert index["planned"] == 4
    with (tmp_path / "pack" / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for loop, row, line in zip(pack.loops, index["loops"], rows, strict=True):
        sound = tmp_path / "pack" / row["file"]
        record = files.record_of(sound)
        assert record.request == files.record_of(sound.with_suffix(".png")).request == loop.request
        assert row["sha256"] == hashlib.sha256(sound.read_bytes()).hexdigest() == line["sha256"]
        assert line["duration_s"] == str(row["duration_s"]) == f"{4 * 60 / loop.request.bpm}"
        assert record.origin is not None and row["origin"] == asdict(record.origin)
        (alone,) = make_loops(make.instrument, loop.request)
        files.save(alone, tmp_path / "alone.wav")
        assert (tmp_path / "alone.wav").read_bytes() == sound.read_bytes()
    assert [row["key"] for row in rows] == ["", "", "A minor", "A minor"]


def test_the_same_pack_twice_is_the_same_bytes_and_its_index_is_a_batch_file(
    plan: Plan, make: Maker, tmp_path: Path
) -> None:
    pack = plan(seed=-1, takes=3)
    for name in ("a", "b"):
        make_pack(tmp_path / name, pack, make=make, zipped=True)
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "a" / "pack.zip") as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name: data for name, data in first.items() if name != "pack.zip"
        }
    assert plan("", batch=tmp_path / "a" / "index.csv").loops == pack.loops


def test_what_is_whole_is_kept_and_what_was_changed_is_made_again(
    plan: Plan, make: Maker, tmp_path: Path
) -> None:
    pack = plan(takes=4)
    make_pack(tmp_path, pack, make=make)
    first = contents(tmp_path)
    assert make_pack(tmp_path, pack, make=make).made == 0
    (tmp_path / pack.loops[0].file).write_bytes(first[pack.loops[0].file][:-1])
    (tmp_path / pack.loops[1].picture).unlink()
    (tmp_path / pack.loops[2].file).write_bytes(first[pack.loops[3].file])
    make.made.clear()
    made = make_pack(tmp_path, pack, make=make)
    assert make.made == [7, 8, 9] and len(made.notes) == 3
    assert f"{pack.loops[0].file} was changed or taken away since" in made.notes[0]
    assert contents(tmp_path) == first


def test_loops_that_no_index_names_are_kept_if_they_are_the_planned_ones(
    plan: Plan, make: Maker, tmp_path: Path
) -> None:
    pack = plan(takes=4)
    make_pack(tmp_path, pack, make=make)
    first = contents(tmp_path)
    (tmp_path / "index.json").write_text('{"loops": [{')
    (tmp_path / pack.loops[2].file).write_bytes(first[pack.loops[3].file])
    make.made.clear()
    make_pack(tmp_path, pack, make=make)
    assert make.made == [9]
    assert contents(tmp_path) == first


def test_another_plan_in_the_same_folder_is_refused(
    plan: Plan, make: Maker, tmp_path: Path
) -> None:
    pack = plan(takes=2)
    make_pack(tmp_path, pack, make=make)
    first = contents(tmp_path)
    with pytest.raises(UsageError, match=r"another pack: steps of house-.* is 1 there and 2 here"):
        make_pack(tmp_path, plan(takes=2, steps=2), make=make)
    with pytest.raises(UsageError, match="another pack, of 2 loops from house-.* has 3 from"):
        make_pack(tmp_path, plan(takes=3), make=make)
    assert contents(tmp_path) == first


@pytest.mark.parametrize("name", ["index.csv", "HOUSE-DRUMS_240bpm_1bars_s7.PNG", "pack.json"])
def test_what_somebody_else_put_there_is_not_replaced(
    plan: Plan, make: Maker, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="no pack made it|is no plan of a pack"):
        make_pack(tmp_path, plan(), make=make)
    assert contents(tmp_path) == {name: b"mine"}


def test_one_process_at_a_time_and_only_in_a_folder(
    plan: Plan, make: Maker, tmp_path: Path
) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(UsageError, match="another riffapp is at work"):
        make_pack(tmp_path, plan(), make=make)
    os.close(handle)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file: name a folder"):
        make_pack(tmp_path / "file", plan(), make=make)
    assert contents(tmp_path) == {"file": b"mine"}


def test_weights_that_changed_since_are_refused_and_another_machine_is_said(
    plan: Plan, make: Maker, tmp_path: Path
) -> None:
    pack = plan(takes=2)
    make_pack(tmp_path, pack, make=make)
    first = contents(tmp_path)

    def missing() -> None:
        (tmp_path / pack.loops[1].file).unlink()

    def on(origin: dict[str, Any]) -> packs.Maker:
        def make_there(request: LoopRequest, on_progress: OnProgress) -> LoopResult:
            result = make(request, on_progress)
            return replace(result, origin=replace(result.origin, **origin))

        return make_there

    missing()
    with pytest.raises(UsageError, match="has other weights than when this pack was begun"):
        make_pack(tmp_path, pack, make=on({"sha256": "f" * 64}))
    assert not (tmp_path / pack.loops[1].file).exists()
    made = make_pack(tmp_path, pack, make=on({"threads": 9}))
    assert "made before with threads 1, now with 9: it may differ" in made.notes
    missing()
    make_pack(tmp_path, pack, make=make)
    assert contents(tmp_path) == first


# ---- killed -----------------------------------------------------------------------------------

# One process with what a run needs to write a loop; each run is a child of it that is killed.
_RUNS = """
import copy, json, os, pickle, random, signal, sys, time
from pathlib import Path
from audio import disk, files, pictures
from riffapp.studio import pack_files, packs

root = Path(sys.argv[1])
pack, template = pickle.loads((root / "pack.pickle").read_bytes())

def run(folder, number, arm):
    def make(request, _):
        with (root / "made.txt").open("a") as log:
            log.write(f"{number} {request.seed}\\n")
        made = copy.copy(template)
        object.__setattr__(made, "request", request)
        return made

    child = os.fork()
    if child:
        return child
    arm()
    packs.make_pack(folder, pack, make=make, zipped=True)
    os._exit(0)

def dies_at(call, owner, name):
    # The child kills itself as it is about to do something for the nth time.
    def arm():
        whole, count = getattr(owner, name), 0
        def counting(*args, **words):
            nonlocal count
            count += 1
            if count == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(*args, **words)
        setattr(owner, name, counting)
    return arm

looked_at = set()

def whole(folder):
    found = []
    for loop in pack.loops:
        sound, picture = folder / loop.file, folder / loop.picture
        for path, read in ((sound, files.read), (picture, pictures.read)):
            if path.exists() and path not in looked_at:
                read(path)  # raises for half a file
                looked_at.add(path)
        if sound.exists() and picture.exists():
            found.append(loop.request.seed)
    return found

arms = [
    dies_at(1, disk, "write_whole"),  # before the plan is there
    dies_at(8, pictures, "write"),  # between a sound and its picture
    dies_at(11, pack_files, "write_index"),  # between a picture and the index
    dies_at(40, Path, "replace"),  # between a file's bytes and its name
    lambda: None,
    lambda: None,
    dies_at(1, pack_files, "write_table"),
    dies_at(1, pack_files, "write_archive"),
    lambda: None,
]
random.seed(0)
said = []
for number, arm in enumerate(arms):
    child = run(root / "killed", number, arm)
    if number in (4, 5):  # wherever it is, but not before it has made a loop, however slowly
        while len(list((root / "killed").glob("*.png"))) <= len(said[-1]["whole"]) + 1:
            time.sleep(0.005)
        time.sleep(random.uniform(0.05, 0.3))
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    said.append({"signal": os.WTERMSIG(status), "whole": whole(root / "killed")})
os.waitpid(run(root / "calm", -1, lambda: None), 0)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def killed(
    instrument: Instrument, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Any]]:
    """A pack of 200 loops whose run was killed eight times, and one that nobody disturbed."""
    root = tmp_path_factory.mktemp("runs")
    base = LoopRequest(prompt="house drums", bpm=240, bars=1, steps=1, quality="draft")
    base = replace(base, checkpoint=instrument.name)
    pack = plan_pack(PackWish(base=base, axes=(("seed", "0-199"),)))
    (template,) = make_loops(instrument, pack.loops[0].request)
    assert template.loop.clip.n == 44100  # rendered, once for all
    (root / "pack.pickle").write_bytes(pickle.dumps((pack, template)))
    command = [sys.executable, "-c", _RUNS, str(root)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    yield root, json.loads(run.stdout.splitlines()[-1])


def test_a_pack_killed_anywhere_ends_as_if_it_had_not_been(killed: tuple[Path, Any]) -> None:
    root, said = killed
    assert [run["signal"] for run in said] == [signal.SIGKILL] * 8 + [0]
    assert len(said[3]["whole"]) < len(said[4]["whole"]) < len(said[5]["whole"]) < 200
    assert said[6]["whole"] == said[8]["whole"] == list(range(200))
    found = contents(root / "killed")
    assert found == contents(root / "calm")
    assert len(found) == 2 * 200 + 4


def test_a_loop_that_is_whole_is_never_made_again(killed: tuple[Path, Any]) -> None:
    root, said = killed
    lines = [tuple(map(int, line.split())) for line in (root / "made.txt").read_text().splitlines()]
    made = [(run, seed) for run, seed in lines if run >= 0]
    assert not [(run, seed) for run, seed in made if run and seed in said[run - 1]["whole"]]
    assert len(made) - 200 <= 4  # the one that each of the kills amid making interrupted
    assert {seed for _, seed in made} == set(range(200))


def test_the_command_goes_on_where_it_was_killed(
    riffapp: Command, tiny: Path, tmp_path: Path
) -> None:
    words = ["pack", "house drums|saw bass", "--takes", 2, "--seed", 0, "--bpm", 240, "--bars", 1]
    words += ["--steps", 20, "--device", "cpu", "--threads", 1, "--checkpoint", tiny, "--zip", "-o"]
    command = [sys.executable, "-m", "riffapp", *map(str, words), str(tmp_path / "killed")]
    child = subprocess.Popen(command, cwd=ROOT)
    while len(list(tmp_path.glob("killed/*.wav"))) < 2 and child.poll() is None:
        time.sleep(0.01)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    run = riffapp(*words, tmp_path / "killed", "--json")
    assert run.code == 0, run.err
    document = json.loads(run.out)
    assert document["made"] + document["kept"] == 4 and document["kept"] in (1, 2, 3)
    assert riffapp(*words, tmp_path / "calm").code == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "calm")


# ---- the command ------------------------------------------------------------------------------


@pytest.fixture
def pack(riffapp: Command, tiny: Path, tmp_path: Path) -> Command:
    """`riffapp pack` with short settings, into a folder that is not there yet."""
    short = ["--bpm", 240, "--bars", 1, "--steps", 1, "--quality", "draft", "--device", "cpu"]

    def run(*words: object) -> Any:
        return riffapp("pack", *words, *short, "--checkpoint", tiny, "-o", tmp_path / "pack")

    return run


def test_the_command_says_what_it_made_and_what_was_there(pack: Command, tmp_path: Path) -> None:
    words = ("house|techno", "--x", "key: A minor, none", "--y", "seed=1-2", "--format", "flac")
    run = pack(*words)
    assert (run.code, run.err) == (0, "")
    assert run.out == f"{tmp_path / 'pack'}  8 loops, 8.000 s of sound\n"
    assert (tmp_path / "pack" / "house-techno_240bpm_Amin_1bars_s2.flac").is_file()
    assert "; 0 made, 8 were there; pack.zip\n" in pack(*words, "--zip").out


def test_the_commands_document_names_every_loop(pack: Command, tmp_path: Path) -> None:
    document = json.loads(pack("huose drums", "--takes", 2, "--seed", 3, "--json").out)
    assert [loop["seed"] for loop in document["loops"]] == [3, 4]
    assert (document["made"], document["kept"], document["zip"]) == (2, 0, None)
    assert "never taught 'huose'" in document["warnings"][0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "no prompt: say what to play"),
        (["house", "--x", "bpm 120"], "the axis 'bpm 120': write a field and values"),
        (["house", "--x", "bpm: 120, 999"], "bpm 999 is outside"),
        (["house", "--format", "aiff"], "unknown format"),
        (["house", "--batch", "absent.csv"], "no file absent.csv"),
        (["house", "--matrix"], "a matrix needs bars"),
    ],
)
def test_the_command_refuses_in_a_sentence_and_makes_no_folder(
    pack: Command, tmp_path: Path, words: list[str], sentence: str
) -> None:
    run = pack(*words)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("riffapp: ") and sentence in run.err and run.err.count("\n") == 1
    assert contents(tmp_path) == {}


def test_a_pack_without_a_folder_is_refused(riffapp: Command) -> None:
    run = riffapp("pack", "house drums")
    assert run.code == 2 and "no folder: say where the pack goes" in run.err


def test_a_planned_loop_is_what_the_loop_command_would_plan(
    plan: Plan, base: LoopRequest, instrument: Instrument
) -> None:
    (loop,) = plan().loops
    assert loop.request == plan_loop(base, instrument.sound)
