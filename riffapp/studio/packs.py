"""Sample packs: many loops in one go, all planned before any work, resumed after any stop.

`plan_pack` makes loops of a wish: rows of a batch file, the parts of a prompt matrix, axes over
fields; `make_pack` makes those that are not yet in the folder. What lies there is `pack_files`'s.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.errors import UsageError
from riffapp.studio import checkpoints, files, pack_batch, pack_files
from riffapp.studio.checkpoints import Instrument, Sound
from riffapp.studio.pack_files import Entry, PackLoop
from riffapp.studio.plan import plan_loop, warnings
from riffapp.studio.text_to_audio import OnProgress, Progress, ignore, make_loops, strayed
from riffapp.studio.types import MAX_SEED, MAX_TAKES, LoopRequest, LoopResult, Origin
from sdcore.errors import RequestError

if TYPE_CHECKING:
    from sdcore.xyz import Axis

MAX_LOOPS = 2000
_SLUG_BYTES = 80
# In a slug: the key and the tempo, which a name says anyway.
_SAID = re.compile(
    r"(?:^|-)(?:[a-g](?:-?sharp|-?flat|b)?-(?:major|minor)|\d+(?:-\d+)?-?bpm)(?=-|$)"
)
Maker = Callable[[LoopRequest, OnProgress], LoopResult]
# A row of a batch file, or '', and what it asks for.
_Wishes = list[tuple[str, LoopRequest]]


@dataclass(frozen=True, kw_only=True)
class PackWish:
    """What a pack is made of.

    `base` is what all loops have in common; its prompt may be a matrix 'constant|part|part'.
    Every wish is then made for each value of up to three `axes`, ('bpm', '120-140 (+10)').
    `seed` is the pack's own: seeds of -1 are drawn from it.
    """

    base: LoopRequest
    batch: Path | None = None
    # Whether bars within [brackets], which alternate otherwise, are a matrix's too.
    every_bar: bool = False
    axes: tuple[tuple[str, str], ...] = ()
    seed: int = 0
    suffix: str = ".wav"


@dataclass(frozen=True, kw_only=True)
class Pack:
    """The planned loops in order, and what the user should know before listening."""

    loops: tuple[PackLoop, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MadePack:
    """What lies in the folder: an entry for each loop, and how many of them are new."""

    entries: tuple[Entry, ...]
    made: int
    archive: Path | None = None
    notes: tuple[str, ...] = ()


def plan_pack(wish: PackWish, *, sound_of: Callable[[str], Sound] = checkpoints.read_sound) -> Pack:
    """Every loop of a pack with its name, nothing left open; the same wish gives the same plan.

    `sound_of` says how a checkpoint of that name sounds.
    Raises UsageError for the first wish that cannot be, with its line in a batch file.
    """
    _refuse(wish)
    found, notes = _rows(wish)
    found = [
        (where, replace(request, prompt=prompt))
        for where, request in found
        for prompt in _combinations(request.prompt, every_bar=wish.every_bar)
    ]
    found = _along(found, wish.axes)
    sounds: dict[str, Sound] = {}
    names, loops, said = _Names(wish.suffix), [], list(notes)
    for number, (where, request) in enumerate(found):
        if request.seed == -1:
            request = replace(request, seed=drawn_seed(wish.seed, str(number)))
        with located(where):
            if request.checkpoint not in sounds:
                sounds[request.checkpoint] = sound_of(request.checkpoint)
            planned = plan_loop(request, sounds[request.checkpoint])
            _refuse_depth(planned, wish.suffix)
            takes = list(_takes(planned))
        said += warnings(planned, sounds[request.checkpoint])
        loops += [PackLoop(file=names.new(take), request=take) for take in takes]
        _refuse_many(len(loops))
    return Pack(loops=tuple(loops), notes=tuple(dict.fromkeys(said)))


def make_pack(
    folder: Path,
    pack: Pack,
    *,
    make: Maker,
    zipped: bool = False,
    on_progress: OnProgress = ignore,
) -> MadePack:
    """Put the pack into the folder: each loop with its picture, an index, and maybe a zip.

    Loops that are whole in the folder are kept, so a run that was stopped anywhere goes on with
    the same call. Raises UsageError for a folder that holds another pack or somebody's files.
    """
    with pack_files.held(folder):
        known = pack_files.begin(folder, pack.loops)
        entries, notes = pack_files.kept(folder, pack.loops, known)
        todo = [loop for loop in pack.loops if loop.file not in entries]
        weights = {entry.request.checkpoint: entry.origin for entry in entries.values()}
        meter = Meter([loop.request for loop in todo], on_progress)
        # One checkpoint after the other, so that each is loaded once.
        for loop in sorted(todo, key=lambda loop: loop.request.checkpoint):
            result = make(loop.request, meter.next())
            before = weights.setdefault(loop.request.checkpoint, result.origin)
            notes += _compared(loop.request.checkpoint, before, result.origin)
            files.save(result, folder / loop.file)
            entries[loop.file] = pack_files.entry(folder, loop, result.origin)
            pack_files.write_index(folder, pack.loops, entries)
        pack_files.write_index(folder, pack.loops, entries)
        pack_files.write_table(folder, pack.loops, entries)
        archive = pack_files.write_archive(folder, pack.loops) if zipped else None
    return MadePack(
        entries=tuple(entries[loop.file] for loop in pack.loops),
        made=len(todo),
        archive=archive,
        notes=tuple(dict.fromkeys([*pack.notes, *notes])),
    )


def stopped(folder: Path, pack: Pack) -> MadePack | None:
    """What a run that was stopped has left in the folder, indexed and zipped; None for nothing."""
    if not (folder / pack_files.PLAN).exists():
        return None
    with pack_files.held(folder):
        known = pack_files.begin(folder, pack.loops)
        entries, notes = pack_files.kept(folder, pack.loops, known)
        there = [loop for loop in pack.loops if loop.file in entries]
        if not there:
            return None
        pack_files.write_index(folder, pack.loops, entries)
        pack_files.write_table(folder, there, entries)
        archive = pack_files.write_archive(folder, there)
    notes = [f"stopped after {len(there)} of {len(pack.loops)} loops", *pack.notes, *notes]
    return MadePack(
        entries=tuple(entries[loop.file] for loop in there),
        made=len(there),
        archive=archive,
        notes=tuple(dict.fromkeys(notes)),
    )


def maker(*, device: str = "auto", threads: int | None = None) -> Maker:
    """What makes loops one by one: a checkpoint is loaded when its first loop is asked for."""
    held: dict[str, Instrument] = {}

    def make(request: LoopRequest, on_progress: OnProgress) -> LoopResult:
        if request.checkpoint not in held:
            held.clear()
            held[request.checkpoint] = checkpoints.load(
                request.checkpoint, device=device, threads=threads
            )
        (result,) = make_loops(held[request.checkpoint], request, on_progress=on_progress)
        return result

    return make


def drawn_seed(seed: int, label: str) -> int:
    """A seed that follows from another and a label, the same on every machine."""
    digest = hashlib.sha256(f"{seed} {label}".encode()).digest()
    return int.from_bytes(digest[:8]) % (MAX_SEED - MAX_TAKES)


def parse_axis(text: str) -> tuple[str, str]:
    """('bpm', '120, 124') of 'bpm: 120, 124' or 'bpm=120, 124'. Raises UsageError otherwise."""
    found = re.fullmatch(r"\s*([^:=]+?)\s*[:=]\s*(.+)", text, re.DOTALL)
    if found is None:
        raise UsageError(f"the axis '{text[:60]}': write a field and values, 'bpm: 120, 124'")
    return found[1], found[2]


# ---- from a wish to requests ------------------------------------------------------------------


def _refuse(wish: PackWish) -> None:
    if not 0 <= wish.seed <= MAX_SEED:
        raise UsageError(f"the pack's seed {wish.seed} is outside 0 to {MAX_SEED}: give one within")
    if wish.suffix not in files.SOUND_SUFFIXES:
        known = ", ".join(files.SOUND_SUFFIXES)
        raise UsageError(f"unknown format '{wish.suffix}': known are {known}")
    if len(wish.axes) > 3:
        raise UsageError(f"{len(wish.axes)} axes: give at most three, X, Y and Z")


def _refuse_depth(planned: LoopRequest, suffix: str) -> None:
    if suffix == ".flac" and planned.bit_depth == "float":
        raise UsageError("FLAC holds 16 or 24 bit: take one of them, or format wav for float")


def _refuse_many(count: int) -> None:
    if count > MAX_LOOPS:
        raise UsageError(f"the pack would have {count} loops or more: ask for at most {MAX_LOOPS}")


def _rows(wish: PackWish) -> tuple[_Wishes, tuple[str, ...]]:
    if wish.batch is None:
        return [("", wish.base)], ()
    batch = pack_batch.read(wish.batch)
    _refuse_many(len(batch.rows))
    return [(row.where, replace(wish.base, **row.changes)) for row in batch.rows], batch.notes


def _combinations(prompt: str, *, every_bar: bool) -> tuple[str, ...]:
    """The prompts of a matrix; the prompt itself where no bar parts it."""
    from sdcore.prompt.matrix import matrix

    if every_bar and "|" not in prompt:
        raise UsageError("a matrix needs bars: write 'house drums|saw bass|A minor'")
    depth, marks = 0, list(prompt)
    for at, mark in enumerate(prompt):
        depth = max(0, depth + (mark == "[") - (mark == "]"))
        if mark == "|" and depth and not every_bar:
            marks[at] = "\0"  # kept from the matrix, which parts at every bar
    hidden = "".join(marks)
    if "|" not in hidden:
        return (prompt,)
    return tuple(one.replace("\0", "|") for one in matrix(hidden).prompts)


def _along(wishes: _Wishes, axes: Sequence[tuple[str, str]]) -> _Wishes:
    """Each wish at every place of the axes, the first of which changes fastest."""
    read = [_axis(name, line) for name, line in axes]
    count = len(wishes)
    for values in read:
        count *= len(values)
    _refuse_many(count)
    found = []
    for where, request in wishes:
        for place in product(*reversed(read)):
            one = request
            with located(where):
                for change in reversed(place):
                    one = change(one)
            found.append((where, one))
    return found


def _axis(name: str, line: str) -> list[Callable[[LoopRequest], LoopRequest]]:
    """What each value of an axis does to a request."""
    from sdcore.xyz import AXES
    from sdcore.xyz.values import reals, switches, texts, wholes

    words = {"prompt s/r": "Prompt S/R", "s/r": "Prompt S/R", "prompt order": "Prompt order"}
    if name.casefold() in words:
        axis = AXES[words[name.casefold()]]
        return [_worded(axis, value) for value in axis.read(line)]
    field = pack_batch.field(name)
    kind = pack_batch.FIELDS[field]
    plain, optional = kind.removesuffix(" | None"), kind.endswith("| None")
    read: dict[str, Callable[[str], tuple[Any, ...]]] = {
        "str": texts,
        "int": wholes,
        "float": reals,
        "bool": switches,
    }
    return [
        _changed(field, None if optional and str(value).lower() == "none" else value)
        for value in read[plain](line)
    ]


def _changed(field: str, value: Any) -> Callable[[LoopRequest], LoopRequest]:
    return lambda request: replace(request, **{field: value})


def _worded(axis: Axis, value: Any) -> Callable[[LoopRequest], LoopRequest]:
    """An axis of the picture core that changes the words alone."""

    def apply(request: LoopRequest) -> LoopRequest:
        from sdcore.types import ImageRequest
        from sdcore.xyz import Cell

        asked = ImageRequest(prompt=request.prompt, negative=request.negative)
        new = axis.apply(Cell(request=asked), value).request
        return replace(request, prompt=new.prompt, negative=new.negative)

    return apply


def _takes(planned: LoopRequest) -> Iterator[LoopRequest]:
    if planned.seed + planned.takes - 1 > MAX_SEED:
        raise UsageError(
            f"{planned.takes} takes from seed {planned.seed} on pass {MAX_SEED}: begin lower"
        )
    for i in range(planned.takes):
        yield replace(planned, seed=planned.seed + i, takes=1)


@contextmanager
def located(where: str) -> Iterator[None]:
    """What is refused within is refused with the place where it was asked for, if it has one."""
    try:
        yield
    except (UsageError, RequestError) as error:
        if not where:
            raise
        raise UsageError(f"{where}: {error}") from error


# ---- names, progress, machines ----------------------------------------------------------------


class _Names:
    """File names that differ also where letters' case does not count."""

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._taken: set[str] = set()

    def new(self, planned: LoopRequest) -> str:
        stem, n = name_for(planned), 1
        while (name := stem if n == 1 else f"{stem}-{n}").casefold() in self._taken:
            n += 1
        self._taken.add(name.casefold())
        return name + self._suffix


def name_for(planned: LoopRequest) -> str:
    """'house-drums_124bpm_Amin_2bars_s7': words, tempo, key, length and seed."""
    key = pack_files.key_of(planned)
    slug = re.sub(r"[\W_]+", "-", planned.prompt.replace("#", "sharp").lower())
    slug = _SAID.sub("", slug).strip("-")
    slug = slug.encode()[:_SLUG_BYTES].decode(errors="ignore").strip("-") or "loop"
    parts = [slug, f"{planned.bpm:g}bpm", f"{planned.bars}bars", f"s{planned.seed}"]
    if key is not None:
        tonic, mode = key.replace("#", "sharp").split(" ")
        parts.insert(2, tonic + mode[:3])
    return "_".join(parts)


class Meter:
    """Counts the denoising steps of many loops as those of one run."""

    def __init__(self, requests: Sequence[LoopRequest], on_progress: OnProgress) -> None:
        self._total = sum(request.steps or 0 for request in requests)
        self._on_progress = on_progress
        self._before = self._done = 0

    def next(self) -> OnProgress:
        self._before = self._done

        def report(progress: Progress) -> None:
            self._done = self._before + progress.done
            self._on_progress(Progress(done=self._done, total=max(self._total, self._done)))

        return report


def _compared(name: str, before: Origin, now: Origin) -> tuple[str, ...]:
    """What differs from the machine that made the loops before it; other weights are refused."""
    if before.sha256 != now.sha256:
        raise UsageError(
            f"checkpoint '{name}' has other weights than when this pack was begun: "
            "name another folder, or bring the old ones back"
        )
    return strayed(before, now)
