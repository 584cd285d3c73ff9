"""`python -m riffapp.ui`: serve the page until stopped. `riffapp ui` starts this."""

from __future__ import annotations

import argparse
import socket
import sys

import streamlit as st

from riffapp import settings
from riffapp.errors import USER, UsageError
from riffapp.ui import guard
from riffapp.ui.server import MAIN, options, parts

_STOPPED = 130


def main() -> int:
    parser = argparse.ArgumentParser(prog="riffapp ui")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--no-browser", action="store_true")
    args = parser.parse_args()
    try:
        found = settings.load()
        refusal = guard.refused(args.host, found.password) or refused(args.host, args.port)
    except UsageError as error:
        refusal = str(error)
    if refusal is not None:
        print(f"riffapp: {refusal}", file=sys.stderr)
        return USER
    chosen = options(host=args.host, port=args.port, browser=not args.no_browser)
    try:
        st.App(MAIN, **parts()).run(config=chosen)
    except KeyboardInterrupt:
        print("riffapp: stopped", file=sys.stderr)
        return _STOPPED
    return 0


def refused(host: str, port: int) -> str | None:
    """Why nobody can listen there, in a sentence; None where one can."""
    if not 1 <= port <= 65535:
        return f"port {port} is outside 1 to 65535: give one within"
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        return (
            f"port {port} of {host} cannot be opened ({error.strerror}): "
            "stop what listens there, or give another --port"
        )
    return None


if __name__ == "__main__":
    raise SystemExit(main())
