"""The configuration's sections and keys: types, ranges and defaults. Reads no file."""

import ipaddress
import re
import unicodedata
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from collector.domain.binding import Binding
from collector.domain.calls import MAX_WINDOW_MINUTES, MIN_WINDOW_MINUTES, Pairing
from collector.domain.durations import parse_duration
from collector.wire.namespaces import ECGRID

__all__ = [
    "LABEL_TWICE",
    "MAX_ID",
    "S3",
    "Alert",
    "DuckDb",
    "Iceberg",
    "Limits",
    "Logging",
    "Metrics",
    "Postgres",
    "Quality",
    "Report",
    "Retry",
    "Run",
    "Service",
    "SessionEntry",
    "Settings",
    "Storage",
    "Warehouse",
    "Windows",
    "is_loopback",
]

LABEL_TWICE: Final = (
    "label_twice"  # kind of a validation error; its context: label, first, second (indexes)
)
MAX_ID: Final = 2**31 - 1  # the service's ids are of the type int
_MAX_LABEL: Final = 300  # characters
# they change the direction in which what follows is shown
_DIRECTIONS: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_SECRET_NAME: Final = re.compile("key|secret|token|password|credential|sig")


def _reference(value: object) -> object:
    """A reference to a secret; the value itself is never shown, it may be the secret."""
    if (
        isinstance(value, str)
        and value.partition(":")[0] in ("env", "file")
        and value.partition(":")[2]
    ):
        return value
    raise ValueError(
        "must be env:NAME or file:PATH (the credential itself does not belong in the file)"
    )


def _is_reference(value: str) -> bool:
    kind, _, target = value.partition(":")
    return kind in ("env", "file") and bool(target) and not target.startswith("//")


def _catalog_uri(value: str) -> str:
    if not _is_reference(value) and re.search(
        r"//[^/]*:[^/]*@|[?&]\w*(password|token|secret)", value
    ):
        raise ValueError(
            "must have no credentials in it: use env:NAME or file:PATH for the address"
        )
    return value


def _secrets_referred(properties: dict[str, str]) -> dict[str, str]:
    for name, value in properties.items():
        if re.search(r"secret|password|token|credential|key", name) and not _is_reference(value):
            raise ValueError(f"{name} must be env:NAME or file:PATH")
        if "\0" in name + value:
            raise ValueError("names and values must be text without the character 0")
    return properties


def _service_url(value: str) -> str:
    wanted = "must be an https:// address without spaces; a port is 1 to 65535"
    try:
        url = urlsplit(value)
        is_address = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        raise ValueError(wanted) from None
    if not is_address or re.search(r"[\s\x00-\x1f\x7f]", value):
        raise ValueError(wanted)
    if "@" in value or url.query or url.fragment:
        raise ValueError("must have no credentials, query or fragment")
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise ValueError("plain http is allowed to this machine only: use https")
    return value


def _namespace(value: str) -> str:
    """It goes into the XML and, followed by the operation's name, into the header SOAPAction."""
    if not re.fullmatch(
        r"[a-z][a-z0-9+.-]*:[!#-;=?-Z\[\]_a-z~%]+", value, re.IGNORECASE | re.ASCII
    ):
        raise ValueError(f"must be an address such as {ECGRID}")
    if value.startswith(("http:", "https:")) and not value.endswith("/"):
        raise ValueError("must end with a slash: the operation's name follows it")
    return value


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _local_folder(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("must be a folder; the one in which the command runs is .")
    if isinstance(value, str) and re.match(r"[a-z0-9]+:[/\\]", value, re.IGNORECASE):
        raise ValueError("must be a folder of this machine")
    return value


def _lake_address(value: str) -> str:
    """A folder, or the address of one in object storage, without a credential."""
    scheme, separator, rest = value.partition("://")
    if not separator:
        if not value.strip() or re.match(r"[a-z0-9]+:[/\\]", value, re.IGNORECASE):
            raise ValueError("must be a folder, or an address such as s3://bucket/prefix")
        return value
    names = [name.lower() for name, _ in parse_qsl(rest.partition("?")[2], keep_blank_values=True)]
    user = rest.partition("/")[0].rpartition("@")[0]
    if ":" in user or (user and scheme == "s3") or any(_SECRET_NAME.search(each) for each in names):
        raise ValueError(
            "must have no credential in it: storage.s3.access_key and secret_key name them"
        )
    return value


def _shown_as_it_is(value: str) -> str:
    """A label stands in tables, log lines and pages: nothing that a terminal or an editor obeys."""
    if not value.strip():
        raise ValueError("must not be blank")
    if any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS
        for character in value
    ):
        raise ValueError(
            "must be one line of text, without characters that control how it is shown"
        )
    return value


_Reference = Annotated[str, BeforeValidator(_reference)]
_Id = Annotated[int, Field(strict=True, ge=0, le=MAX_ID)]
_Label = Annotated[str, Field(min_length=1, max_length=_MAX_LABEL), AfterValidator(_shown_as_it_is)]
_Seconds = Annotated[float, Field(strict=True, gt=0, le=86_400)]
_Severity = Literal["off", "warn", "quarantine"]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _without_null(cls, value: object) -> object:
        """No name of a file, host or variable may hold the character 0: the system would cut it off there."""
        if isinstance(value, str) and "\0" in value:
            raise ValueError("must be text without the character 0")
        return value


class Service(_Section):
    """Where the service is and how it is spoken to."""

    url: Annotated[str, AfterValidator(_service_url)]
    ca_file: Path | None = None
    namespace: Annotated[str, AfterValidator(_namespace)] = ECGRID
    binding: Binding = Binding.SOAP12
    timeout_seconds: _Seconds = 60
    contact: str = ""


class Limits(_Section):
    """What the service is asked to bear. It publishes no limits for SOAP, so the defaults are modest."""

    requests_per_second: Annotated[float, Field(strict=True, gt=0, le=100_000)] = 1.5
    per_session_per_second: Annotated[float, Field(strict=True, gt=0, le=100_000)] = 1.0
    concurrency: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 8
    per_session_concurrency: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 2
    max_reply_bytes: Annotated[int, Field(strict=True, ge=1_024, le=1 << 30)] = 16 << 20


class Retry(_Section):
    """How often and how patiently a call is tried again."""

    attempts: Annotated[int, Field(strict=True, ge=1, le=20)] = 4
    backoff_seconds: _Seconds = 0.5
    max_backoff_seconds: _Seconds = 30
    max_retry_after_seconds: _Seconds = 300
    max_outage_seconds: Annotated[float, Field(strict=True, gt=0, le=7 * 86_400)] | None = None


def _duration(least: str, most: str) -> AfterValidator:
    """A duration of whole minutes from `least` to `most`, as text."""

    def checked(text: str) -> str:
        seconds = parse_duration(text)
        if not parse_duration(least) <= seconds <= parse_duration(most) or seconds % 60:
            raise ValueError(f"{text!r}: must be whole minutes from {least} to {most}")
        return text

    return AfterValidator(checked)


def _divides_a_day(text: str) -> str:
    if 86_400 % parse_duration(text):
        raise ValueError(f"{text!r}: must divide a day, as 15m, 30m, 1h or 6h do")
    return text


class Windows(_Section):
    """What is asked for: history on a grid of edges (`every`), or trailing windows as they are (`minutes`).

    Attributes:
        every: the distance of the grid's edges, which lie at multiples of it from midnight UTC.
        since: how far back the history of a new session begins.
        settle: the youngest minutes are left to a later run.
        max_calls: of one run; 0 for all that is wanted.
    """

    every: Annotated[str, _duration("1m", "24h"), AfterValidator(_divides_a_day)] | None = None
    since: Annotated[str, _duration("1m", "22d")] = "24h"
    settle: Annotated[str, _duration("0m", "24h")] = "0m"
    max_calls: Annotated[int, Field(strict=True, ge=0, le=100_000_000)] = 0
    minutes: (
        Annotated[
            tuple[
                Annotated[int, Field(strict=True, ge=MIN_WINDOW_MINUTES, le=MAX_WINDOW_MINUTES)],
                ...,
            ],
            Field(min_length=1),
        ]
        | None
    ) = None
    pairing: Pairing = Pairing.PAIRS

    @model_validator(mode="after")
    def _one_kind_of_plan(self) -> Self:
        if (self.every is None) == (self.minutes is None):
            raise ValueError(
                'must have either every = "1h", history by the hour, or minutes = [60, 120], trailing windows'
            )
        for name in ("since", "settle", "max_calls"):
            if self.minutes is not None and name in self.model_fields_set:
                raise ValueError(f"{name} belongs to every, and has no meaning with minutes")
        if self.every and parse_duration(self.since) < parse_duration(self.every):
            raise ValueError(
                f"since = {self.since!r}: must not be shorter than every = {self.every!r}"
            )
        return self


class Run(_Section):
    """Bounds of one run."""

    resume_within_seconds: Annotated[float, Field(strict=True, ge=0, le=30 * 86_400)] = 6 * 3600
    deadline_seconds: Annotated[float, Field(strict=True, gt=0, le=7 * 86_400)] | None = None
    drain_seconds: _Seconds = 60


class SessionEntry(_Section):
    """One session: its label, references to an API key or to a login name and password, and what it asks about.

    Attributes:
        network_id: with it, statistics of this network are asked for; without, those of the session's own mailbox.
        mailbox_id: of that network.
        ecgrid_id: of that network.
    """

    label: _Label
    api_key: _Reference | None = None
    login_name: _Reference | None = None
    password: _Reference | None = None
    network_id: _Id | None = None
    mailbox_id: _Id | None = None
    ecgrid_id: _Id | None = None

    @property
    def credential(self) -> tuple[str | None, ...]:
        """The references to its credential: labels for which they are the same share it."""
        return self.api_key, self.login_name, self.password

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        has_login = self.login_name is not None or self.password is not None
        if (self.api_key is not None) == has_login:
            raise ValueError("must have either api_key, or login_name and password")
        if has_login and (self.login_name is None or self.password is None):
            raise ValueError("login_name and password belong together")
        return self

    @model_validator(mode="after")
    def _network_of_ids(self) -> Self:
        if self.network_id is None:
            for name in ("mailbox_id", "ecgrid_id"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} needs network_id, the network that it belongs to")
        return self


class S3(_Section):
    """How an s3:// lake is reached; what is absent here comes from the environment, as AWS tools take it."""

    endpoint: Annotated[str, AfterValidator(_service_url)] | None = None
    region: str | None = None
    access_key: _Reference | None = None
    secret_key: _Reference | None = None
    session_token: _Reference | None = None

    @model_validator(mode="after")
    def _whole_credential(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key belong together")
        if self.session_token is not None and self.access_key is None:
            raise ValueError("session_token needs access_key and secret_key")
        return self


class Storage(_Section):
    """Where landing store, lake and reports live.

    Attributes:
        group: of the machine; it may read lake, DuckDB file and reports.
    """

    root: Annotated[Path, BeforeValidator(_local_folder)] = Path("data")
    lake: Annotated[str, AfterValidator(_lake_address)] | None = None
    s3: S3 = S3()
    group: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    keep_landing_days: Annotated[float, Field(strict=True, ge=1, le=3_650)] = 30
    compacted_file_mib: Annotated[int, Field(strict=True, ge=1, le=65_536)] = 128


class Quality(_Section):
    """What a failed check does: nothing, a warning in the ledger, or no rows for that answer.

    Attributes:
        clock_seconds: how far the service's clock may be from this machine's (`service_clock`).
        empty_share: how many of a run's answers may have no rows (`not_mostly_empty`).
    """

    expected_columns: _Severity = "quarantine"
    no_negative_counts: _Severity = "quarantine"
    no_null_counts: _Severity = "warn"
    longer_window_not_less: _Severity = "warn"
    probe_halves_agree: _Severity = "warn"
    answer_for_call: _Severity = "warn"
    usable_date: _Severity = "warn"
    service_clock: _Severity = "warn"
    network_is_its_mailboxes: Literal["off", "warn"] = "warn"
    one_label_a_mailbox: _Severity = "warn"
    not_mostly_empty: _Severity = "warn"
    clock_seconds: _Seconds = 300.0
    empty_share: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.5


class Logging(_Section):
    """What is logged, and in which form where there is no terminal."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "plain", "json"] = "auto"


class Alert(_Section):
    """Who is told that a run began and how it ended, so that it is noticed when none did.

    Attributes:
        ping_url: of a check in the manner of Healthchecks; who knows it can report a success, so it is a secret.
        failed_calls_above: up to so many failed calls a finished run is still a success.
    """

    ping_url: _Reference | None = None
    failed_calls_above: Annotated[int, Field(strict=True, ge=0, le=100_000_000)] = 0


def _prom_file(value: Path) -> Path:
    if value.suffix != ".prom":
        raise ValueError("must be a file whose name ends in .prom: node_exporter reads no other")
    return value


class Metrics(_Section):
    """Where the numbers of the last run are left for Prometheus.

    Attributes:
        textfile: in the folder that node_exporter's textfile collector reads.
    """

    textfile: Annotated[Path, AfterValidator(_prom_file)] | None = None


class Report(_Section):
    """Whether `run` makes the page of the night at its end."""

    enabled: Annotated[bool, Field(strict=True)] = True


class DuckDb(_Section):
    """A DuckDB file to load into; warehouse.duckdb below the storage root unless named."""

    path: Path | None = None


class Postgres(_Section):
    """A PostgreSQL database to load into."""

    dsn: _Reference
    db_schema: Annotated[
        Annotated[str, Field(min_length=1, max_length=63)] | None, Field(alias="schema")
    ] = None  # pydantic has a `schema` of its own


def _days(text: str) -> str:
    if not 1 <= parse_duration(text) / 86_400 <= _MOST_DAYS:
        raise ValueError(f"{text!r}: must be one day to {_MOST_DAYS} days, such as 30d")
    return text


_MOST_DAYS: Final = 36_500


class Iceberg(_Section):
    """An Iceberg catalog to register in.

    Attributes:
        catalog_name: a SQL catalog keeps several apart by it.
        location: where the catalog keeps the metadata of new tables; iceberg below the storage root unless named.
        keep_snapshots: a duration; older snapshots leave the catalog with the next load that changes a table.
        properties: for the catalog, as pyiceberg names them; a value may be a reference, a secret must be one.
    """

    catalog_uri: Annotated[str, AfterValidator(_catalog_uri)]
    catalog_name: Annotated[str, Field(min_length=1)] = "ecgrid"
    location: str | None = None
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$")] = "ecgrid"
    keep_snapshots: Annotated[str, AfterValidator(_days)] = "30d"
    properties: Annotated[dict[str, str], AfterValidator(_secrets_referred)] = {}


class Warehouse(_Section):
    """Where the published tables go next, and whether the landed bodies (`raw`) go with them."""

    raw: Annotated[bool, Field(strict=True)] = False
    duckdb: DuckDb | None = None
    postgres: Postgres | None = None
    iceberg: Iceberg | None = None


class Settings(_Section):
    """Everything a command needs to know, validated once."""

    service: Service
    limits: Limits = Limits()
    retry: Retry = Retry()
    windows: Windows
    run: Run = Run()
    sessions: tuple[SessionEntry, ...] = ()
    sessions_file: Path | None = None
    storage: Storage = Storage()
    quality: Quality = Quality()
    logging: Logging = Logging()
    alert: Alert = Alert()
    metrics: Metrics = Metrics()
    report: Report = Report()
    warehouse: Warehouse = Warehouse()

    @model_validator(mode="after")
    def _labels_once(self) -> Self:
        if not self.sessions:
            raise ValueError("sessions: there are none; add [[sessions]] or sessions_file")
        first_of: dict[str, int] = {}
        for index, entry in enumerate(self.sessions):
            first = first_of.setdefault(entry.label, index)
            if first != index:
                context = {"label": entry.label, "first": first, "second": index}
                raise PydanticCustomError(
                    LABEL_TWICE,
                    "sessions: label '{label}' stands twice; labels must differ",
                    context,
                )
        return self
