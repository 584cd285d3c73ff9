from __future__ import annotations

import cmath
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from skimage import data
from torch import Tensor

from sdcore.errors import MachineError, ModelError, RequestError, UnknownName
from sdcore.post.align import SIDE, TEMPLATE, Similarity, aligned, laid_back, similarity
from sdcore.post.faces import (
    RESTORERS,
    Face,
    Restorer,
    faces_of_yunet,
    found,
    load_restorer,
    placed,
    restored,
)

RNG = np.random.default_rng(0)


def _astronaut() -> Image.Image:
    return Image.fromarray(data.astronaut())


def _pose(scale: float, degrees: float, middle: complex) -> Similarity:
    """From the 512 x 512 square into a picture, its middle to `middle`."""
    factor = cmath.rect(scale, np.deg2rad(degrees))
    return Similarity(factor=factor, shift=middle - factor * complex(SIDE, SIDE) / 2)


def _dots(size: tuple[int, int], points: list[tuple[float, float]], radius: float) -> Image.Image:
    """White soft dots on black, their middles at the points, to a fraction of a pixel."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    total = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2)) for px, py in points)
    grey = np.rint(255 * np.clip(total, 0, 1)).astype(np.uint8)
    return Image.fromarray(grey[..., None].repeat(3, 2))


def _middle(picture: Image.Image, near: tuple[float, float], reach: float) -> tuple[float, float]:
    """The centre of what is bright within `reach` of a place."""
    grey = np.asarray(picture.convert("L"), np.float64)
    x, y = np.meshgrid(np.arange(picture.width) + 0.5, np.arange(picture.height) + 0.5)
    grey = grey * (np.hypot(x - near[0], y - near[1]) < reach)
    return float((grey * x).sum() / grey.sum()), float((grey * y).sum() / grey.sum())


POSES = [
    _pose(0.4, 0, 150 + 140j),
    _pose(0.5, 25, 220 + 200j),
    _pose(0.9, -70, 330 + 310j),
    _pose(2.3, 10, 700 + 650j),
    _pose(1.0, 180, 300 + 300j),
]


@pytest.mark.parametrize("pose", POSES)
def test_planted_points_are_aligned_and_laid_back_within_a_pixel(pose: Similarity) -> None:
    scale = abs(pose.factor)
    points = [pose.at(x, y) for x, y in TEMPLATE]
    side = int(max(max(point) for point in points) + 200 * scale)
    picture = _dots((side, side), points, 5 * scale)
    to_square = similarity(tuple(points))
    face = aligned(picture, to_square)
    for x, y in TEMPLATE:
        assert np.hypot(*np.subtract(_middle(face, (x, y), 25), (x, y))) < 0.5
    drawn = _dots((SIDE, SIDE), list(TEMPLATE), 5)
    back = laid_back(Image.new("RGB", (side, side)), drawn, to_square)
    for x, y in points:
        assert np.hypot(*np.subtract(_middle(back, (x, y), 25 * scale), (x, y))) < 0.5


def test_the_nearest_similarity_is_exact_where_there_is_one_and_least_squares_where_not() -> None:
    pose = _pose(0.7, 33, 100 + 50j)
    exact = similarity(tuple(pose.at(x, y) for x, y in TEMPLATE))
    assert abs(exact.factor - 1 / pose.factor) < 1e-9
    points = [(x + RNG.normal(0, 5), y + RNG.normal(0, 5)) for x, y in TEMPLATE]
    design = np.zeros((10, 4))  # x' = a x - b y + c, y' = b x + a y + d
    for i, (x, y) in enumerate(points):
        design[2 * i], design[2 * i + 1] = (x, -y, 1, 0), (y, x, 0, 1)
    a, b, c, d = np.linalg.lstsq(design, np.ravel(TEMPLATE), rcond=None)[0]
    nearest = similarity(tuple(points))
    np.testing.assert_allclose(
        [nearest.factor.real, nearest.factor.imag, nearest.shift.real, nearest.shift.imag],
        [a, b, c, d],
        rtol=1e-9,
    )


def test_a_real_face_is_found_and_said_to_be_placed_by_proportion() -> None:
    """The astronaut's eyes, read off the picture, are within a tenth of a face of where we say."""
    (face,) = found(_astronaut())
    assert face.is_placed
    left_eye, right_eye = face.points[:2]
    assert np.hypot(left_eye[0] - 203.5, left_eye[1] - 101.5) < 8
    assert np.hypot(right_eye[0] - 247, right_eye[1] - 103.5) < 8


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_a_face_is_found_in_smaller_and_larger_pictures(scale: float) -> None:
    side = int(512 * scale)
    faces = found(_astronaut().resize((side, side)))
    assert len(faces) == 1
    assert np.hypot(faces[0].points[2][0] / scale - 224, faces[0].points[2][1] / scale - 129) < 10


def test_no_face_is_found_where_there_is_none() -> None:
    assert found(Image.fromarray(data.coffee())) == ()
    assert found(Image.new("RGB", (16, 400))) == ()


def test_in_a_box_the_points_stand_as_in_the_template() -> None:
    face = placed(100, 200, 300)
    pose = similarity(face.points)
    assert abs(pose.factor.imag) < 1e-9  # upright
    for point, wanted in zip(face.points, TEMPLATE, strict=True):
        np.testing.assert_allclose(pose.at(*point), wanted, atol=1e-6)
    (left, y_left), (right, y_right) = face.points[:2]
    np.testing.assert_allclose((left + right) / 2, 250)
    np.testing.assert_allclose((y_left + y_right) / 2, 200 + 0.33 * 300)
    np.testing.assert_allclose(right - left, 0.42 * 300)


def test_yunets_rows_are_five_points_each() -> None:
    row = np.arange(15, dtype=np.float32)
    (face,) = faces_of_yunet([row])
    assert face.points == ((4, 5), (6, 7), (8, 9), (10, 11), (12, 13)) and not face.is_placed


def _turned(face: Tensor, weight: float) -> Tensor:
    """Colours turned round: a restorer that can be checked."""
    return -face


TURNER = Restorer(name="turner", restore=_turned)


def test_a_face_is_restored_in_its_place_and_nothing_else_is_touched() -> None:
    picture = _astronaut()
    found_here = restored(picture, TURNER)
    (face,) = found_here.faces
    before, after = np.asarray(picture).astype(int), np.asarray(found_here.picture).astype(int)
    nose = tuple(int(n) for n in face.points[2])
    np.testing.assert_allclose(after[nose[1], nose[0]], 255 - before[nose[1], nose[0]], atol=4)
    x, y = np.meshgrid(np.arange(512) + 0.5, np.arange(512) + 0.5)
    pose = similarity(face.points)
    z = pose.factor * (x + 1j * y) + pose.shift
    outside = (z.real < 0) | (z.imag < 0) | (z.real > SIDE) | (z.imag > SIDE)
    assert outside.mean() > 0.5
    np.testing.assert_array_equal(after[outside], before[outside])
    assert "proportion" in found_here.note


def test_visibility_is_the_restored_faces_share() -> None:
    picture, face = Image.new("RGB", (300, 300), (200, 40, 90)), placed(80, 80, 140)
    for visibility, wanted in ((0.0, 200), (0.5, 128), (1.0, 55)):
        new = restored(picture, TURNER, faces=[face], visibility=visibility)
        assert abs(new.picture.getpixel((150, 150))[0] - wanted) <= 1
        assert new.picture.size == picture.size
    assert restored(picture, TURNER, faces=[face], visibility=0.0).picture == picture


def test_a_face_half_outside_or_wholly_outside_of_the_picture_does_no_harm() -> None:
    picture = Image.new("RGB", (200, 200), (200, 40, 90))
    half = restored(picture, TURNER, faces=[placed(-60, -60, 140)]).picture
    assert half.getpixel((5, 5)) != picture.getpixel((5, 5))
    assert half.getpixel((199, 199)) == (200, 40, 90)
    away = restored(picture, TURNER, faces=[placed(900, 900, 100)]).picture
    assert away.tobytes() == picture.tobytes()


def test_where_no_face_is_found_the_picture_stays_and_it_is_said() -> None:
    blank = Image.new("RGB", (64, 64), "white")
    result = restored(blank, TURNER)
    assert result.picture.tobytes() == blank.tobytes() and "no face" in result.note


def test_points_that_were_seen_need_no_note() -> None:
    face = Face(points=placed(80, 80, 140).points)
    assert restored(Image.new("RGB", (300, 300)), TURNER, faces=[face]).note == ""


@pytest.mark.parametrize("name", ["visibility", "weight"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_sliders_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(RequestError, match=f"{name} of .*give 0 to 1"):
        restored(Image.new("RGB", (64, 64)), TURNER, **{name: value})


def test_gfpgans_network_restores_a_found_face_and_repeats_itself() -> None:
    """The real architecture with an eighth of its channels; the weights are this test's."""
    from spandrel.architectures.GFPGAN import GFPGAN

    torch.manual_seed(0)
    network = GFPGAN(narrow=0.125).eval()
    restorer = Restorer(
        name="GFPGAN", restore=lambda face, weight: RESTORERS["GFPGAN"](network, face, weight)
    )
    picture = _astronaut()
    first, second = (restored(picture, restorer).picture for _ in range(2))
    assert first.tobytes() == second.tobytes() != picture.tobytes()
    assert first.getpixel((0, 511)) == picture.getpixel((0, 511))


def test_gfpgan_is_loaded_from_its_file(tmp_path: Path) -> None:
    """The full architecture, wrapped as it is published; each tensor arrives."""
    from spandrel.architectures.GFPGAN import GFPGAN

    state = GFPGAN().state_dict()
    state["final_linear.bias"] = torch.linspace(-1, 1, state["final_linear.bias"].numel())
    torch.save({"params_ema": state}, tmp_path / "GFPGANv1.4.pth")
    restorer = load_restorer(tmp_path / "GFPGANv1.4.pth", "GFPGAN")
    assert restorer.name == "GFPGAN"
    with pytest.raises(ModelError, match="network of GFPGAN: give a weight file of CodeFormer"):
        load_restorer(tmp_path / "GFPGANv1.4.pth", "CodeFormer")


def test_codeformer_is_loaded_from_its_file_and_restores(tmp_path: Path) -> None:
    """Its sizes are fixed but for the transformer's; in bf16, or it takes twice as long."""
    extra = pytest.importorskip("spandrel_extra_arches.architectures.CodeFormer")
    torch.manual_seed(0)
    network = extra.CodeFormer(
        dim_embd=64, n_head=8, n_layers=1, codebook_size=16, connect_list=["32"]
    )
    save_file(network.state_dict(), tmp_path / "codeformer.safetensors")
    restorer = load_restorer(tmp_path / "codeformer.safetensors", "CodeFormer")
    face = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        new = restorer.restore(face, 0.5)
    assert new.shape == face.shape and new.float().std() > 0


def test_codeformers_weight_is_its_fidelity() -> None:
    given = []

    def network(face: Tensor, *, weight: float) -> tuple[Tensor, None]:
        given.append(weight)
        return face, None

    RESTORERS["CodeFormer"](network, torch.zeros(1, 3, 8, 8), 0.3)
    assert given == [0.3]


def test_codeformer_without_its_library_is_refused_with_its_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel_extra_arches", None)
    save_file({"position_emb": torch.zeros(2)}, tmp_path / "codeformer.safetensors")
    with pytest.raises(ModelError, match=r"non-commercial use only.*riffapp\[noncommercial\]"):
        load_restorer(tmp_path / "codeformer.safetensors", "CodeFormer")


def test_yunet_without_opencv_or_its_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MachineError, match=r"riffapp\[faces\]"):
        found(_astronaut(), yunet=tmp_path / "yunet.onnx")


def test_an_unknown_restorer_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="nearest 'GFPGAN'"):
        load_restorer("file.pth", "gfpgn")


def test_a_turned_face_is_restored_upright_and_laid_back_turned() -> None:
    """The network sees the drawn nose below the eyes, however the head is turned."""
    pose = _pose(0.5, 40, 250 + 250j)
    picture = Image.new("RGB", (500, 500), (90, 90, 90))
    draw = ImageDraw.Draw(picture)
    x, y = pose.at(*TEMPLATE[2])
    draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill="white")
    seen = []

    def look(face: Tensor, weight: float) -> Tensor:
        seen.append(face)
        return face

    points = tuple(pose.at(*point) for point in TEMPLATE)
    same = restored(picture, Restorer(name="look", restore=look), faces=[Face(points=points)])
    row, column = np.unravel_index(int(seen[0][0, 0].argmax()), (SIDE, SIDE))
    assert np.hypot(column - TEMPLATE[2][0], row - TEMPLATE[2][1]) < 14
    change = np.abs(np.asarray(same.picture).astype(int) - np.asarray(picture))
    assert change.mean() < 0.5
