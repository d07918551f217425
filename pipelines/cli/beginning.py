"""The command `init`: a configuration to start from."""

import importlib.resources
import json
import os
from pathlib import Path
from typing import Final

import click

from collector.config import load
from collector.errors import ConfigError
from pipelines.cli.door import Door, finish, shared_options
from pipelines.job.exit_code import ExitCode

__all__ = ["init"]

_TEMPLATE: Final = "beginning.toml"
_ROOT: Final = '"data"'  # as the template has it


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default="ecgrid.toml")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where what is collected goes; the folder data beside FILE otherwise. [storage.root]",
)
@shared_options
def init(door: Door, file: Path, root: Path | None) -> None:
    """Write a commented configuration to FILE (ecgrid.toml), for two mailboxes of the real service.

    A file that is there is left alone.
    """
    text = importlib.resources.files("pipelines.cli").joinpath(_TEMPLATE).read_text("utf-8")
    folder = (root or file.absolute().parent / "data").absolute()
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640), "w") as opened:
            # a string of JSON is one of TOML
            opened.write(text.replace(_ROOT, json.dumps(str(folder), ensure_ascii=False), 1))
    except FileExistsError as error:
        raise ConfigError(
            f"{file}: is there already and stays as it is; name another file"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}; must be a file in a folder that this user may write"
        ) from error
    secrets = [
        reference
        for entry in load(file).sessions
        for reference in (entry.api_key, entry.login_name, entry.password)
        if reference is not None
    ]
    said = "\n".join(
        [
            f"wrote {file}: put in your mailboxes, and their credentials where it says so ({', '.join(secrets)}); then",
            f"  ecgrid-stats check  -c {file}     is everything right, are all sessions let in?",
            f"  ecgrid-stats plan   -c {file}     how many calls, how long?",
            f"  ecgrid-stats run    -c {file}     the nightly job",
        ]
    )
    result = {"config": str(file.absolute()), "secrets": secrets, "exit_code": int(ExitCode.DONE)}
    finish(door, result, said, ExitCode.DONE)
