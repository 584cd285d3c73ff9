"""Keeps the worker alive: starts it with the server, starts it again when it dies."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time

LEAVE_S = 10.0
_QUICK_S, _PATIENCE_S = 5.0, 10.0
_LOG = logging.getLogger(__name__)


class Keeper:
    """One worker process. It ends when this process does, however that ends: its standard input
    closes then."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        self._process = self._begun()
        self._thread.start()

    def stop(self) -> None:
        """Let the worker put its job back and go."""
        self._ending.set()
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int | None:
        """The worker's, while it lives."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def _keep(self) -> None:
        while not self._ending.is_set():
            assert self._process is not None  # start() began one
            began = time.monotonic()
            code = self._process.wait()
            if self._ending.is_set():
                return
            _LOG.warning("riffapp: the worker ended (code %s); starting it again", code)
            if time.monotonic() - began < _QUICK_S:  # it may not be able to start at all
                self._ending.wait(_PATIENCE_S if code == 1 else 0.0)
            if not self._ending.is_set():
                self._process = self._begun()

    def _begun(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "riffapp.jobs"], stdin=subprocess.PIPE)
