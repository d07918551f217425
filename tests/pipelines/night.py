"""A landed run to normalize: made with the real landing store, answers written out by hand."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collector.domain.binding import Binding
from collector.domain.calls import Call
from collector.domain.outcomes import FaultClass, Outcome, State
from collector.domain.replies import LandedReply
from collector.domain.run import RunInfo
from collector.domain.whoami import WhoAmI
from collector.landing import LandedRun, Landing
from tests.collector.landing_by_hand import minutes_of, stats_call

COLUMNS = tuple(
    f"{traffic}{direction}{slot}"
    for slot in (1, 2)
    for traffic in ("Parcels", "Interchanges")
    for direction in ("In", "Out")
)
STARTED_US = 1_769_824_800_000_000  # 2026-01-31T02:00:00Z
SENT_US = STARTED_US + 1_500_000
OBSERVED_US = STARTED_US + 2_000_000
RUN_ID = "20260131T020000Z-1f2e3d"

Row = Mapping[str, object]


def answer(
    *rows: Row, columns: Iterable[str] = COLUMNS, table: str = "Table", type_: str = "xs:int"
) -> bytes:
    """A SOAP answer with one table, as ASP.NET writes it."""
    declared = "".join(f'<xs:element name="{c}" type="{type_}" minOccurs="0" />' for c in columns)
    written = "".join(
        f'<{table} diffgr:id="{table}{n + 1}" msdata:rowOrder="{n}" diffgr:hasChanges="inserted">'
        + "".join(f"<{name}>{value}</{name}>" for name, value in row.items())
        + f"</{table}>"
        for n, row in enumerate(rows)
    )
    data = f'<NewDataSet xmlns="">{written}</NewDataSet>' if rows else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>'
        '<ReportInstantStatsResponse xmlns="https://os.ecgrid.io/"><ReportInstantStatsResult>'
        '<xs:schema id="NewDataSet" xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
        ' xmlns:msdata="urn:schemas-microsoft-com:xml-msdata">'
        '<xs:element name="NewDataSet" msdata:IsDataSet="true" msdata:UseCurrentLocale="true">'
        '<xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded">'
        f'<xs:element name="{table}"><xs:complexType><xs:sequence>{declared}</xs:sequence>'
        "</xs:complexType></xs:element></xs:choice></xs:complexType></xs:element></xs:schema>"
        '<diffgr:diffgram xmlns:msdata="urn:schemas-microsoft-com:xml-msdata"'
        f' xmlns:diffgr="urn:schemas-microsoft-com:xml-diffgram-v1">{data}</diffgr:diffgram>'
        "</ReportInstantStatsResult></ReportInstantStatsResponse></soap:Body></soap:Envelope>"
    ).encode()


NULL_ANSWER = (
    b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap='
    b'"http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    b'<ReportInstantStatsResponse xmlns="https://os.ecgrid.io/" /></soap:Body></soap:Envelope>'
)


def counts(first: int = 1, second: int = 10) -> dict[str, int]:
    """Eight counts: those of the first window from `first` up, those of the second from `second`."""
    starts = [first, first + 1, first + 2, first + 3, second, second + 1, second + 2, second + 3]
    return dict(zip(COLUMNS, starts, strict=True))


@dataclass
class Night:
    """A run in the making: what each call got."""

    calls: list[Call] = field(default_factory=list)
    replies: list[LandedReply] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    facts: list[WhoAmI] = field(default_factory=list)

    def plan(self, session: str = "acme", window1: int = 60, window2: int = 120) -> Call:
        """A call that nobody gets to."""
        call = stats_call(session, window1, window2)
        self.calls.append(call)
        return call

    def answered(
        self,
        body: bytes,
        session: str = "acme",
        window1: int = 60,
        window2: int = 120,
        *,
        observed_us: int | None = OBSERVED_US,
        headers: Mapping[str, str] | None = None,
        state: State = State.OK,
    ) -> Call:
        """A call with an answer."""
        call = self.plan(session, window1, window2)
        self._reply(call, 1, 200, body, headers)
        self.outcomes.append(
            Outcome(
                call.call_id,
                state,
                1,
                charged=1,
                answer_attempt=1,
                minutes=minutes_of(call),
                http_status=200,
                requested_at_us=SENT_US,
                observed_at_us=observed_us,
                latency_us=12_345,
                reply_bytes=len(body),
            )
        )
        return call

    def faulted(self, session: str = "acme", window1: int = 60, window2: int = 120) -> Call:
        """A call that was tried twice and got faults."""
        call = self.plan(session, window1, window2)
        for attempt in (1, 2):
            self._reply(call, attempt, 500, b"<fault/>", None)
        self.outcomes.append(
            Outcome(
                call.call_id,
                State.FAILED,
                2,
                charged=2,
                minutes=minutes_of(call),
                http_status=500,
                fault_class=FaultClass.SERVER,
                fault_text="out of order",
                requested_at_us=SENT_US,
                latency_us=7_000,
                reply_bytes=8,
            )
        )
        return call

    def retried(self, first: bytes, second: bytes, session: str = "acme") -> Call:
        """A call whose second attempt was the answer, though the first could be read as well."""
        call = self.answered(second, session)
        answered, outcome = self.replies.pop(), self.outcomes.pop()
        self._reply(call, 1, 200, first, None)
        self.replies.append(answered._replace(attempt=2))
        self.outcomes.append(outcome._replace(attempts=2, answer_attempt=2))
        return call

    def _reply(
        self, call: Call, attempt: int, status: int, body: bytes, headers: Mapping[str, str] | None
    ) -> None:
        self.replies.append(
            LandedReply(
                call.call_id,
                attempt,
                call.session,
                call.operation,
                minutes_of(call),
                Binding.SOAP11,
                "POST /ECGridOS.asmx HTTP/1.1",
                status,
                dict(headers or {"content-type": "text/xml; charset=utf-8"}),
                body,
                SENT_US,
                SENT_US + 12_345,
            )
        )

    def land(self, folder: Path, run_id: str = RUN_ID, started_us: int = STARTED_US) -> LandedRun:
        """The run as it was landed."""
        return LandedRun.open(asyncio.run(self._land(folder, run_id, started_us)))

    async def _land(self, folder: Path, run_id: str, started_us: int) -> Path:
        info = RunInfo(
            run_id,
            "https://os.ecgrid.io/",
            "https://os.ecgrid.io/",
            Binding.SOAP11,
            started_us,
        )
        landing = Landing.create(folder, info, self.calls)
        await asyncio.gather(*(landing.land(reply) for reply in self.replies))
        for outcome in self.outcomes:
            landing.settle(outcome, final=True)
        for facts in self.facts:
            landing.note(facts)
        landing.count_login()
        await landing.close()
        return landing.path
