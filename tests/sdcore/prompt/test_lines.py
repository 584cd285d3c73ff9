from __future__ import annotations

from typing import Any

import pytest

from sdcore.errors import PromptError
from sdcore.prompt.lines import read


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("a house, [x|y]", {"prompt": "a house, [x|y]"}),
        ('--prompt "a \\"house\\"" --steps 12', {"prompt": 'a "house"', "steps": 12}),
        ("--prompt a red house --negative_prompt no cat --seed -1",
         {"prompt": "a red house", "negative": "no cat", "seed": -1}),
        ("--width 512 --height 256 --cfg_scale 4.5 --batch_size 2",
         {"width": 512, "height": 256, "cfg": 4.5, "batch": 2}),
        ("--sampler_name 'Euler a' --tiling true", {"sampler": "Euler a", "tiling": "xy"}),
        ("--tiling False --restore_faces 1 --n_iter 3",
         {"tiling": "none", "faces": True, "repeats": 3}),
        ("--styles 'oil, of' --sd_model loops", {"styles": ("oil", "of"), "checkpoint": "loops"}),
        ("--subseed 7 --subseed_strength .5 --seed_resize_from_w 64 --seed_resize_from_h 32",
         {"variation.seed": 7, "variation.strength": 0.5,
          "variation.resize_from.width": 64, "variation.resize_from.height": 32}),
    ],
)  # fmt: skip
def test_a_line_is_a_request_s_changes(line: str, changes: dict[str, Any]) -> None:
    assert read(f"\n  {line} \n\n") == [changes]


def test_each_line_is_one() -> None:
    assert read("a\n\nb\r\n--seed 1") == [{"prompt": "a"}, {"prompt": "b"}, {"seed": 1}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n--stps 3", "line 2: unknown argument --stps: nearest --steps; known: --batch_size"),
        ("--steps many", "line 1: --steps is 'many': give a whole number"),
        ("--cfg_scale nan", "line 1: --cfg_scale is 'nan': give a number"),
        ("--tiling maybe", "give true or false"),
        ("--steps --seed 1", "line 1: --steps has no value"),
        ("--prompt", "--prompt has no value"),
        ("--steps 3 4", "'4' stands behind no argument"),
        ("a --steps 3", "'a' stands behind no argument"),
        ('\n\n--prompt "a', "line 3 opens a quote"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        read(text)
