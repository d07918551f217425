"""Which calls a switch hits, decided by the call alone. Knows nothing of what the switch does."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

__all__ = ["ALWAYS", "NEVER", "CallKey", "Selector", "SelectorKind", "fraction"]

_TOP: Final = 2**64  # eight bytes of a digest


@dataclass(frozen=True, slots=True)
class CallKey:
    """What a selector may look at.

    Attributes:
        number: counts the calls of this operation by this session, from 1, in order of arrival.
        attempt: counts the arrivals of this very call (same session, operation and windows), from 1.
    """

    label: str
    operation: str
    minutes1: int
    minutes2: int
    number: int
    attempt: int


class SelectorKind(StrEnum):
    """The ways to choose calls."""

    NEVER = "never"
    ALWAYS = "always"
    EVERY = "every"  # every Nth call of a session
    FIRST = "first"  # the first N calls of a session
    CALL = "call"  # the Nth call of a session
    ATTEMPTS = "attempts"  # the first N attempts of each call: whoever retries gets through
    CHANCE = "p"  # with this probability, drawn anew for each attempt
    SHARE = "share"  # this share of the calls, at every attempt: retrying does not help
    MINUTES = "minutes"  # calls that ask for this window


_BARE: Final = (SelectorKind.NEVER, SelectorKind.ALWAYS)
_FRACTIONS: Final = (SelectorKind.CHANCE, SelectorKind.SHARE)
_RULES: Final[dict[SelectorKind, Callable[[int, CallKey], bool]]] = {
    SelectorKind.NEVER: lambda _, __: False,
    SelectorKind.ALWAYS: lambda _, __: True,
    SelectorKind.EVERY: lambda n, call: call.number % n == 0,
    SelectorKind.FIRST: lambda n, call: call.number <= n,
    SelectorKind.CALL: lambda n, call: call.number == n,
    SelectorKind.ATTEMPTS: lambda n, call: call.attempt <= n,
    SelectorKind.MINUTES: lambda n, call: n in (call.minutes1, call.minutes2),
}


def fraction(seed: int, *parts: object) -> float:
    """A number in [0, 1) drawn from the seed and the parts."""
    text = "\0".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / _TOP


@dataclass(frozen=True, slots=True)
class Selector:
    """One choice of calls.

    Written `never`, `always`, `every:3`, `first:2`, `call:4`, `attempts:1`, `p:0.1`, `share:0.1` or `minutes:60`.

    Raises:
        ValueError: a number that does not fit the kind.
    """

    kind: SelectorKind
    amount: float = 0

    def __post_init__(self) -> None:
        if self.kind in _BARE:
            return
        if self.kind in _FRACTIONS:
            if not 0 <= self.amount <= 1:
                raise ValueError(f"selector {self}: must be a probability from 0 to 1")
        elif self.amount < 1 or self.amount != int(self.amount):
            raise ValueError(f"selector {self}: must be a whole number from 1")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The selector written as `text`."""
        word, colon, amount = text.strip().partition(":")
        try:
            kind = SelectorKind(word)
            if bool(colon) == (kind in _BARE):
                raise ValueError
            return cls(kind, float(amount) if colon else 0)
        except ValueError as error:
            if word in list(SelectorKind) and str(error).startswith("selector"):
                raise
            raise ValueError(
                f"selector {text!r}: must be never, always, every:N, first:N, call:N, attempts:N, p:X, share:X "
                "or minutes:N"
            ) from None

    def __str__(self) -> str:
        return str(self.kind) if self.kind in _BARE else f"{self.kind}:{self.amount:g}"

    def hits(self, name: str, call: CallKey, seed: int) -> bool:
        """Whether the switch `name` hits this call."""
        if self.kind in _FRACTIONS:
            return self._drawn(name, call, seed)
        return _RULES[self.kind](int(self.amount), call)

    def _drawn(self, name: str, call: CallKey, seed: int) -> bool:
        """A draw that depends on the call, and for a chance also on the attempt."""
        attempt = call.attempt if self.kind is SelectorKind.CHANCE else 0
        parts = (name, call.label, call.operation, call.minutes1, call.minutes2, attempt)
        return fraction(seed, *parts) < self.amount


NEVER: Final = Selector(SelectorKind.NEVER)
ALWAYS: Final = Selector(SelectorKind.ALWAYS)
