"""The small language of measures and populations: conditions and sums over contract columns.

A text is parsed, every node is held against a list of what is allowed, and SQL is built anew from the tree; no text
of a user ever becomes part of a query. There is no division (a ratio is declared as two sums), no subquery, no
function but `coalesce` and `seconds_between(earlier, later)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from ccanalysis.contracts import Table
from ccanalysis.errors import ExpressionError, nearest

LONGEST = 400
DEEPEST = 30

_ALLOWED: frozenset[type[exp.Expression]] = frozenset(
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
    }
)
_CONDITIONS = (
    exp.Boolean,
    exp.And,
    exp.Or,
    exp.Not,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.Is,
    exp.In,
    exp.Between,
)


@dataclass(frozen=True)
class Expression:
    """An expression that was found to be allowed.

    Attributes:
        text: As it was written.
        columns: The contract columns it reads, in name order.
        sql: As DuckDB SQL with quoted identifiers.
        condition: Whether it is true or false, rather than a number.
    """

    text: str
    columns: tuple[str, ...]
    sql: str
    condition: bool


def parse(text: str, table: Table) -> Expression:
    """Read an expression over the columns of a contract table.

    Args:
        text: For example `outcome = 'answered' and wait_s <= 20`.
        table: Whose columns may be named.

    Raises:
        ExpressionError: It cannot be read, or uses what is not allowed; the message points at the place.

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
    tree = _tree(text)
    names = set()
    for node in tree.walk():
        _check(node, text, table)
        if isinstance(node, exp.Column):
            names.add(node.name)
    condition = isinstance(tree.unnest(), _CONDITIONS)
    if isinstance(tree.unnest(), exp.Column) and table.column(tree.unnest().name).type == "boolean":
        condition = True
    return Expression(text, tuple(sorted(names)), _sql(tree), condition)


def _tree(text: str) -> exp.Expression:
    try:
        trees = sqlglot.parse(text, read="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        at = _position(error)
        raise ExpressionError(
            f"the expression {text!r} cannot be read{at}",
            remedy="Use columns, numbers, 'texts', and, or, not, comparisons, in (...), is null, + - *",
        ) from None
    if len(trees) != 1 or trees[0] is None:
        raise ExpressionError(f"{text!r} is not exactly one expression", remedy="Write one, without a semicolon")
    return trees[0]  # type: ignore[return-value]


def _position(error: BaseException) -> str:
    details = getattr(error, "errors", None) or [{}]
    column = details[0].get("col")
    return f" at character {column}" if column else ""


def _check(node: exp.Expression, text: str, table: Table) -> None:
    if node.comments:
        raise ExpressionError(f"{text!r} has a comment", remedy="Take it out")
    unknown = {key for key, value in node.args.items() if value} - set(node.arg_types)
    if unknown:
        raise ExpressionError(f"{text!r} uses what is not allowed here", remedy="Write it more simply")
    if isinstance(node, exp.Anonymous):
        if node.name.lower() != "seconds_between" or len(node.expressions) != 2:
            raise ExpressionError(
                f"the function {node.name!r} in {text!r} is not known{_where(node.name, text)}",
                remedy="Known are coalesce(a, b) and seconds_between(earlier, later)",
            )
    elif type(node) not in _ALLOWED:
        word = type(node).__name__.lower()
        raise ExpressionError(
            f"{text!r} uses {word!r}, which is not allowed{_where(word, text)}",
            remedy="Use columns, numbers, 'texts', and, or, not, comparisons, in (...), is null, + - *",
        )
    if isinstance(node, exp.Column):
        if node.table or node.name not in table:
            raise ExpressionError(
                f"table {table.name!r} has no column {node.name!r}{_where(node.name, text)}",
                remedy=nearest(node.name, [column.name for column in table.columns]),
            )
    if isinstance(node, exp.In) and (node.args.get("query") or node.args.get("unnest")):
        raise ExpressionError(f"'in' takes a list in {text!r}", remedy="Write for example channel in ('voice', 'chat')")


def _where(word: str, text: str) -> str:
    position = text.lower().find(word.lower())
    return f" (character {position + 1} of {text!r})" if position >= 0 else ""


def _sql(tree: exp.Expression) -> str:
    tree = tree.copy()
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("quoted", True)
    for call in list(tree.find_all(exp.Anonymous)):
        earlier, later = (part.sql(dialect="duckdb") for part in call.expressions)
        built = sqlglot.parse_one(f"CAST(epoch({later}) - epoch({earlier}) AS BIGINT)", read="duckdb")
        if call is tree:
            tree = built
        else:
            call.replace(built)
    return tree.sql(dialect="duckdb")
