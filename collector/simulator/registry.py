"""Which switches hold for whom, and how often each call has come. No behaviour of its own."""

from collections.abc import Mapping
from typing import Final

from collector.simulator.selector import CallKey
from collector.simulator.switches import Switches

__all__ = ["Registry"]

_MAX_COUNTED: Final = 2_000_000


class Registry:
    """The switches of the service and of single sessions, changeable at run time."""

    def __init__(self, switches: Switches, overrides: Mapping[str, Switches]) -> None:
        self.switches = switches
        self._overrides = dict(overrides)
        self._numbers: dict[tuple[str, str], int] = {}
        self._attempts: dict[tuple[str, str, int, int], int] = {}

    def of(self, label: str) -> Switches:
        """The switches that hold for a session."""
        return self._overrides.get(label, self.switches)

    def change(self, texts: Mapping[str, object], label: str | None = None) -> None:
        """Sets switches, for everyone without an override or for one label.

        Raises:
            ValueError: an unknown switch, or a value that does not fit; nothing is changed.
        """
        if label is None:
            self.switches = self.switches.changed(texts)
        else:
            self._overrides[label] = self.of(label).changed(texts)

    def texts(self) -> dict[str, object]:
        """Every switch by name, and the overrides by label."""
        sessions = {label: switches.texts() for label, switches in self._overrides.items()}
        return {"switches": self.switches.texts(), "sessions": sessions}

    def arrived(self, label: str, operation: str, minutes1: int, minutes2: int) -> CallKey:
        """Counts one arrival of a call."""
        # Distinct windows are many; forgetting them all at once only makes attempts count anew.
        if len(self._attempts) >= _MAX_COUNTED:
            self._attempts.clear()
        number = self._numbers[label, operation] = self._numbers.get((label, operation), 0) + 1
        key = (label, operation, minutes1, minutes2)
        attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        return CallKey(label, operation, minutes1, minutes2, number, attempt)
