"""What the documents promise is what the program has: commands, options, config keys, exit codes, make targets."""

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel

from collector.config import Settings
from pipelines.cli import COMMANDS, cli
from pipelines.job.exit_code import ExitCode
from tests.architecture.documents import code, documents, fenced, section
from tests.architecture.sources import ROOT

COMMANDS_PAGE = ROOT / "docs/commands.md"
OPEN = {"properties"}  # a table whose keys are another program's
EXAMPLES = sorted((ROOT / "config").glob("*.toml"))


@pytest.fixture(params=documents(), ids=lambda path: path.name)
def document(request: pytest.FixtureRequest) -> Path:
    """Each document in turn."""
    found: Path = request.param
    return found


def _invocations(path: Path) -> Iterator[list[str]]:
    """The words after `ecgrid-stats` wherever it is called in code."""
    for line in code(path):
        found = re.search(r"(?:^|[\s/])ecgrid-stats ([^\s&|>;#].*)", line)
        if found:
            yield shlex.split(re.split(r"\s[#|>;&]|\s{2,}", found[1])[0])


def _command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def _model(annotation: object) -> type[BaseModel] | None:
    """The section that a field holds, through `| None` and `tuple[..., ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model(part))), None)


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for field_name, field in model.model_fields.items():
        name = field.alias or field_name
        inner = _model(field.annotation)
        yield prefix + name
        if inner is not None:
            yield from _keys(inner, f"{prefix}{name}.")


def _used(document: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in document.items():
        yield prefix + name
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict) and name not in OPEN:
                yield from _used(part, f"{prefix}{name}.")


def test_commands_exist(document: Path) -> None:
    """Every command that a document calls is one, and takes the options it is shown with."""
    for name, *arguments in _invocations(document):
        if name.startswith("-"):
            continue
        assert name in COMMANDS, f"ecgrid-stats {name}"
        known = {option for parameter in _command(name).params for option in parameter.opts}
        used = {word.split("=")[0] for word in arguments if re.match(r"--?[a-z]", word)}
        assert used - {"--help", "-h"} <= known, f"ecgrid-stats {name}"


def test_every_command_is_told() -> None:
    """docs/commands.md leaves nothing that the program can do for the reader to find."""
    assert set(COMMANDS) - {words[0] for words in _invocations(COMMANDS_PAGE)} == set()


def test_help_lists_every_command() -> None:
    """`ecgrid-stats --help` says one sentence of each command, and each has its own help."""
    shown = cli.get_help(click.Context(cli, info_name="ecgrid-stats"))
    for name in COMMANDS:
        assert re.search(rf"^  {name}  +\S", shown, re.MULTILINE), name
        assert _command(name).help


def test_exit_codes_are_all_told() -> None:
    """The section of docs/commands.md has each code once, and so has the help page."""
    listed = re.findall(r"^\W*(\d)\b", section(COMMANDS_PAGE, "exit code"), re.MULTILINE)
    assert listed == [str(int(code)) for code in ExitCode]
    in_help = re.findall(r"^\s+(\d)  \S", cli.help or "", re.MULTILINE)
    assert in_help == listed


def test_config_in_documents_is_config(document: Path) -> None:
    """Every TOML block of a document parses and has known keys only."""
    for block in fenced(document, "toml"):
        assert set(_used(tomllib.loads(block))) <= set(_keys(Settings)), block


def test_dotted_keys_exist(document: Path) -> None:
    """A `section.key` in prose is a key."""
    keys = set(_keys(Settings))
    sections = "|".join(key for key in keys if "." not in key)
    dotted = [
        span for span in code(document) if re.fullmatch(rf"(?:{sections})(?:\.[a-z_]+)+", span)
    ]
    assert [key for key in dotted if key not in keys] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_have_known_keys(example: Path) -> None:
    """The files in config/ name known keys, those in comments included."""
    bare = re.sub(
        r"^# ?(?=\[|[a-z_]+ *=)", "", example.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert set(_used(tomllib.loads(bare))) <= set(_keys(Settings))


def test_production_example_shows_every_key() -> None:
    """config/production.toml is the reference of the configuration: all keys, the optional ones in comments."""
    shown = (ROOT / "config/production.toml").read_text(encoding="utf-8")
    leaves = {key.rsplit(".", 1)[-1] for key in _keys(Settings)}
    entry = r"^\W*\[*(?:\w+\.)*{}(?: *=|\])"
    assert {
        leaf for leaf in leaves if not re.search(entry.format(leaf), shown, re.MULTILINE)
    } == set()


def test_make_targets_exist(document: Path) -> None:
    """`make x y` in a document names targets; words after two spaces or a # explain it."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    calls = [re.split(r"\s{2,}|#", line)[0].split() for line in code(document)]
    named = {word for words in calls if words[:1] == ["make"] for word in words[1:]}
    assert {word for word in named if "=" not in word} <= targets


def test_linked_files_exist(document: Path) -> None:
    """A relative link leads somewhere."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
