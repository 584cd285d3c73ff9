"""A recording taken apart: what sustains and what strikes, or by Demucs, by instruments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from audio.errors import FileError, ParameterError
from audio.files import resample
from audio.types import Clip, Samples

BLOCK_S, OVERLAP_S = 30.0, 1.0
SILENT = 1e-5


def harmonic_percussive(clip: Clip) -> dict[str, Clip]:
    """'harmonic' and 'percussive' stems, which sum to the clip.

    Median filtering along time and along frequency (Fitzgerald 2010), librosa's, in blocks of 30 s
    that pass into one another over a second. Raises ParameterError for silence and under 0.1 s.
    """
    if clip.duration_s < 0.1:
        raise ParameterError(f"{clip.duration_s * 1000:.0f} ms of sound: give at least 100 ms")
    if not np.isfinite(clip.samples).all():
        raise ParameterError("the sound holds samples that are no numbers: export it again")
    if float(np.abs(clip.samples).max()) < SILENT:
        raise ParameterError("the sound is silent: there is nothing to take apart")
    harmonic = _harmonic(clip)
    return {
        "harmonic": replace(clip, samples=harmonic),
        "percussive": replace(clip, samples=clip.samples - harmonic),
    }


def _harmonic(clip: Clip) -> Samples:
    from librosa.effects import harmonic

    block, overlap = round(BLOCK_S * clip.rate), round(OVERLAP_S * clip.rate)
    found = np.zeros_like(clip.samples)
    for first in range(0, clip.n, block):
        start, end = max(0, first - overlap), min(clip.n, first + block)
        part = np.stack([harmonic(y) for y in clip.samples[:, start:end]])
        if start < first:
            rise = np.linspace(0, 1, first - start, dtype=np.float32)
            found[:, start:first] = (
                found[:, start:first] * (1 - rise) + part[:, : first - start] * rise
            )
        found[:, first:end] = part[:, first - start :]
    return found


def demucs_stems(clip: Clip, model: str, *, weights: Path) -> dict[str, Clip]:
    """The stems that a Demucs model hears (drums, bass, vocals, other ...), as long as the clip.

    `weights` is a folder of Demucs' own files; nothing is downloaded.
    Raises FileError where Demucs or the model's files are missing.
    """
    try:
        from demucs.apply import apply_model
        from demucs.pretrained import get_model
    except ImportError as error:
        raise FileError("Demucs is not installed: pip install 'riffapp[stems]'") from error
    import torch

    try:
        net = get_model(model, repo=weights)
    except Exception as error:  # its own ModelLoadingError, and whatever reading raises
        raise FileError(
            f"no Demucs model '{model}' in {weights}: put its .th (and .yaml) files there"
        ) from error
    at = resample(clip, int(net.samplerate))
    mix = np.repeat(at.samples, 2, axis=0)[:2] if at.channels == 1 else at.samples
    with torch.inference_mode():
        parts = apply_model(net, torch.from_numpy(mix)[None], device="cpu")[0].numpy()
    found = {}
    for name, part in zip(net.sources, parts, strict=True):
        back = resample(Clip(samples=part.astype(np.float32), rate=at.rate), clip.rate).samples
        short = max(0, clip.n - back.shape[1])
        found[name] = replace(clip, samples=np.pad(back[:, : clip.n], ((0, 0), (0, short))))
    return found
