"""Between two requests: a request on the way from one to the other."""

from __future__ import annotations

from dataclasses import replace

from sdcore.errors import RequestError
from sdcore.types import ImageRequest, Scene


def between(a: ImageRequest, b: ImageRequest, share: float) -> ImageRequest:
    """The request `share` (0 .. 1) of the way from a to b: 0 is a, 1 is b, to the pixel.

    Contexts, guidance scale and strength go along a line, the first noise along an arc (Riffusion's
    interpolation; Shoemake 1985 for the arc). All else, size, sampler, picture and mask among it,
    is a's, and b may only differ in its words, seed, guidance scale and strength.

    Raises:
        RequestError: a share out of range, a seed still to be drawn, or another difference.
    """
    if not 0 <= share <= 1:
        raise RequestError(f"a share of {share:g} between two requests: give 0 to 1")
    if -1 in (a.seed, b.seed):
        raise RequestError("a seed of -1 between two requests: give both their seeds")
    if (a.start is None) != (b.start is None):
        raise RequestError("one of two requests begins from a picture: give it to both or neither")
    start = a.start
    if a.start is not None and b.start is not None:
        strength = (1 - share) * a.start.strength + share * b.start.strength
        start = replace(a.start, strength=strength)
    told = replace(b, prompt=a.prompt, negative=a.negative, seed=a.seed, cfg=a.cfg, start=a.start)
    if told != a:
        raise RequestError(
            "two requests differ in more than words, seed, guidance scale and strength: "
            "give both the same of all else"
        )
    if share == 0:
        return a
    if share == 1:
        return b
    scene = Scene(
        prompt=b.prompt, negative=b.negative, cfg=b.cfg, seed=b.seed, share=share, morphs=True
    )
    return replace(a, start=start, scenes=(*a.scenes, scene))
