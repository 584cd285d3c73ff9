"""Widgets by a table: each says one field of a request or of one of its parts, both ways.

A control's value stands in the session under `key(room, path)`, as its widget has it; `told` makes
fields of a part's widgets, `laid` fills them from a part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import streamlit as st

Kind = Literal["whole", "real", "text", "switch", "choice", "several"]
# What a browser's number can hold, and a widget therefore.
_MOST = 2**53 - 1


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, kw_only=True)
class Control:
    """One widget.

    field: its part's field; of a pair "interval.0" and "interval.1" are the two halves.
    default: the field's; left out, it is the dataclass's own, see `controls`.
    choices: what may be chosen, by the label that says so; asked anew each time it is drawn.
    opens: whether something else may be typed instead.
    read, write: from what the widget says to the field, and back.
    """

    field: str
    label: str
    kind: Kind
    default: Any = ...
    help: str | None = None
    choices: Callable[[], Mapping[str, Any]] | None = None
    opens: bool = False
    step: float = 1.0
    read: Callable[[Any], Any] = _same
    write: Callable[[Any], Any] = _same

    def shown(self, value: Any) -> Any:
        """A field's value as the widget has it; the default for what it could not hold."""
        value = self.write(value)
        if self.kind == "several":
            return list(value)
        if self.kind == "choice":
            return self._label(value)
        if self.kind == "text":
            return "" if value is None else str(value)
        if self.kind == "switch" or value is None:
            return value
        if not math.isfinite(value) or abs(value) > _MOST:
            return self.write(self.default)
        return int(value) if self.kind == "whole" else float(value)

    def said(self, value: Any) -> Any:
        """The field's value that a widget says."""
        if self.kind == "several":
            value = tuple(value)
        elif self.kind == "choice":
            assert self.choices is not None
            value = self.choices().get(value, value)
        elif value == "" and self.default is None:
            value = None
        elif value is None:  # a number that was wiped out
            value = self.write(self.default)
        return self.read(value)

    def _label(self, value: Any) -> str:
        """The label that says a value; the default's for one that cannot be chosen here."""
        assert self.choices is not None
        labels = {meant: label for label, meant in self.choices().items()}
        if value in labels:
            return labels[value]
        if self.opens:
            return str(value)
        return labels.get(self.default, next(iter(labels.values())))


Table = Mapping[str, Sequence[Control]]


def controls(part: type[Any], *rows: Control) -> tuple[Control, ...]:
    """Rows whose defaults, where they have none of their own, are those of a dataclass."""
    defaults = {f.name: f.default for f in fields(part)}
    found = []
    for row in rows:
        name, _, half = row.field.partition(".")
        whole = defaults.get(name)
        own = whole[int(half)] if half and isinstance(whole, tuple) else whole
        found.append(replace(row, default=own) if row.default is ... else row)
    return tuple(found)


def key(room: str, path: str) -> str:
    """Where a control's value stands: "txt2img_hires_scale"; without a room, "hires_scale"."""
    return "_".join(filter(None, (room, *path.split("."))))


def path(part: str, field: str) -> str:
    """Where a field is: "steps" in the request itself, "hires.scale" in a part of it."""
    return f"{part}.{field}" if part else field


def first(room: str, table: Table) -> dict[str, Any]:
    """What every widget has before anybody touches it."""
    return {
        key(room, path(part, control.field)): control.shown(control.default)
        for part, rows in table.items()
        for control in rows
    }


def told(room: str, part: str, table: Table) -> dict[str, Any]:
    """The fields that a part's widgets say."""
    found: dict[str, Any] = {}
    for control in table[part]:
        value = control.said(st.session_state[key(room, path(part, control.field))])
        name, _, half = control.field.partition(".")
        found[name] = (*found.get(name, ()), value) if half else value
    return found


def laid(room: str, part: str, table: Table, given: object) -> dict[str, Any]:
    """The session's values that say a part: a dataclass, a mapping, or None for its defaults."""
    found = {}
    for control in table[part]:
        name, _, half = control.field.partition(".")
        value = _of(given, name, MISSING)
        if half and value is not MISSING and value is not None:
            value = value[int(half)]
        elif half:
            value = MISSING
        shown = control.default if value is MISSING else value
        found[key(room, path(part, control.field))] = control.shown(shown)
    return found


def unknown(part: str, table: Table, given: object) -> Iterator[tuple[Control, Any]]:
    """What a part holds that cannot be chosen here, and the control that shows its default."""
    for control in table[part]:
        if control.choices is None or control.kind != "choice" or control.opens:
            continue
        value = _of(given, control.field, control.default)
        if value not in control.choices().values():
            yield control, value


def called(name: str) -> str:
    """A model as it is shown: of a file, its name."""
    return Path(name).name if Path(name).is_absolute() else name


def _of(given: object, name: str, default: Any) -> Any:
    if isinstance(given, Mapping):
        return given.get(name, default)
    return getattr(given, name, default)


def row(room: str, table: Table, *names: str) -> None:
    """Widgets side by side, each by its path."""
    columns = st.columns(len(names), wrap=False) if len(names) > 1 else [st.container()]
    for column, name in zip(columns, names, strict=True):
        with column:
            draw(room, table, name)


def draw(room: str, table: Table, name: str) -> None:
    """One widget, by its path."""
    part, _, field = name.partition(".")
    if part not in table:
        part, field = "", name
    control = next(one for one in table[part] if one.field == field)
    told: dict[str, Any] = {
        "label": control.label,
        "key": key(room, name),
        "help": control.help,
        "persist_state": "session",  # also while it is not drawn
    }
    if control.choices is not None:
        _choice(control, told)
    elif control.kind in ("whole", "real"):
        told["value"] = None if control.default is None else "min"  # whether it may be empty
        if control.kind == "whole":
            st.number_input(**told, step=int(control.step))
        else:
            st.number_input(**told, step=float(control.step), format="%g")
    elif control.kind == "text":
        st.text_area(**told, height=80)
    else:
        st.checkbox(**told)


def _choice(control: Control, told: dict[str, Any]) -> None:
    assert control.choices is not None
    known, value = list(control.choices()), st.session_state[told["key"]]
    if control.kind == "several":
        st.pills(**told, options=known, selection_mode="multi")
        return
    if control.opens:
        known = list(dict.fromkeys((*known, value)))
    elif value not in known:  # it has gone since
        st.session_state[told["key"]] = control.shown(control.default)
    st.selectbox(**told, options=known, accept_new_options=control.opens, format_func=called)
