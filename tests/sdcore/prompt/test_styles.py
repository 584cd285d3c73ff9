from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from sdcore.errors import RequestError, UnknownName
from sdcore.prompt.styles import Style, applied, extracted, read, write

STYLES = {
    style.name: style
    for style in (
        Style(name="oil", prompt="oil painting", negative="photo"),
        Style(name="of", prompt="a picture of {prompt}, framed", negative="blur"),
        Style(name="twice", prompt="{prompt} and {prompt}"),
        Style(name="not", negative="bad, {prompt}"),
        Style(name="nothing"),
        Style(name="itself", prompt="{prompt}"),
    )
}


@pytest.mark.parametrize(
    ("names", "prompt", "negative"),
    [
        ([], "a cat ", "dog"),
        (["oil"], "a cat, oil painting", "dog, photo"),
        (["of"], "a picture of a cat , framed", "dog, blur"),
        (["oil", "of"], "a picture of a cat, oil painting, framed", "dog, photo, blur"),
        (["twice"], "a cat  and a cat ", "dog"),
        (["not"], "a cat", "bad, dog"),
    ],
)
def test_styles_are_merged_in_their_order(names: list[str], prompt: str, negative: str) -> None:
    assert applied("a cat ", "dog", names, STYLES) == (prompt, negative)


def test_a_style_alone_has_no_comma() -> None:
    assert applied("", "", ["oil"], STYLES) == ("oil painting", "photo")


@pytest.mark.parametrize(
    "names", [p for n in range(4) for p in itertools.permutations(("oil", "of", "not"), n)]
)
def test_styles_are_found_again(names: tuple[str, ...]) -> None:
    for given in (("a cat", "dog"), ("", "dog")):
        merged = applied(*given, names, STYLES)
        prompt, negative, found = extracted(*merged, STYLES)
        assert (prompt, negative) == given
        assert sorted(found) == sorted(names)
        assert applied(prompt, negative, found, STYLES) == merged


@pytest.mark.parametrize("prompt", ["a cat", "", "x and x"])
def test_a_prompt_that_stands_twice_is_found_again(prompt: str) -> None:
    merged = applied(prompt, "", ["twice"], STYLES)
    assert extracted(*merged, STYLES)[0::2] == (prompt, ("twice",))
    assert extracted("a cat and a dog", "", STYLES) == ("a cat and a dog", "", ())


def test_half_a_style_is_none() -> None:
    assert extracted("a cat, oil painting", "dog", STYLES) == ("a cat, oil painting", "dog", ())


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown style 'oyl': nearest 'oil'"):
        applied("", "", ["oyl"], STYLES)


def test_a_file_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "styles.csv"
    odd = Style(name='q"', prompt="a,\nb {prompt}\N{CAT FACE}", negative="'")
    write(path, [*STYLES.values(), odd])
    assert read(path) == STYLES | {odd.name: odd}
    assert path.read_bytes().startswith(b"\xef\xbb\xbfname,prompt,negative_prompt")
    assert list(tmp_path.iterdir()) == [path]


def test_older_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "styles.csv"
    path.write_text("name,prompt,negative_text\na,b,c\n,x,y\nshort\n", encoding="utf-8")
    assert read(path) == {
        "a": Style(name="a", prompt="b", negative="c"),
        "short": Style(name="short"),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"title,words\na,b\n", "has the columns title, words"), (b"\xff", "UTF-8")],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "styles.csv"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=message):
        read(path)
