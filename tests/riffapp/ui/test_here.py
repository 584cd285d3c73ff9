"""Where things lie is told to who sits at the machine, and to nobody else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from riffapp.ui import here


@pytest.mark.parametrize(
    ("host", "address", "is_here"),
    [
        ("localhost:8501", None, True),
        ("127.0.0.1:8501", None, True),
        ("[::1]:8501", None, True),
        ("studio.example.org", None, False),  # a proxy on this machine speaks for somebody else
        ("localhost:8501", "192.168.0.7", False),
        ("127.0.0.1.example.org", None, False),
        ("", None, False),
        ("[::1", None, False),
    ],
)
def test_who_sits_at_this_machine_comes_from_it_and_calls_it_so(
    monkeypatch: pytest.MonkeyPatch, host: str, address: str | None, is_here: bool
) -> None:
    context = SimpleNamespace(headers={"Host": host}, ip_address=address)
    monkeypatch.setattr(here, "st", SimpleNamespace(context=context))
    assert here.is_here() is is_here
