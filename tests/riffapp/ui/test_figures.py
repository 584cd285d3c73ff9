"""Sizes, moments and spans of time as people read them."""

from __future__ import annotations

import time

import pytest

from riffapp.ui import figures


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (3_440_000, "3.4 MB"),
        (99_940_000, "99.9 MB"),
        (99_960_000, "100 MB"),
        (4_000_000_000, "4 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes_have_two_or_three_figures(count: float, text: str) -> None:
    assert figures.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_spans_are_told_as_exactly_as_anybody_wants_them(seconds: float, text: str) -> None:
    assert figures.span(seconds) == text


def test_a_moment_of_today_needs_no_date() -> None:
    noon = time.mktime((2026, 11, 27, 12, 5, 0, 0, 0, -1))
    assert figures.moment(noon, now=noon + 3600) == "12:05"
    assert figures.moment(noon, now=noon + 86400) == "2026-11-27 12:05"
