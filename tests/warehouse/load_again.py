"""Loads a lake into a target, as a process that can be killed: `python -m tests.warehouse.load_again LAKE KIND ...`.

Says `loading` on stdout before it begins and `done` when it is.
"""

import sys
from pathlib import Path

from collector.domain.secret import Secret
from pipelines.lake import Lake
from pipelines.warehouse.loading import load_all
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer, Target

__all__ = ["arguments_of"]


def arguments_of(target: Target) -> list[str]:
    """How the target is named on the command line."""
    match target:
        case DuckDbFile():
            return ["duckdb", str(target.path)]
        case PostgresServer():
            return ["postgres", target.dsn.reveal(), str(target.schema)]
        case IcebergCatalog():
            return ["iceberg", target.uri.reveal(), target.location, target.namespace]


def main(lake: str, kind: str, *rest: str) -> None:
    """Load all that is published."""
    match kind, rest:
        case "duckdb", (path,):
            target: Target = DuckDbFile(Path(path))
        case "postgres", (dsn, schema):
            target = PostgresServer(Secret(dsn), schema)
        case "iceberg", (uri, location, namespace):
            target = IcebergCatalog(Secret(uri), location, namespace, {})
        case _:
            raise SystemExit(2)
    print("loading", flush=True)  # noqa: T201  # what the test waits for
    (load,) = load_all(Lake(Path(lake)), [target]).values()
    print("done" if load.caught_up else load.error, flush=True)  # noqa: T201  # likewise


if __name__ == "__main__":
    main(*sys.argv[1:])
