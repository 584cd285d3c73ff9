"""What a person has set, and where: the only place that reads the environment.

    defaults  <  settings.toml in the home folder  <  environment RIFFAPP_...  <  flags of a command

`FIELDS` below is the one table: every setting's variable, what may stand there, and what it means.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riffapp import naming, setting_values
from riffapp.errors import UsageError

FILE = "settings.toml"
_SHOWN_CHARS = 60  # of a value that is refused
_SET = "set"  # what is shown of a secret
_HEAD = "# Settings of riffapp. `riffapp config show --origin` says what each means.\n"


def _home() -> Path:
    import platformdirs

    return platformdirs.user_data_path("riffapp", appauthor=False)


def _image_model() -> str:
    """The embedded checkpoint that draws pictures, if there is one."""
    from riffapp.studio import checkpoints

    drawing = (name for name in checkpoints.names() if not checkpoints.has_sound(name))
    return next(drawing, "loops")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that is set, checked. No folder is made here, or need be there.

    `outputs` is made absolute here: replaced is each alone, so give another home by RIFFAPP_HOME.
    """

    home: Path = field(default_factory=_home)
    checkpoint: str = "loops"
    image_checkpoint: str = field(default_factory=_image_model)
    device: str = "auto"
    threads: int | None = None
    plain: bool = False
    models_dirs: tuple[Path, ...] = ()
    # A relative one is in the home.
    outputs: Path = Path("outputs")
    name_pattern: str = naming.DEFAULT
    suffix: str = ".wav"
    previews: bool = True
    hosts: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", self.home / self.outputs)

    @property
    def models(self) -> Path:
        """Where new models go: the first of `models_dirs`, else the home's own."""
        return (*self.models_dirs, self.home / "models")[0]

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders to look for models in: `models_dirs`, then the home's own where it is."""
        own = self.home / "models"
        return (*self.models_dirs, *([own] if own.is_dir() else []))


@dataclass(frozen=True, kw_only=True)
class Field:
    """One setting. `read` checks a value, or text for one: its ValueError says what to give."""

    variable: str
    words: str
    read: Callable[[object], Any]
    # What the variable's text says, where it is not the value itself.
    of_text: Callable[[str], object] = str
    # What to do instead of writing it into settings.toml, where that must not be.
    instead: str = ""
    is_secret: bool = False


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A setting as it is, and who says so: 'default', 'settings.toml', 'environment RIFFAPP_...'.

    Of a secret, `value` is only whether it is set.
    """

    value: object
    origin: str
    words: str
    variable: str


def load(environment: Mapping[str, str] | None = None, *, file: Path | None = None) -> Settings:
    """Settings from `environment` (this process's own when absent) and `file` (the home's).

    Raises UsageError for a value that is not allowed, naming where it stands, and for a file that
    cannot be read as TOML.
    """
    return Settings(**{name: value for name, (value, _) in _said(environment, file).items()})


def origins(
    environment: Mapping[str, str] | None = None, *, file: Path | None = None
) -> Mapping[str, Origin]:
    """Every setting by name, with who says so. Raises as `load` does."""
    said = _said(environment, file)
    found = Settings(**{name: value for name, (value, _) in said.items()})
    shown = {}
    for name, one in FIELDS.items():
        value = getattr(found, name)
        if one.is_secret and value is not None:
            value = _SET
        origin = said[name][1] if name in said else "default"
        shown[name] = Origin(value=value, origin=origin, words=one.words, variable=one.variable)
    return shown


def remarks(
    environment: Mapping[str, str] | None = None, *, file: Path | None = None
) -> tuple[str, ...]:
    """A sentence for each name, in the file or the environment, that no setting has."""
    env = os.environ if environment is None else environment
    path = file_of(env) if file is None else file
    variables = tuple(one.variable for one in FIELDS.values())
    ours = sorted(name for name in env if name.startswith("RIFFAPP_"))
    return tuple(
        f"'{name}' {where} is no setting: {_nearest(name, known)}"
        for names, where, known in (
            (_in_file(path), f"in {path.name}", tuple(FIELDS)),
            (ours, "in the environment", variables),
        )
        for name in names
        if name not in known
    )


def file_of(environment: Mapping[str, str] | None = None) -> Path:
    """Where the home's settings.toml is, or would be."""
    env = os.environ if environment is None else environment
    given = env.get(FIELDS["home"].variable)
    return (_value("home", given, FIELDS["home"].variable) if given else _home()) / FILE


def save(changes: Mapping[str, object | None], file: Path | None = None) -> None:
    """Write settings into the file (the home's when absent), whole or not at all; None removes one.

    Other lines, comments too, stay as they are. Values may be text, as in the environment.
    Raises UsageError for a value that is not allowed, for a secret, and for a file that is not
    TOML, which is then left as it is; audio's errors where the disk refuses.
    """
    import tomlkit

    from audio.disk import write_whole

    path = file_of() if file is None else file
    _in_file(path)  # refuses a damaged one
    document = tomlkit.parse(_text_of(path) if path.is_file() else _HEAD)
    for name, value in changes.items():
        if name not in FIELDS:
            raise UsageError(f"'{name}' is no setting: {_nearest(name, FIELDS)}")
        if value is None:
            document.pop(name, None)
        else:
            _refuse_elsewhere(name, path)
            document[name] = _plain(_checked(name, value, name))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, tomlkit.dumps(document).encode())


# ---- where values come from -------------------------------------------------------------------


def _said(environment: Mapping[str, str] | None, file: Path | None) -> dict[str, tuple[Any, str]]:
    """Each setting that somebody has set: its value, and who."""
    env = os.environ if environment is None else environment
    path = file_of(env) if file is None else file
    said = {}
    for name, given in _in_file(path).items():
        if name in FIELDS:
            _refuse_elsewhere(name, path)
            where = f"{name} in {path.name}"
            said[name] = (_value(name, given, where, base=path.parent), path.name)
    for name, one in FIELDS.items():
        if text := env.get(one.variable):
            value = _value(name, one.of_text(text), one.variable)
            said[name] = (value, f"environment {one.variable}")
    if "password" not in said and "password_file" in said:
        said["password"] = (_first_line(said["password_file"][0]), "password_file")
    return said


def _first_line(secret: Path) -> str:
    try:
        first = _text_of(secret).partition("\n")[0].rstrip("\r")
    except FileNotFoundError:
        first = ""
    if not first.strip():
        raise UsageError(f"{secret} has no password in its first line: write one there")
    return first


def _in_file(path: Path) -> dict[str, Any]:
    """What the file says; nothing where there is none."""
    try:
        return tomllib.loads(_text_of(path))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(
            f"{path} is no TOML: {error}; mend that line, or move the file away to begin anew"
        ) from error


def _text_of(path: Path) -> str:
    """Raises FileNotFoundError where there is no such file, UsageError for one that is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"{path} cannot be read ({said}): mend it or move it away") from error


def _value(name: str, given: object, where: str, *, base: Path | None = None) -> Any:
    """The checked value; paths are absolute, from `base` (the working folder when absent)."""
    value = _checked(name, given, where)
    start = Path.cwd() if base is None else base.absolute()
    if isinstance(value, Path):
        return start / value.expanduser()
    if name == "models_dirs":
        return tuple(start / one.expanduser() for one in value)
    return value


def _checked(name: str, given: object, where: str) -> Any:
    try:
        return FIELDS[name].read(given)
    except ValueError as error:
        shown = "".join(letter if letter.isprintable() else "?" for letter in str(given))
        if len(shown) > _SHOWN_CHARS:
            shown = shown[: _SHOWN_CHARS - 3] + "..."
        is_shown = f"is '{shown}'" if not FIELDS[name].is_secret else "cannot be that"
        raise UsageError(f"{where} {is_shown}: {error}") from None


def _refuse_elsewhere(name: str, path: Path) -> None:
    if instead := FIELDS[name].instead:
        raise UsageError(f"{name} does not belong in {path.name}: {instead}")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"the nearest is '{near[0]}'" if near else f"known are {', '.join(known)}"


def _plain(value: Any) -> Any:
    """As TOML has it."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


# ---- the table ----------------------------------------------------------------------------------


FIELDS: Mapping[str, Field] = {
    "home": Field(
        variable="RIFFAPP_HOME",
        words="folder of the queue, the gallery, this file, uploads and downloaded models",
        read=setting_values.path,
        instead="set RIFFAPP_HOME, which says where that file is",
    ),
    "checkpoint": Field(
        variable="RIFFAPP_CHECKPOINT",
        words="checkpoint that makes loops: name, folder, file or hub id",
        read=setting_values.text,
    ),
    "image_checkpoint": Field(
        variable="RIFFAPP_IMAGE_CHECKPOINT",
        words="checkpoint that makes pictures: name, folder, file or hub id",
        read=setting_values.text,
    ),
    "device": Field(
        variable="RIFFAPP_DEVICE",
        words="what computes: cpu, cuda, mps or auto",
        read=setting_values.device,
    ),
    "threads": Field(
        variable="RIFFAPP_THREADS",
        words="CPU threads for the networks and the sound",
        read=setting_values.count,
    ),
    "plain": Field(
        variable="NO_COLOR",
        words="no colour and no progress bar on the terminal",
        read=setting_values.switch,
        of_text=bool,  # whatever it says: https://no-color.org
    ),
    "models_dirs": Field(
        variable="RIFFAPP_MODELS_DIR",
        words=f"folders of models, as A1111's or ComfyUI's, parted by '{os.pathsep}'",
        read=setting_values.paths,
    ),
    "outputs": Field(
        variable="RIFFAPP_OUTPUTS",
        words="folder that finished files go to",
        read=setting_values.path,
    ),
    "name_pattern": Field(
        variable="RIFFAPP_NAME_PATTERN",
        words=f"what finished files are called, of {', '.join(f'{{{f}}}' for f in naming.FIELDS)}",
        read=setting_values.pattern,
    ),
    "suffix": Field(
        variable="RIFFAPP_SUFFIX",
        words="format of finished sounds: .wav, .flac, .ogg or .mp3",
        read=setting_values.suffix,
    ),
    "previews": Field(
        variable="RIFFAPP_PREVIEWS",
        words="show and play what forms while it forms",
        read=setting_values.switch,
    ),
    "hosts": Field(
        variable="RIFFAPP_HOSTS",
        words="names that the page may be asked for by, besides this machine's, parted by ','",
        read=setting_values.hosts,
    ),
    "password": Field(
        variable="RIFFAPP_PASSWORD",
        words="what a browser on another machine must give",
        read=setting_values.text,
        instead="set RIFFAPP_PASSWORD, or write it into a file of its own and set password_file",
        is_secret=True,
    ),
    "password_file": Field(
        variable="RIFFAPP_PASSWORD_FILE",
        words="file whose first line is the password",
        read=setting_values.path,
    ),
}
