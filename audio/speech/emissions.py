"""Where each token of a text is in a recording, by what an acoustic model hears in its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audio.errors import ParameterError


@dataclass(frozen=True, kw_only=True)
class Span:
    """A token between two times, and the mean probability that the model gave it there."""

    token: int
    start_s: float
    end_s: float
    probability: float


def align_emissions(
    emissions: NDArray[np.floating], tokens: Sequence[int], *, hop_s: float, blank: int = 0
) -> tuple[Span, ...]:
    """The span of each token, by forced alignment (CTC: Graves et al. 2006).

    `emissions` are log probabilities (frames, classes), a frame each `hop_s`, as wav2vec 2.0 and
    its like give them. A span is the frames in which the token is heard: CTC models hear it
    shortly, at its middle rather than all along.
    Raises ParameterError for tokens that the model has no class for, and for fewer frames than the
    tokens need.
    """
    import torch
    from torchaudio.functional import forced_align, merge_tokens

    log_probabilities = torch.from_numpy(np.ascontiguousarray(emissions, np.float32))
    frames, classes = log_probabilities.shape
    if not tokens:
        raise ParameterError("no tokens to align: give the text's")
    wrong = [token for token in tokens if not 0 <= token < classes or token == blank]
    if wrong:
        raise ParameterError(
            f"token {wrong[0]}: the model has classes 0 to {classes - 1}, of which {blank} is blank"
        )
    needed = len(tokens) + sum(a == b for a, b in pairwise(tokens))
    if frames < needed:
        raise ParameterError(
            f"{frames} frames for {len(tokens)} tokens, which take {needed}: give the text that is "
            "spoken in the recording"
        )
    targets = torch.tensor([list(tokens)], dtype=torch.int32)
    path, scores = forced_align(log_probabilities[None], targets, blank=blank)
    return tuple(
        Span(
            token=span.token,
            start_s=span.start * hop_s,
            end_s=span.end * hop_s,
            probability=span.score,
        )
        for span in merge_tokens(path[0], scores[0].exp(), blank=blank)
    )
