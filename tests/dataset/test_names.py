"""Names are escaped and unescaped exactly as XmlConvert does it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pipelines.dataset import decode_name, encode_name

_ANY = st.text(max_size=20) | st.lists(
    st.sampled_from(["_", "x", "X", "0041", "005F", "0001F600", "_x0041_", "a", "-", ":", " "])
).map("".join)


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("Parcels In 1", "Parcels_x0020_In_x0020_1"),
        ("1st", "_x0031_st"),
        ("a_x0020_b", "a_x005F_x0020_b"),
        ("_x0041_x0042_", "_x005F_x0041_x005F_x0042_"),
        ("_X0020_", "_x005F_X0020_"),
        ("__x0041_", "__x005F_x0041_"),
        ("_x", "_x"),
        ("a_x0041", "a_x0041"),
        ("-dash", "_x002D_dash"),
        ("a.b-c", "a.b-c"),
        ("a:b", "a_x003A_b"),
        ("\U0001f600", "_x0001F600_"),
        ("naïve列名", "naïve列名"),
        ("\u0345", "_x0345_"),
        ("a_x0041-", "a_x0041-"),
        # XmlConvert leaves the "_" as it is, and cannot read its own name back.
        ("_x0041:", "_x005F_x0041_x003A_"),
        ("\ud83d", "_xD83D_"),
        ("", ""),
    ],
)
def test_escapes(name: str, encoded: str) -> None:
    """As recorded from .NET, in both directions."""
    assert encode_name(name) == encoded
    assert decode_name(encoded) == name


@pytest.mark.parametrize(
    ("encoded", "name"),
    [
        ("_xD83D__xDE00_", "\U0001f600"),
        ("_x0041_x0042_", "Ax0042_"),
        ("_x005F_x0041_", "_x0041_"),
        ("_x00110000_", "_x00110000_"),
        ("_x004g_", "_x004g_"),
        ("_x0041", "_x0041"),
        ("_X0041_", "A"),
    ],
)
def test_unescapes_once(encoded: str, name: str) -> None:
    """What is no escape stays; what an escape yields is not looked at again."""
    assert decode_name(encoded) == name


@given(_ANY)
def test_any_name_comes_back(name: str) -> None:
    """Whatever the characters."""
    assert decode_name(encode_name(name)) == name


@given(_ANY.filter(bool))
def test_an_escaped_name_is_an_xml_name(name: str) -> None:
    """A parser takes it for an element."""
    element = etree.fromstring(f"<{encode_name(name)}/>".encode())
    assert decode_name(str(element.tag)) == name
