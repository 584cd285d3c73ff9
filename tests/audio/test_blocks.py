"""Sound block by block: as long and as near to its picture as at once, whole where blocks meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from audio import codec
from audio.blocks import BLOCK, Long, _bounded, synthesise_blocks
from audio.errors import ParameterError
from audio.synth import band
from audio.types import (
    BeatFrames,
    Clip,
    DecibelCurve,
    Samples,
    Spectrogram,
    SpectrogramParams,
    Tempo,
)

PARAMS = SpectrogramParams(
    n_mels=128, min_hz=30.0, max_hz=16000.0, frames=BeatFrames(per_beat=32), curve=DecibelCurve()
)


def _piece(loops: int, *, bpm: float, circular: bool) -> Spectrogram:
    """Loops of the band end to end, quiet enough never to be turned down."""
    parts = []
    for seed in range(loops):
        song = replace(band.draw(np.random.default_rng(seed)), bpm=bpm, bars=2)
        loop = band.render(song)
        quiet = replace(loop.clip, samples=loop.clip.samples * np.float32(0.4))
        shown = codec.analyse(quiet, PARAMS, tempo=loop.tempo, circular=True)
        parts.append(shown.magnitudes)
    tempo = Tempo(bpm=bpm, beats=8 * loops)
    return Spectrogram(
        magnitudes=np.concatenate(parts, -1), params=PARAMS, tempo=tempo, circular=circular
    )


def _long(piece: Spectrogram) -> Long:
    assert piece.tempo is not None
    return Long(
        part=lambda first, last: piece.magnitudes[..., first:last],
        params=piece.params,
        tempo=piece.tempo,
        frames=piece.frames,
        circular=piece.circular,
    )


def _convergence_db(samples: Samples, piece: Spectrogram) -> float:
    clip = Clip(samples=samples)
    found = codec.analyse(clip, PARAMS, tempo=piece.tempo, circular=piece.circular).magnitudes
    wanted = piece.magnitudes
    return float(20 * np.log10(np.linalg.norm(found - wanted) / np.linalg.norm(wanted)))


@pytest.mark.parametrize(("bpm", "circular"), [(171.3, True), (120.0, False)])
def test_blocks_are_as_long_and_as_near_as_the_whole(bpm: float, circular: bool) -> None:
    piece = _piece(5, bpm=bpm, circular=circular)
    assert piece.tempo is not None and piece.frames > 2 * BLOCK
    blocks = list(synthesise_blocks(_long(piece)))
    found = np.concatenate(blocks, 1)
    assert len(blocks) == piece.frames // BLOCK
    assert found.shape == (1, piece.tempo.samples(44100))
    whole = codec.synthesise(piece).samples
    assert _convergence_db(found, piece) < _convergence_db(whole, piece) + 0.5
    rises = np.abs(np.diff(found[0]))
    joints = np.cumsum([block.shape[1] for block in blocks])[:-1]
    assert rises[joints - 1].max() < np.percentile(rises, 99.9)
    if circular:
        assert abs(found[0, 0] - found[0, -1]) < np.percentile(rises, 99.9)


def test_what_fits_at_once_is_the_codecs_own() -> None:
    piece = _piece(1, bpm=150, circular=True)
    (block,) = synthesise_blocks(_long(piece), quality="draft", seed=3)
    assert np.array_equal(block, codec.synthesise(piece, quality="draft", seed=3).samples)


def test_a_stream_is_turned_down_before_it_leaves_full_scale() -> None:
    def blocks() -> Iterator[Samples]:
        for peak in (0.5, 0.9, 2.0, 0.8, 0.5):
            yield np.full((1, 100), peak, np.float32)

    found = list(_bounded(blocks()))
    assert [round(float(block.max()), 6) for block in found] == [0.5, 0.9, 1.0, 0.8, 0.5]
    joined = np.concatenate(found, 1)[0] / np.repeat([0.5, 0.9, 2.0, 0.8, 0.5], 100)
    assert np.abs(np.diff(joined)).max() < 0.011 and joined[199] == pytest.approx(0.5)


def test_an_unknown_quality_is_refused() -> None:
    with pytest.raises(ParameterError, match="unknown quality 'great'"):
        list(synthesise_blocks(_long(_piece(1, bpm=150, circular=True)), quality="great"))
