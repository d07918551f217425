"""The full reader: walks the growing tree and hands rows to their tables.

Responsible for where rows stand in a document and for putting the DataSet together; the shortcut
for replies in .NET's own spelling must agree with it on everything.
"""

from lxml import etree

from pipelines.dataset.aliases import aliased, renamed
from pipelines.dataset.document import Document
from pipelines.dataset.envelope import DIFFGRAM, SCHEMA, Found, Holding, find_dataset
from pipelines.dataset.errors import HostileXmlError, NotADataSetError
from pipelines.dataset.limits import Limits
from pipelines.dataset.names import decode_name, speakable
from pipelines.dataset.namespaces import DIFFGR, clark
from pipelines.dataset.schema import Schema, TableSchema
from pipelines.dataset.table_builder import DIFF_ID, Budget, TableBuilder
from pipelines.dataset.tree import GrowingTree, NamespaceError, depth_within
from pipelines.dataset.verbatim import Restore
from pipelines.dataset.xsd import read_schema

__all__ = ["Reading", "RowTexts", "read_parts"]

_BEFORE = clark(DIFFGR, "before")
_ERRORS = clark(DIFFGR, "errors")
_ERROR = clark(DIFFGR, "Error")
_SPACE = " \t\r\n"

# A row's diffgr:id, and its error texts by the tag of their column, None for the row's own.
RowTexts = tuple[str, list[tuple[str | None, str]]]


def read_parts(document: Document, limits: Limits) -> "Reading":
    """Read one document; its tables are complete, but not put together."""
    try:
        return _read(document, limits, None)
    except NamespaceError:
        found = aliased(document)
        if found is None:
            raise
        plain, restore = found
        reading = _read(plain, limits, restore)
        reading.rename(restore)
        return reading


def _read(document: Document, limits: Limits, names: Restore | None) -> "Reading":
    tree = GrowingTree(document, limits)
    reading = Reading(Budget(limits, _both(tree.restore, names)))
    try:
        for _ in tree.grow():
            reading.step(tree)
    finally:
        tree.clear()
    if tree.restore is not None:
        reading.rename(tree.restore)
    return reading


def _both(first: Restore | None, second: Restore | None) -> Restore | None:
    if first is None or second is None:
        return first or second
    return lambda text: second(first(text))


class Reading:
    """A document while it is read, and what came of it.

    Attributes:
        schema: None as long as there is no DataSet.
        current: tables by tag, the DataSet's in its order, then undeclared ones.
        before: old versions of rows, by tag.
        errors: what `diffgr:errors` holds, by the tag of the table.
        plain: rows stand without a DiffGram around them.
    """

    def __init__(self, budget: Budget) -> None:
        self._limits = budget.limits
        self._budget = budget
        self._found: Found | None = None
        self.schema: Schema | None = None
        self.current: dict[str, TableBuilder] = {}
        self.before: dict[str, TableBuilder] = {}
        self._known: dict[str, TableSchema] = {}
        self.errors: dict[str, list[RowTexts]] = {}
        self.plain = False
        self._error_count = 0
        self._ended = False

    # --- walking ------------------------------------------------------------------------------

    def step(self, tree: GrowingTree) -> None:
        """Read what the tree has by now."""
        self._check_depth(tree)
        if self._found is None:
            self._found = find_dataset(tree.top, tree.complete)
        if self._found is not None and self._found.holding is not Holding.NULL:
            rows = self._budget.rows
            self._walk(self._found.holder, tree.complete)
            if self._budget.rows > rows:
                tree.consumed()
        # Whatever was read is no longer in the tree.
        if tree.complete and next(tree.top.iter(DIFFGRAM), None) is not None:
            raise NotADataSetError("there is another DiffGram beside the DataSet that was found")

    def _walk(self, holder: etree._Element, complete: bool) -> None:
        _no_text(holder)
        if self.schema is None and not self._read_schema(holder, complete):
            return
        if self.plain:
            self._consume(holder, complete, self.current)
            return
        for child, ended in _children(holder, complete):
            if child.tag != DIFFGRAM or self._ended:
                name = str(child.tag)[:200]
                raise NotADataSetError(f"{name!r} stands where a DataSet has its only DiffGram")
            self._diffgram(child, ended)
            if ended:
                self._ended = True
                holder.remove(child)

    def _check_depth(self, tree: GrowingTree) -> None:
        # The wrapper is not the document's.
        if not depth_within(tree.top, self._limits.depth):
            raise HostileXmlError(f"elements nested deeper than {self._limits.depth}")

    def _read_schema(self, holder: etree._Element, complete: bool) -> bool:
        first = next((child for child in holder if child.tag != SCHEMA), None)
        if first is None and not complete:
            return False
        roots = [child for child in holder if child.tag == SCHEMA]
        self.schema = read_schema(roots, self._limits) if roots else Schema()
        self.plain = first is not None and holder.find(DIFFGRAM) is None
        for root in roots:
            holder.remove(root)
        self._budget.columns = sum(len(table.columns) for table in self.schema.tables)
        for table in self.schema.tables:
            self._known.setdefault(table.tag, table)
        for table in self.schema.tables:
            self.current[table.tag] = self._new_builder(table, before=False)
        return True

    def _diffgram(self, diffgram: etree._Element, complete: bool) -> None:
        _no_text(diffgram)
        for child, ended in _children(diffgram, complete):
            if child.tag == _ERRORS:
                if ended:
                    self._take_errors(child)
            elif child.get(DIFF_ID) is not None:
                # A row beside the DataSet's element: .NET finds it there too.
                if ended:
                    self._row(child, self.current)
            else:
                self._consume(child, ended, self.before if child.tag == _BEFORE else self.current)
            if ended:
                diffgram.remove(child)

    def _take_errors(self, errors: etree._Element) -> None:
        self._error_count += sum(1 for _ in errors.iter())
        if self._error_count > self._limits.nodes:
            raise HostileXmlError(f"more than {self._limits.nodes} row errors")
        restore = self._budget.restore or str
        for row in errors:
            own = row.get(_ERROR)
            texts: list[tuple[str | None, str]] = [] if own is None else [(None, restore(own))]
            texts += [(str(cell.tag), restore(cell.get(_ERROR, ""))) for cell in row]
            self.errors.setdefault(str(row.tag), []).append((row.get(DIFF_ID, ""), texts))
        del errors[:]

    def _consume(
        self, parent: etree._Element, complete: bool, builders: dict[str, TableBuilder]
    ) -> None:
        """Read and drop all complete row elements; the last one may still grow."""
        _no_text(parent)
        rows = [child for child, ended in _children(parent, complete) if ended]
        for row in rows:
            if row.tag != SCHEMA:
                self._row(row, builders)
        del parent[: len(rows)]

    def _row(self, element: etree._Element, builders: dict[str, TableBuilder]) -> None:
        for child in self._builder(str(element.tag), builders).add(element):
            self._row(child, builders)

    def _builder(self, tag: str, builders: dict[str, TableBuilder]) -> TableBuilder:
        builder = builders.get(tag)
        if builder is None:
            schema = self._known.get(tag) or self._undeclared_table(tag)
            builder = builders[tag] = self._new_builder(schema, builders is self.before)
            if tag not in self.current:
                self.current[tag] = self._new_builder(schema, before=False)
        return builder

    def _new_builder(self, schema: TableSchema, before: bool) -> TableBuilder:
        return TableBuilder(schema, self._budget, self._known, plain=self.plain, before=before)

    def _undeclared_table(self, tag: str) -> TableSchema:
        if self.plain and self.schema is not None and self.schema.declared:
            raise NotADataSetError(f"{tag[:200]!r} is neither a DiffGram nor a table of the schema")
        if len(self._known) >= self._limits.tables:
            raise HostileXmlError(f"more than {self._limits.tables} tables")
        namespace, _, local = tag[1:].rpartition("}") if tag[0] == "{" else ("", "", tag)
        name = speakable(decode_name(local))
        schema = TableSchema(name, namespace, tag, declared=False)
        self._known[tag] = schema
        return schema

    def rename(self, restore: Restore) -> None:
        """Put true namespaces, or control characters, in place of what stood for them."""
        self.schema = renamed(self.schema, restore)
        for builder in (*self.current.values(), *self.before.values()):
            builder.flush()
            builder.unfit = [renamed(unfit, restore) for unfit in builder.unfit]
            builder.schema = renamed(builder.schema, restore)
            for column in builder.columns:
                column.column = renamed(column.column, restore)

    @property
    def is_null(self) -> bool:
        """Whether the document holds a null DataSet."""
        return self._found is None or self._found.holding is Holding.NULL


def _children(parent: etree._Element, complete: bool) -> list[tuple[etree._Element, bool]]:
    """Return the children, each with whether it has ended: the last one may still grow."""
    children = list(parent)
    return [(child, complete or child is not children[-1]) for child in children]


def _no_text(parent: etree._Element) -> None:
    """Refuse text around schema, DiffGram and rows: it belongs to no column."""
    for text in (parent.text, *(child.tail for child in parent)):
        if text and text.strip(_SPACE):
            raise NotADataSetError(f"text between rows or beside them: {text.strip(_SPACE)[:80]!r}")
