"""Checkpoints that stay loaded as long as there is room, and ones that are on a device in part."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sdcore.errors import RequestError, lookup
from sdcore.models.checkpoint import Checkpoint

Memory = Literal["normal", "medium", "low"]
_Key = tuple[str, int]


class Cache:
    """The checkpoints used last, up to so many bytes of weights; safe for many threads."""

    def __init__(self, budget: int, *, load: Callable[[str | Path], Checkpoint]) -> None:
        """budget: bytes; the checkpoint asked for last stays even if it is larger."""
        if budget < 0:
            raise RequestError(f"a memory budget of {budget} bytes: give 0 or more")
        self._budget = budget
        self._load = load
        self._kept: OrderedDict[_Key, Checkpoint] = OrderedDict()
        self._lock = RLock()

    def get(self, ref: str | Path) -> Checkpoint:
        """The checkpoint of a file, folder or hub id: the same object until the file changes."""
        with self._lock:  # also while it loads, so that two threads do not load it twice
            key = (str(ref), _changed(ref))
            if key not in self._kept:
                for old in [kept for kept in self._kept if kept[0] == key[0]]:
                    del self._kept[old]  # of the file as it was
                self._kept[key] = self._load(ref)
            self._kept.move_to_end(key)
            self._make_room(key)
            return self._kept[key]

    def clear(self) -> None:
        """Forget all that is not in use."""
        with self._lock:
            for key in list(self._kept):
                self._forget(key)

    @property
    def size(self) -> int:
        """Bytes of all weights that are kept."""
        with self._lock:
            return sum(map(size_of, self._kept.values()))

    def _make_room(self, newest: _Key) -> None:
        for key in list(self._kept):
            if self.size <= self._budget:
                return
            if key != newest:
                self._forget(key)

    def _forget(self, key: _Key) -> None:
        """Forget it, unless it is in use: its memory would not be given back."""
        lock = self._kept[key].lock
        if lock.acquire(blocking=False):
            lock.release()
            del self._kept[key]


def size_of(checkpoint: Checkpoint) -> int:
    """Bytes of the checkpoint's weights."""
    return sum(
        tensor.numel() * tensor.element_size()
        for network in _networks(checkpoint)
        for tensor in network.state_dict().values()
    )


def _changed(ref: str | Path) -> int:
    """When the newest of a checkpoint's files was changed, in ns; 0 for a hub id."""
    path = Path(ref)
    files = path.rglob("*") if path.is_dir() else (path,)
    return max((file.stat().st_mtime_ns for file in files if file.is_file()), default=0)


def _networks(checkpoint: Checkpoint) -> Iterator[Any]:
    yield from (tower.encoder for tower in checkpoint.towers)
    yield from (checkpoint.unet, checkpoint.vae)
    if checkpoint.preview is not None:
        yield checkpoint.preview


@contextmanager
def offloaded(
    checkpoint: Checkpoint, *, memory: Memory, device: torch.device
) -> Iterator[Checkpoint]:
    """While it is open, the checkpoint computes on the device with less or more of it there.

    "normal": all of it. "medium": one network at a time, moved when it is used. "low": one layer
    at a time, which takes least and is slowest. Afterwards all of it is back where it was. Hold
    the checkpoint's lock; LoRAs may be put on inside.

    Raises:
        UnknownName: a mode that is not known.
    """
    enter = lookup(_MODES, memory, "memory mode")
    home = checkpoint.device
    handles: list[Any] = []
    try:
        enter(checkpoint, device, handles)
        yield replace(checkpoint, computes_on=device)
    finally:
        for handle in handles:
            handle.remove()
        for network in _networks(checkpoint):
            _move(network, home)


def _all(checkpoint: Checkpoint, device: torch.device, handles: list[Any]) -> None:
    for network in _networks(checkpoint):
        _move(network, device)


def _by_network(checkpoint: Checkpoint, device: torch.device, handles: list[Any]) -> None:
    """A network's first layer that is asked brings all of it, and sends away the one before."""
    resident: list[nn.Module] = []
    away = torch.device("cpu")
    for network in _networks(checkpoint):
        _move(network, away)

        def bring(module: nn.Module, inputs: object, network: nn.Module = network) -> None:
            if resident != [network]:
                for other in resident:
                    _move(other, away)
                _move(network, device)
                resident[:] = [network]

        handles += [module.register_forward_pre_hook(bring) for module in network.modules()]


def _by_layer(checkpoint: Checkpoint, device: torch.device, handles: list[Any]) -> None:
    """Each layer that has weights of its own is there only while it computes."""
    away = torch.device("cpu")

    def bring(module: nn.Module, inputs: object) -> None:
        _move(module, device, below=False)

    def send(module: nn.Module, inputs: object, output: Tensor) -> None:
        _move(module, away, below=False)

    for network in _networks(checkpoint):
        _move(network, away)
        for module in network.modules():
            if module._parameters or module._buffers:
                handles.append(module.register_forward_pre_hook(bring))
                handles.append(module.register_forward_hook(send, always_call=True))


def _move(module: nn.Module, device: torch.device, *, below: bool = True) -> None:
    """Move its tensors, and those of the modules below it, in place."""
    with torch.inference_mode(False):  # weights are used outside of a run too
        module._apply(lambda tensor: tensor.to(device), recurse=below)  # type: ignore[no-untyped-call]


_MODES: dict[str, Callable[[Checkpoint, torch.device, list[Any]], None]] = {
    "normal": _all,
    "medium": _by_network,
    "low": _by_layer,
}
