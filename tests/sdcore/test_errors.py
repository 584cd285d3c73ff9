from __future__ import annotations

import pytest

from sdcore.errors import ModelError, PromptError, RequestError, SdError, UnknownName, lookup


def test_a_known_name_gives_its_entry() -> None:
    assert lookup({"Euler": 1, "Euler a": 2}, "Euler a", "sampler") == 2


def test_an_unknown_name_is_told_the_nearest_and_the_known() -> None:
    with pytest.raises(UnknownName) as refusal:
        lookup({"Euler": 1, "DPM++ 2M": 2}, "eular", "sampler")
    assert str(refusal.value) == "unknown sampler 'eular': nearest 'Euler'; known: DPM++ 2M, Euler"


def test_a_name_near_to_nothing_is_told_the_known() -> None:
    with pytest.raises(UnknownName) as refusal:
        lookup({"Euler": 1}, "", "sampler")
    assert str(refusal.value) == "unknown sampler '': known: Euler"


def test_the_tree_is_as_drawn() -> None:
    assert issubclass(UnknownName, RequestError) and issubclass(PromptError, RequestError)
    assert issubclass(RequestError, SdError) and not issubclass(ModelError, RequestError)
