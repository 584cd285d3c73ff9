"""Forms of earlier days and of other programs, brought to the one that is written today."""

from __future__ import annotations

import re
from math import ceil, sqrt

from sdcore.schedules import SCHEDULES

# Old name -> today's.
RENAMED = {"Eta DDIM": "Eta", "CFG Rescale": "CFG rescale"}
KEYS = ("First pass size", "Skip Early CFG", *RENAMED)
# A1111's, also inside Forge's: "v1.10.1", "1.5.1", "f2.0.1v1.10.1-previous-...".
_VERSION = re.compile(r"(?:f[0-9.]{1,20})?v?([1-9][0-9]{0,2})\.([0-9]{1,3})\.([0-9]{1,3})")
# The side of the square whose pixels the first pass had, and of what its sides were multiples.
_FIRST_SIDE, _FIRST_UNIT = 512, 64


def version(text: str) -> tuple[int, int, int] | None:
    """The version of A1111 that a text names; None for other programs' and for none."""
    found = _VERSION.match(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def modern(values: dict[str, str]) -> dict[str, str]:
    """The pairs as they would be written today.

    What A1111 wrote was asked with its own way of counting, and with its GPU's noise where it
    does not say another: NV noise is the same.
    """
    values = {RENAMED.get(key, key): value for key, value in values.items()}
    if version(values.get("Version", "")) is not None:
        values = {"RNG": "GPU", "Compat": "a1111"} | values
    if values.get("RNG") == "GPU":
        values["RNG"] = "NV"
    if (skipped := values.pop("Skip Early CFG", None)) is not None:
        values.setdefault("CFG interval", f"{skipped} to 1")
    for prefix in ("", "Hires "):
        _split_sampler(values, prefix)
    for key in ("Hires sampler", "Hires schedule type", "Hires checkpoint"):
        if values.get(key, "").startswith("Use same"):
            del values[key]
    _move_first_pass(values)
    return values


def notes(values: dict[str, str], prompts: str) -> tuple[str, ...]:
    """Sentences on what an older version meant otherwise and no request can say."""
    at = version(values.get("Version", ""))
    if at is None:
        return ()
    named, found = "version " + ".".join(map(str, at)), []
    if at < (1, 6, 0) and "[" in prompts:
        found.append(
            f"{named} counted a prompt edit at 1.0 and above in steps, and began it anew in the "
            "hires pass: the picture may differ"
        )
    if at < (1, 6, 0) and values.get("Sampler") in ("DDIM", "PLMS"):
        found.append(
            f"{named} padded prompts of different lengths for {values['Sampler']}: "
            "the picture may differ"
        )
    if at < (1, 8, 0) and "Refiner" in values:
        found.append(
            f"{named} switched to the refiner by steps, not by noise: the picture may differ"
        )
    return tuple(found)


def _split_sampler(values: dict[str, str], prefix: str) -> None:
    """'DPM++ 2M Karras' into sampler and schedule, where no schedule is told."""
    sampler, schedule = f"{prefix}sampler" if prefix else "Sampler", f"{prefix}schedule type"
    schedule = schedule if prefix else "Schedule type"
    for name in sorted(SCHEDULES, key=len, reverse=True):
        told = values.get(sampler, "")
        if schedule not in values and told.endswith(f" {name}"):
            values[sampler], values[schedule] = told.removesuffix(f" {name}"), name


def _move_first_pass(values: dict[str, str]) -> None:
    """'First pass size' beside the final one, as before hires fix had a scale."""
    first = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", values.pop("First pass size", ""))
    size = re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", values.get("Size", ""))
    if first is None or size is None:
        return
    values["Hires resize"] = size[0]
    sides = int(first[1]), int(first[2])
    if 0 in sides:
        width, height = int(size[1]), int(size[2])
        scale = _FIRST_SIDE / sqrt(width * height)
        sides = _in_units(width * scale), _in_units(height * scale)
    values["Size"] = f"{sides[0]}x{sides[1]}"


def _in_units(side: float) -> int:
    return ceil(side / _FIRST_UNIT) * _FIRST_UNIT
