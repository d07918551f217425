"""The published tables for those who only read: typed, filtered where the files are, any address that a lake may have.

`open_lake("data").instant_stats(since="2026-01-25", sessions=["acme"])` reads no partition, row group or column that it
does not need, and no file that no manifest names.
"""

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypedDict, TypeVar, Unpack

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipelines.contract import TABLES, VIEWS, Table, arrow_schema
from pipelines.contract.evolution import check_file
from pipelines.contract.scopes import MAILBOX, SCOPES
from pipelines.errors import PublicationError
from pipelines.lake import Days, Entry, Lake, Published, S3Options, coded_columns
from pipelines.read.periods import LONGEST, bound, periods, zone_of

__all__ = ["TRIES", "Filters", "OpenLake", "Part", "open_lake"]

_CODES: Final = pa.dictionary(pa.int32(), pa.string())
_ASKED: Final = ("session", "run_id", "scope")
_Read = TypeVar("_Read")
TRIES: Final = 20  # changes that may overtake a reader while it opens the files


class Filters(TypedDict, total=False):
    """What of a table is read.

    Attributes:
        since: from this date on; for `traffic_buckets` and `traffic_history` a time with its zone, too.
        until: before this date or time.
        sessions: of these labels only.
        runs: of these run ids only.
        scopes: 'mailbox', 'network' or both, of `traffic_history` and what is made of it.
        columns: these columns, in this order.
        where: a condition of your own.
    """

    since: str | date | None
    until: str | date | None
    sessions: Sequence[str] | None
    runs: Sequence[str] | None
    scopes: Sequence[str] | None
    columns: Sequence[str] | None
    where: pc.Expression | None


@dataclass(frozen=True, slots=True)
class Part:
    """Files of a table that are read alike.

    Attributes:
        only: the runs whose rows count; None if all rows do.
        version: of the table's schema that the files have.
    """

    files: ds.FileSystemDataset
    only: tuple[str, ...] | None
    version: int


class OpenLake:
    """A lake to read from. The tables' rows come as pandas frames with Arrow's types.

    Args:
        but: files and runs that are passed over.
    """

    def __init__(self, lake: Lake, but: Collection[str] = ()) -> None:
        lake.check_version()
        self.lake, self._but = lake, frozenset(but)

    def run_ids(self) -> list[str]:
        """The published runs, oldest first.

        Raises:
            PublicationError: the lake cannot be read.
        """
        return self.lake.run_ids()

    def instant_stats(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """What the service counted. Raises as `table`."""
        return self.frame("instant_stats", **filters)

    def traffic_buckets(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """What happened between neighbouring windows; `since` and `until` are of bucket_start. Raises as `table`."""
        return self.frame("traffic_buckets", **filters)

    def traffic_history(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """The history over all runs, of mailboxes unless `scopes` says otherwise; else as `table`.

        A plain sum counts nothing twice then: what was asked for a whole network is in the sum of its mailboxes, too.
        `since` and `until` are of span_start.
        """
        if filters.get("scopes") is None:
            filters["scopes"] = (MAILBOX,)
        return self.frame("traffic_history", **filters)

    def traffic_hours(self, tz: str = "UTC", **filters: Unpack[Filters]) -> pd.DataFrame:
        """The history by the hour: a row per series and hour, in a time zone whose hours may start at half past.

        Args:
            tz: a zone's name, as "Asia/Kolkata".
            filters: `since` and `until` are of the hour's start, a date in that zone or a time; `sessions`; `columns`;
                `scopes`, without which it is of mailboxes alone.

        Raises:
            ValueError: no such zone; else as `table`.
        """
        return self._periods("hour", tz, **filters)

    def traffic_days(self, tz: str = "UTC", **filters: Unpack[Filters]) -> pd.DataFrame:
        """The history by the day of a time zone: a row per series and day. Arguments and errors as `traffic_hours`."""
        return self._periods("day", tz, **filters)

    def _periods(self, period: str, tz: str, **filters: Unpack[Filters]) -> pd.DataFrame:
        zone, table = zone_of(tz), TABLES["traffic_history"]
        scopes = filters.get("scopes")
        scopes = _scopes((MAILBOX,) if scopes is None else scopes)
        views = [each for each in VIEWS.values() if each.period == period]
        name, names = views[0].name, [column.name for column in views[0].columns]
        columns = list(filters.get("columns") or names)
        if wrong := [column for column in columns if column not in names]:
            raise ValueError(f"column {wrong[0]!r} of {name}: must be one of {', '.join(names)}")
        if wrong := sorted(
            {"runs", "where"} & {key for key, value in filters.items() if value is not None}
        ):
            raise ValueError(
                f"filter {wrong[0]!r} of {name}: must be one of since, until, sessions, scopes, columns"
            )
        since, until = (
            None if when is None else bound(when, zone)
            for when in (_date(table, key, filters.get(key)) for key in ("since", "until"))
        )
        touches: Filters = {"sessions": filters.get("sessions"), "scopes": scopes}
        if since is not None:
            touches["since"] = since - LONGEST
            touches["where"] = pc.field("span_end") > pa.scalar(since, pa.timestamp("us", "UTC"))
        if until is not None:
            touches["until"] = until + timedelta(days=2)
        history = self.table(table.name, **touches)
        found = pa.concat_tables(
            periods(history, each, zone, since, until) for each in views if each.scope in scopes
        )
        return found.select(columns).to_pandas(types_mapper=pd.ArrowDtype)

    def calls(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """The ledger. Raises as `table`."""
        return self.frame("calls", **filters)

    def dataset_extras(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """Whatever else the service said. Raises as `table`."""
        return self.frame("dataset_extras", **filters)

    def sessions(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """What WhoAmI said. Raises as `table`."""
        return self.frame("sessions", **filters)

    def raw(self, **filters: Unpack[Filters]) -> pd.DataFrame:
        """The landed replies. Raises as `table`."""
        return self.frame("raw", **filters)

    def frame(self, name: str, **filters: Unpack[Filters]) -> pd.DataFrame:
        """A table as a frame with Arrow's types. Raises as `table`."""
        return self.table(name, **filters).to_pandas(types_mapper=pd.ArrowDtype)

    def table(self, name: str, **filters: Unpack[Filters]) -> pa.Table:
        """A table's rows, the partition column last, in Arrow.

        Raises:
            ValueError: no such table, column, date or filter.
            PublicationError: a file or manifest cannot be read, or does not fit this program.
        """
        table = _known(name)
        schema = _schema(table)
        columns = list(filters.get("columns") or schema.names)
        unknown = [column for column in columns if column not in schema.names]
        if unknown:
            raise ValueError(
                f"column {unknown[0]!r} of {name}: must be one of {', '.join(schema.names)}"
            )
        condition = self.condition(name, **filters)
        coded = _coded(name, columns) if filters.get("where") is None else ()
        days = _days(table, **filters) if table.by_month else (None, None)

        def rows(published: Published) -> pa.Table:
            found = [schema.empty_table().select(columns)]
            for part in self._parts(published, table, coded, days):
                runs = None if part.only is None else pc.field("run_id").isin(part.only)
                of_part = part.files.to_table(columns, filter=_both(condition, runs))
                found.append(of_part.cast(found[0].schema))
            return pa.concat_tables(found)

        return self._read([table], rows, self._wanted(table, **filters))

    def parts(self, *names: str) -> list[list[Part]]:
        """The files of tables, all of one state of the lake, under the contract's schema.

        Files of other versions have nulls for columns that they do not have.

        Raises:
            ValueError: no such table.
            PublicationError: a manifest or file cannot be read, or does not fit this program.
        """
        tables = [_known(name) for name in names]

        def parts(published: Published) -> list[list[Part]]:
            return [self._parts(published, table) for table in tables]

        return self._read(tables, parts)

    def _read(
        self,
        tables: Sequence[Table],
        read: Callable[[Published], _Read],
        wanted: Callable[[str, Entry], bool] = lambda _run_id, _entry: True,
    ) -> _Read:
        """What comes of one state of the lake; of the next, if a change took files away before they were opened."""
        failure: Exception | None = None
        before: Published | None = None
        for _ in range(TRIES):
            published = self.lake.published(wanted)
            if before is not None and published.state == before.state:
                break
            try:
                return read(published)
            except (OSError, pa.ArrowException) as error:
                failure, before = error, published
        raise self._unreadable(tables, failure) from failure

    def _parts(
        self,
        published: Published,
        table: Table,
        coded: Collection[str] = (),
        days: tuple[date | None, date | None] = (None, None),
    ) -> list[Part]:
        """The files as `parts` gives them; columns of text that are `coded` are dictionaries.

        Args:
            days: the first and the last that are wanted, of a table with a file for each day; None for no end.
        """
        groups: dict[tuple[tuple[str, ...] | None, int], list[str]] = {}
        known = {table.version}
        for file in published.files(table.name):
            if file.path in self._but or not _is_within(file.path, *days):
                continue
            if file.schema_version not in known:
                self._check(table, file.path)
                known.add(file.schema_version)
            groups.setdefault((file.only, file.schema_version), []).append(file.path)
        return [
            Part(self._dataset(table, paths, coded), only, version)
            for (only, version), paths in groups.items()
        ]

    @staticmethod
    def condition(name: str, **filters: Unpack[Filters]) -> pc.Expression | None:
        """The filters as one condition on rows.

        Raises:
            ValueError: an unknown filter, a date that is none, or no such scope.
            TypeError: one label where there should be a list.
        """
        table = _known(name)
        wrong = filters.keys() - Filters.__annotations__.keys()
        if wrong:
            known = ", ".join(Filters.__annotations__)
            raise ValueError(f"filter {min(wrong)!r}: must be one of {known}")
        found = filters.get("where")
        for key, at_least in (("since", True), ("until", False)):
            when = _date(table, key, filters.get(key))
            if when is not None:
                found = _both(found, _bound(table, when, at_least=at_least))
        for key, column in (("sessions", "session"), ("runs", "run_id")):
            values: Any = filters.get(key)
            if isinstance(values, str):
                raise TypeError(f"{key} = {values!r}: must be a list of them")
            if values:
                # the range is what tells row groups apart, by their statistics
                found = _both(found, pc.field(column) >= min(values))
                found = _both(found, pc.field(column) <= max(values))
            if values is not None:
                found = _both(found, pc.field(column).isin(pa.array(list(values), pa.string())))
        if (scopes := filters.get("scopes")) is not None:
            if not any(column.name == "scope" for column in table.columns):
                raise ValueError(f"filter 'scopes' of {name}: it has no column scope")
            of_scopes = pc.field("scope").isin(pa.array(list(_scopes(scopes)), pa.string()))
            # rows of version 1 say nothing, and are taken for a mailbox's
            found = _both(
                found, of_scopes | pc.field("scope").is_null() if MAILBOX in scopes else of_scopes
            )
        return found

    def _wanted(self, table: Table, **filters: Unpack[Filters]) -> Callable[[str, Entry], bool]:
        """Which runs may have such rows: of those that have not, no manifest needs to be read."""
        since, until = _days(table, **filters)
        runs = filters.get("runs")

        def wanted(run_id: str, entry: Entry) -> bool:
            if table.is_derived or run_id in self._but:
                return False
            first, last = entry.first, entry.last
            if table.partition_from is None:
                first = last = entry.run_date
            is_asked = runs is None or run_id in runs
            return is_asked and (since or last) <= last and first <= (until or first)

        return wanted

    def _check(self, table: Table, path: str) -> None:
        """Refuse a file of another version if it does not fit; others of that version are like it."""
        fragment = next(iter(self._dataset(table, [path]).get_fragments()))
        check_file(table, fragment.physical_schema, path)

    def _unreadable(self, tables: Sequence[Table], error: Exception | None) -> PublicationError:
        """What a reader's failure comes from: a file that is damaged, or else what the reader said."""
        for table in tables:
            if said := self.lake.damage(table.name):
                return PublicationError(said)
        names = ", ".join(table.name for table in tables)
        return PublicationError(f"{names} cannot be read: {_one_line(error)}")

    def _dataset(
        self, table: Table, paths: Sequence[str], coded: Collection[str] = ()
    ) -> ds.FileSystemDataset:
        storage = self.lake.storage
        schema = _schema(table)
        for name in coded:
            as_is = schema.field(name)
            schema = schema.set(schema.get_field_index(name), as_is.with_type(_CODES))
        return ds.dataset(
            [f"{storage.base}/{path}" for path in paths],
            schema=schema,
            format=ds.ParquetFileFormat(
                dictionary_columns=set(coded),
                default_fragment_scan_options=ds.ParquetFragmentScanOptions(
                    page_checksum_verification=True
                ),
            ),
            filesystem=storage.filesystem,
            partitioning=ds.partitioning(_partition(table), flavor="hive"),
            partition_base_dir=storage.base,
        )


def open_lake(address: str | Path, s3: S3Options | None = None) -> OpenLake:
    """The lake of a storage root, of the lake's own folder, or of an address like `s3://bucket/prefix`.

    Raises:
        ValueError: nothing opens the address.
        LakeVersionError: a newer program wrote the lake.
        PublicationError: the lake cannot be read.
    """
    if "://" not in str(address) and (Path(address) / "lake").is_dir():
        address = Path(address) / "lake"
    if "://" not in str(address) and not Path(address).is_dir():
        raise ValueError(f"lake {str(address)!r}: there is no such folder")
    return OpenLake(Lake.at(address, s3))


def _days(table: Table, **filters: Unpack[Filters]) -> tuple[date | None, date | None]:
    """The days in UTC that `since` and `until` are of."""
    since, until = (_day(_date(table, key, filters.get(key))) for key in ("since", "until"))
    return since, until


def _is_within(path: str, first: date | None, last: date | None) -> bool:
    """Whether a file may have rows of these days; one that says nothing of days may."""
    if first is last is None:
        return True
    with contextlib.suppress(ValueError):
        days = Days.of_file(path)
        return days.touches(Days(first or days.first, last or days.last))
    return True


def _bound(table: Table, when: date, *, at_least: bool) -> pc.Expression:
    partition = pc.field(table.partition)
    if table.by_month and not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day, tzinfo=UTC)
    if not isinstance(when, datetime):
        return partition >= pa.scalar(when) if at_least else partition < pa.scalar(when)
    date_of = when.astimezone(UTC).date()
    day = pa.scalar(date_of.replace(day=1) if table.by_month else date_of)
    moment, column = (
        pa.scalar(when, pa.timestamp("us", "UTC")),
        pc.field(table.partition_from or ""),
    )
    if at_least:
        return (column >= moment) & (partition >= day)
    return (column < moment) & (partition <= day)


def _date(table: Table, key: str, value: object) -> date | None:
    return _parsed(table, key, value) if isinstance(value, str | date) else None


def _day(when: date | None) -> date | None:
    """The day in UTC that a date or a time is of."""
    return when.astimezone(UTC).date() if isinstance(when, datetime) else when


def _parsed(table: Table, key: str, value: str | date) -> date:
    """A date, or a time with its zone."""
    try:
        when = value if isinstance(value, date) else _from_text(value)
    except ValueError as error:
        raise ValueError(f"{key} = {value!r}: must be a date like 2026-01-31") from error
    if isinstance(when, datetime):
        if table.partition_from is None:
            raise ValueError(
                f"{key} = {value!r}: {table.name} is by run_date, so it must be a date"
            )
        if when.tzinfo is None:
            raise ValueError(f"{key} = {value!r}: must have a zone, as {value}+00:00")
    return when


def _from_text(text: str) -> date:
    return date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)


def _scopes(scopes: Sequence[str]) -> Sequence[str]:
    """The scopes that are asked for, if there are such."""
    if isinstance(scopes, str):
        raise TypeError(f"scopes = {scopes!r}: must be a list of them")
    if wrong := [scope for scope in scopes if scope not in SCOPES]:
        raise ValueError(
            f"scopes = {list(scopes)!r}: {wrong[0]!r} must be one of {', '.join(SCOPES)}"
        )
    if not scopes:
        raise ValueError(f"scopes = []: must have one of {', '.join(SCOPES)}, or both")
    return scopes


def _known(name: str) -> Table:
    if name not in TABLES:
        raise ValueError(f"table {name!r}: must be one of {', '.join(TABLES)}")
    return TABLES[name]


def _coded(name: str, columns: Collection[str]) -> list[str]:
    """Columns to read as the codes that files have, spelled out only for the rows that are wanted: it saves a quarter.

    Not those that filters ask for: with codes no row group is left out by its statistics.
    """
    return [
        column
        for column in coded_columns(TABLES[name])
        if column in columns and column not in _ASKED
    ]


def _partition(table: Table) -> pa.Schema:
    return pa.schema([pa.field(table.partition, pa.date32())])


def _schema(table: Table) -> pa.Schema:
    return arrow_schema(table).append(_partition(table).field(0)).remove_metadata()


def _both(one: pc.Expression | None, other: pc.Expression | None) -> pc.Expression | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def _one_line(error: BaseException | None) -> str:
    return " ".join(str(error).split())[:300]
