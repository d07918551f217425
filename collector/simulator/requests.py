"""Which binding a request uses, and so who reads it. Knows paths only."""

from typing import Final

from collector.simulator.asked import Asked, Contract, RequestHead
from collector.simulator.faults import PAGE
from collector.simulator.form_requests import asked_by_form
from collector.simulator.soap_requests import asked_by_soap

__all__ = ["MAX_REQUEST_BYTES", "asked"]

MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024  # httpRuntime maxRequestLength, 4 MB unless configured


def asked(head: RequestHead, body: bytes, contract: Contract) -> Asked:
    """The operation a request asks for.

    Raises:
        Refused: with the reply the stack gives.
    """
    # The page itself speaks SOAP; what stands behind a slash is an operation of the plain bindings.
    if head.path == PAGE:
        return asked_by_soap(head, body, contract)
    return asked_by_form(head, body, contract, head.path.removeprefix(PAGE + "/"))
