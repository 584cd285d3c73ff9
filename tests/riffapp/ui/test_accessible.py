"""Every room by axe-core: nothing serious or critical stands in anybody's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest

from riffapp.ui import map as plan

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
RUN = """
const done = arguments[arguments.length - 1];
const grave = ({impact}) => ['serious', 'critical'].includes(impact);
const where = ({nodes}) => nodes.map((node) => node.html.slice(0, 300)).join('\\n');
axe.run(document, {resultTypes: ['violations']}).then(
  ({violations}) => done(violations.filter(grave).map(
    (v) => `${v.id} (${v.impact}): ${v.help}\\n${where(v)}`)),
  (error) => done([String(error)]));
"""


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any]) -> Iterator[Any]:
    with serve() as served:
        yield served


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_room_has_a_serious_fault(server: Any, chrome: Any, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    chrome.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    faults = {}
    for key in plan.rooms():
        path = "" if key == "loop" else key  # the first page has no path of its own
        chrome.open(f"{server.url}/{path}", until="[data-testid=stMain] h1")
        chrome.rest()
        chrome.driver.execute_script(AXE)
        if found := chrome.driver.execute_async_script(RUN):
            faults[key] = "\n".join(found)
    assert not faults, "\n\n".join(f"{key}: {said}" for key, said in faults.items())
