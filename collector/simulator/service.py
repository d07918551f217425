"""What the operations do: sessions, counts, faults. Knows nothing of sockets and little of bytes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from collector.simulator.accounts import Accounts, LoginRefusal, User
from collector.simulator.asked import Asked
from collector.simulator.clock import Clock, net_date_time
from collector.simulator.faults import FaultKind, service_fault
from collector.simulator.mailboxes import mailbox_records
from collector.simulator.operations import STATS, STATS_EX
from collector.simulator.record import Answered, Arrival, Log
from collector.simulator.replies import (
    Answer,
    Record,
    WireReply,
    answer_reply,
    content_type,
    fault_reply,
)
from collector.simulator.stats import ALTERATIONS, EightCounts, altered, plain_body, stats_dataset
from collector.simulator.switches import (
    ExScope,
    ListScope,
    NetworkTotal,
    QuietMailbox,
    Switches,
)
from collector.simulator.traffic import SummedTraffic, Traffic
from collector.simulator.windows import measured

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VERSION", "Caller", "Service"]

VERSION: Final = "v4.1 (simulator)"
_DATA_SWITCHES: Final = ALTERATIONS | {"other_operation", "other_windows"}
_OTHER_BY: Final = 60  # minutes
_LONGEST: Final = 32_767  # minutes; Minutes1 and Minutes2 are xs:short
_OTHER_NAMESPACE: Final = "http://www.ecgridos.net/"

_FAULT_SWITCHES: Final = {
    "fault_authentication": FaultKind.AUTHENTICATION,
    "fault_authorisation": FaultKind.AUTHORISATION,
    "fault_parameter": FaultKind.PARAMETER,
    "fault_not_found": FaultKind.NOT_FOUND,
    "fault_system": FaultKind.SYSTEM,
    "fault_framework": FaultKind.FRAMEWORK,
    "fault_unknown": FaultKind.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and under which switches.

    Attributes:
        hits: the selectors' names that hit this call.
    """

    label: str
    address: str
    switches: Switches
    hits: frozenset[str]
    arrival: Arrival


class _Faulted(Exception):  # noqa: N818  leaves an operation early; always caught in `perform`
    def __init__(self, kind: FaultKind, item: str | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.item = item


class Service:
    """The operations over accounts and traffic."""

    def __init__(self, accounts: Accounts, traffic: Traffic, clock: Clock, log: Log) -> None:
        self._accounts = accounts
        self._traffic = traffic
        self._clock = clock
        self._log = log
        self._operations: dict[str, Callable[[Asked, Caller], WireReply]] = {
            "NowUTC": self._now_utc,
            "Version": self._version,
            "Login": self._login,
            "Logout": self._logout,
            "WhoAmI": self._who_am_i,
            STATS: self._stats,
            STATS_EX: self._stats_ex,
            "MailboxList": self._mailbox_list,
            "MailboxListEx": self._mailbox_list,
        }

    def label_of(self, asked: Asked) -> str:
        """Whose mailbox the request is about: the one that it names, if there is one, else the caller's."""
        named = asked.numbers.get("MailboxID")
        user = None if named is None else self._accounts.user_of_mailbox(named)
        return user.label if user else self.caller_of(asked)

    def caller_of(self, asked: Asked) -> str:
        """Whose credential the request carries, valid or not; "" if nobody's."""
        if asked.operation.name == "Login":
            user = self._accounts.user_of_login(asked.strings.get("LoginName") or "")
        else:
            user = self._accounts.owner(asked.strings.get("SessionID") or "")
        return user.label if user else ""

    def now_us(self, switches: Switches) -> int:
        """The service's clock."""
        return self._clock.now_us() + int(switches.clock_offset_seconds * 1_000_000)

    def perform(self, asked: Asked, caller: Caller) -> WireReply:
        """The reply to an operation."""
        try:
            for name, kind in _FAULT_SWITCHES.items():
                if name in caller.hits:
                    raise _Faulted(kind)
            return self._operations[asked.operation.name](asked, caller)
        except _Faulted as faulted:
            fault = service_fault(faulted.kind, caller.switches.fault_shape, item=faulted.item)
            return fault_reply(fault, asked.binding, faulted.kind)

    def _simple(self, asked: Asked, caller: Caller, value: str, type_name: str) -> WireReply:
        """An answer of a simple type."""
        answer = Answer(asked.operation.name, value, type_name)
        return answer_reply(answer, asked.binding, _namespace(caller))

    def _now_utc(self, asked: Asked, caller: Caller) -> WireReply:
        return self._simple(asked, caller, net_date_time(self.now_us(caller.switches)), "dateTime")

    def _version(self, asked: Asked, caller: Caller) -> WireReply:
        return self._simple(asked, caller, VERSION, "string")

    def _login(self, asked: Asked, caller: Caller) -> WireReply:
        """Opens a session, unless the password is wrong or the cap is reached."""
        if "login_refused" in caller.hits:
            raise _Faulted(FaultKind.AUTHENTICATION, "LoginName")
        opened = self._accounts.login(
            asked.strings["LoginName"] or "",
            asked.strings["Password"] or "",
            caller.address,
            self.now_us(caller.switches),
            caller.switches,
        )
        if isinstance(opened, LoginRefusal):
            raise _Faulted(FaultKind(opened), "LoginName")
        return self._simple(asked, caller, opened.session_id, "string")

    def _logout(self, asked: Asked, caller: Caller) -> WireReply:
        """Closes a session; one that is not open is an authentication fault."""
        if not self._accounts.logout(asked.strings["SessionID"] or ""):
            raise _Faulted(FaultKind.AUTHENTICATION)
        # The contract says int and nobody says what; 0 is Success in the list of return codes.
        return self._simple(asked, caller, "0", "int")

    def _who_am_i(self, asked: Asked, caller: Caller) -> WireReply:
        """The session's facts."""
        user = self._admitted(asked, caller)
        answer = Answer(
            "WhoAmI", self._session_info(asked.strings["SessionID"] or "", user, caller)
        )
        return answer_reply(answer, asked.binding, _namespace(caller))

    def _session_info(self, session_id: str, user: User, caller: Caller) -> Record:
        """Every field of the contract; made up, except what tests and clients can check."""
        now_us = self.now_us(caller.switches)
        last_login_us = self._accounts.last_login_us(user.label)
        session = self._accounts.session(session_id)
        fields = (
            ("ECGridOSVersion", VERSION),
            ("SessionID", session_id),
            ("SessionEventID", str(session.calls if session else 0)),
            ("UserID", str(user.user_id)),
            ("LoginName", user.credentials.login_name or f"fake-login-{user.label}"),
            ("FirstName", "Simulated"),
            ("LastName", user.label),
            ("Company", "Simulator"),
            ("EMail", f"{user.label}@example.invalid"),
            ("Phone", None),
            ("TimeZoneOffset", "0"),
            (
                "AuthLevel",
                "MailboxUser" if caller.switches.list_scope is ListScope.NONE else "NetworkUser",
            ),
            ("LastLogin", net_date_time(now_us if last_login_us is None else last_login_us)),
            ("OpenSessions", str(self._accounts.open_sessions(user.label))),
            ("TimeOut", str(caller.switches.session_timeout_seconds)),
            ("NetworkID", str(user.network_id)),
            ("MailboxID", str(user.mailbox_id)),
            ("ip", caller.address),
        )
        return Record("SessionInfo", fields)

    def _admitted(self, asked: Asked, caller: Caller) -> User:
        """The user a call is for, or the fault for a session that is no good."""
        user = self._accounts.admitted(
            asked.strings["SessionID"] or "",
            caller.address,
            self.now_us(caller.switches),
            caller.switches,
        )
        if user is None:
            raise _Faulted(FaultKind.AUTHENTICATION)
        return user

    def _mailbox_list(self, asked: Asked, caller: Caller) -> WireReply:
        """The mailboxes of the caller's network or a given one, whose names contain what is asked for."""
        user, scope = self._admitted(asked, caller), caller.switches.list_scope
        network_id = asked.numbers.get("NetworkID", user.network_id)
        if scope is ListScope.NONE or (
            scope is ListScope.NETWORK and network_id != user.network_id
        ):
            raise _Faulted(FaultKind.AUTHORISATION)
        owners = self._accounts.users_of_network(network_id)
        if not owners:
            raise _Faulted(FaultKind.NOT_FOUND, "NetworkID")
        answer = Answer(
            asked.operation.name,
            mailbox_records(owners, asked.strings.get("Name") or "", caller.switches),
        )
        return answer_reply(answer, asked.binding, _namespace(caller))

    def _stats(self, asked: Asked, caller: Caller) -> WireReply:
        user = self._admitted(asked, caller)
        return self._statistics(asked, caller, user.label, self._traffic)

    def _stats_ex(self, asked: Asked, caller: Caller) -> WireReply:
        """The counts of a given mailbox, if the caller may see it."""
        user = self._admitted(asked, caller)
        if asked.numbers["MailboxID"] == 0:
            return self._network_stats(asked, caller, user)
        target = self._accounts.user_of_mailbox(asked.numbers["MailboxID"])
        if target is None or target.network_id != asked.numbers["NetworkID"]:
            raise _Faulted(FaultKind.NOT_FOUND)
        scope = caller.switches.ex_scope
        allowed = scope is not ExScope.NONE and (
            target is user or (scope is ExScope.NETWORK and target.network_id == user.network_id)
        )
        if not allowed:
            raise _Faulted(FaultKind.AUTHORISATION)
        return self._statistics(asked, caller, target.label, self._traffic)

    def _network_stats(self, asked: Asked, caller: Caller, user: User) -> WireReply:
        """The counts of the network's mailboxes together, or of its Root mailbox, which has traffic of its own."""
        network_id, switches = asked.numbers["NetworkID"], caller.switches
        users = self._accounts.users_of_network(network_id)
        if not users:
            raise _Faulted(FaultKind.NOT_FOUND)
        allowed = switches.ex_scope is ExScope.NETWORK and user.network_id == network_id
        if not allowed or switches.network_total is NetworkTotal.DENIED:
            raise _Faulted(FaultKind.AUTHORISATION)
        traffic = self._traffic
        if switches.network_total is NetworkTotal.SUM:
            traffic = SummedTraffic(traffic, tuple(each.label for each in users))
        return self._statistics(asked, caller, f"network-{network_id}", traffic)

    def _statistics(self, asked: Asked, caller: Caller, label: str, traffic: Traffic) -> WireReply:
        """The counts of a mailbox; remembers the truth before any switch alters the answer."""
        switches = caller.switches
        windows = asked.numbers["Minutes1"], asked.numbers["Minutes2"]
        now_us = self.now_us(switches)
        found = measured(traffic, label, windows, now_us, switches)
        hits = caller.hits & _DATA_SWITCHES
        if switches.quiet_mailbox is QuietMailbox.NO_ROW and not any(found.counts):
            hits |= {"zero_rows"}
        truth = Answered(
            caller.arrival.number,
            label,
            *windows,
            found.now1_us,
            found.now2_us,
            found.counts,
            tuple(sorted(hits)),
        )
        self._log.answered(truth)
        if "other_windows" in hits:
            windows = _other(windows[0]), _other(windows[1])
            found = measured(traffic, label, windows, now_us, switches)
        return self._told(asked, caller, found.counts, windows, hits)

    def _told(
        self,
        asked: Asked,
        caller: Caller,
        counts: EightCounts,
        windows: tuple[int, int],
        hits: frozenset[str],
    ) -> WireReply:
        """The counts as they are, or as the switches say."""
        namespace = _namespace(caller)
        if "other_operation" in hits:
            return answer_reply(Answer("Version", VERSION, "string"), asked.binding, namespace)
        if not hits:
            body = plain_body(counts, asked.binding, namespace, asked.operation.name)
            return WireReply(200, content_type(asked.binding), body)
        now = datetime.fromtimestamp(self.now_us(caller.switches) // 1_000_000, UTC)
        data = altered(stats_dataset(counts), hits, now, windows)
        return answer_reply(Answer(asked.operation.name, data), asked.binding, namespace)


def _other(minutes: int) -> int:
    """A window that nobody asked for."""
    return minutes + _OTHER_BY if minutes <= _LONGEST - _OTHER_BY else minutes - _OTHER_BY


def _namespace(caller: Caller) -> str:
    """The namespace the answer is in."""
    return _OTHER_NAMESPACE if "foreign_namespace" in caller.hits else caller.switches.namespace
