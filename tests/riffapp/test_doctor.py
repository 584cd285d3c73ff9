"""What is wrong with an installation is said, with what to install."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from riffapp import doctor

GOOD = {"torch": "2.11.0+cu130", "torchaudio": "2.11.0", "torchvision": "0.26.0+cu130"}


def versions(**changed: str | None) -> Callable[[str], str | None]:
    return {**GOOD, **changed}.get


def test_the_matched_set_passes() -> None:
    assert all(finding.ok for finding in doctor.matched_set(versions()))


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("torch", "2.12.0"),
        ("torchaudio", "2.10.1"),
        ("torchvision", "0.260.0"),
        ("torch", "2.110.0"),
    ],
)
def test_a_mixed_set_is_named_with_its_cure(package: str, version: str) -> None:
    broken = [f for f in doctor.matched_set(versions(**{package: version})) if f.ok is False]
    assert [f.subject for f in broken] == [package]
    assert f"{version} does not belong to the matched set" in broken[0].words
    assert (
        "pip install 'torch==2.11.*' 'torchaudio==2.11.*' 'torchvision==0.26.*'" in broken[0].words
    )


def test_a_missing_member_of_the_set_is_named() -> None:
    broken = [f for f in doctor.matched_set(versions(torchaudio=None)) if f.ok is False]
    assert [f.subject for f in broken] == ["torchaudio"]
    assert broken[0].words.startswith("missing: pip install")


def test_builds_for_different_devices_are_named() -> None:
    found = doctor.matched_set(versions(torch="2.11.0+cpu", torchvision="0.26.0+cu130"))
    assert found[-1].ok is False
    assert "different devices (cpu, cu130)" in found[-1].words


def test_a_set_that_does_not_import_is_found_in_a_child() -> None:
    finding = doctor.trial("raise RuntimeError('operator torchvision::nms does not exist')")
    assert finding.ok is False
    assert finding.words.startswith("RuntimeError: operator torchvision::nms does not exist: ")


def test_a_child_that_dies_takes_nothing_with_it() -> None:
    assert doctor.trial("import os; os.abort()").ok is False


def test_missing_extras_are_remarks_and_missing_base_is_broken() -> None:
    nothing: Callable[[str], str | None] = {}.get
    assert {f.ok for f in doctor.extras(nothing)} == {None}
    assert "pip install 'riffapp[tts]'" in doctor.extras(nothing)[0].words
    (base,) = doctor.base(nothing)
    assert base.ok is False and "pip install" in base.words and "diffusers" in base.words


def test_a_python_without_wheels_is_named() -> None:
    assert doctor.python((3, 11)).ok and doctor.python((3, 13)).ok
    for version in ((3, 10), (3, 14)):
        assert doctor.python(version).ok is False
        assert "3.11 to 3.13" in doctor.python(version).words


def test_a_full_disk_is_a_remark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "MIN_FREE_MB", 2**40)
    finding = doctor.disk(tmp_path)
    assert finding.ok is None and "only" in finding.words


def test_the_verdict_is_the_machines_fault_only_where_something_is_broken() -> None:
    good = doctor.Finding(subject="a", ok=True, words="")
    note = doctor.Finding(subject="b", ok=None, words="")
    bad = doctor.Finding(subject="c", ok=False, words="")
    assert doctor.verdict((good, note)) == 0
    assert doctor.verdict((good, bad)) == 3


def test_this_python_is_examined() -> None:
    assert doctor.python(sys.version_info[:2]).ok


def test_the_doctor_knows_every_package_that_is_installed() -> None:
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    base = {re.split(r"[=<>~]", line)[0] for line in project["dependencies"]}
    assert base == {*doctor.MATCHED, *doctor.BASE}
    for extra, (package, _) in doctor.EXTRAS.items():
        wanted = project["optional-dependencies"][extra]
        assert any(line.startswith(package) for line in wanted)
