"""Pictures of every page for the README, with real pieces on them, and their sounds.

`make screenshots`: serves the app on a home of its own, makes one piece for each sound room with
the embedded checkpoint, and photographs each room, wide; two of them dark and narrow as well.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _pieces import pieces
from _served import Server, chromium, eventually, find
from PIL import Image

from audio import files
from riffapp.database import Database
from riffapp.gallery import Gallery, Work
from riffapp.jobs import wire
from riffapp.jobs.desk import Task
from riffapp.jobs.store import Store
from riffapp.jobs.tasks.images import Pictures
from riffapp.studio import checkpoints
from riffapp.studio.images import ImageWish
from riffapp.ui import map as plan
from riffapp.ui.guard import VISITOR
from sdcore.types import ImageRequest

WIDE, TALL, NARROW = 1280, 1000, 390
ALSO = ("loop", "gallery")  # seen dark and on a phone as well
SETTLE_S = 3.0
SCENE = "a red boat and a yellow house on a beach at sunset"


class Home:
    """The queue and the gallery of the browser that photographs."""

    def __init__(self, home: Path, owner: str) -> None:
        self.database, self.owner = Database(home), owner

    def made(self, kind: str, task: Task) -> Work:
        """The first work of a task, when it is there."""
        store, text = Store(self.database), wire.dumps(task, self.database.home)
        number = store.submit(self.owner, kind, text, title=task.title)

        def over() -> bool:
            job = store.job(number)
            if job is not None and job.state == "failed":
                raise SystemExit(f"{kind}: {job.reason}")
            return job is not None and job.is_over

        eventually(f"a {kind}", over)
        return Gallery(self.database).of_job(number)[0]


def photograph(driver: Any, address: str, room: str, path: Path) -> None:
    """One room as it looks at rest, as WebP."""
    driver.get(f"{address}/{'' if room == 'loop' else room}")
    find(driver, "[data-testid=stMain] h1")
    app = "[data-testid=stApp]"
    eventually(
        "a page at rest",
        lambda: (
            driver.find_element("css selector", app).get_attribute("data-test-script-state")
            == "notRunning"
        ),
    )
    time.sleep(SETTLE_S)
    png = path.with_suffix(".png")
    driver.save_screenshot(str(png))
    Image.open(png).convert("RGB").save(path, "WEBP", quality=82, method=6)
    png.unlink()


def wish() -> ImageWish:
    """Four pictures of the embedded image model."""
    request = ImageRequest(prompt=SCENE, seed=4, batch=4, **checkpoints.liked("pictures"))
    return ImageWish(request=request, checkpoint="pictures")


def main() -> None:
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        server = Server(home)
        server.ready()
        with chromium(width=WIDE, height=TALL) as driver:
            driver.get(server.address)
            find(driver, ".st-key-make button")
            owner = driver.get_cookie(VISITOR)["value"]
            here = Home(home, owner)
            works = pieces(here.made)
            here.made("txt2img", Pictures(wish=wish()))
            for key in plan.rooms():
                photograph(driver, server.address, key, target / f"{key}.webp")
            cookie = driver.get_cookie(VISITOR)
        for dark, width, label in ((True, WIDE, "dark"), (False, NARROW, "narrow")):
            with chromium(width=width, height=TALL, dark=dark) as driver:
                driver.get(server.address)
                driver.add_cookie({"name": VISITOR, "value": cookie["value"], "path": "/"})
                for key in ALSO:
                    photograph(driver, server.address, key, target / f"{key}-{label}.webp")
        for kind, work in works.items():
            sound = work.file("sound")
            assert sound is not None  # sound rooms make sounds
            files.write(target / f"{kind}.ogg", files.read(sound.path))
        server.stop()
    print(f"{len(list(target.iterdir()))} files in {target}")


if __name__ == "__main__":
    main()
