"""Thirty visitors at once: nobody sees another's work, memory stays, the model is loaded once.

Each client is a websocket that speaks as the browser does: it opens the page, asks again as often
as the page's fragment wants it, and sees every message that the page sends it. Each has a job with
a word of its own in it; another's word in a client's messages is a fault. The server's memory is
read all the while, its slope taken by least squares after the first minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from _served import Server
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from riffapp.database import Database
from riffapp.jobs import wire
from riffapp.jobs.desk import NOTE
from riffapp.jobs.store import Store
from riffapp.jobs.tasks.loops import Loops
from riffapp.studio import checkpoints
from riffapp.studio.plan import plan_loop
from riffapp.studio.types import LoopRequest
from riffapp.ui.guard import VISITOR

SETTLED_S = 60.0


class Client:
    """One visitor, and what was sent to them."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.owner = secrets.token_hex(16)
        self.word = f"word{secrets.token_hex(6)}"
        self.heard = self.runs = self.bytes = 0
        self.strangers: set[str] = set()

    async def visit(self, until: float, words: set[str]) -> None:
        """Look at the page until then; every word of `words` but one's own is a stranger's."""
        url = self.address.replace("http", "ws", 1) + "/_stcore/stream"
        headers = {"Cookie": f"{VISITOR}={self.owner}"}
        async with connect(
            url,
            origin=self.address,  # type: ignore[arg-type]
            additional_headers=headers,
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
        ) as socket:
            await socket.send(_rerun())
            turns: set[asyncio.Task[None]] = set()
            while (left := until - time.monotonic()) > 0:
                try:
                    data = await asyncio.wait_for(socket.recv(decode=False), left)
                except TimeoutError:
                    break
                assert isinstance(data, bytes)
                self._look(data, words)
                message = ForwardMsg.FromString(data)
                if message.HasField("auto_rerun"):
                    asked = _rerun(message.auto_rerun.fragment_id)
                    turn = asyncio.create_task(_later(socket, asked, message.auto_rerun.interval))
                    turns.add(turn)
                    turn.add_done_callback(turns.discard)
                if message.HasField("script_finished"):
                    self.runs += 1
            for turn in turns:
                turn.cancel()

    def _look(self, data: bytes, words: set[str]) -> None:
        self.heard += 1
        self.bytes += len(data)
        text = data.decode("latin-1")
        self.strangers |= {word for word in words - {self.word} if word in text}


async def _later(socket: object, data: bytes, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        await socket.send(data)  # type: ignore[attr-defined]


def _rerun(fragment: str = "") -> bytes:
    message = BackMsg()
    message.rerun_script.query_string = ""
    if fragment:
        message.rerun_script.fragment_id = fragment
    return message.SerializeToString()


async def _sampled(process: psutil.Process, until: float) -> list[tuple[float, float]]:
    """Seconds and megabytes."""
    rows, began = [], time.monotonic()
    while time.monotonic() < until:
        rows.append((time.monotonic() - began, process.memory_info().rss / 2**20))
        await asyncio.sleep(2.0)
    return rows


async def _all(clients: list[Client], server: Server, seconds: float) -> list[tuple[float, float]]:
    until, words = time.monotonic() + seconds, {client.word for client in clients}
    sampling = _sampled(psutil.Process(server.process.pid), until)
    rows, *_ = await asyncio.gather(sampling, *(c.visit(until, words) for c in clients))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--clips", help="not used here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        server = Server(home)
        server.ready()
        clients = [Client(server.address) for _ in range(args.clients)]
        store, sound = Store(Database(home)), checkpoints.read_sound("loops")
        pid = json.loads((home / NOTE).read_text())["pid"]
        for client in clients:
            wanted = LoopRequest(prompt=f"house drums, {client.word}", bars=1, steps=8)
            task = Loops(request=plan_loop(wanted, sound))
            store.submit(client.owner, "loop", wire.dumps(task, home), title=task.title)
        rows = asyncio.run(_all(clients, server, args.seconds))
        done = [store.jobs(client.owner)[0].state for client in clients]
        workers = [p for p in psutil.Process(server.process.pid).children() if p.is_running()]
        again = json.loads((home / NOTE).read_text())["pid"]
        server.stop()
    late = np.array([row for row in rows if row[0] > min(SETTLED_S, args.seconds / 3)])
    slope = np.polyfit(late[:, 0] / 60, late[:, 1], 1)[0]
    runs = sum(client.runs for client in clients)
    print(f"{len(clients)} clients, {args.seconds:.0f} s, {runs} runs of the script or a fragment")
    print(f"jobs: {done.count('succeeded')} of {len(done)} succeeded")
    print(f"clients that saw another's word: {sum(bool(c.strangers) for c in clients)}")
    print(f"clients that saw nothing: {sum(c.heard == 0 for c in clients)}")
    print(f"memory {rows[0][1]:.0f} to {rows[-1][1]:.0f} MB, slope {slope:.2f} MB/min")
    print(f"workers {len(workers)}, the same one all along: {pid == again}")


if __name__ == "__main__":
    main()
