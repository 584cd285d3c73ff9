"""The command line on a tiny checkpoint of random weights: bytes, settings, refusals."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from riffapp.studio import files

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("wav", "flac", "ogg", "mp3")
SHORT = ("house drums, A minor", "--bpm", 240, "--bars", 1, "--quality", "draft", "--device", "cpu")

Command = Callable[..., Any]


@pytest.fixture
def loop(riffapp: Command, tiny: Path, tmp_path: Path) -> Command:
    """`riffapp loop` with short settings, in a folder of its own."""

    def run(*words: object, name: str = "loop.wav") -> Any:
        return riffapp("loop", *SHORT, "--checkpoint", tiny, "-o", tmp_path / name, *words)

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# ---- the same again (rows e and i) ------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_command_makes_the_same_bytes(loop: Command, tmp_path: Path, suffix: str) -> None:
    assert loop("--seed", 0, name=f"loop.{suffix}").code == 0
    first = contents(tmp_path)
    assert set(first) == {f"loop.{suffix}", "loop.png"}
    assert loop("--seed", 0, name=f"loop.{suffix}").code == 0
    assert contents(tmp_path) == first


def test_seed_0_is_a_seed(loop: Command, tmp_path: Path) -> None:
    loop("--seed", 0)
    assert files.record_of(tmp_path / "loop.wav").request.seed == 0
    first = contents(tmp_path)
    loop("--seed", 1)
    assert contents(tmp_path) != first


@pytest.mark.parametrize("suffix", FORMATS)
def test_take_i_alone_is_the_same_bytes_as_take_i_of_many(
    loop: Command, tmp_path: Path, suffix: str
) -> None:
    assert loop("--seed", 5, "--takes", 3, name=f"many.{suffix}").code == 0
    for i in (1, 2, 3):
        loop("--seed", 4 + i, name=f"alone.{suffix}")
        for end in (suffix, "png"):
            many, alone = tmp_path / f"many_{i}.{end}", tmp_path / f"alone.{end}"
            assert many.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize("depth", ["16", "24", "float"])
@pytest.mark.parametrize("source", ["loop.wav", "loop.png"])
def test_a_loop_is_made_again_from_its_own_files_alone(
    loop: Command, riffapp: Command, tmp_path: Path, depth: str, source: str
) -> None:
    made = loop("--negative", "techno", "--cfg", 2.5, "--steps", 3, "--sampler", "Euler a",
                "--rate", 48000, "--bit-depth", depth)  # fmt: skip
    assert made.code == 0
    again = tmp_path / "again"
    again.mkdir()
    assert riffapp("loop", "--from", tmp_path / source, "-o", again / "loop.wav").code == 0
    for name in ("loop.wav", "loop.png"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_each_format_carries_all_settings(
    loop: Command, riffapp: Command, tmp_path: Path, suffix: str
) -> None:
    loop("--key", "F#", name=f"loop.{suffix}")
    source, again = tmp_path / f"loop.{suffix}", tmp_path / f"again.{suffix}"
    assert riffapp("loop", "--from", source, "-o", again).code == 0
    assert again.read_bytes() == source.read_bytes()


def test_a_flag_goes_before_the_file(loop: Command, riffapp: Command, tmp_path: Path) -> None:
    loop("--seed", 3)
    path = tmp_path / "other.wav"
    assert riffapp("loop", "--from", tmp_path / "loop.png", "--seed", 4, "-o", path).code == 0
    request = files.record_of(path).request
    assert (request.seed, request.bpm, request.prompt) == (4, 240.0, "house drums, A minor")


def test_a_png_plays_as_its_loop(loop: Command, riffapp: Command, tmp_path: Path) -> None:
    from audio.files import read

    loop()
    png, out = tmp_path / "loop.png", tmp_path / "played.wav"
    assert riffapp("image-to-audio", png, "-o", out, "--quality", "draft").code == 0
    assert (read(out).samples == read(tmp_path / "loop.wav").samples).all()
    slow = tmp_path / "slow.wav"
    assert riffapp("image-to-audio", png, "-o", slow, "--bpm", 60).code == 0
    assert read(slow).n == 4 * 44100


def test_a_loop_drawn_and_played_keeps_its_length(
    loop: Command, riffapp: Command, tiny: Path, tmp_path: Path
) -> None:
    from audio.files import read

    loop()
    png, out = tmp_path / "drawn.png", tmp_path / "played.wav"
    sound = tmp_path / "loop.wav"
    for _ in range(2):  # its own drawing may be replaced
        assert riffapp("audio-to-image", sound, "--checkpoint", tiny, "-o", png).code == 0
    assert riffapp("image-to-audio", png, "-o", out).code == 0
    assert read(out).n == read(sound).n


# ---- what it says -----------------------------------------------------------------------------


def test_the_person_is_told_where_and_how_fast(loop: Command, tmp_path: Path) -> None:
    run = loop("--seed", 7)
    assert str(tmp_path / "loop.wav") in run.out and str(tmp_path / "loop.png") in run.out
    assert "1 bar at 240 bpm, 1.000 s, 44100 Hz, seed 7" in run.out
    assert "RTF" in run.out
    assert run.err == ""  # no bar where nobody watches


def test_json_is_one_document(loop: Command, tmp_path: Path) -> None:
    run = loop("--takes", 2, "--seed", 7, "--json")
    document = json.loads(run.out)
    assert [take["seed"] for take in document["takes"]] == [7, 8]
    assert [take["samples"] for take in document["takes"]] == [44100, 44100]
    assert document["takes"][0]["sound"] == str(tmp_path / "loop_1.wav")
    assert document["request"]["seed"] == 7
    assert document["warnings"] == []


def test_a_word_never_taught_is_said_on_stderr(loop: Command) -> None:
    run = loop("--negative", "tehcno")
    assert run.code == 0
    assert run.err == (
        "note: the model was never taught 'tehcno': the nearest word it knows is 'techno'\n"
    )


def test_info_shows_the_settings_of_a_file_and_the_words_of_a_checkpoint(
    loop: Command, riffapp: Command, tiny: Path, tmp_path: Path
) -> None:
    loop("--seed", 7)
    for name in ("loop.wav", "loop.png"):
        said = json.loads(riffapp("info", tmp_path / name, "--json").out)
        assert said["settings"]["seed"] == 7
        assert said["tempo"] == {"bpm": 240.0, "beats": 4, "meter": 4}
    assert "seed: 7" in riffapp("info", tmp_path / "loop.wav").out
    assert "saw bass" in riffapp("info", tiny).out


def test_help_and_version_answer(riffapp: Command) -> None:
    assert "never replaces a file" in riffapp("loop", "--help").out
    assert riffapp("--version").out.startswith("riffapp ")


# ---- refusals (row j) -------------------------------------------------------------------------


def refused(run: Any, code: int, *sentence: str) -> None:
    """One clear sentence on stderr, nothing on stdout, no traceback."""
    assert run.code == code
    assert run.out == ""
    assert run.err.startswith("riffapp: ") and run.err.count("\n") == 1, run.err
    assert "Traceback" not in run.err
    for part in sentence:
        assert part in run.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([""], "the prompt is empty"),
        (["--bpm", "0"], "bpm 0 is outside 40 to 240"),
        (["--bpm", "fast"], "invalid float value: 'fast'"),
        (["--bars", "2000"], "bars 2000: a piece has 1 to 1200 bars"),
        (["--meter", "3/4"], "loops are made in 4/4 only"),
        (["--sampler", "eular"], "unknown sampler 'eular': nearest 'Euler'"),
        (["--schedule", "karras!"], "unknown schedule"),
        (["--quality", "great"], "unknown quality"),
        (["--key", "H"], "is not a key"),
        (["--takes", "0"], "takes 0 is outside"),
        (["--threads", "0"], "threads 0: give 1"),
        (["--rate", "8000"], "unknown rate"),
        (["--format", "mp3"], "disagree"),
        (["--checkpoint", "nothing-here"], "unknown checkpoint 'nothing-here'"),
        (["--unheard-of"], "unrecognized arguments"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_no_file(
    riffapp: Command, tiny: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    prompt = [] if words[0] == "" else ["drums"]
    checkpoint = [] if "--checkpoint" in words else ["--checkpoint", tiny]
    run = riffapp("loop", *prompt, *words, *checkpoint, "-o", tmp_path / "loop.wav")
    refused(run, 2, sentence)
    assert contents(tmp_path) == {}


def test_no_prompt_at_all_is_refused(riffapp: Command) -> None:
    refused(riffapp("loop"), 2, "no prompt: say what to play")


def test_a_device_that_is_not_here_is_the_machines_fault(loop: Command) -> None:
    refused(loop("--device", "cuda:99"), 3, "cuda:99")


@pytest.mark.parametrize("command", ["info", "audio-to-image", "loop --from"])
def test_a_text_file_called_wav_is_refused(riffapp: Command, tmp_path: Path, command: str) -> None:
    path = tmp_path / "song.wav"
    path.write_text("this is no sound at all, it is a letter to my aunt\n" * 20)
    refused(riffapp(*command.split(), path), 2, "song.wav")
    assert set(contents(tmp_path)) == {"song.wav"}


@pytest.mark.parametrize("command", ["info", "image-to-audio", "loop --from"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_png_is_refused(
    loop: Command, riffapp: Command, tmp_path: Path, command: str, kept: float
) -> None:
    loop()
    whole = (tmp_path / "loop.png").read_bytes()
    folder = tmp_path / "half"
    folder.mkdir()
    path = folder / "half.png"
    path.write_bytes(whole[: int(kept * len(whole))])
    refused(riffapp(*command.split(), path), 2, "half.png")
    assert set(contents(folder)) == {"half.png"}


def test_a_text_file_called_png_is_refused(riffapp: Command, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_text("no picture")
    refused(riffapp("image-to-audio", path), 2, "picture.png")


@pytest.mark.parametrize("command", ["info", "image-to-audio", "audio-to-image", "loop --from"])
def test_a_file_that_is_not_there_is_refused(
    riffapp: Command, tmp_path: Path, command: str
) -> None:
    refused(riffapp(*command.split(), tmp_path / "absent.wav"), 2, "absent.wav")


@pytest.mark.parametrize("missing", ["unet/config.json", "vae/config.json", "sound.json"])
def test_a_checkpoint_folder_with_a_missing_file_is_refused(
    riffapp: Command, tiny: Path, tmp_path: Path, missing: str
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "copy")
    (folder / missing).unlink()
    out = tmp_path / "loop.wav"
    refused(riffapp("loop", "drums", "--checkpoint", folder, "-o", out), 2, Path(missing).name)
    assert not out.exists()


def test_a_truncated_weights_file_is_refused(riffapp: Command, tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "copy")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    run = riffapp("loop", "drums", "--checkpoint", folder, "-o", tmp_path / "loop.wav")
    refused(run, 2, path.name)


def test_a_stopped_run_says_so_and_leaves_no_file(
    loop: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("riffapp.studio.text_to_audio.render", stop)
    run = loop()
    assert (run.code, run.err) == (130, "riffapp: stopped\n")
    assert contents(tmp_path) == {}


def test_out_of_memory_is_the_machines_fault(
    loop: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("riffapp.studio.text_to_audio.render", full)
    refused(loop(), 3, "out of memory")
    assert contents(tmp_path) == {}


# One child for all of these, as importing the networks' libraries takes longer than the loops.
_CHILD = """
import contextlib, io, json, resource, signal, sys
from pathlib import Path
from riffapp import cli

folder, tiny = Path(sys.argv[1]), sys.argv[2]
words = ["loop", *json.loads(sys.argv[3]), "--threads", "1", "--checkpoint", tiny, "-o"]

def run(name):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([*words, str(folder / name)])
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}

found = {"free": run("free.wav"), "modules": sorted(sys.modules)}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
found |= {suffix: run(f"full.{suffix}") for suffix in ("wav", "flac", "ogg", "mp3")}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def child(
    tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What a process said that first made a loop, and then might write no file past 2,000 bytes;
    and what it left in its folder."""
    folder = tmp_path_factory.mktemp("disk")
    words = json.dumps([str(word) for word in SHORT])
    run = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder), str(tiny), words],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return json.loads(run.stdout.splitlines()[-1]), contents(folder)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_leaves_no_half_written_file(
    child: tuple[dict[str, Any], dict[str, bytes]], suffix: str
) -> None:
    said, left = child
    refused(SimpleNamespace(**said[suffix]), 3, f"full.{suffix} cannot be written")
    assert set(left) == {"free.wav", "free.png"}


def test_making_a_loop_imports_neither_the_band_nor_the_page(
    child: tuple[dict[str, Any], dict[str, bytes]],
) -> None:
    said, _ = child
    assert said["free"]["code"] == 0
    assert "audio.codec" in said["modules"]
    assert not [m for m in said["modules"] if m.startswith(("audio.synth", "streamlit"))]
