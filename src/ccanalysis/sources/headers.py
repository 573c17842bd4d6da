"""Match the columns that a mapping names with the header of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ccanalysis.errors import ContractError, nearest, place
from ccanalysis.sources.cells import wanted_columns
from ccanalysis.workspace import Source


def match_header(source: Source, header: Sequence[str], path: Path, row: int) -> tuple[dict[str, int], list[str]]:
    """Find the position of every column that the mapping names.

    Args:
        source: The mapping.
        header: The names in file order.
        path: The file, for errors.
        row: The row of the header.

    Returns:
        Name in the mapping -> position from 0, and notes: names matched in spite of case or spaces, columns left out.

    Raises:
        ContractError: A column is missing, or stands in the header twice.
    """
    wanted = wanted_columns(source)
    exact: dict[str, list[int]] = {}
    loose: dict[str, list[int]] = {}
    for position, name in enumerate(header):
        exact.setdefault(name, []).append(position)
        loose.setdefault(_folded(name), []).append(position)
    positions: dict[str, int] = {}
    notes: list[str] = []
    missing: list[str] = []
    for name in wanted:
        found = exact.get(name) or loose.get(_folded(name), [])
        if len(found) > 1:
            raise ContractError(
                f"the header has this name twice, in columns {found[0] + 1} and {found[1] + 1}",
                remedy="Give each column of the export a name of its own",
                place=place(path, row=row, column=name),
            )
        if not found:
            missing.append(name)
            continue
        positions[name] = found[0]
        if header[found[0]] != name:
            notes.append(f"column {name!r} is written {_shown(header[found[0]])} in {path.name}")
    if missing:
        raise _missing(source, header, path, row, missing, known=len(positions))
    left = [
        _shown(name) if name else f"column {position + 1} without a name"
        for position, name in enumerate(header)
        if position not in positions.values()
    ]
    if left:
        notes.append(f"columns of source {source.name!r} that are not mapped stay outside: {', '.join(left)}")
    return positions, notes


def _folded(name: str) -> str:
    return " ".join(name.replace("\u00a0", " ").replace("\u202f", " ").split()).casefold()


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:79] + "…")


def _missing(
    source: Source, header: Sequence[str], path: Path, row: int, missing: list[str], *, known: int
) -> ContractError:
    """Say which columns are missing; of the file's own names only one that is nearly the missing one is shown.

    The others are not listed: where a header and a row were run together, they are somebody's data.
    """
    columns = ", ".join(repr(name) for name in missing)
    at = place(path, row=row)
    plural = "s" if len(missing) > 1 else ""
    if known:
        offered = nearest(missing[0], [name for name in header if name]) if known >= len(missing) else ""
        return ContractError(
            f"the header has no column{plural} {columns}, which source {source.name!r} maps",
            remedy=offered if offered.startswith("Did you mean") else "Correct the mapping, or export the file again",
            place=at,
        )
    if len(header) == 1 and source.format == "csv":
        other = next((mark for mark in ";,\t|" if mark != source.delimiter and mark in header[0]), "")
        names = {_folded(name) for name in header[0].split(other)} if other else set()
        if names & {_folded(name) for name in missing}:
            return ContractError(
                f"the columns are not separated by {source.delimiter!r}",
                remedy=f"Set delimiter = {other!r} in source {source.name!r}".replace("'", '"', 2),
                place=at,
            )
    return ContractError(
        f"this row has none of the columns that source {source.name!r} maps ({columns}), so it is not its header",
        remedy="Give the export a header, or correct 'skip_lines', 'delimiter' or the mapping",
        place=at,
    )
