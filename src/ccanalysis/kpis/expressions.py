"""The small language of measures and populations: conditions and sums over contract columns.

A text is parsed, every node is held against a list of what is allowed, types are checked, and SQL is built anew from
the tree; no text of a user ever becomes part of a query. There is no division (a ratio is declared as two sums), no
subquery, and no function but `coalesce` and the clocks: `seconds_between`, `days_between`, `business_days_between`,
`business_day` and `open_seconds_between`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from ccanalysis.contracts import Column, Table
from ccanalysis.dialects import DUCKDB, Dialect, Number
from ccanalysis.errors import ExpressionError, nearest

LONGEST = 400
DEEPEST = 30

Kind = Literal["number", "text", "boolean", "instant", "date", "null"]

_LANGUAGE = "Use columns, numbers, 'texts', and, or, not, comparisons, in (...), is null, + - *"
# Function -> how many times it takes, whether it takes a nation behind them, and an example.
_CLOCKS: dict[str, tuple[int, bool, str]] = {
    "seconds_between": (2, False, "seconds_between(earlier, later)"),
    "days_between": (2, False, "days_between(earlier, later)"),
    "business_days_between": (2, True, "business_days_between(earlier, later) or with a nation, as 'GB-SCT', behind"),
    "business_day": (1, True, "business_day(time) or with a nation, as 'GB-SCT', behind"),
    "open_seconds_between": (2, False, "open_seconds_between(earlier, later)"),
}
_FUNCTIONS = ("coalesce", *_CLOCKS)
_TOKENS = frozenset(
    {
        TokenType.VAR,
        TokenType.IDENTIFIER,
        TokenType.NUMBER,
        TokenType.STRING,
        TokenType.L_PAREN,
        TokenType.R_PAREN,
        TokenType.COMMA,
        TokenType.PLUS,
        TokenType.DASH,
        TokenType.STAR,
        TokenType.EQ,
        TokenType.NEQ,
        TokenType.LT,
        TokenType.LTE,
        TokenType.GT,
        TokenType.GTE,
        TokenType.AND,
        TokenType.OR,
        TokenType.NOT,
        TokenType.IN,
        TokenType.IS,
        TokenType.NULL,
        TokenType.TRUE,
        TokenType.FALSE,
        TokenType.BETWEEN,
        TokenType.CASE,
        TokenType.WHEN,
        TokenType.THEN,
        TokenType.ELSE,
        TokenType.END,
    }
)
# Words that may stand before a bracket without being the name of a function.
_BEFORE_BRACKET = _TOKENS - {TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING, TokenType.R_PAREN}
_NODES: frozenset[type[exp.Expression]] = frozenset(
    {
        exp.Column,
        exp.Identifier,
        exp.Literal,
        exp.Boolean,
        exp.Null,
        exp.And,
        exp.Or,
        exp.Not,
        exp.Paren,
        exp.EQ,
        exp.NEQ,
        exp.GT,
        exp.GTE,
        exp.LT,
        exp.LTE,
        exp.Is,
        exp.In,
        exp.Between,
        exp.Add,
        exp.Sub,
        exp.Mul,
        exp.Neg,
        exp.Coalesce,
        exp.Case,
        exp.If,
        exp.Anonymous,
    }
)
# What each operator needs on both sides, and gives.
_PARTS: dict[type[exp.Expression], Kind] = {
    exp.And: "boolean",
    exp.Or: "boolean",
    exp.Not: "boolean",
    exp.Add: "number",
    exp.Sub: "number",
    exp.Mul: "number",
    exp.Neg: "number",
}
_SIMPLE: dict[type[exp.Expression], Kind] = {exp.Boolean: "boolean", exp.Null: "null"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_KINDS: dict[str, Kind] = {
    "text": "text",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "instant": "instant",
    "date": "date",
}
_WANTED: dict[Kind, str] = {
    "number": "Use columns that are numbers",
    "boolean": "Write a comparison, such as wait_s > 0",
    "instant": "Use columns that are times",
}
_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = rf"{_DATE}([T ]\d{{2}}:\d{{2}}(:\d{{2}})?(Z|[+-]\d{{2}}:\d{{2}})?)?"
_WIDTHS: tuple[Number, ...] = ("integer", "decimal", "double")
_WORDS: dict[Kind, str] = {
    "number": "a number",
    "text": "a text",
    "boolean": "true or false",
    "instant": "a time",
    "date": "a date",
    "null": "null",
}


class Clock(NamedTuple):
    """What the component query must know of a time: its local day, its business day, or the open hours before it.

    Attributes:
        kind: `day`, `business` or `open`.
        column: The column with the time or day.
        nation: Whose holidays count, as `GB-SCT`; empty for the centre's own.
    """

    kind: Literal["day", "business", "open"]
    column: str
    nation: str = ""

    @property
    def name(self) -> str:
        """The name of its column in the query."""
        return "_".join(["", self.kind, self.column, *([self.nation] if self.nation else [])])


@dataclass(frozen=True)
class Expression:
    """An expression that was found to be allowed.

    Attributes:
        text: As it was written.
        columns: The contract columns it reads, in name order.
        sql: As DuckDB SQL with quoted identifiers.
        condition: Whether it is true or false, rather than a number.
        kind: What it gives: `number`, `text`, `boolean`, `instant`, `date` or `null`.
        clocks: What the query must know of times beside their value.
        number: Whether it gives whole numbers, exact decimals or doubles; engines round each in their own way.
        tree: As it was read, to be written for another engine.
    """

    text: str
    columns: tuple[str, ...]
    sql: str
    condition: bool
    kind: Kind = "number"
    clocks: tuple[Clock, ...] = ()
    number: Number = "integer"
    tree: exp.Expression | None = field(default=None, repr=False, compare=False)

    def written(self, dialect: Dialect) -> str:
        """Write it for an engine."""
        if dialect is DUCKDB or self.tree is None:
            return self.sql
        return _sql(self.tree, dialect)[0]


def parse(text: str, table: Table) -> Expression:
    """Read an expression over the columns of a contract table.

    Args:
        text: For example `outcome = 'answered' and wait_s <= 20`.
        table: Whose columns may be named.

    Raises:
        ExpressionError: It cannot be read, uses what is not allowed, compares what cannot be compared, or holds a
            column against a value that it never has; the message points at the place.

    Examples:
        >>> from ccanalysis.contracts import CONTACTS
        >>> parse("talk_s + acw_s", CONTACTS).columns
        ('acw_s', 'talk_s')
        >>> parse("wait_s <= 20 and outcome = 'answered'", CONTACTS).sql
        '"wait_s" <= 20 AND "outcome" = \\'answered\\''
    """
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError("an expression must be a text", remedy="Write for example wait_s <= 20")
    if len(text) > LONGEST or text.count("(") > DEEPEST:
        raise ExpressionError(
            f"the expression is longer than {LONGEST} characters or nested deeper than {DEEPEST}",
            remedy="Split it into several KPIs",
        )
    return _read(text, table)


@lru_cache(maxsize=512)  # a run asks for each side of each KPI several times
def _read(text: str, table: Table) -> Expression:
    reader = _Reader(text, table)
    kind = reader.kind(reader.tree)
    names = {node.name for node in reader.tree.find_all(exp.Column)}
    sql, clocks = _sql(reader.tree, DUCKDB)
    number = reader.number(reader.tree) if kind == "number" else "integer"
    return Expression(text, tuple(sorted(names)), sql, kind == "boolean", kind, clocks, number, reader.tree)


class _Reader:
    """Reads one expression: tokens, then the tree, then the types."""

    def __init__(self, text: str, table: Table) -> None:
        self.text, self.table = text, table
        self.columns: dict[str, Column] = {column.name: column for column in table.columns}
        self.tokens(self.tokenised())
        self.tree = self.parsed()
        for node in self.tree.walk():
            self.allowed(node)

    def error(self, problem: str, remedy: str, at: int | None = None) -> ExpressionError:
        place = "" if at is None else f", at character {at + 1}"
        return ExpressionError(f"{problem}{place} of {self.text!r}", remedy=remedy)

    def tokenised(self) -> list[Token]:
        try:
            return sqlglot.tokenize(self.text, read="duckdb")
        except sqlglot.errors.TokenError:
            quote = max(self.text.rfind("'"), self.text.rfind('"'))
            raise self.error("a quotation mark is not closed", "Write texts as 'voice'", quote) from None

    def tokens(self, tokens: list[Token]) -> None:
        strange = next((i for i, c in enumerate(self.text) if not c.isprintable() and c not in "\n\t"), None)
        if strange is not None:
            raise self.error("a control character is not allowed", "Take it out", strange)
        if any(token.comments for token in tokens) or not tokens:
            at = next((self.text.find(mark) for mark in ("--", "/*", "#") if mark in self.text), 0)
            raise self.error("a comment is not allowed", "Take it out", at)
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            known = token.text in self.columns
            called = following is not None and following.token_type == TokenType.L_PAREN
            word = re.fullmatch(r"\w+", token.text) is not None
            if called and word and token.token_type not in _BEFORE_BRACKET and token.text.lower() not in _FUNCTIONS:
                raise self.error(
                    f"the function {token.text!r} is not known",
                    f"Known are {', '.join(_FUNCTIONS)}",
                    token.start,
                )
            if token.token_type not in _TOKENS and not known and token.text.lower() != "coalesce":
                written = self.text[token.start : token.end + 1]
                raise self.error(f"{written!r} is not allowed", _LANGUAGE, token.start)

    def parsed(self) -> exp.Expression:
        try:
            trees = sqlglot.parse(self.text, read="duckdb")
        except (sqlglot.errors.SqlglotError, RecursionError) as error:
            details = (getattr(error, "errors", None) or [{}])[0]
            lines = self.text.splitlines(keepends=True)
            before = sum(map(len, lines[: (details.get("line") or 1) - 1]))
            end = details.get("col")
            at = before + end - len(details.get("highlight") or " ") if end else None
            raise self.error("the expression cannot be read", _LANGUAGE, at) from None
        except Exception:  # the parser meets what it was not made for
            raise self.error("the expression cannot be read", _LANGUAGE) from None
        if len(trees) != 1 or trees[0] is None:
            raise self.error("there is not exactly one expression", "Write one, without a semicolon")
        return trees[0]  # type: ignore[return-value]

    def allowed(self, node: exp.Expr) -> None:
        at = self.start(node)
        if type(node) not in _NODES:
            raise self.error(f"{node.sql(dialect='duckdb')!r} is not allowed", _LANGUAGE, at)
        if isinstance(node, exp.Column) and (node.table or node.name not in self.columns):
            raise self.error(
                f"table {self.table.name!r} has no column {node.name!r}", nearest(node.name, list(self.columns)), at
            )
        if isinstance(node, exp.Anonymous):
            self.clock(node)
        if isinstance(node, exp.In) and not node.args.get("expressions"):
            raise self.error("'in' takes a list", "Write for example channel in ('voice', 'chat')", at)
        if isinstance(node, exp.Between) and node.args.get("symmetric") is not None:
            raise self.error("'symmetric' is not allowed", "Write the lower end first", at)
        if isinstance(node, exp.If) and not isinstance(node.parent, exp.Case):
            raise self.error("'if' is not allowed", "Write case when ... then ... else ... end", at)
        if (
            isinstance(node, exp.Literal)
            and not node.is_string
            and not re.fullmatch(r"\d{1,12}(\.\d{0,6})?", node.name)
        ):
            raise self.error(
                f"the number {node.name} is not allowed", "Write at most 12 digits, and 6 after the point", at
            )

    def clock(self, node: exp.Anonymous) -> None:
        """Refuse a clock with other arguments than it takes."""
        name, at = node.name.lower(), self.text.find(node.name)
        times, regional, example = _CLOCKS.get(name, (-1, False, ""))
        given = node.expressions
        if len(given) not in (times, times + regional):
            words = {1: "one time", 2: "two times"}.get(times, "other arguments")
            raise self.error(f"{name} takes {words}", f"Write {example}", at)
        if name == "seconds_between":
            return
        if not all(isinstance(part, exp.Column) for part in given[:times]):
            raise self.error(f"{name} takes columns", f"Write {example}", at)
        for nation in given[times:]:
            if not (isinstance(nation, exp.Literal) and nation.is_string and nation.name in nations()):
                raise self.error(f"{name} knows no such nation", "Write a nation, as 'GB', or 'GB-ENG'", at)

    def start(self, node: exp.Expr) -> int | None:
        """Find the first character of a node; only names and literals know theirs."""
        found = [int(part.meta["start"]) for part in node.walk() if "start" in part.meta]
        return min(found) if found else None

    def kind(self, node: exp.Expression) -> Kind:
        """Tell what a node gives; raise where its parts do not go together."""
        if isinstance(node, exp.Column):
            return _KINDS[self.columns[node.name].type]
        if isinstance(node, exp.Literal):
            return "text" if node.is_string else "number"
        if type(node) in _SIMPLE:
            return _SIMPLE[type(node)]
        if type(node) in _PARTS:
            return self.each(node.iter_expressions(), _PARTS[type(node)])
        if isinstance(node, exp.Anonymous):
            return self.timed(node)
        if isinstance(node, exp.Is):
            self.each((node.this,), "boolean" if isinstance(node.expression, exp.Boolean) else None)
            return "boolean"
        if isinstance(node, (exp.In, exp.Between, *_COMPARISONS)):
            first, *others = node.iter_expressions()
            return self.compared(first, others)
        if isinstance(node, exp.Case):
            return self.case(node)
        return self.same(node.iter_expressions())  # brackets and coalesce

    def timed(self, node: exp.Anonymous) -> Kind:
        """Check that a clock is given times, or days where a day will do."""
        name = node.name.lower()
        for part in node.expressions[: _CLOCKS[name][0]]:
            if name in ("seconds_between", "open_seconds_between") or self.kind(part) != "date":
                self.each((part,), "instant")
        return "boolean" if name == "business_day" else "number"

    def each(self, parts: Iterable[exp.Expression], wanted: Kind | None) -> Kind:
        for part in parts:
            kind = self.kind(part)
            if wanted is not None and kind not in (wanted, "null"):
                raise self.error(
                    f"{part.sql(dialect='duckdb')!r} is {_WORDS[kind]} where {_WORDS[wanted]} is needed",
                    _WANTED[wanted],
                    self.start(part),
                )
        return wanted or "boolean"

    def compared(self, left: exp.Expression, others: Iterable[exp.Expression]) -> Kind:
        for right in others:
            kinds = self.kind(left), self.kind(right)
            if "null" in kinds:
                raise self.error(
                    "a comparison with null is never true", "Write is null or is not null", self.start(left)
                )
            if kinds[0] != kinds[1] and not self.moment(left, right) and not self.moment(right, left):
                raise self.error(
                    f"{_WORDS[kinds[0]]} is compared with {_WORDS[kinds[1]]}",
                    "Compare a column with a value of its own type",
                    self.start(left),
                )
            self.listed(left, right)
            self.listed(right, left)
        return "boolean"

    def moment(self, column: exp.Expression, literal: exp.Expression) -> bool:
        """Tell whether a time or date is compared with one that is written in ISO 8601."""
        kind = self.kind(column)
        if kind not in ("instant", "date") or not (isinstance(literal, exp.Literal) and literal.is_string):
            return False
        form, reader = (_TIME, datetime) if kind == "instant" else (_DATE, date)
        try:
            readable = re.fullmatch(form, literal.name, re.ASCII) and reader.fromisoformat(literal.name)
        except ValueError:
            readable = None
        if not readable:
            raise self.error(
                f"{literal.name!r} is not {_WORDS[kind]}", "Write for example '2026-11-30'", self.start(literal)
            )
        literal.meta["moment"] = kind
        return True

    def listed(self, column: exp.Expression, literal: exp.Expression) -> None:
        """Refuse a value that the column never has: a mistyped code would count nothing, in silence."""
        if isinstance(column, exp.Column) and isinstance(literal, exp.Literal) and literal.is_string:
            values = self.columns[column.name].values
            if values and literal.name not in values:
                raise self.error(
                    f"{literal.name!r} is not a value of {column.name!r}",
                    nearest(literal.name, values),
                    self.start(literal),
                )

    def same(self, parts: Iterable[exp.Expression]) -> Kind:
        """Give the one kind of several results."""
        found: Kind = "null"
        for part in parts:
            kind = self.kind(part)
            if found not in ("null", kind) and kind != "null":
                raise self.error(
                    f"{_WORDS[found]} and {_WORDS[kind]} do not go together",
                    "Give results of one type",
                    self.start(part),
                )
            found = kind if kind != "null" else found
        return found

    def case(self, node: exp.Case) -> Kind:
        results = []
        for branch in node.args["ifs"]:
            if node.this is None:
                self.each((branch.this,), "boolean")
            else:
                self.compared(node.this, [branch.this])
            results.append(branch.args["true"])
        default = node.args.get("default")
        return self.same([*results, *([default] if default is not None else [])])

    def number(self, node: exp.Expression) -> Number:
        """Tell whether a number is whole, an exact decimal or a double: the widest of its parts."""
        if isinstance(node, exp.Column):
            return "double" if self.columns[node.name].type == "number" else "integer"
        if isinstance(node, exp.Literal):
            return "decimal" if "." in node.name else "integer"
        if isinstance(node, (exp.Anonymous, exp.Null)):
            return "integer"
        if isinstance(node, exp.Case):
            parts = [branch.args["true"] for branch in node.args["ifs"]]
            parts += [node.args["default"]] if node.args.get("default") is not None else []
        else:
            parts = list(node.iter_expressions())
        return max((self.number(part) for part in parts), key=_WIDTHS.index, default="integer")


@lru_cache(maxsize=1)
def nations() -> frozenset[str]:
    """List the nations, and their regions, whose holidays are known."""
    from holidays import list_supported_countries  # noqa: PLC0415  only where an expression names a nation

    listed = list_supported_countries(include_aliases=False).items()
    return frozenset(
        [nation for nation, _ in listed] + [f"{nation}-{part}" for nation, parts in listed for part in parts]
    )


def _sql(tree: exp.Expression, dialect: Dialect) -> tuple[str, tuple[Clock, ...]]:
    """Write the tree as SQL, with quoted names and with the columns of the clocks it asks."""
    tree = tree.copy()
    clocks: set[Clock] = set()
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("quoted", True)
    for literal in list(tree.find_all(exp.Literal)):
        if literal.is_string and dialect is not DUCKDB and not isinstance(literal.parent, exp.Anonymous):
            moment = literal.meta.get("moment")
            if moment == "date":
                tree = _replaced(tree, literal, dialect.day(date.fromisoformat(literal.name)))
            else:
                write = dialect.instant if moment == "instant" else dialect.text
                tree = _replaced(tree, literal, write(literal.name))
    for call in list(tree.find_all(exp.Anonymous)):
        tree = _replaced(tree, call, _clock(call, clocks, dialect))
    return tree.sql(dialect=dialect.name), tuple(sorted(clocks))


def _replaced(tree: exp.Expression, node: exp.Expression, sql: str) -> exp.Expression:
    """Put text of ours in the place of a node; nothing of it comes from a user but quoted names and literals."""
    written = exp.Var(this=sql)
    if node is tree:
        return written
    node.replace(written)
    return tree


def _clock(call: exp.Anonymous, clocks: set[Clock], dialect: Dialect) -> str:
    """Write one clock by the columns that the component query adds, and note them."""
    name = call.name.lower()
    times = call.expressions[: _CLOCKS[name][0]]
    nation = "".join(part.name for part in call.expressions[len(times) :])
    if name == "seconds_between":
        earlier, later = (dialect.micros(_inner(part, dialect)) for part in times)
        return dialect.seconds(later, earlier)
    kinds = {"days_between": "day", "open_seconds_between": "open"}
    found = [Clock(kinds.get(name, "business"), part.name, nation) for part in times]  # type: ignore[arg-type]
    clocks.update(found)
    columns = [dialect.quoted(clock.name) for clock in found]
    if name in ("days_between", "open_seconds_between"):
        # the day is kept as a whole number of days, so that the difference is one too
        return f"({columns[1]} - {columns[0]})"
    # Twice the business days up to a day, and one more on a day that is none: so one number tells both.
    if name == "business_day":
        return f"({columns[0]} % 2 = 0)"
    return f"({dialect.divided(f'({columns[1]} + 1)', 2)} - {dialect.divided(columns[0], 2)})"


def _inner(part: exp.Expression, dialect: Dialect) -> str:
    """Write what a clock is given."""
    return _sql(part, dialect)[0]


def held_to(text: str, column: str) -> tuple[str, ...]:
    """Return the texts that a condition keeps a column to; empty where it keeps it to none.

    Examples:
        >>> held_to("channel = 'voice' and (direction is null or direction = 'inbound')", "channel")
        ('voice',)
        >>> held_to("channel = 'voice' or outcome = 'answered'", "channel")
        ()
    """
    if not text.strip():
        return ()
    tree = sqlglot.parse_one(text, read="duckdb").unnest()
    parts = tree.flatten() if isinstance(tree, exp.And) else [tree]
    for part in (each.unnest() for each in parts):
        named = part.this.name if isinstance(part, (exp.EQ, exp.In)) and isinstance(part.this, exp.Column) else ""
        values = part.expressions if isinstance(part, exp.In) else [part.args.get("expression")]
        if named == column and values and all(isinstance(value, exp.Literal) for value in values):
            return tuple(value.name for value in values)
    return ()
