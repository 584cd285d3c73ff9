"""Chapters: as other programs read them, in JSON, MP3 and cue sheets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import mutagen.id3
import numpy as np
import pytest
from mutagen.mp3 import MP3

from audio import chapters, files
from audio.chapters import Chapter
from audio.errors import FileError, ParameterError
from audio.types import Clip

CHAPTERS = (
    Chapter(start_s=0.0, title="Welcome"),
    Chapter(start_s=61.23456, title='Über "Töne" & <Bilder>'),
    Chapter(start_s=3725.5, title="終わり"),
)
END_S = 3800.0


def sound(path: Path) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 44100)).astype(np.float32)
    files.write(path, Clip(samples=noise), tags={"parameters": "drums"})
    return path


# ---- JSON ---------------------------------------------------------------------------------------


def test_the_json_is_that_of_the_podcast_namespace() -> None:
    found = json.loads(chapters.to_json(CHAPTERS, duration_s=END_S))
    assert set(found) == {"version", "chapters"} and found["version"] == "1.2.0"
    assert found["chapters"] == [
        {"startTime": 0, "endTime": 61.235, "title": "Welcome"},
        {"startTime": 61.235, "endTime": 3725.5, "title": 'Über "Töne" & <Bilder>'},
        {"startTime": 3725.5, "endTime": 3800, "title": "終わり"},
    ]


# ---- MP3 ----------------------------------------------------------------------------------------


def test_an_mp3_holds_its_chapters_beside_its_texts(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.mp3")
    before = files.read(path)
    chapters.add_to_mp3(path, CHAPTERS, duration_s=END_S)
    tags = MP3(path).tags
    found = sorted(tags.getall("CHAP"), key=lambda frame: frame.start_time)
    assert [(f.start_time, f.end_time) for f in found] == [
        (0, 61235),
        (61235, 3725500),
        (3725500, 3800000),
    ]
    assert [f.sub_frames.getall("TIT2")[0].text[0] for f in found] == [c.title for c in CHAPTERS]
    (contents,) = tags.getall("CTOC")
    assert contents.child_element_ids == [frame.element_id for frame in found]
    assert contents.flags == mutagen.id3.CTOCFlags.TOP_LEVEL | mutagen.id3.CTOCFlags.ORDERED
    assert files.read_tags(path) == {"parameters": "drums"}
    assert np.array_equal(files.read(path).samples, before.samples)


def test_new_chapters_take_the_place_of_old_ones(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.mp3")
    chapters.add_to_mp3(path, CHAPTERS, duration_s=END_S)
    first = path.read_bytes()
    chapters.add_to_mp3(path, CHAPTERS[:1], duration_s=END_S)
    assert len(MP3(path).tags.getall("CHAP")) == len(MP3(path).tags.getall("CTOC")) == 1
    chapters.add_to_mp3(path, CHAPTERS, duration_s=END_S)
    assert path.read_bytes() == first


def test_a_file_that_is_no_mp3_is_refused_and_left(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav")
    before = path.read_bytes()
    with pytest.raises(FileError, match=r"a\.wav is no MP3 that can be read"):
        chapters.add_to_mp3(path, CHAPTERS, duration_s=END_S)
    assert path.read_bytes() == before
    with pytest.raises(FileError, match="none.mp3"):
        chapters.add_to_mp3(tmp_path / "none.mp3", CHAPTERS, duration_s=END_S)


# ---- cue sheets ---------------------------------------------------------------------------------


def test_a_cue_sheet_counts_in_frames() -> None:
    text = chapters.cue_sheet(CHAPTERS, sound="a show.mp3", title="Our show", duration_s=END_S)
    head, *tracks = re.split(r"^  TRACK ", text, flags=re.MULTILINE)
    assert head == 'TITLE "Our show"\nFILE "a show.mp3" MP3\n'
    found = []
    for number, track in enumerate(tracks, 1):
        form = r'(\d\d) AUDIO\n    TITLE "([^"\n]*)"\n    INDEX 01 (\d\d+):([0-5]\d):([0-7]\d)\n'
        match = re.fullmatch(form, track)
        assert match is not None and int(match[1]) == number and int(match[5]) < 75
        found.append((match[2], int(match[3]) * 60 + int(match[4]) + int(match[5]) / 75))
    assert [title for title, _ in found] == ["Welcome", "Über 'Töne' & <Bilder>", "終わり"]
    for (_, start_s), chapter in zip(found, CHAPTERS, strict=True):
        assert 0 <= chapter.start_s - start_s < 1 / 75
    assert "INDEX 01 62:05:37" in text


def test_a_frame_is_not_lost_to_binary_fractions() -> None:
    for frames in range(1, 3000):
        given = [Chapter(start_s=frames / 75, title="x")]
        text = chapters.cue_sheet(given, sound="a.wav", title="t", duration_s=END_S)
        match = re.search(r"INDEX 01 (\d+):(\d+):(\d+)", text)
        assert match is not None
        assert int(match[1]) * 4500 + int(match[2]) * 75 + int(match[3]) == frames


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("starts", "sentence"),
    [
        ([], "no chapters: give one or more"),
        ([5.0, 5.0], "a chapter at 5 s that ends at 5 s"),
        ([5.0, 3.0], "starts must rise"),
        ([9999.0], "a chapter at 9999 s that ends at 3800 s"),
    ],
)
def test_chapters_that_do_not_rise_within_the_sound_are_refused(
    starts: list[float], sentence: str, tmp_path: Path
) -> None:
    given = [Chapter(start_s=start_s, title="x") for start_s in starts]
    path = sound(tmp_path / "a.mp3")
    before = path.read_bytes()
    with pytest.raises(ParameterError, match=sentence):
        chapters.to_json(given, duration_s=END_S)
    with pytest.raises(ParameterError, match=sentence):
        chapters.add_to_mp3(path, given, duration_s=END_S)
    with pytest.raises(ParameterError, match=sentence):
        chapters.cue_sheet(given, sound="a.wav", title="t", duration_s=END_S)
    assert path.read_bytes() == before


def test_more_chapters_than_a_format_counts_are_refused(tmp_path: Path) -> None:
    many = [Chapter(start_s=float(k), title="x") for k in range(256)]
    with pytest.raises(ParameterError, match="256 chapters: an MP3 holds up to 255"):
        chapters.add_to_mp3(sound(tmp_path / "a.mp3"), many, duration_s=END_S)
    with pytest.raises(ParameterError, match="100 chapters: a cue sheet holds up to 99"):
        chapters.cue_sheet(many[:100], sound="a.wav", title="t", duration_s=END_S)


@pytest.mark.parametrize("title", ["", "  ", "two\nlines", "a\x00b", "a\u2028b", "\ud800"])
def test_titles_that_are_no_line_of_text_are_refused(title: str) -> None:
    with pytest.raises(ParameterError, match="give words, on one line"):
        Chapter(start_s=0.0, title=title)


@pytest.mark.parametrize("start_s", [-1.0, float("nan"), float("inf")])
def test_times_that_are_none_are_refused(start_s: float) -> None:
    with pytest.raises(ParameterError, match="give 0 or more"):
        Chapter(start_s=start_s, title="x")


def test_a_cue_sheet_for_other_files_is_refused() -> None:
    with pytest.raises(ParameterError, match="name a file that ends in .wav, .flac"):
        chapters.cue_sheet(CHAPTERS, sound="a.txt", title="t", duration_s=END_S)
