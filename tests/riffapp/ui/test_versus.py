"""What was set otherwise in two tasks is told by name."""

from __future__ import annotations

import json

from riffapp.ui.components.versus import differences


def test_differences_name_settings_in_words_and_look_into_lists() -> None:
    one = {"is": "a:B", "wish": {"is": "a:C", "hires": None, "layers": [{"is": "x", "gain_db": 0}]}}
    other = {
        "is": "a:B",
        "wish": {
            "is": "a:C",
            "hires": {"is": "h", "scale": 2.0},
            "layers": [{"is": "x", "gain_db": -3}],
            "options": {"is": "mapping", "items": [["eta", 0.5]]},
            "source": {"is": "file", "file": "abc.wav"},
        },
    }
    assert differences(json.dumps(one), json.dumps(other)) == [
        ("layers 1 gain db", "0", "-3"),
        ("hires scale", "-", "2.0"),
        ("options eta", "-", "0.5"),
        ("source", "-", "abc.wav"),
    ]
    assert differences(json.dumps(one), json.dumps(one)) == []
