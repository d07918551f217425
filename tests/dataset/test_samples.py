"""Every recorded reply of a real stack reads as .NET reads it."""

import pytest

from pipelines.dataset import read
from pipelines.dataset.errors import NotADataSetError
from tests.dataset.dotnet_view import differences
from tests.dataset.samples import BINDINGS, CASES, body_of, expected_of


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("case", CASES)
def test_reads_what_dotnet_reads(case: str, binding: str) -> None:
    """Names, types, rows, states and relations equal .NET's own dump of the same reply."""
    assert differences(read(*body_of(case, binding)), expected_of(case)) == []


@pytest.mark.parametrize("case", ["auth-code", "auth-details", "unhandled"])
@pytest.mark.parametrize("binding", BINDINGS)
def test_a_fault_is_no_dataset(case: str, binding: str) -> None:
    """A fault raises the typed error in every binding, text/plain included."""
    with pytest.raises(NotADataSetError):
        read(*body_of(f"faults/{case}", binding))
