"""The gallery: each work once, found by its words, and gone for good only when that is meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from riffapp.database import Database
from riffapp.gallery import File, Gallery, Made, Work

Keep = Callable[..., Work]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "home")


@pytest.fixture
def gallery(database: Database) -> Gallery:
    return Gallery(database)


@pytest.fixture
def keep(gallery: Gallery, tmp_path: Path) -> Keep:
    """Keeps a work of one file, of another job each time unless one is given."""
    jobs = iter(range(1, 1000))

    def kept(*, owner: str = "ann", size: int = 10, number: int = 0, **told: Any) -> Work:
        job = told.pop("job", None) or next(jobs)
        path = tmp_path / f"{job}-{number}.wav"
        path.write_bytes(b"x" * size)
        made = Made(
            **{
                "kind": "loop",
                "title": "house drums",
                "words": "",
                "task": "{}",
                "files": (File(role="sound", path=path),),
            }
            | told
        )
        gallery.add(made, owner=owner, job=job, number=number)
        return next(w for w in gallery.works(limit=-1) if (w.job, w.number) == (job, number))

    return kept


def titles(works: list[Work]) -> list[str]:
    return [work.title for work in works]


def test_a_work_comes_back_as_it_was_kept(gallery: Gallery, tmp_path: Path) -> None:
    sound, parts = tmp_path / "a.wav", tmp_path / "parts"
    sound.write_bytes(b"x" * 100)
    parts.mkdir()
    (parts / "b.wav").write_bytes(b"x" * 20)
    made = Made(
        kind="layers",
        title="Drums & „bass“ · A minor",
        words="drums bass",
        task='{"is": "x"}',
        files=(File(role="sound", path=sound), File(role="part", path=parts, name="drums")),
        facts={"seconds": 1.5, "hz": [30.0, 16000.0]},
        lines=("a remark",),
    )
    gallery.add(made, owner="ann", job=3, number=1)
    (work,) = gallery.of_job(3)
    for name in ("kind", "title", "words", "task", "files", "facts", "lines"):
        assert getattr(work, name) == getattr(made, name)
    assert (work.owner, work.job, work.number) == ("ann", 3, 1)
    assert work.bytes == 120  # what lies in a folder counts
    assert not work.starred and work.deleted_at is None
    assert work.file("part") == made.files[1] and work.file("text") is None
    assert gallery.work(work.id) == work and gallery.work(work.id + 1) is None


def test_a_job_that_runs_again_keeps_nothing_twice(gallery: Gallery, keep: Keep) -> None:
    first = keep(job=7, title="first")
    keep(job=7, title="second")
    keep(job=7, number=1, title="another take")
    assert gallery.count_of(7) == 2
    assert gallery.work(first.id) == first
    assert titles(gallery.of_job(7)) == ["first", "another take"]


def test_a_work_in_the_bin_is_not_made_again_by_its_job(gallery: Gallery, keep: Keep) -> None:
    gallery.delete(keep(job=7).id)
    assert gallery.of_job(7) == [] and gallery.count_of(7) == 1


def test_the_newest_comes_first_and_pages_part_them(gallery: Gallery, keep: Keep) -> None:
    for n in range(5):
        keep(title=f"loop {n}")
    assert titles(gallery.works(limit=2)) == ["loop 4", "loop 3"]
    assert titles(gallery.works(limit=2, offset=4)) == ["loop 0"]
    assert gallery.count() == (5, 50)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"100% house", "snare_roll", 'it\'s "live"', r"back\slash"}),
        ("HOUSE", {"100% house"}),
        ("house 100%", {"100% house"}),
        ("house saw", {"100% house"}),  # the second stands among its words
        ("house piano", set()),
        ("%", {"100% house"}),
        ("_", {"snare_roll"}),
        ("re_ro", {"snare_roll"}),
        ("it's", {'it\'s "live"'}),
        ('"live"', {'it\'s "live"'}),
        ("\\", {r"back\slash"}),
        ("speech", {r"back\slash"}),
        ("' OR 1=1 --", set()),
    ],
)
def test_words_find_exactly_the_works_that_have_them(
    gallery: Gallery, keep: Keep, text: str, found: set[str]
) -> None:
    keep(title="100% house", words="saw bass")
    keep(title="snare_roll")
    keep(title='it\'s "live"')
    keep(title=r"back\slash", kind="speech")
    assert set(titles(gallery.works(text=text))) == found
    assert gallery.count(text=text)[0] == len(found)


def test_kinds_and_stars_narrow_the_search(gallery: Gallery, keep: Keep) -> None:
    loop, speech = keep(kind="loop"), keep(kind="speech")
    gallery.star(loop.id, starred=True)
    assert [w.id for w in gallery.works(starred=True)] == [loop.id]
    assert [w.id for w in gallery.works(kinds=["speech", "pack"])] == [speech.id]
    assert gallery.works(kinds=["speech"], starred=True) == []
    assert gallery.works(kinds=[]) == []
    gallery.star(loop.id, starred=False)
    assert gallery.works(starred=True) == []


def test_each_owner_sees_their_own(gallery: Gallery, keep: Keep) -> None:
    keep(owner="ann", title="hers", kind="loop")
    keep(owner="ben", title="his", kind="speech")
    assert titles(gallery.works(owner="ann")) == ["hers"]
    assert gallery.count(owner="ben") == (1, 10)
    assert gallery.kinds(owner="ann") == ["loop"]
    assert titles(gallery.works()) == ["his", "hers"]
    assert gallery.kinds() == ["loop", "speech"]


def test_what_is_deleted_can_be_had_back(gallery: Gallery, keep: Keep) -> None:
    work = keep()
    gallery.delete(work.id)
    assert gallery.works() == [] and gallery.count() == (0, 0)
    (gone,) = gallery.works(deleted=True)
    assert gone.deleted_at is not None and work.files[0].path.exists()
    gallery.restore(work.id)
    assert gallery.works() == [work] and gallery.works(deleted=True) == []


def test_an_emptied_bin_frees_what_it_says(gallery: Gallery, keep: Keep, tmp_path: Path) -> None:
    folder = tmp_path / "stems"
    folder.mkdir()
    (folder / "drums.wav").write_bytes(b"x" * 50)
    kept, parts = keep(size=10), keep(files=(File(role="part", path=folder),))
    lost = keep(size=30)
    lost.files[0].path.unlink()  # somebody was there before us
    for work in (parts, lost):
        gallery.delete(work.id)
    promised = gallery.count(deleted=True)[1]
    assert gallery.empty_bin() == promised == 80
    assert not folder.exists() and kept.files[0].path.exists()
    assert gallery.works() == [kept] and gallery.works(deleted=True) == []


def test_one_owner_does_not_empty_another_ones_bin(gallery: Gallery, keep: Keep) -> None:
    hers, his = keep(owner="ann"), keep(owner="ben")
    gallery.delete(hers.id)
    gallery.delete(his.id)
    assert gallery.empty_bin(owner="ann") == 10
    assert [work.id for work in gallery.works(deleted=True)] == [his.id]
    assert his.files[0].path.exists()


def test_a_full_bin_is_emptied_in_whole(gallery: Gallery, keep: Keep) -> None:
    for _ in range(70):  # more than a page of them
        gallery.delete(keep(size=1).id)
    assert gallery.empty_bin(owner="ann") == 70
    assert gallery.count(deleted=True) == (0, 0)


def test_a_file_leads_back_to_the_work_that_it_is_of(gallery: Gallery, tmp_path: Path) -> None:
    given = tmp_path / "given.wav"
    given.write_bytes(b"abc")
    for job, (owner, content) in enumerate((("ann", b"abd"), ("ann", b"abc"), ("ben", b"abcd"))):
        path = tmp_path / f"{job}.wav"
        path.write_bytes(content)
        files = (File(role="archive", path=tmp_path / "gone.zip"), File(role="sound", path=path))
        made = Made(kind="loop", title=f"{job}", words="", task="{}", files=files)
        gallery.add(made, owner=owner, job=job, number=0)
    found = gallery.holding(given)
    assert found is not None and found.title == "1"
    assert gallery.holding(given, owner="ben") is None
    given.write_bytes(b"other")
    assert gallery.holding(given) is None
