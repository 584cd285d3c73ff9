"""Sizes, moments and spans of time as people read them."""

from __future__ import annotations

import time

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size(count: float) -> str:
    """'0 bytes', '950 kB', '3.4 MB': thousands, as disks are sold."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    text = f"{count:.1f}" if unit > 1 and count < 99.95 else f"{count:.0f}"
    return f"{text.removesuffix('.0')} {_UNITS[unit]}"


def moment(at: float, *, now: float | None = None) -> str:
    """'14:03' of today, '2026-11-26 14:03' of another day; `at` is seconds since 1970."""
    then, today = time.localtime(at), time.localtime(now)
    is_today = then[:3] == today[:3]
    return time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M", then)


def span(seconds: float) -> str:
    """'0.8 s', '42 s', '3 min 20 s', '2 h 5 min'."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, left = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {left} s" if left else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")
