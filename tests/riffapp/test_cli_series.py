"""Scripts over txt2img and img2img as a person asks for them, on the embedded checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import AutoencoderTiny
from PIL import Image
from safetensors.torch import save_file

from riffapp.cli import main

SMALL = ["--width", "64", "--height", "64", "--steps", "1", "--cfg", "1", "--device", "cpu"]


def _run(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, str, str]:
    try:
        code = main([str(word) for word in words])
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def _texts(capsys: pytest.CaptureFixture[str], *paths: Path) -> list[str]:
    return [_run(capsys, "info", path)[1] for path in paths]


def test_a_plot_draws_every_cell_of_its_axes_and_one_labelled_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = ["--x", "Prompt S/R=house, techno, dub", "--y", "Seed=5-6", "--cells"]
    path = tmp_path / "plot.png"
    code, out, err = _run(capsys, "txt2img", "house drums", *SMALL, *axes, "--json", "-o", path)
    assert code == 0, err
    files = [Path(one["file"]) for one in json.loads(out)["files"]]
    assert [file.name for file in files] == [f"plot_{n}.png" for n in range(1, 8)]
    with Image.open(files[0]) as sheet:
        assert sheet.width > 3 * 64 and sheet.height > 2 * 64  # with room for the legends
    sheet_text, *cells = _texts(capsys, *files)
    assert "Script: X/Y/Z plot, X Type: Prompt S/R" in sheet_text
    for text, (words, seed) in zip(
        cells, [(w, s) for s in (5, 6) for w in ("house", "techno", "dub")], strict=True
    ):
        assert f"{words} drums\n" in text and f"Seed: {seed}" in text
        assert "Script" not in text


def test_a_cell_that_cannot_be_drawn_is_blank_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axis = ["--x", "Steps=1, 0"]
    path = tmp_path / "plot.png"
    code, _, err = _run(capsys, "txt2img", "house", *SMALL, *axis, "-o", path)
    assert code == 0 and path.is_file()
    assert "note: the cell Steps: 0: 0 steps: give 1" in err


def test_a_matrix_draws_every_combination_with_one_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.png"
    flags = ["--matrix", "prompt", "--cells"]
    code, _, err = _run(capsys, "txt2img", "house|drums|bass", *SMALL, *flags, "-o", path)
    assert code == 0, err
    texts = _texts(capsys, *(tmp_path / f"m_{n}.png" for n in range(2, 6)))
    wanted = ["house", "house, drums", "house, bass", "house, drums, bass"]
    seeds = {text.split("Seed: ")[1].split(",")[0] for text in texts}
    assert all(f"{words}\nSteps" in text for words, text in zip(wanted, texts, strict=True))
    assert len(seeds) == 1


def test_lines_of_a_file_are_drawn_in_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "styles.csv").write_text(
        'name,prompt,negative_prompt\nloud,"{prompt}, loud",quiet\n', encoding="utf-8"
    )
    (tmp_path / "lines.txt").write_text(
        "house drums\n\n--prompt dub bass --steps 2 --seed 9 --n_iter 2 --styles loud\n"
        "--prompt pads --subseed 3 --subseed_strength 0.5\n",
        encoding="utf-8",
    )
    flags = ["--lines", tmp_path / "lines.txt", "--styles", tmp_path / "styles.csv", "--seed", 4]
    flags += ["--different-seeds"]
    code, out, err = _run(capsys, "txt2img", *SMALL, *flags, "-o", tmp_path / "a.png")
    assert code == 0 and len(out.splitlines()) == 4, err
    first, *twice, last = _texts(capsys, *(tmp_path / f"a_{n}.png" for n in range(1, 5)))
    assert "house drums\nSteps: 1," in first and "Seed: 4," in first
    for seed, text in zip((9, 10), twice, strict=True):
        assert "dub bass, loud\nNegative prompt: quiet\nSteps: 2," in text
        assert f"Seed: {seed}," in text
    assert "Seed: 6," in last and "Variation seed: 3, Variation seed strength: 0.5" in last


@pytest.mark.parametrize(
    ("flags", "size"),
    [
        (["--outpaint", 64, "--sides", "right"], (128, 64)),
        (["--outpaint", 32, "--outpaint-way", "poor man's", "--sides", "left,down"], (128, 128)),
        (["--sd-upscale", 2, "--tile-overlap", 16], (128, 128)),
    ],
)
def test_img2img_grows_and_enlarges_its_picture(
    tmp_path: Path,
    picture: Path,
    capsys: pytest.CaptureFixture[str],
    flags: list[Any],
    size: tuple[int, int],
) -> None:
    path = tmp_path / "a.png"
    code, _, err = _run(capsys, "img2img", picture, "house", *SMALL, *flags, "-o", path)
    assert code == 0, err
    with Image.open(path) as made:
        assert made.size == size
        kept = np.asarray(made)[:64, :32]
    with Image.open(picture) as before:
        is_kept = np.array_equal(kept, np.asarray(before)[:, :32])
    assert is_kept == ("right" in flags)
    (text,) = _texts(capsys, path)
    assert ("SD upscale overlap: 16" if "--sd-upscale" in flags else "Outpainting: ") in text


def test_a_preview_shows_the_picture_as_it_forms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = tmp_path / "shown.png"
    code, _, err = _run(
        capsys, "txt2img", "house", *SMALL, "--preview", shown, "-o", tmp_path / "a.png"
    )
    assert code == 0, err
    with Image.open(shown) as preview:
        assert preview.size == (8, 8)  # one pixel per latent one
        assert np.asarray(preview).std() > 0


def test_low_memory_draws_the_same_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for memory in ("normal", "medium", "low"):
        path = tmp_path / f"{memory}.png"
        flags = ["--memory", memory, "--seed", 1, "-o", path]
        assert _run(capsys, "txt2img", "house", *SMALL, *flags)[0] == 0
    drawn = {memory.read_bytes() for memory in tmp_path.glob("*.png")}
    assert len(drawn) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["txt2img", "a", "--x", "Steps"], "--x Steps: give the axis and its values"),
        (["txt2img", "a", "--x", "Stepz=1,2"], "unknown axis 'Stepz': nearest 'Steps'"),
        (["txt2img", "a", "--x", "Checkpoint name=loops, no"], "unknown checkpoint 'no'"),
        (["txt2img", "a", "--x", "Steps=1-3000"], "give at most"),
        (["txt2img", "a", "--x", "Steps=1,2", "--vary-seeds", "w"], "'w' is no axis"),
        (["txt2img", "a", "--x", "Steps=1,2", "--matrix", "prompt"], "at once: give one of them"),
        (["txt2img", "a|b", "--matrix", "both"], "--matrix both: give prompt or negative"),
        (["txt2img", "--lines", "nothing.txt"], "nothing.txt cannot be read as text"),
        (["txt2img", "--lines", "EMPTY"], "no line with a prompt"),
        (["txt2img", "a", "--memory", "tiny"], "unknown memory mode 'tiny'"),
        (["txt2img", "a", "--memory", "low", "--refiner", "loops"], "holds one checkpoint"),
        (["txt2img", "a", "--vae", "TAESD"], "no TAESD for the checkpoint 'pictures'"),
        (["txt2img", "a", "--preview", "a.bmp"], "a.bmp is no picture's name"),
        (
            ["txt2img", "a", "--x", "Steps=1,2", "--preview", "p.png"],
            "--preview beside X/Y/Z plot",
        ),
        (["txt2img", "a", "--preview", "."], "--preview . is a folder"),
        (["img2img", "PICTURE", "a", "--sides", "left"], "sides without --outpaint"),
        (["img2img", "PICTURE", "a", "--outpaint", "64", "--sides", "lft"], "unknown side 'lft'"),
        (["img2img", "PICTURE", "a", "--outpaint", "64", "--sd-upscale", "2"], "at once: do one"),
        (
            [
                *["img2img", "PICTURE", "a", "--width", "64", "--height", "64"],
                *["--outpaint", "64", "--outpaint-way", "poor man's"],
            ],
            "outpainting by 64 pixels in tiles of 64 x 64",
        ),
        (
            ["img2img", "PICTURE", "a", "--outpaint", "64", "--loopback", "2"],
            "loopback beside outpainting",
        ),
        (["img2img", "PICTURE", "a", "--outpaint", "64", "--x", "Steps=1,2"], "give one of them"),
        (
            [
                *["img2img", "PICTURE", "a", "--outpaint", "64", "--falloff", "1"],
                *["--outpaint-way", "poor man's"],
            ],
            "the poor man's way has no 'falloff'",
        ),
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
    (tmp_path / "empty.txt").write_text("\n")
    before = sorted(tmp_path.iterdir())
    named = {"PICTURE": picture, "EMPTY": "empty.txt"}
    code, out, err = _run(capsys, *[named.get(word, word) for word in words])
    assert code in (2, 3) and out == ""
    assert err.count("\n") == 1 and sentence in err
    assert sorted(tmp_path.iterdir()) == before


def test_taesd_of_a_folder_of_models_previews_in_full_size_and_decodes(
    tmp_path: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models" / "VAE-approx"
    folder.mkdir(parents=True)
    # the author's file has a layer without weights in front
    tensors = {
        f"{int(number) + 1}.{rest}": tensor
        for name, tensor in AutoencoderTiny().decoder.state_dict().items()
        for number, _, rest in [name.removeprefix("layers.").partition(".")]
    }
    save_file(tensors, folder / "taesd_decoder.safetensors")
    shown, drawn = tmp_path / "shown.png", tmp_path / "a.png"
    flags = ["--checkpoint", tiny, "--models-dir", tmp_path / "models", "--vae", "TAESD"]
    code, _, err = _run(capsys, "txt2img", "house", *SMALL, *flags, "--preview", shown, "-o", drawn)
    assert code == 0, err
    with Image.open(shown) as preview, Image.open(drawn) as picture:
        assert preview.size == picture.size == (64, 64)
        assert np.array_equal(np.asarray(preview), np.asarray(picture))  # the last estimate is it
    assert "VAE: TAESD" in _texts(capsys, drawn)[0]
