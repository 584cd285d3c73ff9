"""The image commands as a person gives them, on the embedded checkpoint at small sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from riffapp.cli import main

SMALL = ["--width", "64", "--height", "64", "--steps", "2", "--cfg", "1", "--device", "cpu"]


def _run(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, str, str]:
    try:
        code = main([str(word) for word in words])
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_picture_s_file_alone_makes_the_same_bytes_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again = tmp_path / "a.png", tmp_path / "b.png"
    flags = ["--variation-seed", 3, "--variation-strength", 0.2, "--hires", 1.5, "--tiling", "x"]
    flags += ["--sampler", "Euler a", "--sampler-option", "eta=0.5", "--seed-from", "32x64"]
    code, out, err = _run(
        capsys, "txt2img", "[house:bass:1], (tree:1.2)", *SMALL, *flags, "-o", first
    )
    assert (code, out.split()[0]) == (0, str(first)), err
    assert "never taught 'bass'" in err and "'tree'" not in err
    assert _run(capsys, "txt2img", "--from", first, "--device", "cpu", "-o", again)[0] == 0
    assert first.read_bytes() == again.read_bytes()


def test_a_model_of_loops_says_that_it_paints_spectrograms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("txt2img", "house drums", *SMALL, "--checkpoint", "loops", "-o", tmp_path / "a.png")
    code, _, err = _run(capsys, *asked)
    assert code == 0 and "paints spectrograms" in err


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_settings_are_read_from_every_kind_of_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    assert _run(capsys, "txt2img", "house", *SMALL, "--seed", 5, "-o", path)[0] == 0
    code, out, _ = _run(capsys, "info", path)
    assert code == 0 and "Steps: 2, Sampler: DPM++ 2M, Schedule type: Karras" in out
    assert f"again: riffapp txt2img --from {path}" in out


def test_a_batch_is_numbered_and_a_folder_s_files_are_named_after_the_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _run(
        capsys, "txt2img", "house", *SMALL, "--batch", 2, "--json", "-o", tmp_path / "a.png"
    )
    files = [Path(one["file"]).name for one in json.loads(out)["files"]]
    assert code == 0 and files == ["a_1.png", "a_2.png"]
    for name in ("house_drums.png", "house_drums-2.png"):
        assert _run(capsys, "txt2img", "house, drums", *SMALL, "-o", tmp_path)[0] == 0
        assert (tmp_path / name).is_file()


def test_img2img_inpaints_where_the_mask_is_white(
    tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 24, 64))
    mask.save(tmp_path / "mask.png")
    flags = ["--mask", tmp_path / "mask.png", "--mask-blur", 0, "--strength", 0.9]
    code, _, err = _run(
        capsys, "img2img", picture, "house", *SMALL, *flags, "-o", tmp_path / "a.png"
    )
    assert code == 0, err
    made, before = (np.asarray(Image.open(p).convert("RGB")) for p in (tmp_path / "a.png", picture))
    assert np.array_equal(made[:, 24:], before[:, 24:])
    assert not np.array_equal(made[:, :24], before[:, :24])


@pytest.mark.parametrize(("given", "expected"), [((300, 225), (144, 112)), ((64, 64), (128, 128))])
def test_img2img_draws_in_the_shape_of_its_picture_where_no_size_is_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    given: tuple[int, int],
    expected: tuple[int, int],
) -> None:
    Image.new("RGB", given, "white").save(tmp_path / "given.png")
    words = ["img2img", tmp_path / "given.png", "house", "--steps", 1, "--device", "cpu"]
    assert _run(capsys, *words, "-o", tmp_path / "a.png")[0] == 0
    with Image.open(tmp_path / "a.png") as made:
        assert made.size == expected
    assert _run(capsys, *words, "--width", 64, "--height", 96, "-o", tmp_path / "b.png")[0] == 0
    with Image.open(tmp_path / "b.png") as made:
        assert made.size == (64, 96)


@pytest.mark.parametrize(
    "flags",
    [
        ["--alternative", "--decode-prompt", "noise"],
        ["--loopback", 2, "--final-strength", 0.3],
        ["--only-masked", "--resize", "crop and resize", "--colour-correction"],
    ],
)
def test_img2img_has_its_other_ways(
    tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str], flags: list[Any]
) -> None:
    path = tmp_path / "a.png"
    code, out, err = _run(capsys, "img2img", picture, "house", *SMALL, *flags, "-o", path)
    assert code == 0, err
    assert len(out.splitlines()) == (2 if "--loopback" in flags else 1)


def test_styles_and_wildcards_come_into_the_prompt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "styles.csv").write_text(
        'name,prompt,negative_prompt\nloud,"{prompt}, distorted",quiet\n', encoding="utf-8"
    )
    (tmp_path / "kit.txt").write_text("techno drums\n", encoding="utf-8")
    flags = ["--styles", tmp_path / "styles.csv", "--style", "loud", "--wildcards", tmp_path]
    code, _, err = _run(capsys, "txt2img", "__kit__", *SMALL, *flags, "-o", tmp_path / "a.png")
    assert code == 0, err
    _, out, _ = _run(capsys, "info", tmp_path / "a.png")
    assert "techno drums, distorted" in out and "Negative prompt: quiet" in out


def test_a_picture_is_made_larger_and_keeps_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, large = tmp_path / "a.png", tmp_path / "b.png"
    assert _run(capsys, "txt2img", "house", *SMALL, "--seed", 5, "-o", small)[0] == 0
    code, out, _ = _run(capsys, "upscale", small, "--size", "96x128", "-o", large)
    assert code == 0 and "96 x 128" in out
    assert "Seed: 5" in _run(capsys, "info", large)[1]


def test_two_checkpoints_are_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    name = "model.diffusion_model.out.0.weight"
    for file, value in (("a", 1.0), ("b", 3.0)):
        save_file({name: torch.full((4,), value)}, tmp_path / f"{file}.safetensors")
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    out = tmp_path / "c.safetensors"
    code, _, err = _run(capsys, "merge", *files, "--multiplier", 0.25, "-o", out)
    assert code == 0, err
    from safetensors.torch import load_file

    assert load_file(out)[name].tolist() == [1.5] * 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["txt2img"], "no prompt: say what to draw"),
        (["txt2img", "a", "--sampler", "eular"], "unknown sampler 'eular': nearest 'Euler'"),
        (["txt2img", "a", "--steps", "0"], "0 steps: give 1 to 1000"),
        (["txt2img", "a", "-o", "a.bmp"], "a.bmp is no picture's name"),
        (["txt2img", "a <lora:b:1>"], "unknown LoRA 'b': there is none in no folder at all"),
        (["txt2img", "a", "--checkpoint", "nothing"], "unknown checkpoint 'nothing'"),
        (["txt2img", "a", "--style", "x"], "a style without its file"),
        (["txt2img", "a", "--sampler-option", "eta"], "give name=number"),
        (["txt2img", "a", "--refiner-switch", "0.5"], "a switch without a refiner"),
        (["txt2img", "a", "--width", "w"], "argument --width: invalid int value: 'w'"),
        (["img2img", "nothing.png", "a"], "nothing.png is not there: give a picture's file"),
        (["img2img", "PICTURE", "a", "--strength", "2"], "a denoising strength of 2: give 0"),
        (["upscale", "PICTURE", "--scale", "99"], "an upscale by 99"),
        (["upscale", "PICTURE", "--upscaler", "x"], "unknown upscaler 'x'"),
        (["restore-faces", "PICTURE"], "no weight file of GFPGAN"),
        (["restore-faces", "PICTURE", "--method", "x"], "unknown face restorer 'x'"),
        (["merge", "a.safetensors", "-o", "b.safetensors"], "1 checkpoints for 'weighted sum'"),
        (["txt2img", "a", "--models-dir", "nowhere"], "nowhere is no folder"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_nothing(
    tmp_path: Path,
    picture: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = _run(capsys, *[picture if word == "PICTURE" else word for word in words])
    assert code in (2, 3) and out == ""
    assert err.count("\n") == 1 and sentence in err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "command", ["txt2img", "img2img", "upscale", "restore-faces", "merge", "info"]
)
def test_every_command_s_help_has_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _run(capsys, command, "--help")
    assert code == 0 and f"riffapp {command} " in out.split("example:")[1]
