"""An Iceberg REST catalog on loopback, as small as it gets: HTTP in front of a SQL catalog of the library."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyiceberg.catalog.rest import CreateTableRequest, TableResponse
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.table import CommitTableRequest, Table

__all__ = ["TOKEN", "RestCatalog", "rest_catalog"]

TOKEN = "fake-token-0001"
_STATUS = {
    NoSuchNamespaceError: 404,
    NoSuchTableError: 404,
    NamespaceAlreadyExistsError: 409,
    TableAlreadyExistsError: 409,
    CommitFailedException: 409,
}


class RestCatalog:
    """What the server answers from.

    Attributes:
        commits: how many were made.
        fails_from: the number of the first commit that is refused with a 503; None for none.
    """

    def __init__(self, folder: Path, location: str) -> None:
        self.uri = ""
        self.commits = 0
        self.fails_from: int | None = None
        self._lock = threading.Lock()
        self._catalog = SqlCatalog("rest", uri=f"sqlite:///{folder}/rest.db", warehouse=location)

    def answer(self, method: str, parts: list[str], body: bytes) -> tuple[int, str]:
        """Status and body; the errors are named as the protocol names them."""
        with self._lock:
            try:
                return self._answered(method, parts, body)
            except tuple(_STATUS) as error:
                kind = type(error)
                said = f'{{"error": {{"message": "no", "type": "{kind.__name__}", "code": 0}}}}'
                return _STATUS[kind], said

    def close(self) -> None:
        """Let go of the file."""
        self._catalog.close()

    def _answered(self, method: str, parts: list[str], body: bytes) -> tuple[int, str]:
        match method, parts:
            case "GET", ["config"]:
                return 200, '{"defaults": {}, "overrides": {}}'
            case "POST", ["namespaces"]:
                self._catalog.create_namespace(_namespace_of(body))
                return 200, body.decode()
            case "GET", ["namespaces", namespace]:
                self._catalog.load_namespace_properties(namespace)
                return 200, f'{{"namespace": ["{namespace}"], "properties": {{}}}}'
            case "POST", ["namespaces", namespace, "tables"]:
                asked = CreateTableRequest(**{"location": None, **json.loads(body)})
                return 200, _told(
                    self._catalog.create_table(
                        f"{namespace}.{asked.name}",
                        asked.table_schema,
                        properties=asked.properties,
                    )
                )
            case "GET", ["namespaces", namespace, "tables"]:
                names = ", ".join(
                    f'{{"namespace": ["{namespace}"], "name": "{name}"}}'
                    for _, name in self._catalog.list_tables(namespace)
                )
                return 200, f'{{"identifiers": [{names}]}}'
            case "GET", ["namespaces", namespace, "tables", name]:
                return 200, _told(self._catalog.load_table(f"{namespace}.{name}"))
            case "POST", ["namespaces", namespace, "tables", name]:
                return self._committed(f"{namespace}.{name}", body)
        return 404, "{}"

    def _committed(self, identifier: str, body: bytes) -> tuple[int, str]:
        self.commits += 1
        if self.fails_from is not None and self.commits >= self.fails_from:
            return (
                503,
                '{"error": {"message": "closed for repairs", "type": "Unavailable", "code": 503}}',
            )
        asked = CommitTableRequest.model_validate_json(body)
        table = self._catalog.load_table(identifier)
        done = self._catalog.commit_table(table, asked.requirements, asked.updates)
        return 200, done.model_dump_json(by_alias=True)


def _namespace_of(body: bytes) -> str:
    found: dict[str, Any] = json.loads(body)
    return ".".join(found["namespace"])


def _told(table: Table) -> str:
    return TableResponse(
        **{"metadata-location": table.metadata_location, "metadata": table.metadata}
    ).model_dump_json(by_alias=True)


@contextlib.contextmanager
def rest_catalog(folder: Path, location: str) -> Iterator[RestCatalog]:
    """A catalog that serves as long as the block lasts; only who has the token is let in."""
    catalog = RestCatalog(folder, location)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_HEAD(self) -> None:
            self._serve()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            pass

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = (
                401,
                '{"error": {"message": "who?", "type": "NotAuthorized", "code": 401}}',
            )
            if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                method = "GET" if self.command == "HEAD" else self.command
                status, text = catalog.answer(method, urlsplit(self.path).path.split("/")[2:], body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    catalog.uri = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield catalog
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        catalog.close()
