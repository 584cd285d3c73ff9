"""The process in which espeak-ng speaks: started when it is needed, and again when it has died."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

from audio.errors import MachineError

_SCRIPT = Path(__file__).with_name("espeak_child.py")


class Process:
    """A child that answers one request at a time. See `espeak_child` for what is said."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id; None before the first request."""
        return None if self._child is None else self._child.pid

    def ask(self, request: dict[str, Any] | None, *, limit_s: float) -> tuple[Any, bytes]:
        """The reply to a request and the bytes that follow it.

        Raises MachineError where the child cannot start, dies, or takes longer than `limit_s`.
        """
        with self._lock:
            child = self._running()
            late = threading.Event()

            def stop() -> None:
                late.set()
                _kill(child)

            timer = threading.Timer(limit_s, stop)
            timer.start()
            try:
                reply, payload = _exchange(child, request)
            except BaseException:  # also an interrupt: what it was saying must not answer the next
                _end(child)
                raise
            finally:
                timer.cancel()
            if reply is None:
                _end(child)
                raise MachineError(
                    f"espeak-ng took longer than {limit_s:g} s and was stopped: give a shorter text"
                    if late.is_set()
                    else "espeak-ng died while it was speaking: try again"
                )
            if "error" in reply:
                raise MachineError(f"espeak-ng {reply['error']}: reinstall espeakng-loader")
            return reply, payload

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._child = _start()
        weakref.finalize(self, _end, self._child)
        return self._child


def _start() -> subprocess.Popen[bytes]:
    """A child of an isolated interpreter: neither its folder nor the caller's is on its path."""
    try:
        import espeakng_loader

        paths = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    except (ImportError, RuntimeError) as error:
        raise MachineError(
            f"espeak-ng is not there ({error}): pip install espeakng-loader"
        ) from error
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SCRIPT), *paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # its forks are killed with it
        )
    except OSError as error:
        raise MachineError(f"no process for espeak-ng could be started: {error}") from error


def _exchange(
    child: subprocess.Popen[bytes], request: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, bytes]:
    """What the child answers; None where it ends before it has."""
    assert child.stdin is not None and child.stdout is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended, perhaps with a reply that says why
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
    line = child.stdout.readline()
    if not line.endswith(b"\n"):
        return None, b""
    reply = json.loads(line)
    payload = child.stdout.read(reply["bytes"])
    return (reply, payload) if len(payload) == reply["bytes"] else (None, b"")


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Stops the child and its forks."""
    if child.poll() is None:
        # it may end by itself in between
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Stops the child and frees what it held."""
    _kill(child)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # a request that nobody reads any more
                pipe.close()
