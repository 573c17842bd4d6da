"""Read one worksheet in a process of its own, so that a hostile or huge workbook ends this process and no other.

Run as a script, without the package: `python -I _workbook_child.py REQUEST`, where REQUEST is a JSON file. It writes
one record per line with file and row number in front, as `csv_files` does, and a JSON answer. Exit code 3 is a refusal.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

MARK = "\x1f"
INNER_NEWLINE = "\x1e"
BLANKS = " \t\n\u00a0\u202f\ufeff"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Refusal(Exception):  # noqa: N818  it is an answer, not a fault
    """What is wrong with the workbook and what to do about it."""

    def __init__(self, problem: str, remedy: str, *, row: int = 0) -> None:
        super().__init__(problem)
        self.answer = {"problem": problem, "remedy": remedy, "row": row}


def limit(memory: int, seconds: int) -> None:
    """Bound this process's memory and processor time."""
    try:
        import resource  # noqa: PLC0415  not on every system
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(request_path: str) -> int:
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    limit(request["memory"], request["seconds"])
    answer = Path(request["answer"])
    try:
        answer.write_text(json.dumps(read(request)), encoding="utf-8")
    except Refusal as refusal:
        answer.write_text(json.dumps(refusal.answer), encoding="utf-8")
        return 3
    except (MemoryError, ImportError, OSError):  # a library that finds no memory to load fails to import
        return 4
    except Exception as error:
        fault = Refusal(f"the workbook cannot be read ({type(error).__name__})", "Save it again as .xlsx, or as CSV")
        answer.write_text(json.dumps(fault.answer), encoding="utf-8")
        return 3
    return 0


def read(request: dict[str, Any]) -> dict[str, Any]:
    """Write the rows of the sheet and say what was found."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError  # noqa: PLC0415  after the limits

    path = Path(request["path"])
    check_archive(path, request["max_unpacked"])
    try:
        book = CalamineWorkbook.from_path(str(path))
    except PasswordError:
        raise Refusal("the workbook is protected by a password", "Save it without a password") from None
    except CalamineError as error:
        if "assword" in str(error) or "ncrypt" in str(error):
            raise Refusal("the workbook is protected by a password", "Save it without a password") from None
        raise Refusal("the file is not a workbook that can be read", "Save it again as .xlsx, or as CSV") from None
    name = choose(book.sheet_names, request["sheet"])
    try:
        sheet = book.get_sheet_by_name(name)
    except CalamineError:
        raise Refusal(f"the sheet {name!r} cannot be read", "Save the workbook again as .xlsx, or as CSV") from None
    if sheet.height * sheet.width > request["max_cells"]:
        raise Refusal(
            f"the sheet {name!r} has {sheet.height:,} rows and {sheet.width:,} columns, more than "
            f"{request['max_cells']:,} cells",
            "Delete what lies beside the table, or export CSV or Parquet",
        )
    errors = second_look(path, name)
    return write(sheet, request, errors)


def check_archive(path: Path, most: int) -> None:
    """Refuse an archive that unpacks to more than a workbook of the allowed size ever holds."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if unpacked > most:
            raise Refusal(
                f"the workbook unpacks to {unpacked // (1 << 20):,} MiB", "Export the table as CSV or Parquet instead"
            )
        if any(part.filename == "EncryptedPackage" or part.flag_bits & 1 for part in parts):
            raise Refusal("the workbook is protected by a password", "Save it without a password")


def choose(names: list[str], wanted: str) -> str:
    if wanted:
        if wanted not in names:
            raise Refusal(f"there is no sheet {wanted!r}", "The sheets are: " + ", ".join(map(repr, names)))
        return wanted
    if len(names) != 1:
        raise Refusal(
            f"the workbook has {len(names)} sheets and the mapping names none",
            "Add sheet = one of " + ", ".join(map(repr, names)),
        )
    return names[0]


def second_look(path: Path, name: str) -> set[tuple[int, int]]:
    """Find error cells, which come back as blanks, and refuse formulas that were never calculated.

    The sheet's XML is searched for both first: the slow reader runs only where there is something to find.
    """
    if not zipfile.is_zipfile(path):
        return set()
    with zipfile.ZipFile(path) as archive:
        sheets = [part for part in archive.namelist() if re.match(r"xl/worksheets/[^/]+\.xml$", part)]
        suspicious = any(_suspicious(archive, part) for part in sheets)
    if not suspicious:
        return set()
    from openpyxl import load_workbook  # noqa: PLC0415  slow, and needed for few files

    errors, formulas = set(), []
    with path.open("rb") as first, path.open("rb") as second:
        values = load_workbook(first, read_only=True, data_only=True)[name]
        written = load_workbook(second, read_only=True, data_only=False)[name]
        for value_row, written_row in zip(values.iter_rows(), written.iter_rows(), strict=False):
            for value, formula in zip(value_row, written_row, strict=False):
                if value.data_type == "e":
                    errors.add((value.row, value.column))
                elif formula.data_type == "f" and value.value is None:
                    formulas.append(formula.row)
    if formulas:
        raise Refusal(
            f"{len(formulas):,} cells of the sheet {name!r} are formulas without a stored value",
            "Open the workbook, let it calculate, and save it",
            row=formulas[0],
        )
    return errors


def _suspicious(archive: zipfile.ZipFile, part: str) -> bool:
    pattern = re.compile(rb'\st="e"|</f>\s*(<v\s*/>|<v></v>)?\s*</c>|<f[^>]*/>\s*(<v\s*/>|<v></v>)?\s*</c>')
    tail = b""
    with archive.open(part) as xml:
        while chunk := xml.read(1 << 20):
            if pattern.search(tail + chunk):
                return True
            tail = chunk[-200:]
    return False


def beside(name: str) -> Any:
    """Load a module that stands beside this file and needs nothing but Python."""
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = module_from_spec(spec)  # type: ignore[arg-type]
    sys.modules[name] = module
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def write(sheet: Any, request: dict[str, Any], errors: set[tuple[int, int]]) -> dict[str, Any]:
    """Write the numbered records below the header, card data masked."""
    mask, kept = beside("card_numbers").mask, set(request["kept"])
    cards = codes = 0
    _, first_column = sheet.start or (0, 0)
    decimal, skip = request["decimal"], request["skip_lines"]
    header: list[str] = []
    header_row = written = blank = title = repeated = inner = 0
    faults: list[tuple[int, str]] = []
    with Path(request["work"]).open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        row = 0
        for row, cells in enumerate(sheet.iter_rows(), start=1):  # from the sheet's first row, blank ones too
            texts = [as_text(cell, decimal) for cell in cells]
            for _, column in (place for place in errors if place[0] == row):
                if 0 <= column - 1 - first_column < len(texts):
                    texts[column - 1 - first_column] = MARK + "e"
            if row <= skip or (not header and not any(text.strip() for text in texts)):
                title += 1
            elif not header:
                header, header_row = [text.lstrip(MARK).strip() for text in texts], row
            elif not any(text.strip(BLANKS) for text in texts):
                blank += 1
            elif [text.strip() for text in texts] == header:
                repeated += 1
            elif any(_CONTROL.search(text[2:] if text.startswith(MARK) else text) for text in texts):
                faults.append((row, "control"))
            else:
                for place, text in enumerate(texts):
                    if (
                        len(text) > 2
                        and not text.startswith(MARK)
                        and not (place < len(header) and header[place] in kept)
                    ):
                        masked = mask(text)
                        texts[place] = masked.text
                        cards, codes = cards + masked.cards, codes + masked.codes
                written += 1
                inner += sum(text.count("\n") for text in texts)
                out.writerow([request["number"], row, *(text.replace("\n", INNER_NEWLINE) for text in texts)])
    return {
        "header": header,
        "header_row": header_row,
        "written": written,
        "faults": faults,
        "lines": row,
        "title_lines": title,
        "header_lines": 1 if header else 0,
        "blank": blank,
        "repeated": repeated,
        "inner_lines": inner,
        "blanks": "none",
        "cards": cards,
        "codes": codes,
    }


def as_text(cell: Any, decimal: str) -> str:
    """Write a cell as text, typed cells with the mark of their type."""
    match cell:
        case str():
            return cell.replace("_x000D_\n", "\n").replace("\r\n", "\n").replace("\r", "\n").strip(BLANKS)
        case bool():
            return "TRUE" if cell else "FALSE"
        case int():
            return str(cell)
        case float():
            text = str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
            return text.replace(".", decimal)
        case datetime():
            return f"{MARK}d{cell.isoformat(' ')}"
        case date():
            return f"{MARK}d{cell.isoformat()} 00:00:00"
        case time():
            return f"{MARK}t{cell.isoformat()}"
        case timedelta():
            micro = cell // timedelta(microseconds=1)
            sign, micro = ("-", -micro) if micro < 0 else ("", micro)
            seconds, micro = divmod(micro, 1_000_000)
            fraction = f".{micro:06d}" if micro else ""
            return f"{MARK}t{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"
    return "" if cell is None else str(cell)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
