"""Sound <-> spectrogram <-> picture. The one place where numpy meets torch.

A picture follows Riffusion: low frequencies at the bottom, loud is dark, mono in all three planes,
stereo as R = 0, G = left, B = right. 8 bits per plane.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from audio.errors import ParameterError
from audio.mel import Bands, to_mel
from audio.mix import LOOK_AHEAD_S, limited
from audio.phase import PHASES, QUALITIES, Held, Quality
from audio.stft import StftParams, cheaper, frame_skip, layout, resample, spectra
from audio.types import (
    Clip,
    DecibelCurve,
    PowerCurve,
    Samples,
    Spectrogram,
    SpectrogramParams,
    Tempo,
)

_MOST_HELD = 2.0  # 6 dB of limiting are not heard as such on the peaks of drums
RIFFUSION_MAX = 30e6  # Riffusion's constant for pictures that carry no maximum


def analyse(
    clip: Clip,
    params: SpectrogramParams,
    *,
    tempo: Tempo | None = None,
    circular: bool = False,
    frames: int | None = None,
) -> Spectrogram:
    """The spectrogram of a clip at the params' own rate; `frames` wide, where a time grid asks.

    A PowerCurve without a maximum gets the picture's own, so that the level can be kept.
    A mono clip fills both channels of stereo params; stereo sound is averaged for mono ones.
    Raises ParameterError when the rate differs or the clip's length is not the tempo's.
    """
    if clip.rate != params.rate:
        raise ParameterError(
            f"a clip at {clip.rate} Hz, params at {params.rate} Hz: resample the clip first"
        )
    p = layout(params, tempo=tempo, n_samples=clip.n, circular=circular, frames=frames)
    if p.n_samples != clip.n:
        raise ParameterError(
            f"a clip of {clip.n} samples: the tempo asks for exactly {p.n_samples}"
        )
    magnitudes = mel_of(_planes(clip, params.channels), params, p)
    curve = params.curve
    if isinstance(curve, PowerCurve) and curve.max_value is None:
        top = float(magnitudes.max(initial=0.0)) or RIFFUSION_MAX
        params = replace(params, curve=replace(curve, max_value=top))
    return Spectrogram(magnitudes=magnitudes, params=params, tempo=tempo, circular=circular)


def mel_of(samples: Samples, params: SpectrogramParams, p: StftParams) -> Samples:
    """Mel magnitudes (channels, n_mels, frames) of samples (channels, n)."""
    with torch.inference_mode():
        runs = [to_mel(s.abs(), params, p) for s in spectra(torch.from_numpy(samples), p)]
        mel: Samples = torch.cat(runs, -1).numpy()
    return mel


def _planes(clip: Clip, channels: int) -> Samples:
    if clip.channels == channels:
        return np.ascontiguousarray(clip.samples)
    if channels == 1:
        middle: Samples = clip.samples.mean(axis=0, keepdims=True, dtype=np.float32)
        return middle
    if clip.channels == 1:
        return np.repeat(clip.samples, channels, axis=0)
    raise ParameterError(f"a clip of {clip.channels} channels: spectrograms hold 1 or 2")


def synthesise(spectrogram: Spectrogram, *, quality: str = "fast", seed: int = 0) -> Clip:
    """The sound of a spectrogram; a loop has exactly its tempo's samples.

    The same spectrogram, quality and seed give the same samples. The level is the picture's own;
    peaks that would leave full scale, as those of loud masters do, are held by a limiter of 5 ms.
    What is more than 6 dB over, as pictures of unknown level may be, is turned down as a whole.
    """
    if quality not in QUALITIES:
        raise ParameterError(f"unknown quality {quality!r}: known are {', '.join(QUALITIES)}")
    with torch.inference_mode():
        x: Samples = invert(spectrogram, QUALITIES[quality], seed=seed).numpy()
    rate = spectrogram.params.rate
    x /= max(1.0, float(np.abs(x).max(initial=0.0)) / _MOST_HELD)
    peaks = np.abs(x).max(0, initial=0.0)
    if peaks.max(initial=0.0) > 1.0:
        half = round(LOOK_AHEAD_S / 2 * rate)
        gain = limited(1.0 / np.maximum(peaks, 1.0), half, circular=spectrogram.circular)
        x = np.clip(x * gain.astype(np.float32), -1.0, 1.0)
    return Clip(samples=x, rate=rate)


def invert(
    spectrogram: Spectrogram,
    rung: Quality,
    *,
    seed: int,
    part: StftParams | None = None,
    held: Held | None = None,
) -> Tensor:
    """Samples (channels, n) on one rung of the ladder, found at the lowest rate that will do.

    Of a longer sound's `part` that layout is taken; `held` is what of it is known.

    Stereo is found from the middle: one channel with both channels' power first, then left and
    right for a few iterations from its phases. What both share thus stays in phase, and a mono sum
    keeps its level and its spectrum (channel by channel it loses 2 to 4 dB and combs).
    """
    params = spectrogram.params
    p = part or layout(
        params,
        tempo=spectrogram.tempo,
        frames=spectrogram.frames,
        circular=spectrogram.circular,
    )
    skip = frame_skip(p, rung.overlap)
    work = cheaper(p, top_hz=params.max_hz / params.rate, skip=skip, padding=rung.padding)
    bands = Bands(params, p, work)
    mel = torch.from_numpy(spectrogram.magnitudes).transpose(-1, -2)[:, ::skip].contiguous()
    known = None if held is None else _at_work(held, work)
    if params.stereo:
        middle = mel.square().mean(0, keepdim=True).sqrt_()
        between = known and replace(known, samples=known.samples.mean(0, keepdim=True))
        start = find_phase(middle, bands, rung, seed=seed, held=between)
        x = find_phase(mel, bands, rung.sides(), seed=seed, start=start, held=known)
    else:
        x = find_phase(mel, bands, rung, seed=seed, held=known)
    return resample(x, p.n_samples, circular=p.circular)


def _at_work(held: Held, work: StftParams) -> Held:
    """What is held, at the rate of a working layout."""
    n = work.n_samples
    place = torch.linspace(0, len(held.weight) - 1, n).long()
    samples = resample(held.samples, n, circular=work.circular)
    return Held(samples=samples, weight=held.weight[place])


def find_phase(
    mel: Tensor,
    bands: Bands,
    rung: Quality,
    *,
    seed: int,
    start: Tensor | None = None,
    held: Held | None = None,
) -> Tensor:
    """Samples (C, n) of the bands' layout for mel (C, frames, n_mels)."""
    target = bands.target(mel)

    def refine(i: int, power: Tensor) -> Tensor | None:
        return bands.nearer(power, target) if i in rung.refine else None

    return PHASES[rung.method](
        bands.linear(mel).transpose(-1, -2),
        bands.work,
        n_iter=rung.n_iter,
        momentum=rung.momentum,
        seed=seed,
        start=start,
        refine=refine,
        held=held,
    )


def to_image(spectrogram: Spectrogram) -> Image.Image:
    """The 8 bit RGB picture, n_mels high and frames wide."""
    loudness = _to_unit(spectrogram.magnitudes, spectrogram.params.curve)
    pixels = _to_pixels(loudness, spectrogram.params.curve)[:, ::-1]
    if spectrogram.params.stereo:
        planes = np.stack([np.zeros_like(pixels[0]), pixels[0], pixels[1]], axis=-1)
    else:
        planes = np.repeat(pixels[0][..., None], 3, axis=-1)
    return Image.fromarray(np.ascontiguousarray(planes), "RGB")


def from_image(
    image: Image.Image,
    params: SpectrogramParams,
    *,
    tempo: Tempo | None = None,
    circular: bool = False,
    max_value: float | None = None,
) -> Spectrogram:
    """The spectrogram that a picture shows.

    `max_value` wins over the curve's; where neither is given it is Riffusion's constant 30e6.
    A loop is played at another tempo by giving that tempo here.
    """
    if image.height != params.n_mels:
        raise ParameterError(
            f"a picture {image.height} px high: these params need {params.n_mels} px, one per band"
        )
    p = layout(params, tempo=tempo, frames=image.width, circular=circular)
    if p.frames != image.width:
        raise ParameterError(
            f"a picture {image.width} px wide: this tempo has {p.frames} frames, one per pixel"
        )
    curve = params.curve
    if isinstance(curve, PowerCurve):
        curve = replace(curve, max_value=max_value or curve.max_value or RIFFUSION_MAX)
        params = replace(params, curve=curve)
    magnitudes = levels(image, params)
    return Spectrogram(magnitudes=magnitudes, params=params, tempo=tempo, circular=circular)


def levels(image: Image.Image, params: SpectrogramParams) -> Samples:
    """The mel magnitudes (channels, n_mels, width) that any part of a picture shows."""
    planes = np.asarray(image.convert("RGB"), dtype=np.uint8)
    chosen = (1, 2) if params.stereo else (0,)
    pixels = np.stack([planes[::-1, :, c] for c in chosen])
    return _from_unit(1.0 - pixels.astype(np.float32) / 255.0, params.curve)


def _to_unit(magnitudes: Samples, curve: PowerCurve | DecibelCurve) -> Samples:
    """Loudness in [0, 1]: 0 silent, 1 the curve's maximum."""
    if isinstance(curve, PowerCurve):
        top = curve.max_value or float(magnitudes.max(initial=0.0)) or 1.0
        share: Samples = np.clip(magnitudes / np.float32(top), 0.0, 1.0) ** np.float32(curve.power)
        return share
    floor = curve.full_scale * 10.0 ** (-curve.range_db / 20.0)
    loud = np.log10(np.maximum(magnitudes, np.float32(floor)) / np.float32(floor))
    return np.clip(loud * np.float32(20.0 / curve.range_db), 0.0, 1.0).astype(np.float32)


def _to_pixels(
    loudness: Samples, curve: PowerCurve | DecibelCurve
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Dark is loud. Riffusion truncates where we round; its pictures are kept bit for bit."""
    scaled = 255.0 - 255.0 * loudness
    if isinstance(curve, DecibelCurve):
        scaled = scaled + 0.5
    return scaled.astype(np.uint8)


def _from_unit(loudness: Samples, curve: PowerCurve | DecibelCurve) -> Samples:
    if isinstance(curve, PowerCurve):
        top = curve.max_value or 1.0
        return (loudness ** np.float32(1.0 / curve.power) * np.float32(top)).astype(np.float32)
    floor = curve.full_scale * 10.0 ** (-curve.range_db / 20.0)
    level = floor * 10.0 ** (loudness * np.float32(curve.range_db / 20.0))
    return np.where(loudness > 0.0, level, 0.0).astype(np.float32)
