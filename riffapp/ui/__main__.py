"""`python -m riffapp.ui`: serve the page until stopped. `riffapp ui` starts this."""

from __future__ import annotations

import argparse

import streamlit as st

from riffapp.ui.server import MAIN, MIDDLEWARE, options, warm


def main() -> None:
    parser = argparse.ArgumentParser(prog="riffapp ui")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--no-browser", action="store_true")
    args = parser.parse_args()
    settings = options(host=args.host, port=args.port, browser=not args.no_browser)
    st.App(MAIN, middleware=MIDDLEWARE, lifespan=warm).run(config=settings)


if __name__ == "__main__":
    main()
