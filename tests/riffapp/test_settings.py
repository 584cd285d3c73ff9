"""The environment, read once and checked."""

from __future__ import annotations

import pytest

from riffapp import settings
from riffapp.errors import UsageError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert settings.load({}) == settings.Settings()


def test_every_variable_is_read() -> None:
    env = {"RIFFAPP_CHECKPOINT": "mine", "RIFFAPP_DEVICE": "cuda:1", "RIFFAPP_THREADS": "3"}
    assert settings.load({**env, "NO_COLOR": "1"}) == settings.Settings(
        checkpoint="mine", device="cuda:1", threads=3, plain=True
    )


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5"])
def test_threads_that_are_no_whole_number_above_0_are_refused(threads: str) -> None:
    with pytest.raises(UsageError, match="RIFFAPP_THREADS is .* whole number from 1"):
        settings.load({"RIFFAPP_THREADS": threads})


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="RIFFAPP_DEVICE is 'tpu': known are auto, cpu, cuda, mps"):
        settings.load({"RIFFAPP_DEVICE": "tpu"})
