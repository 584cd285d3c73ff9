"""Drawing on a picture: a mask, or colours, given back as a PNG of the picture's own size.

The browser is given the picture by its URL. What is drawn comes from it as a data URL when the
pointer lifts, stays with the session while a person is in other rooms, and becomes a file only
when a job needs it. The other half is sketch.html, sketch.css and sketch.js.
"""

from __future__ import annotations

import base64
import binascii
import io
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs import wire
from riffapp.ui import say, serving, visitor

MAX_PIXELS = 1 << 24
_MAX_CHARS = 48 << 20  # of a data URL: noise in all pixels is less
_PNG = "data:image/png;base64,"
_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_HERE = Path(__file__)

_mount = st.components.v2.component(
    "riffapp_sketch",
    html=_HERE.with_suffix(".html").read_text("utf-8"),
    css=_HERE.with_suffix(".css").read_text("utf-8"),
    js=_HERE.with_suffix(".js").read_text("utf-8"),
)


def sketch(place: str, picture: Path, *, colours: bool) -> None:
    """Draw on a picture among the inputs; `place` is the session's key of what is drawn.

    With `colours` it is drawn in them, else it is a mask.
    """
    width, height = size_of(picture)
    if width * height > MAX_PIXELS:
        say.warning(
            f"{width} x {height} pixels are too many to draw on: give at most "
            f"{MAX_PIXELS / 1e6:.0f} million, or upload a mask"
        )
        return
    name = f"{picture.name}#{st.session_state.get(f'{place}_epoch', 0)}"
    _mount(
        key=f"{place}_canvas",
        data={
            "id": name,
            "picture": serving.input_url(picture),
            "alt": "The picture that is drawn on",
            "width": width,
            "height": height,
            "colours": colours,
            "drawing": _drawing(place, picture),
        },
        on_layer_change=partial(_take, place, name),
    )


def drawn(place: str, picture: Path) -> Path | None:
    """What was drawn on this picture, as a file among the inputs: a PNG as large, transparent
    where nothing is. None where nothing was drawn.

    Raises UsageError for what no browser of ours sends.
    """
    from PIL import Image

    url = _drawing(place, picture)
    if url is None:
        return None
    try:
        data = base64.b64decode(url.removeprefix(_PNG), validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
            if opened.size != size_of(picture) or opened.width * opened.height > MAX_PIXELS:
                raise ValueError("another size")
            opened.load()
    except (binascii.Error, OSError, SyntaxError, ValueError) as error:
        raise UsageError("the drawing did not arrive whole: clear it and draw again") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.png"
        path.write_bytes(data)
        return wire.kept(path, visitor.database().home)


def lay(place: str, picture: Path, drawing: Path | None) -> None:
    """Put a drawing, or none, on a picture as if it had been drawn here."""
    epoch = st.session_state.get(f"{place}_epoch", 0) + 1
    png = None
    if drawing is not None:
        png = _PNG + base64.b64encode(drawing.read_bytes()).decode("ascii")
    st.session_state[f"{place}_epoch"] = epoch
    st.session_state[place] = {"id": f"{picture.name}#{epoch}", "png": png}


def size_of(picture: Path) -> tuple[int, int]:
    """(width, height) as the picture is seen. Raises UsageError where it cannot be read."""
    from PIL import ExifTags, Image

    try:
        with Image.open(picture) as opened:
            width, height = opened.size
            turned = opened.getexif().get(ExifTags.Base.Orientation) in _TURNED
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{picture.name} is no picture that can be read: {error}") from error
    return (height, width) if turned else (width, height)


def _take(place: str, name: str) -> None:
    """Put down what the browser sent; the component itself forgets when its page is left."""
    said: Any = st.session_state[f"{place}_canvas"].get("layer")
    if not isinstance(said, Mapping) or said.get("id") != name:  # of the picture before this one
        return
    png = said.get("png")
    is_png = isinstance(png, str) and png.startswith(_PNG) and len(png) <= _MAX_CHARS
    st.session_state[place] = {"id": name, "png": png if is_png else None}


def _drawing(place: str, picture: Path) -> str | None:
    """The data URL of what was drawn on this picture."""
    said: Mapping[str, Any] = st.session_state.get(place) or {}
    png: str | None = said.get("png")
    return png if str(said.get("id")).partition("#")[0] == picture.name else None
