"""A value that cannot print itself, and the masking of bytes that hold one."""

import contextlib
import html
import json
import re
from functools import lru_cache
from typing import Final, NoReturn
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

__all__ = ["MASK", "Secret", "mask", "without_part"]

MASK: Final = "********"
_MIN_MASKED: Final = 6  # characters of a secret, bytes of a part of one


class Secret:
    """A credential. `reveal` is the only way to the value; printing, formatting and pickling are not.

    Equality and hash compare the values, so that one credential is one key.
    """

    __slots__ = ("_hash", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._hash = hash((Secret, value))

    def reveal(self) -> str:
        """The value itself, for the request that is about to be sent."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not leave this process")


def mask(data: bytes, secrets: tuple[Secret, ...]) -> tuple[bytes, bool]:
    """`data` with every occurrence of a secret replaced, and whether there was one.

    A secret is found in either case (a GUID may come back in the other), as it is and as XML, HTML, JSON or a query
    would escape it. One of fewer than six characters is left alone: it would be found where it is not meant, in counts
    and names.
    """
    lowered = data.lower()
    found = [spelling for spelling in _looked_for(secrets) if spelling in lowered]
    if not found:
        return data, False
    # longest first, so that one spelling which contains another is masked whole
    any_of = b"|".join(re.escape(spelling) for spelling in sorted(found, key=len, reverse=True))
    return re.sub(any_of, MASK.encode(), data, flags=re.IGNORECASE), True


def without_part(data: bytes, secrets: tuple[Secret, ...]) -> tuple[bytes, bool]:
    """`data`, which was cut off somewhere, without the beginning of a secret at its end; and whether there was one.

    A beginning of fewer than six characters is left alone.
    """
    spellings = _looked_for(secrets)
    end = data[-max(map(len, spellings), default=1) :].lower()
    longest = max(
        (
            length
            for spelling in spellings
            for length in range(_MIN_MASKED, len(spelling))
            if end.endswith(spelling[:length])
        ),
        default=0,
    )
    return (data[:-longest] + MASK.encode(), True) if longest else (data, False)


@lru_cache(maxsize=1024)
def _looked_for(secrets: tuple[Secret, ...]) -> tuple[bytes, ...]:
    """The bytes to look for: every spelling of every secret that is long enough, each once, in lower case."""
    values = [secret.reveal() for secret in secrets if len(secret.reveal()) >= _MIN_MASKED]
    return tuple(dict.fromkeys(spelling for value in values for spelling in _spellings(value)))


@lru_cache(maxsize=1024)
def _spellings(value: str) -> tuple[bytes, ...]:
    """A secret as it is and as XML, HTML, JSON or a query escapes it, in several encodings; ASCII in lower case."""
    quoted = html.escape(value)
    forms = {value, escape(value), escape(value, {'"': "&quot;"}), quoted, _dotnet_html(value)}
    forms |= {quoted.replace("&#x27;", reference) for reference in ("&#39;", "&apos;")}
    forms |= {quote(value, safe=""), quote_plus(value)}
    forms |= {json.dumps(value, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)}
    found = set()
    for form in forms:
        for codec in ("utf-8", "utf-16-le", "utf-16-be", "cp1252"):
            with contextlib.suppress(UnicodeEncodeError):
                found.add(form.encode(codec).lower())
    return tuple(found)


def _dotnet_html(value: str) -> str:
    """As HttpUtility.HtmlEncode writes it: decimal references for the apostrophe and for U+00A0 to U+00FF."""
    escaped = html.escape(value).replace("&#x27;", "&#39;")
    return "".join(f"&#{ord(c)};" if 0xA0 <= ord(c) <= 0xFF else c for c in escaped)
