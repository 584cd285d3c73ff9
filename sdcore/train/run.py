"""What every training shares: learning rate, moving average, a state that survives a stop."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from sdcore.train.task import Recipe


@dataclass(eq=False)
class Run:
    """One training under way: networks, optimiser, moving average, and where they stand."""

    modules: dict[str, nn.Module]
    recipe: Recipe
    folder: Path
    device: torch.device
    step: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for module in self.modules.values():
            module.to(self.device).train()
        self.parameters = [
            p for m in self.modules.values() for p in m.parameters() if p.requires_grad
        ]
        self.average = [p.detach().clone() for p in self.parameters]
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            lr=self.recipe.lr,
            weight_decay=self.recipe.weight_decay,
            betas=(0.9, 0.99),
            fused=True,
        )
        self._smooth: float | None = None
        if self.state_file.exists():
            self._resume()

    @property
    def state_file(self) -> Path:
        return self.folder / "state.pt"

    def steps(self, name: str) -> Iterator[int]:
        """The steps still to do, with a progress bar; the state is saved now and then."""
        saved = time.monotonic()
        todo = range(self.step, self.recipe.steps)
        with tqdm(todo, initial=self.step, total=self.recipe.steps, desc=name, unit="step") as bar:
            for step in bar:
                yield step
                self.step = step + 1
                if self._smooth is not None and step % 20 == 0:
                    bar.set_postfix(loss=f"{self._smooth:.4f}", refresh=False)
                if time.monotonic() - saved > 60 * self.recipe.save_minutes:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def update(self, loss: Tensor) -> None:
        """One optimiser step on a loss, and the moving average after it."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        # a young average follows closely, so that it does not remember the random start
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        if self.step % 20 == 0:
            value = float(loss.detach())
            self._smooth = value if self._smooth is None else 0.9 * self._smooth + 0.1 * value
            self.losses.append((self.step, value))

    def use_average(self) -> None:
        """Put the averaged weights into the networks; training ends here."""
        with torch.no_grad():
            for parameter, mean in zip(self.parameters, self.average, strict=True):
                parameter.copy_(mean)
        for module in self.modules.values():
            module.eval()

    def save(self) -> None:
        """Write the whole state beside the last one, then put it in its place."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.state_file.with_suffix(".part")
        torch.save(
            {
                "step": self.step,
                "losses": self.losses,
                "modules": {name: m.state_dict() for name, m in self.modules.items()},
                "average": self.average,
                "optimiser": self.optimiser.state_dict(),
            },
            temporary,
        )
        temporary.replace(self.state_file)

    def _resume(self) -> None:
        state: dict[str, Any] = torch.load(
            self.state_file, map_location=self.device, weights_only=True
        )
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average = state["average"]
        self.step, self.losses = state["step"], state["losses"]


def batches(count: int, size: int, *, seed: int, start: int = 0) -> Iterable[Tensor]:
    """Endless index batches, each epoch in a new order; a resumed run begins at `start`."""
    per_epoch = max(1, count // size)
    step = start
    while True:
        epoch, within = divmod(step, per_epoch)
        order = torch.randperm(
            count, generator=torch.Generator().manual_seed(seed * 100003 + epoch)
        )
        for k in range(within, per_epoch):
            yield order[k * size : (k + 1) * size]
            step += 1
