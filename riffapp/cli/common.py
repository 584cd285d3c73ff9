"""What several commands share: flags for output and machine, and how a made file is reported."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings, terminal

if TYPE_CHECKING:
    from riffapp.studio.types import Origin


def add_output(p: argparse.ArgumentParser, words: str) -> None:
    """-o FILE."""
    p.add_argument("-o", "--output", type=Path, metavar="FILE", help=words)


def add_json(p: argparse.ArgumentParser) -> None:
    """--json."""
    p.add_argument("--json", action="store_true", help="print one JSON document")


def add_machine(p: argparse.ArgumentParser) -> None:
    """--device, --threads, --json."""
    p.add_argument("--device", help="cpu, cuda, mps or auto (auto)")
    p.add_argument("--threads", type=int, help="CPU threads; the bytes may depend on it")
    add_json(p)


def device(args: argparse.Namespace, found: settings.Settings, origin: Origin | None) -> str:
    """The flag, else what made the file (a GPU only if there is one), else the setting."""
    if args.device is not None:
        return str(args.device)
    return "cpu" if origin is not None and origin.device == "cpu" else found.device


def threads(
    args: argparse.Namespace, found: settings.Settings, origin: Origin | None
) -> int | None:
    """The flag, else what made the file, else the setting; None leaves it to torch."""
    if args.threads is not None:
        return int(args.threads)
    return found.threads if origin is None else int(origin.threads)


def report(
    args: argparse.Namespace, path: Path, facts: dict[str, Any], notes: Sequence[str] = ()
) -> int:
    """One line, or one document, on a file that was made; the exit code comes out."""
    if args.json:
        terminal.dump({"file": str(path), **facts, "warnings": list(notes)})
        return 0
    print(f"{path}  " + ", ".join(f"{name} {value}" for name, value in facts.items()))
    terminal.print_notes(notes)
    return 0
