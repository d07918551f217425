"""The queue of one session at the service: what remains to be sent, in what order. Sends nothing.

A session is a credential: the labels that share it share its rate, its concurrency and its login, and take turns. A
label has one call in flight as long as another label may give one, so none holds up its neighbours; one whose replies
are slow comes after the others. A label is started when no started one may give a call: most wait long.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from collector.domain.calls import Call
from collector.domain.outcomes import Tries
from collector.scheduling.rate_gates import SessionGate

__all__ = [
    "NEVER_TRIED",
    "Label",
    "SessionQueue",
    "SessionStep",
    "Standing",
    "Unstarted",
    "WorkItem",
]


class SessionStep(Enum):
    """What a session needs besides its calls."""

    LOGIN = "Login"
    WHO_AM_I = "WhoAmI"
    LOGOUT = "Logout"


class Standing(Enum):
    """What a queue can do now."""

    FRESH = "never started"
    READY = "may give an item now"
    READY_SLOW = "may give an item now, and answers slowly"
    TIMED = "may give an item at a known time"
    BLOCKED = "waits for one of its own requests"
    DONE = "gave everything"


NEVER_TRIED: Final = Tries()
_Calls = deque[tuple[Call, Tries]]


@dataclass(slots=True, eq=False)
class Label:
    """The calls of one label.

    Attributes:
        calls: those that may be given, with the tries of earlier attempts.
        left: calls without a final outcome, wherever they are.
        in_flight: calls in the hands of workers.
        is_settled: a call has its final outcome; before that there is one in flight at a time, so that a mailbox which
            the credential may not see is asked for once.
        slow: its last reply took much longer than is typical.
        has_turn: it stands among the labels that may give a call.
    """

    calls: _Calls
    left: int
    in_flight: int = 0
    is_settled: bool = False
    slow: bool = False
    has_turn: bool = False


@dataclass(slots=True)
class WorkItem:
    """One call or step of a session, handed out to a worker.

    Attributes:
        session: the label that it is for; of a step, the one in whose name it is sent.
        tries: how often it was tried before.
        label: where the call is from; None for a step.
        holds: how often all sending had been held when it was handed out.
    """

    queue: "SessionQueue"
    session: str
    item: Call | SessionStep
    tries: Tries = NEVER_TRIED
    label: Label | None = None
    holds: int = 0


@dataclass(slots=True, eq=False)
class SessionQueue:
    """What remains to be sent with one credential, and what may be sent now.

    Attributes:
        session: the label that stands for the credential.
        labels: all that have calls, each at least one; in their order they give their first, and send Login.
        start: the calls of a label, not tried in this invocation, with the tries of earlier ones; asked for once.
        closing_steps: taken when every call is settled.
        needs_login: Login comes before anything else.
        delayed: a heap of what is to be tried again: (not before, number, work).
        labels_left: how many labels have calls without a final outcome.
        denied: how many labels may not see what they ask for.
        in_flight: items in the hands of workers.
        unsent: those of them whose request was not written yet.
        has_answered: a reply came since its last Login; before that it has one request in flight at a time.
        slow: its replies take much longer than is typical.
        due_at: when it may give an item, where that is what it waits for (monotonic seconds).
    """

    session: str
    gate: SessionGate
    labels: deque[str]
    start: Callable[[str], _Calls]
    closing_steps: deque[SessionStep]
    needs_login: bool = False
    delayed: list[tuple[float, int, WorkItem]] = field(default_factory=list)
    labels_left: int = field(init=False)
    denied: int = 0
    in_flight: int = 0
    unsent: int = 0
    has_answered: bool = False
    slow: bool = False
    standing: Standing = Standing.FRESH
    due_at: float = 0.0
    _unstarted: deque[str] = field(init=False)
    _turns: deque[Label] = field(default_factory=deque)
    _slow_turns: deque[Label] = field(default_factory=deque)
    _busy: list[Label] = field(default_factory=list)  # with calls in flight, few

    def __post_init__(self) -> None:
        self._unstarted = deque(self.labels)
        self.labels_left = len(self.labels)

    @property
    def has_call(self) -> bool:
        """A call may be given, retries that wait for their time aside."""
        return bool(self._turns or self._unstarted or self._slow_turns or self._another())

    def take_login(self) -> WorkItem:
        """Login, each time in the name of another label."""
        session = self.labels[0]
        self.labels.rotate(-1)
        return WorkItem(self, session, SessionStep.LOGIN)

    def take_call(self, due: float) -> WorkItem | None:
        """The next call: one that is to be tried again by then, else that of the label whose turn it is."""
        while self.delayed and self.delayed[0][0] <= due:
            work = self.delayed[0][2]
            if not isinstance(work.item, Call) or work.label is None:
                break
            heapq.heappop(self.delayed)
            work.label.calls.appendleft((work.item, work.tries))
            self._line_up(work.label, first=True)
        label = self._next_label()
        if label is None:
            return None
        call, tries = label.calls.popleft()
        if not label.in_flight:
            self._busy.append(label)
        label.in_flight += 1
        return WorkItem(self, call.session, call, tries, label)

    def take_step(self) -> WorkItem | None:
        """The next step, once every call is settled and no other step is on its way."""
        if self.labels_left or self.in_flight:
            return None
        if self.delayed:
            return heapq.heappop(self.delayed)[2]
        return WorkItem(self, self.session, self.closing_steps.popleft())

    def ended(self, label: Label) -> None:
        """A call of this label is in no worker's hands any more."""
        label.in_flight -= 1
        if not label.in_flight:
            self._busy.remove(label)
        self._line_up(label)

    def settled(self, label: Label) -> bool:
        """A call of this label has its final outcome; whether it was the label's last one."""
        label.is_settled = True
        label.left -= 1
        self.labels_left -= not label.left
        return not label.left

    def _line_up(self, label: Label, *, first: bool = False) -> None:
        if not label.calls or label.in_flight or label.has_turn:
            return
        turns = self._slow_turns if label.slow else self._turns
        (turns.appendleft if first else turns.append)(label)
        label.has_turn = True

    def _next_label(self) -> Label | None:
        if self._unstarted and not self._turns:
            calls = self.start(self._unstarted.popleft())
            return Label(calls, len(calls))
        if turns := self._turns or self._slow_turns:
            label = turns.popleft()
            label.has_turn = False
            return label
        return self._another()

    def _another(self) -> Label | None:
        """One that may have another call in flight, since no other label may give any."""
        return next((label for label in self._busy if label.is_settled and label.calls), None)


class Unstarted:
    """Sessions that were not started yet, in their order. A queue is made when its turn comes: most wait long.

    Args:
        labels: those that share a session one after the other.
        session_of: the label that stands for a label's session.
        start: the queue of a session that these labels share.

    Attributes:
        labels_left: how many labels the sessions have that were not started.
    """

    def __init__(
        self,
        labels: Iterable[str],
        session_of: Callable[[str], str],
        start: Callable[[deque[str]], SessionQueue],
    ) -> None:
        self._labels = deque(labels)
        self._session_of = session_of
        self._start = start
        self._count = len(set(map(session_of, self._labels)))

    def __len__(self) -> int:
        return self._count

    @property
    def labels_left(self) -> int:
        """How many labels the sessions have that were not started."""
        return len(self._labels)

    def popleft(self) -> SessionQueue:
        """The queue of the next session."""
        labels = deque([self._labels.popleft()])
        session = self._session_of(labels[0])
        while self._labels and self._session_of(self._labels[0]) == session:
            labels.append(self._labels.popleft())
        self._count -= 1
        return self._start(labels)
