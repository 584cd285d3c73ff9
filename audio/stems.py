"""A recording taken apart: what sustains and what strikes, or by Demucs, by instruments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audio.compiled import librosa
from audio.errors import FileError, MachineError, ParameterError
from audio.files import resample
from audio.types import Clip, Samples

BLOCK_S, OVERLAP_S = 30.0, 1.0
SILENT = 1e-5
LEAST_S = 0.1
_FFT = 2048


def harmonic_percussive(clip: Clip) -> dict[str, Clip]:
    """'harmonic' and 'percussive' stems, which sum to the clip.

    Median filtering along time and along frequency (Fitzgerald 2010), librosa's, in blocks of 30 s
    that pass into one another over a second. Raises ParameterError for silence and under 0.1 s.
    """
    _refuse(clip)
    harmonic = _harmonic(clip)
    return {
        "harmonic": replace(clip, samples=harmonic),
        "percussive": replace(clip, samples=clip.samples - harmonic),
    }


def _harmonic(clip: Clip) -> Samples:
    fft = min(_FFT, 1 << (clip.n.bit_length() - 1))  # no longer than the sound
    block, overlap = round(BLOCK_S * clip.rate), round(OVERLAP_S * clip.rate)
    found = np.zeros_like(clip.samples)
    for first in range(0, clip.n, block):
        start, end = max(0, first - overlap), min(clip.n, first + block)
        part = np.stack(
            [librosa().effects.harmonic(y, n_fft=fft) for y in clip.samples[:, start:end]]
        )
        if start < first:
            rise = np.linspace(0, 1, first - start, dtype=np.float32)
            found[:, start:first] = (
                found[:, start:first] * (1 - rise) + part[:, : first - start] * rise
            )
        found[:, first:end] = part[:, first - start :]
    return found


def demucs_stems(clip: Clip, model: str, *, weights: Path) -> dict[str, Clip]:
    """The stems that a Demucs model hears (drums, bass, vocals, other ...), each like the clip.

    `weights` is a folder of Demucs' own files: NAME.yaml and the .th files that it lists, or one
    .th file. They are Python pickles, which may run any code: use none that you do not trust.
    Nothing is downloaded. The same sound and model give the same stems.
    Raises MachineError where Demucs is missing, FileError where the model's files are, and
    ParameterError as `harmonic_percussive`.
    """
    _refuse(clip)
    if clip.channels > 2:
        raise ParameterError(f"a clip of {clip.channels} channels: Demucs hears 1 or 2")
    net = _network(model, weights)
    import torch
    from demucs.apply import apply_model

    at = resample(clip, int(net.samplerate))
    mix = torch.from_numpy(np.repeat(at.samples, 2 // at.channels, axis=0))
    # It was trained on mixes of mean 0 and deviation 1.
    mean, deviation = mix.mean(), mix.std() + 1e-8
    with torch.inference_mode():
        heard = apply_model(net, ((mix - mean) / deviation)[None], device="cpu", shifts=0)[0]
    parts = (heard * deviation + mean).numpy()
    return {
        name: _as_long(Clip(samples=np.asarray(part, np.float32), rate=at.rate), clip)
        for name, part in zip(net.sources, parts, strict=True)
    }


def _network(model: str, weights: Path) -> Any:
    """A Demucs model of a folder's, never of the network's."""
    try:
        from demucs.pretrained import get_model
    except ImportError as error:
        raise MachineError("Demucs is not installed: pip install 'riffapp[stems]'") from error
    names = {path.stem.partition("-")[0] for path in weights.glob("*.th")}
    names |= {path.stem for path in weights.glob("*.yaml")}
    if model not in names:
        here = f"there are {', '.join(sorted(names))}" if names else "there is none"
        raise FileError(
            f"no Demucs model '{model}' in {weights} ({here}): put {model}.yaml there, from the "
            "demucs package's folder 'remote', and the .th files that it lists, from "
            "https://dl.fbaipublicfiles.com/demucs"
        )
    try:
        return get_model(model, repo=weights)
    # It exits where a model's compression needs a library, and raises whatever a pickle does.
    except (Exception, SystemExit) as error:
        raise FileError(
            f"the Demucs model '{model}' in {weights} cannot be read ({type(error).__name__}): "
            "fetch its files again"
        ) from error


def _as_long(part: Clip, clip: Clip) -> Clip:
    """A stem at the clip's rate, length and channels."""
    samples = resample(part, clip.rate).samples
    if clip.channels == 1:
        samples = samples.mean(0, keepdims=True, dtype=np.float32)
    short = max(0, clip.n - samples.shape[1])
    return replace(clip, samples=np.pad(samples[:, : clip.n], ((0, 0), (0, short))))


def _refuse(clip: Clip) -> None:
    if clip.duration_s < LEAST_S:
        raise ParameterError(
            f"{clip.duration_s * 1000:.0f} ms of sound: give at least {LEAST_S * 1000:.0f} ms"
        )
    if not np.isfinite(clip.samples).all():
        raise ParameterError("the sound holds samples that are no numbers: export it again")
    if float(np.abs(clip.samples).max()) < SILENT:
        raise ParameterError("the sound is silent: there is nothing to take apart")
