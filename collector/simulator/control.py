"""The simulator's own pages under /_simulator/: truth, log, state, switches. JSON only."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from aiohttp import web

from collector.simulator.accounts import Accounts
from collector.simulator.clock import microseconds
from collector.simulator.record import Answered, Arrival, Log, instant
from collector.simulator.registry import Registry
from collector.simulator.traffic import Traffic

__all__ = ["Control"]

_ENTRIES_PER_WRITE: Final = 250  # what is shown without a pause: requests wait meanwhile
_MOST: Final = 1_000_000_000


class Control:
    """Answers questions about the simulator itself."""

    def __init__(self, log: Log, registry: Registry, accounts: Accounts, traffic: Traffic) -> None:
        self._log = log
        self._registry = registry
        self._accounts = accounts
        self._traffic = traffic

    async def reply(self, request: web.BaseRequest, page: str) -> web.StreamResponse:
        """The page `truth`, `log`, `state` or `switches`."""
        try:
            if page == "log":
                return await self._log_page(request)
            if page == "truth":
                return await self._truth_page(request)
            if page == "state":
                return web.json_response(self.state())
            if page == "switches":
                return await self._switches_page(request)
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(
            {"error": f"no page {page!r}: truth, log, state, switches"}, status=404
        )

    def state(self) -> dict[str, object]:
        """Sessions and sums."""
        totals = {
            "arrivals": self._log.total,
            "answers": self._log.answered_total,
            "dropped_from_log": self._log.dropped,
        }
        return {**self._accounts.state(), "requests": totals}

    def span(self, label: str, since_us: int, until_us: int) -> dict[str, object]:
        """The events of one mailbox in (since, until], by traffic and direction."""
        if self._accounts.user(label) is None:
            raise ValueError(f"session {label!r}: there is no such label")
        counts = self._traffic.counts(label, since_us, until_us)
        return {
            "session": label,
            "since": instant(since_us),
            "until": instant(until_us),
            "counts": {
                "parcel": {"in": counts.parcels_in, "out": counts.parcels_out},
                "interchange": {"in": counts.interchanges_in, "out": counts.interchanges_out},
            },
        }

    async def _truth_page(self, request: web.BaseRequest) -> web.StreamResponse:
        """Either the counts of one span, or the record of every answer."""
        query = request.query
        if "since" in query or "until" in query:
            missing = [name for name in ("session", "since", "until") if name not in query]
            if missing:
                raise ValueError(
                    f"a span needs session, since and until; {', '.join(missing)} is missing"
                )
            since_us, until_us = _instant_us(query["since"]), _instant_us(query["until"])
            return web.json_response(self.span(query["session"], since_us, until_us))
        label = query.get("session")
        part = self._log.answers_since(_number(query, "after"), _limit(query))
        answers = [each for each in part if label is None or each.session == label]
        sums = {"total": self._log.answered_total, "dropped": self._log.answers_dropped}
        return await _listed(request, "answers", answers, sums)

    async def _log_page(self, request: web.BaseRequest) -> web.StreamResponse:
        """The arrivals, those after a number or all."""
        part = self._log.since(_number(request.query, "since"), _limit(request.query))
        sums = {"total": self._log.total, "dropped": self._log.dropped}
        return await _listed(request, "entries", list(part), sums)

    async def _switches_page(self, request: web.BaseRequest) -> web.Response:
        """Shows the switches, after changing them if asked to."""
        if request.method == "POST":
            self.change(json.loads(await request.read()))
        return web.json_response(self._registry.texts())

    def change(self, wanted: object) -> None:
        """Sets switches from `{"switches": {name: value}, "sessions": {label: {name: value}}}`."""
        if not isinstance(wanted, dict) or not set(wanted) <= {"switches", "sessions"}:
            raise ValueError(
                'must be {"switches": {name: value}, "sessions": {label: {name: value}}}'
            )
        self._registry.change(wanted.get("switches", {}))
        for label, texts in wanted.get("sessions", {}).items():
            self._registry.change(texts, label)


def _instant_us(text: str) -> int:
    """Microseconds since 1970, or ISO 8601; without a zone it is UTC."""
    if text.lstrip("-").isdecimal():
        return int(text)
    return microseconds(datetime.fromisoformat(text))


def _number(query: Mapping[str, str], name: str, low: int = 0) -> int:
    """A number of the query; `low` where it is not there."""
    text = query.get(name, str(low))
    if not (text.isascii() and text.isdecimal() and low <= int(text[:12]) <= _MOST):
        raise ValueError(f"{name} = {text!r}: must be a whole number from {low} to {_MOST}")
    return int(text)


def _limit(query: Mapping[str, str]) -> int | None:
    """How many entries further, None for all."""
    return _number(query, "limit", 1) if "limit" in query else None


async def _listed(
    request: web.BaseRequest,
    name: str,
    entries: Sequence[Arrival] | Sequence[Answered],
    sums: Mapping[str, int],
) -> web.StreamResponse:
    """Entries as one JSON object, or as lines; written piece by piece, so that requests come between."""
    lines = request.query.get("format") == "jsonl"
    media = "application/jsonl" if lines else "application/json"
    pieces = _lines(entries) if lines else _object(name, entries, sums)
    headers = {"X-Dropped": str(sums["dropped"])}
    if len(entries) <= _ENTRIES_PER_WRITE:
        return web.Response(text="".join(pieces), headers=headers, content_type=media)
    response = web.StreamResponse(headers=headers)
    response.content_type = media
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece.encode())
        await asyncio.sleep(0)
    await response.write_eof()
    return response


def _lines(entries: Sequence[Arrival] | Sequence[Answered]) -> Iterator[str]:
    """One JSON object a line, some lines at a time."""
    for at in range(0, len(entries), _ENTRIES_PER_WRITE):
        part = entries[at : at + _ENTRIES_PER_WRITE]
        yield "".join(f"{json.dumps(each.shown())}\n" for each in part)


def _object(
    name: str, entries: Sequence[Arrival] | Sequence[Answered], sums: Mapping[str, int]
) -> Iterator[str]:
    """One JSON object: the entries under their name, some at a time, then the sums."""
    yield f'{{"{name}": ['
    for at in range(0, len(entries), _ENTRIES_PER_WRITE):
        part = entries[at : at + _ENTRIES_PER_WRITE]
        yield (", " if at else "") + ", ".join(json.dumps(each.shown()) for each in part)
    yield f"], {json.dumps(sums)[1:]}"
