"""`riffapp config`: what is set and who says so; setting it, and taking that back."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from riffapp import settings, terminal
from riffapp.cli.common import add_json


def add(commands: Any) -> None:
    """`riffapp config show | set | unset`."""
    p = commands.add_parser("config", help="settings: show them, set one, unset one")
    what = p.add_subparsers(metavar="WHAT", required=True, dest="what")
    show = what.add_parser("show", help="all settings as they are; a secret is only 'set'")
    show.add_argument("--origin", action="store_true", help="with who says so, and what each is")
    add_json(show)
    show.set_defaults(run=_show)
    put = what.add_parser(
        "set",
        help="write one into settings.toml",
        epilog="example: riffapp config set outputs ~/loops",
    )
    put.add_argument("name")
    put.add_argument("value", nargs="+", help="one value; of a list, as many as it has")
    put.set_defaults(run=_set)
    drop = what.add_parser("unset", help="take one out of settings.toml: the default holds again")
    drop.add_argument("name")
    drop.set_defaults(run=_unset)


def _show(args: argparse.Namespace) -> int:
    found = settings.origins()
    if args.json:
        plain = {name: asdict(one) | {"value": _plain(one.value)} for name, one in found.items()}
        terminal.dump(plain)
    else:
        wide = max(map(len, found))
        for name, one in found.items():
            print(f"{name:{wide}}  {_shown(one.value)}")
            if args.origin:
                print(f"{'':{wide}}    from {one.origin}; {one.words} ({one.variable})")
    terminal.print_notes(settings.remarks())
    return 0


def _set(args: argparse.Namespace) -> int:
    value = args.value[0] if len(args.value) == 1 else args.value
    settings.save({args.name: value})
    return _said(args.name)


def _unset(args: argparse.Namespace) -> int:
    settings.save({args.name: None})
    return _said(args.name)


def _said(name: str) -> int:
    """How it stands now: the environment goes before the file."""
    one = settings.origins()[name]
    print(f"{name}  {_shown(one.value)}  from {one.origin}")
    return 0


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _shown(value: object) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
