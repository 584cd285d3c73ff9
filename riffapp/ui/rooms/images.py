"""The image rooms, plain as yet: txt2img, img2img, Extras, Info. Names are A1111's."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from riffapp import settings
from riffapp.studio import images
from riffapp.studio.images import Drawn, ImageWish
from riffapp.ui import say
from riffapp.ui.image_work import Job, Made, Report, Show, image_worker, library_of
from riffapp.ui.work import sentence_for

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdcore.types import Hires, ImageRequest, Mask, Start

POLL_S = 0.3
PICTURES = ["png", "jpg", "jpeg", "webp"]
_PLAIN = "The embedded model paints spectrograms of loops: name a checkpoint for other pictures."


def txt2img() -> None:
    """A picture from words."""
    st.title("txt2img", anchor=False)
    st.caption(_PLAIN)
    with st.form("txt2img", border=False):
        told = _words("t2i")
        left, right = st.columns(2)
        with left:
            told |= _numbers("t2i")
        with right:
            hires = _hires()
        if st.form_submit_button("Generate", type="primary"):
            _start("t2i", told, partial(_request, hires=hires))
    _results("t2i")


def img2img() -> None:
    """A picture from a picture."""
    st.title("img2img", anchor=False)
    st.caption(_PLAIN)
    with st.form("img2img", border=False):
        told = _words("i2i")
        left, right = st.columns(2)
        with left:
            picture = st.file_uploader("Picture", type=PICTURES, key="i2i_picture")
            start = _start_numbers()
            told |= _numbers("i2i")
        with right:
            covers = st.file_uploader(
                "Mask: white is done again, none is all", type=PICTURES, key="i2i_mask"
            )
            mask = _mask_numbers()
        if st.form_submit_button("Generate", type="primary"):
            if picture is None:
                st.session_state.i2i_refusal = "no picture: give one to begin from"
            else:
                given = partial(_begun, picture=picture, start=start, covers=covers, mask=mask)
                _start("i2i", told, given)
    _results("i2i")


def extras() -> None:
    """A picture made larger, its faces restored."""
    st.title("Extras", anchor=False)
    picture = st.file_uploader("Source", type=PICTURES, key="extras_picture")
    found = library_of(settings.load())
    names = ["None", "Lanczos", "Nearest", *(f.name for f in found.folders.all("upscaler"))]
    with st.form("extras", border=False):
        scale = st.slider("Resize", 1.0, 8.0, 2.0, 0.05)
        upscaler = st.selectbox("Upscaler 1", names, index=1)
        second = st.selectbox("Upscaler 2", names)
        share = st.slider("Upscaler 2 visibility", 0.0, 1.0, 0.0)
        faces = st.selectbox("Face restoration", ["None", "GFPGAN", "CodeFormer"])
        visibility = st.slider("Face restoration visibility", 0.0, 1.0, 1.0)
        weight = st.slider("CodeFormer weight", 0.0, 1.0, 0.5)
        pressed = st.form_submit_button("Generate", type="primary")
    if pressed and picture is None:
        st.session_state.extras_refusal = "no picture: give one to enlarge"
    elif pressed and picture is not None:
        wish = {
            "upscaler": upscaler,
            "second": None if second == "None" else second,
            "share": share,
            "to": scale,
            "faces": None if faces == "None" else faces,
            "visibility": visibility,
            "weight": weight,
        }
        st.session_state.extras_refusal = None
        make = partial(_enhanced, picture=picture.getvalue(), wish=wish)
        st.session_state.extras_job = image_worker().submit(make)
    _results("extras")


def info() -> None:
    """What a picture says of how it was made."""
    st.title("Info", anchor=False)
    given = st.file_uploader("Picture", type=[*PICTURES, "gif"], key="info_picture")
    if given is None:
        st.caption("Settings stand inside the pictures that this program and its kin write.")
        return
    try:
        text = _text_in(given.getvalue())
    except Exception as error:
        say.error(sentence_for(error))
        return
    if text is None:
        say.warning("this picture does not say how it was made")
        return
    st.code(text, language=None, wrap_lines=True)
    from sdcore import infotext

    for note in infotext.read(text).notes:
        say.warning(note)


def _text_in(data: bytes) -> str | None:
    from PIL import Image

    from sdcore import picture_files

    with Image.open(io.BytesIO(data)) as picture:
        return picture_files.text_of(picture)


def _words(key: str) -> dict[str, Any]:
    return {
        "prompt": st.text_area("Prompt", key=f"{key}_prompt", height=80),
        "negative": st.text_area("Negative prompt", key=f"{key}_negative", height=68),
        "checkpoint": st.text_input("Checkpoint", "loops", key=f"{key}_checkpoint"),
    }


def _numbers(key: str) -> dict[str, Any]:
    from sdcore.samplers import SAMPLERS
    from sdcore.schedules import SCHEDULES

    return {
        "sampler": st.selectbox("Sampling method", list(SAMPLERS), key=f"{key}_sampler"),
        "schedule": st.selectbox("Schedule type", ["Automatic", *SCHEDULES], key=f"{key}_schedule"),
        "steps": st.slider("Sampling steps", 1, 150, 20, key=f"{key}_steps"),
        "width": st.slider("Width", 64, 2048, 256, 8, key=f"{key}_width"),
        "height": st.slider("Height", 64, 2048, 128, 8, key=f"{key}_height"),
        "cfg": st.slider("CFG Scale", 1.0, 30.0, 7.0, 0.5, key=f"{key}_cfg"),
        "batch": st.slider("Batch count", 1, 8, 1, key=f"{key}_batch"),
        "seed": st.number_input("Seed", -1, 2**32 - 1, -1, key=f"{key}_seed"),
        "tiling": st.selectbox("Tiling", ["none", "x", "y", "xy"], key=f"{key}_tiling"),
        "clip_skip": st.slider("Clip skip", 1, 12, 1, key=f"{key}_skip"),
    }


def _hires() -> Hires | None:
    from sdcore.enlarge import LATENT_UPSCALERS
    from sdcore.types import Hires

    wanted = st.checkbox("Hires. fix", key="t2i_hires")
    given = Hires(
        upscaler=st.selectbox("Upscaler", [*LATENT_UPSCALERS, "Lanczos"], key="t2i_upscaler"),
        steps=st.slider("Hires steps", 0, 150, 0, key="t2i_hires_steps"),
        strength=st.slider("Denoising strength", 0.0, 1.0, 0.7, key="t2i_hires_strength"),
        scale=st.slider("Upscale by", 1.0, 4.0, 2.0, 0.05, key="t2i_scale"),
    )
    return given if wanted else None


def _start_numbers() -> dict[str, Any]:
    modes = ["just resize", "crop and resize", "resize and fill", "just resize (latent)"]
    return {
        "resize": st.selectbox("Resize mode", modes, key="i2i_resize"),
        "strength": st.slider("Denoising strength", 0.0, 1.0, 0.75, key="i2i_strength"),
    }


def _mask_numbers() -> dict[str, Any]:
    contents = ["fill", "original", "latent noise", "latent nothing"]
    blur = float(st.slider("Mask blur", 0, 64, 4, key="i2i_blur"))
    mode = st.selectbox("Mask mode", ["Inpaint masked", "Inpaint not masked"], key="i2i_mode")
    area = st.selectbox("Inpaint area", ["Whole picture", "Only masked"], key="i2i_area")
    return {
        "blur": (blur, blur),
        "inverted": mode == "Inpaint not masked",
        "content": st.selectbox("Masked content", contents, index=1, key="i2i_content"),
        "only_masked": area == "Only masked",
        "padding": st.slider("Only masked padding, pixels", 0, 256, 32, key="i2i_padding"),
        "soft": st.checkbox("Soft inpainting", key="i2i_soft"),
    }


def _request(told: dict[str, Any], *, hires: Hires | None = None) -> ImageRequest:
    from sdcore.types import ImageRequest

    return ImageRequest(**told, hires=hires)


def _begun(
    told: dict[str, Any], *, picture: Any, start: dict[str, Any], covers: Any, mask: dict[str, Any]
) -> ImageRequest:
    from sdcore.types import ImageRequest, Mask, Soft, Start

    begun: Start = Start(image=_opened(picture.getvalue()), **start)
    soft = Soft() if mask["soft"] else None
    covered: Mask | None = None
    if covers is not None:
        white = _opened(covers.getvalue(), mode="RGBA")
        covered = Mask(image=white, **(mask | {"soft": soft}))
    return ImageRequest(**told, start=begun, mask=covered)


def _opened(data: bytes, *, mode: str = "RGB") -> Image:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert(mode)


def _start(key: str, told: dict[str, Any], request: Any) -> None:
    """Queue what the form says, or keep the sentence that refuses it."""
    st.session_state[f"{key}_refusal"] = None
    try:
        found = library_of(settings.load())
        checkpoint = told.pop("checkpoint") or "loops"
        wish = ImageWish(request=request(told), checkpoint=checkpoint)
    except Exception as error:  # a defect is a sentence too, with its traceback in the log
        st.session_state[f"{key}_refusal"] = sentence_for(error)
        return

    def make(report: Report, show: Show) -> Made:
        return images.make(found, wish, on_step=report, on_picture=show)

    st.session_state[f"{key}_job"] = image_worker().submit(make)


def _enhanced(report: Report, show: Show, *, picture: bytes, wish: dict[str, Any]) -> Made:
    from sdcore.types import ImageRequest

    done, notes = images.upscale(library_of(settings.load()), _opened(picture), **wish)
    text = _text_in(picture) or ""
    return [Drawn(picture=done, text=text, request=ImageRequest(prompt=""))], notes


def _results(key: str) -> None:
    if st.session_state.get(f"{key}_refusal"):
        say.error(st.session_state[f"{key}_refusal"])
    job: Job | None = st.session_state.get(f"{key}_job")
    if job is None:
        return
    if not job.finished:
        _watch(key)
        return
    if job.error is not None:
        say.error(job.error)
    for number, drawn in enumerate(job.drawn):
        st.image(drawn.picture, caption=f"{drawn.picture.width} x {drawn.picture.height}")
        if drawn.text:
            st.code(drawn.text, language=None, wrap_lines=True)
        st.download_button(
            "Download PNG",
            _as_png(drawn),
            file_name=f"{key}_{number + 1}.png",
            mime="image/png",
            key=f"{key}_file_{number}",
            on_click="ignore",
        )
    for note in job.notes:
        say.warning(note)


@st.fragment(run_every=POLL_S)
def _watch(key: str) -> None:
    """How far the job is, until it is over."""
    job: Job = st.session_state[f"{key}_job"]
    if job.finished:
        st.rerun()
    st.progress(min(job.share, 1.0), "Drawing …")
    if job.preview is not None:
        st.image(job.preview, width=256, caption="as it looks by now")
    st.button("Interrupt", key=f"{key}_stop", on_click=job.stop)


def _as_png(drawn: Drawn) -> bytes:
    from PIL import PngImagePlugin

    from sdcore.picture_files import PARAMETERS

    info = PngImagePlugin.PngInfo()
    if drawn.text:
        info.add_text(PARAMETERS, drawn.text)
    data = io.BytesIO()
    drawn.picture.save(data, "PNG", pnginfo=info)
    return data.getvalue()
