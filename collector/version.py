"""The version of the program, in one place; the build reads it here."""

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"
