"""The page of a night: what happened, what is missing, what to do. One file of HTML, made of the published tables.

`page_of` makes it, the same bytes of the same lake; `write_page` puts it into a folder, with an index of nights.
"""

from pipelines.report.files import KEPT_DAYS, Written, write_page, write_to
from pipelines.report.page import Page, page_of

__all__ = ["KEPT_DAYS", "Page", "Written", "page_of", "write_page", "write_to"]
