"""How soon the page answers a click while the worker is busy, in a real Chromium.

A click on "New seed" changes a field: the time from the click to the changed field, as the browser
sees it, once with nothing to do and once while a long loop is made, interleaved. Goal: median 150
ms, 95 % within 300 ms.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _served import Server, chromium, eventually, find

from riffapp.database import Database
from riffapp.jobs.store import Store

_CLICK = """
const done = arguments[arguments.length - 1], began = performance.now();
const named = (button) => button.innerText.includes('New seed');
const field = () => document.querySelector('.st-key-seed input')?.value ?? before;
let before = null;
const look = () => field() !== before ? done(performance.now() - began)
                                      : requestAnimationFrame(look);
const click = () => {  // the button is drawn anew now and then
  const button = [...document.querySelectorAll('button')].find(named);
  if (!button) return requestAnimationFrame(click);
  before = field();
  button.click();
  look();
};
click();
"""


_LONGEST = "[...document.querySelectorAll('.st-key-bars [role=radio]')].at(-1).click()"


def clicks(driver: Any, count: int) -> list[float]:
    """Milliseconds of some clicks."""
    return [float(driver.execute_async_script(_CLICK)) for _ in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--clips", help="not used here")
    args = parser.parse_args()
    quiet: list[float] = []
    busy: list[float] = []
    with tempfile.TemporaryDirectory() as name, chromium() as driver:
        home = Path(name)
        server = Server(home, threads=2)
        server.ready()
        driver.set_script_timeout(60)
        driver.get(server.address)
        find(driver, ".st-key-make button")
        eventually("Advanced", lambda: find(driver, "[data-testid=stExpander] summary")).click()
        find(driver, ".st-key-seed input")
        driver.execute_script(_LONGEST)
        clicks(driver, 5)
        database = Database(home)
        store = Store(database)
        for _ in range(args.rounds):
            quiet += clicks(driver, args.clicks)
            find(driver, ".st-key-make button").click()
            job = eventually("a running job with a step done", lambda: stepping(database))
            busy += clicks_beside(driver, store, job, args.clicks)
        server.stop()
    for label, times in (("at rest", quiet), ("while a loop is made", busy)):
        middle, late = np.percentile(times, (50, 95))
        print(f"{label}: {len(times)} clicks, median {middle:.0f} ms, p95 {late:.0f} ms")
    print(f"ratio of medians {np.median(busy) / np.median(quiet):.2f}")


def clicks_beside(driver: Any, store: Store, number: int, count: int) -> list[float]:
    """Milliseconds of some clicks while a job is at work, which is stopped then."""
    taken: list[float] = []
    while (job := store.job(number)) is not None and not job.is_over:
        if len(taken) < count:
            taken += clicks(driver, 1)
        else:
            store.cancel(number, owner=job.owner)
            time.sleep(0.1)
    return taken


def stepping(database: Database) -> int:
    """The number of the job that has done a step, of anybody; 0 for none."""
    asked = "SELECT id FROM jobs WHERE state = 'running' AND done > 0"
    row = database.connection.execute(asked).fetchone()
    return 0 if row is None else int(row["id"])


if __name__ == "__main__":
    main()
