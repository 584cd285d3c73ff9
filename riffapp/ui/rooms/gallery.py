"""The room of everything that was made: found, heard again, compared, taken on, thrown away."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import streamlit as st

from riffapp import settings
from riffapp.gallery import Work
from riffapp.settings import Settings
from riffapp.ui import map as plan
from riffapp.ui import restore, say, serving, usage, visitor
from riffapp.ui.components.shown import picture
from riffapp.ui.components.undo import undo
from riffapp.ui.components.versus import versus
from riffapp.ui.components.work_card import card
from riffapp.ui.figures import moment, size, span
from riffapp.ui.frame import headline
from riffapp.ui.here import is_here
from riffapp.ui.map import Room
from riffapp.ui.recall import recall
from riffapp.ui.results import placeholder

KEY = "gallery"
PER_PAGE = 24
EVERYTHING, STARRED, BIN = "Everything", "Starred", "Bin"
_CARD_PX, _TITLE_CHARS = 165, 70
_FIRST = {
    "gallery_text": "",
    "gallery_kind": None,
    "gallery_show": EVERYTHING,
    "gallery_all": False,
    "gallery_page": 1,
}


def page() -> None:
    """Draw the room."""
    headline("Gallery", "What was made, the newest first. Every piece keeps all its settings.")
    recall(_FIRST)
    undo()
    found, gallery = settings.load(), visitor.gallery()
    kinds = gallery.kinds(owner=_owner())
    if not kinds and not (is_here() and gallery.kinds()):
        _nothing_yet()
    else:
        _search(kinds)
        _works()
    restore.zone("gallery_given")
    _places(found)


def _owner() -> str | None:
    """Whose works are shown; None is everybody's."""
    return None if st.session_state.gallery_all and is_here() else visitor.owner()


def _nothing_yet() -> None:
    placeholder(
        "quiet",
        "Nothing here yet.",
        "All that you make is kept here, with the settings that made it.",
    )
    st.button(
        "Make a first loop",
        key="gallery_begin",
        type="primary",
        icon=":material/graphic_eq:",
        on_click=plan.open_room,
        args=("loop",),
    )


# ---- what is looked for


def _search(kinds: list[str]) -> None:
    if st.session_state.gallery_kind not in (None, *kinds):
        st.session_state.gallery_kind = None
    with st.container(horizontal=True, vertical_alignment="bottom", key="gallery_search"):
        st.text_input(
            "Search", key="gallery_text", placeholder="Words of its prompt or title", width=300,
            on_change=_to_page_1,
        )  # fmt: skip
        st.selectbox(
            "Kind", kinds, key="gallery_kind", format_func=_kind, placeholder="Any", width=180,
            on_change=_to_page_1,
        )  # fmt: skip
        st.segmented_control(
            "Show", (EVERYTHING, STARRED, BIN), key="gallery_show", required=True,
            on_change=_to_page_1,
        )  # fmt: skip
        if is_here():
            st.toggle(
                "Of every browser", key="gallery_all", on_change=_to_page_1,
                help="Also what others made on this computer. Only who sits at it can see this.",
            )  # fmt: skip


def _to_page_1() -> None:
    st.session_state.gallery_page = 1


def _kind(kind: str) -> str:
    room = plan.rooms().get(kind)
    return kind.capitalize() if room is None else room.title


def _works() -> None:
    s, gallery = st.session_state, visitor.gallery()
    in_bin = s.gallery_show == BIN
    owner, kinds = _owner(), None if s.gallery_kind is None else [s.gallery_kind]
    wanted: dict[str, Any] = {
        "owner": owner,
        "text": s.gallery_text,
        "kinds": kinds,
        "starred": s.gallery_show == STARRED,
        "deleted": in_bin,
    }
    count, _ = gallery.count(**wanted)
    if in_bin:
        _empty_bin(owner)
    if count == 0:
        st.markdown("The bin is empty." if in_bin and not s.gallery_text else _no_match())
        return
    pages = -(-count // PER_PAGE)
    s.gallery_page = min(s.gallery_page, pages)
    works = gallery.works(**wanted, limit=PER_PAGE, offset=(s.gallery_page - 1) * PER_PAGE)
    pair = _pair()
    if len(pair) == 2 and pair[1].id not in {work.id for work in works}:
        _compare(*pair)
    grid = st.grid(4, min_column_width=_CARD_PX, key="gallery_grid")
    for work in works:
        _cell(grid, work, pair)
    if pages > 1:
        st.pagination(pages, key="gallery_page")


def _no_match() -> str:
    if not visitor.gallery().kinds(owner=_owner()):
        return "Nothing of yours yet. **Of every browser** shows what others made here."
    if st.session_state.gallery_show == STARRED:
        return "Nothing here has a star. **Star** a piece, and it is kept at hand."
    return "Nothing fits. Try fewer words, or another kind."


# ---- works as cards


def _cell(grid: Any, work: Work, pair: tuple[Work, ...]) -> None:
    """A work in the grid: small, or, where it was opened, over the whole width."""
    if len(pair) == 2 and pair[1].id == work.id:
        with grid.cell(column_span="all"):
            _compare(*pair)
    elif st.session_state.get("gallery_open") == work.id and work.deleted_at is None:
        with grid.cell(column_span="all"):
            _opened(work)
    else:
        with grid.cell(), st.container(border=True, key=f"cell_{work.id}", gap="xsmall"):
            _small(work)


def _small(work: Work) -> None:
    lost = lost_files(work)
    shown = work.file("picture")
    if shown is None or shown.path in lost:
        st.markdown(f"{_icon(work)} no picture")
    else:
        picture(serving.url(work, work.files.index(shown)) + "?small", _described(work))
    st.markdown(f"**{say.plain(_title(work))}**")
    facts = [_kind(work.kind), moment(work.made_at)]
    if work.facts.get("seconds"):
        facts.append(span(work.facts["seconds"]))
    if lost:
        facts.append("files are gone")
    st.caption(say.plain(" · ".join(facts)))
    with st.container(horizontal=True, gap="xsmall"):
        _buttons(work)


def _buttons(work: Work) -> None:
    if work.deleted_at is not None:
        st.button(
            "Put back", key=f"back_{work.id}", icon=":material/restore_from_trash:",
            on_click=visitor.gallery().restore, args=(work.id,),
            help=f"Puts {say.plain(_title(work))} back",
        )  # fmt: skip
        return
    st.button(
        "Open",
        key=f"open_{work.id}",
        on_click=_open,
        args=(work.id,),
        help=f"Opens {say.plain(_title(work))}",
    )
    st.button(
        "Starred" if work.starred else "Star",
        key=f"gallery_star_{work.id}",
        icon=":material/star:",
        type="tertiary",
        on_click=_star,
        args=(work.id, not work.starred),
        help="Takes its star away" if work.starred else "Keeps it at hand under Starred",
    )
    picked = st.session_state.get("gallery_pair", ())[:1] == (work.id,)
    st.button(
        "is A" if picked else "A/B",
        key=f"pick_{work.id}",
        icon=":material/compare:",
        type="tertiary",
        on_click=_pick,
        args=(work.id,),
        help="Now press A/B at another one" if picked else "Compares it with another one",
    )


def _opened(work: Work) -> None:
    lost = lost_files(work)
    if lost:
        names = ", ".join(path.name for path in lost)
        say.warning(f"gone from the disk: {names}; its settings are still here")
    card(work, place=KEY)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Close", key="gallery_close", icon=":material/close:", on_click=_open, args=(None,)
        )
        if is_here() and work.files:
            st.caption(f"In {say.plain(str(work.files[0].path.parent))}, {size(work.bytes)}")


def lost_files(work: Work) -> list[Path]:
    """Files of a work that somebody has taken away."""
    return [file.path for file in work.files if not file.path.exists()]


def _icon(work: Work) -> str:
    room = plan.rooms().get(work.kind)
    return ":material/draft:" if room is None else room.icon


def _title(work: Work) -> str:
    return textwrap.shorten(work.title, _TITLE_CHARS, placeholder="…") or "untitled"


def _described(work: Work) -> str:
    return f"{_kind(work.kind)}: {work.title}"


def _open(number: int | None) -> None:
    st.session_state.gallery_open = number


def _star(number: int, starred: bool) -> None:
    visitor.gallery().star(number, starred=starred)


# ---- two of them


def _pick(number: int) -> None:
    """The first one picked is A, the second B; picking A again lets it go."""
    pair: tuple[int, ...] = st.session_state.get("gallery_pair", ())
    st.session_state.gallery_pair = () if pair == (number,) else (*pair[-1:], number)


def _pair() -> tuple[Work, ...]:
    """What is picked for A and B, as far as it is still there."""
    picked = (visitor.gallery().work(n) for n in st.session_state.get("gallery_pair", ()))
    return tuple(work for work in picked if work is not None and work.deleted_at is None)


def _compare(first: Work, second: Work) -> None:
    with st.container(border=True, key="gallery_versus"):
        versus(first, second, place="gallery")
        st.button("Close", key="gallery_versus_close", icon=":material/close:", on_click=_part)


def _part() -> None:
    st.session_state.gallery_pair = ()


# ---- the bin and the disk


def _empty_bin(owner: str | None) -> None:
    count, freed = visitor.gallery().count(owner=owner, deleted=True)
    if count == 0:
        return
    works = "1 work" if count == 1 else f"{count} works"
    with st.popover(f"Empty the bin (frees {size(freed)})", icon=":material/delete_forever:"):
        st.markdown(f"{works} and their files go for good.")
        st.button(
            "Remove them for good",
            key="gallery_empty",
            type="primary",
            on_click=_emptied,
            args=(owner,),
        )


def _emptied(owner: str | None) -> None:
    visitor.gallery().empty_bin(owner=owner)


def _places(found: Settings) -> None:
    count, taken = visitor.gallery().count(owner=_owner())
    owner = "every browser" if _owner() is None else "yours"
    with st.container(key="gallery_places", gap="xsmall"):
        st.caption(usage.in_words(found, works=count, bytes=taken, owner=owner))
        if is_here():
            where, pattern = say.plain(str(found.outputs)), say.plain(found.name_pattern)
            st.caption(f"New files go into {where}, a folder for each day, named {pattern}")
            st.button(
                "Change that in the settings", key="gallery_settings", type="tertiary",
                icon=":material/settings:", on_click=plan.open_room, args=("preferences",),
            )  # fmt: skip


ROOMS = (Room(key=KEY, title="Gallery", icon=":material/photo_library:", group="More", page=page),)
