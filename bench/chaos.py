"""Kill the worker or the server at random moments; then look whether anything was lost.

The real server with its real worker, as processes; wishes go into the queue as the page puts them
there, and somebody kills (SIGKILL) one of the two again and again. In the end every wish that was
accepted must have reached its end, every finished one must have each take exactly once, every file
must be whole, and the database sound. `make chaos`; the suite runs a few kills of it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from _served import Server, eventually
from PIL import Image

from audio import files
from audio.types import Tempo
from riffapp.database import Database
from riffapp.gallery import Gallery, Work
from riffapp.jobs import wire
from riffapp.jobs.store import OPEN, Store
from riffapp.jobs.tasks.loops import Loops
from riffapp.studio import checkpoints
from riffapp.studio.drawing import tempo_of
from riffapp.studio.plan import plan_loop
from riffapp.studio.types import LoopRequest

OWNER, WAITING = "chaos", 6
# So many of the kills come within the first seconds of a job at work; the others while the worker
# itself comes up.
MID_WORK, MOST_S = 0.85, 1.5


class House:
    """A home with its server, and what was accepted there."""

    def __init__(self, home: Path, checkpoint: str) -> None:
        self.home, self.checkpoint = home, checkpoint
        self.database = Database(home)
        self.store = Store(self.database)
        self.accepted: list[int] = []
        self.server = Server(home, checkpoint=checkpoint)

    def is_busy(self) -> bool:
        return bool(self.store.jobs(OWNER, states=["running"], limit=1))

    def ask(self, rng: random.Random) -> None:
        """Keep some wishes waiting."""
        sound = checkpoints.read_sound(self.checkpoint)
        while len(self.store.jobs(OWNER, states=OPEN)) < WAITING:
            request = LoopRequest(
                prompt="house drums",
                bpm=float(rng.randint(100, 180)),
                bars=1,
                steps=rng.choice((2, 4, 6)),
                quality="draft",
                takes=rng.choice((1, 2)),
                checkpoint=self.checkpoint,
            )
            task = Loops(request=plan_loop(request, sound))
            text = wire.dumps(task, self.home)
            self.accepted.append(self.store.submit(OWNER, "loop", text, title="chaos"))


def chaos(home: Path, *, kills: int, checkpoint: str, seed: int) -> int:
    """How many faults there were, each printed."""
    rng = random.Random(seed)
    house = House(home, checkpoint)
    done: Counter[str] = Counter()
    for kill in range(kills):
        house.ask(rng)
        house.server.ready()
        if rng.random() < MID_WORK:
            eventually("a job at work", house.is_busy)
        time.sleep(rng.uniform(0.0, MOST_S))
        which = "server" if kill % 3 == 1 else "worker"
        if which == "worker":
            house.server.kill_worker()
        else:
            house.server.kill()
            house.server.start()
        done[which] += 1
    eventually("the end of all jobs", lambda: not house.store.jobs(OWNER, states=OPEN))
    house.server.stop()
    faults = found_wrong(house)
    states: Counter[str] = Counter()
    for number in house.accepted:
        job = house.store.job(number)
        states[job.state if job else "lost"] += 1
    killed = ", ".join(f"{n} x {name}" for name, n in sorted(done.items()))
    ended = ", ".join(f"{n} {name}" for name, n in sorted(states.items()))
    print(f"{kills} kills ({killed}); {len(house.accepted)} accepted jobs: {ended}")
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"{len(faults)} faults")
    return len(faults)


def found_wrong(house: House) -> list[str]:
    """Everything that is not as it must be."""
    faults = []
    (sound,) = house.database.connection.execute("PRAGMA integrity_check").fetchone()
    if sound != "ok":
        faults.append(f"the database: {sound}")
    gallery, known = Gallery(house.database), set()
    for number in house.accepted:
        job = house.store.job(number)
        if job is None:
            faults.append(f"job {number} is lost")
            continue
        task = wire.loads(job.task, house.home)
        works = gallery.of_job(number)
        if job.state == "succeeded" and len(works) != task.request.takes:
            faults.append(f"job {number}: {len(works)} works for {task.request.takes} takes")
        if job.state not in ("succeeded", "failed"):
            faults.append(f"job {number} ended as {job.state}")
        if job.state == "failed" and "died twice" not in job.reason:
            faults.append(f"job {number} failed: {job.reason}")
        for work in works:
            known |= {file.path for file in work.files}
            faults += torn(work, tempo_of(task.request))
    made = {path for path in (house.home / "outputs").rglob("*") if path.is_file()}
    faults += [f"half-written: {path.name}" for path in made if path.suffix == ".part"]
    return faults


def torn(work: Work, tempo: Tempo) -> list[str]:
    """What is wrong with the files of a work."""
    sound, picture = work.file("sound"), work.file("picture")
    if sound is None or picture is None:
        return [f"work {work.id} has no sound or no picture"]
    try:
        clip = files.read(sound.path)
        with Image.open(picture.path) as image:
            image.load()
    except Exception as error:
        return [f"torn: {error}"]
    wanted = tempo.samples(clip.rate)
    return [] if clip.n == wanted else [f"{clip.n} samples for {wanted}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--checkpoint", default="loops")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", help="not used here")
    args = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="riffapp-chaos-"))
    try:
        faults = chaos(home, kills=args.kills, checkpoint=args.checkpoint, seed=args.seed)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
