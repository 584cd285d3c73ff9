"""Whose fault it is: exit code 2 for what a person can put right, 3 for what the machine lacks."""

from __future__ import annotations

import errno
import os

import pytest
import torch

import audio.errors
import sdcore.errors
from riffapp.errors import MachineError, UsageError, blame


def system(code: int) -> OSError:
    return OSError(code, os.strerror(code), "song.wav")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("a"), 2),
        (MachineError("a"), 3),
        (audio.errors.ParameterError("a"), 2),
        (audio.errors.FileError("a"), 2),
        (audio.errors.MachineError("a"), 3),
        (sdcore.errors.UnknownName("a"), 2),
        (sdcore.errors.ModelError("a"), 2),
        (sdcore.errors.MachineError("a"), 3),
        (system(errno.ENOENT), 2),
        (system(errno.EISDIR), 2),
        (system(errno.EACCES), 3),
        (system(errno.ENOSPC), 3),
        (system(errno.EFBIG), 3),
        (system(errno.EIO), 3),
        (MemoryError(), 3),
        (torch.OutOfMemoryError("CUDA out of memory"), 3),
    ],
)
def test_every_expected_error_has_its_exit_code(error: BaseException, code: int) -> None:
    found = blame(error)
    assert found is not None and found[0] == code


def test_the_systems_refusals_name_the_file() -> None:
    found = blame(system(errno.EACCES))
    assert found is not None and "song.wav" in found[1] and "Permission denied" in found[1]


def test_a_sentence_is_one_line() -> None:
    assert blame(UsageError("two\nlines  here")) == (2, "two lines here")


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), AssertionError()])
def test_a_defect_of_ours_is_nobody_elses_fault(error: BaseException) -> None:
    assert blame(error) is None
