"""Where the published tables are loaded, as values. Imports no driver, so that naming a target costs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from collector.domain.secret import Secret

__all__ = ["DuckDbFile", "IcebergCatalog", "PostgresServer", "Target"]


@dataclass(frozen=True, slots=True)
class DuckDbFile:
    """A DuckDB file; made if it is not there."""

    name: ClassVar[str] = "duckdb"
    path: Path


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL database.

    Attributes:
        dsn: as libpq reads it: key=value pairs or a postgresql:// address.
        schema: where the tables go; the first of the search path if None.
    """

    name: ClassVar[str] = "postgres"
    dsn: Secret
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class IcebergCatalog:
    """An Iceberg catalog.

    Attributes:
        uri: of the catalog; its scheme says of which kind it is.
        catalog: its name, by which a SQL catalog keeps several apart.
        location: where the metadata of new tables goes.
        properties: for the catalog, by pyiceberg's names.
        keep_snapshots: how old snapshots may get; None: any age.
        anew: forget what is registered of another lake, or of runs that this one does not know.
    """

    name: ClassVar[str] = "iceberg"
    uri: Secret
    location: str
    namespace: str
    properties: Mapping[str, Secret]
    catalog: str = "ecgrid"
    keep_snapshots: timedelta | None = None
    anew: bool = False


Target = DuckDbFile | PostgresServer | IcebergCatalog
