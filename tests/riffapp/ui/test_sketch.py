"""Drawing on a picture: what arrives from the browser, and the drawing itself in Chromium."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from riffapp.database import Database
from riffapp.errors import UsageError
from riffapp.gallery import Gallery
from riffapp.ui.components.sketch import size_of

# The component's parts, wherever it is mounted.
_FIND = """
const look = (node) => {
  const figure = node.shadowRoot?.querySelector('figure.sketch');
  if (figure) return figure;
  for (const child of node.children) {
    const found = look(child);
    if (found) return found;
  }
  return null;
};
return look(document.body)?.querySelector(arguments[0]);"""


@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 24)), (3, (40, 24)), (6, (24, 40))])
def test_a_picture_is_as_large_as_it_is_seen(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (40, 24)).save(tmp_path / "phone.jpg", exif=exif)
    assert size_of(tmp_path / "phone.jpg") == size


def test_what_is_no_picture_has_no_size(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("nothing")
    with pytest.raises(UsageError, match="is no picture that can be read"):
        size_of(tmp_path / "text.png")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any]) -> Iterator[Any]:
    with serve() as served:
        yield served


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture of noise, 256 x 128 pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (128, 256, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def part(chrome: Any, selector: str) -> Any:
    """A part of the component, as soon as it is there."""
    return chrome.eventually(selector, lambda: chrome.driver.execute_script(_FIND, selector))


def press(chrome: Any, selector: str) -> None:
    button = part(chrome, selector)
    chrome.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    time.sleep(0.2)
    button.click()


def covers(chrome: Any, low: int, high: int) -> None:
    """Until so many per cent of the picture are masked."""

    def share() -> int:
        told = part(chrome, ".said").text
        return 0 if told == "No mask yet." else int(told.partition(" %")[0])

    chrome.eventually(f"{low} to {high} % masked", lambda: low <= share() <= high)
    chrome.rest()


def stroke(chrome: Any, *points: tuple[float, float]) -> None:
    """A stroke of the mouse through points in shares of the picture's width and height."""
    from selenium.webdriver.common.action_chains import ActionChains

    layer = part(chrome, ".layer")
    chrome.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", layer)
    time.sleep(0.3)
    width, height = layer.size["width"], layer.size["height"]
    places = [(int((x - 0.5) * width), int((y - 0.5) * height)) for x, y in points]
    chain = ActionChains(chrome.driver, duration=30)
    chain.move_to_element_with_offset(layer, *places[0]).click_and_hold()
    for place in places[1:]:
        chain.move_to_element_with_offset(layer, *place)
    chain.release().perform()
    chrome.rest()


def open_inpainting(chrome: Any, server: Any, photo: Path) -> None:
    chrome.open(f"{server.url}/img2img", until=".st-key-img2img_picture_upload")
    chrome.type(".st-key-img2img_picture_upload input[type=file]", str(photo))
    chrome.find(".st-key-img2img_picture_given")
    chrome.rest()
    chrome.choose("img2img_way", "Inpaint")
    covers(chrome, 0, 0)


def test_a_mask_is_drawn_and_only_there_the_picture_changes(
    server: Any, chrome: Any, photo: Path
) -> None:
    from selenium.webdriver.common.keys import Keys

    open_inpainting(chrome, server, photo)
    press(chrome, "[data-tool=rectangle]")
    stroke(chrome, (0.25, 0.25), (0.4, 0.4), (0.5, 0.75))
    covers(chrome, 12, 14)
    chrome.fill("img2img_prompt", "house drums")  # the drawing outlives the page's being drawn anew
    chrome.fill("img2img_steps", "2")
    chrome.fill("img2img_mask_blur", "0")
    covers(chrome, 12, 14)
    chrome.type(".st-key-img2img_prompt textarea", Keys.CONTROL + Keys.ENTER)
    chrome.find("[class*=st-key-work_img2img]")
    (work,) = Gallery(Database(server.home)).works(kinds=["img2img"])
    file = work.file("picture")
    assert file is not None
    with Image.open(file.path) as made, Image.open(photo) as given:
        changed = (np.asarray(made) != np.asarray(given)).any(axis=-1)
    rows, columns = np.nonzero(changed)
    assert changed.mean() > 0.1
    assert columns.min() >= 62 and columns.max() <= 130
    assert rows.min() >= 30 and rows.max() <= 98


def test_tools_draw_erase_undo_invert_and_clear(server: Any, chrome: Any, photo: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    open_inpainting(chrome, server, photo)
    press(chrome, "summary")
    part(chrome, "[name=h]").send_keys(Keys.ENTER)  # half of each side, from the corner on
    covers(chrome, 25, 25)
    press(chrome, ".invert")
    covers(chrome, 75, 75)
    press(chrome, ".undo")
    covers(chrome, 25, 25)
    press(chrome, "[data-tool=eraser]")
    stroke(chrome, (0.1, 0.25), (0.4, 0.25))
    covers(chrome, 1, 24)
    press(chrome, ".clear")
    covers(chrome, 0, 0)


def test_a_finger_draws(server: Any, chrome: Any, photo: Path) -> None:
    open_inpainting(chrome, server, photo)
    layer = part(chrome, ".layer")
    chrome.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", layer)
    time.sleep(0.3)
    box = chrome.driver.execute_script("return arguments[0].getBoundingClientRect()", layer)
    for kind, share in (("Start", 0.2), ("Move", 0.3), ("Move", 0.6), ("End", None)):
        at = {"x": box["x"] + box["width"] * (share or 0), "y": box["y"] + box["height"] / 2}
        touched = {"type": f"touch{kind}", "touchPoints": [] if share is None else [at]}
        chrome.driver.execute_cdp_cmd("Input.dispatchTouchEvent", touched)
    covers(chrome, 1, 20)
