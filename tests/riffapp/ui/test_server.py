"""How the page is served, and where it refuses to be."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Iterator

import pytest

from riffapp.ui import __main__ as door
from riffapp.ui.server import MAIN, options


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens while the test runs."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


def test_a_free_port_is_no_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = int(other.getsockname()[1])
    assert door.refused("127.0.0.1", port) is None


def test_a_taken_port_is_refused_in_a_sentence(
    taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["riffapp ui", "--port", str(taken)])
    assert door.main() == 2
    said = capsys.readouterr().err
    assert said.startswith(f"riffapp: port {taken} of 127.0.0.1 cannot be opened (")
    assert said.endswith("stop what listens there, or give another --port\n")


def test_a_port_that_cannot_be_is_refused_in_a_sentence() -> None:
    assert door.refused("127.0.0.1", 0) == "port 0 is outside 1 to 65535: give one within"
    assert door.refused("127.0.0.1", 70000) == "port 70000 is outside 1 to 65535: give one within"


def test_a_host_that_is_not_here_is_refused_in_a_sentence() -> None:
    assert "cannot be opened" in str(door.refused("192.0.2.1", 8501))  # TEST-NET: nobody's


def test_ctrl_c_is_an_end_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["riffapp ui"])
    monkeypatch.setattr(door, "refused", lambda *_: None)
    monkeypatch.setattr("streamlit.App.run", interrupted)
    assert door.main() == 130
    assert capsys.readouterr().err == "riffapp: stopped\n"


def test_what_never_changes_stands_beside_the_page_and_keeps_it_private() -> None:
    fixed = tomllib.loads((MAIN.parent / ".streamlit" / "config.toml").read_text("utf-8"))
    assert fixed["browser"]["gatherUsageStats"] is False
    assert fixed["server"]["address"] == "127.0.0.1"
    assert fixed["client"]["allowedOrigins"] == []


def test_the_door_for_servers_reads_the_same_settings() -> None:
    root = MAIN.parents[2]
    assert (root / ".streamlit").resolve() == (MAIN.parent / ".streamlit").resolve()


def test_a_person_chooses_address_port_and_browser() -> None:
    assert options(host="127.0.0.1", port=9, browser=False) == {
        "server.address": "127.0.0.1",
        "server.port": 9,
        "server.headless": True,
    }
