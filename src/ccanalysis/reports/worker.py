"""What happens inside the process of one report: papermill runs the notebook, the exporter writes the page.

Everything is written into the scratch folder of the report, which nobody else may read. The answer to the parent names
what failed and where, and never what was in the data.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccanalysis import errors
from ccanalysis.display import clean
from ccanalysis.errors import CcanalysisError, ReportError
from ccanalysis.imports import skip_slow_import

if TYPE_CHECKING:
    from nbformat import NotebookNode

PAGE = "page.html"
KERNEL_PID = "kernel.pid"
# Same inputs, same bytes: nothing of the user's language, zone or start-up files may reach a notebook.
ENVIRONMENT = {
    "PLOTLY_RENDERER": "plotly_mimetype",  # figures stay JSON, without a copy of plotly.js each
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "agg",
    "GX_ANALYTICS_ENABLED": "false",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "OPENBLAS_NUM_THREADS": "1",  # no threads before a fork
    "OMP_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
_SAFE_NAMES = {name for name in vars(errors) if name.endswith("Error")}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Execute and render one report; the answer says `ok` with the statuses, or the `error`."""
    skip_slow_import()
    try:
        notebook = _execute(request)
        from ccanalysis.reports.page import build  # noqa: PLC0415

        page = build(notebook, **request["page"])
        (Path(request["scratch"]) / PAGE).write_text(page.html, encoding="utf-8")
    except CcanalysisError as error:
        return {"ok": False, "error": _line(str(error)), "exit_code": int(error.exit_code)}
    except MemoryError:
        return {"ok": False, "error": "it needed more memory than a report may use"}
    except Exception as error:
        return {"ok": False, "error": f"it could not be made: {type(error).__name__}"}
    return {"ok": True, "statuses": dict(page.statuses)}


def _execute(request: dict[str, Any]) -> NotebookNode:
    import nbformat  # noqa: PLC0415
    import papermill  # noqa: PLC0415
    from nbformat.v4 import new_code_cell  # noqa: PLC0415
    from papermill.exceptions import PapermillExecutionError  # noqa: PLC0415
    from papermill.log import logger  # noqa: PLC0415

    from ccanalysis.reports.exporter import END_SOURCE, END_TAG  # noqa: PLC0415

    logger.setLevel("CRITICAL")
    scratch = Path(request["scratch"])
    notebook = nbformat.read(request["notebook"], as_version=4)
    notebook.cells.append(new_code_cell(END_SOURCE, metadata={"tags": [END_TAG]}))
    nbformat.write(notebook, scratch / "input.ipynb")
    options: dict[str, Any] = {}
    if request["engine"] == "inprocess":
        from ccanalysis.reports import inprocess  # noqa: PLC0415

        options["engine_name"] = inprocess.NAME
    else:
        from ccanalysis.reports.kernel import KernelManager  # noqa: PLC0415

        KernelManager.scratch = scratch
        options["kernel_manager_class"] = KernelManager
    try:
        return papermill.execute_notebook(
            str(scratch / "input.ipynb"),
            str(scratch / "executed.ipynb"),
            parameters=request["parameters"],
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            autosave_cell_every=0,
            cwd=request["cwd"],
            **options,
        )
    except PapermillExecutionError as error:
        raise _failed(notebook, error) from None


def _failed(notebook: NotebookNode, error: Any) -> ReportError:
    name = error.ename if str(error.ename).isidentifier() else "an error"
    heading = ""
    source = error.source or ""
    number = 0
    for count, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown" and cell.source.lstrip().startswith("#"):
            heading = cell.source.lstrip().split("\n")[0].strip("# ")
        if cell.cell_type == "code" and cell.source == source:
            number = count
            break
    where = f"cell {number}, under '{heading}'" if number and heading else f"cell {number}" if number else ""
    if name == "SystemExit":
        return ReportError("it ended before its last cell", place=where, remedy="Take exit() out of it")
    if name in _SAFE_NAMES:  # our own errors name places and counts, never values
        stopped = ReportError(str(error.evalue), place=where)
        stopped.exit_code = getattr(errors, name).exit_code
        return stopped
    return ReportError(
        f"it stopped with {name}", place=where, remedy="Run the notebook in JupyterLab to see the whole error"
    )


def _line(text: str) -> str:
    return clean(text).replace("\n", " ")[:600]


def main() -> None:
    """Run one report in a process of its own: the request on stdin, the answer on stdout."""
    request = json.load(sys.stdin)
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.write(answers, json.dumps(run(request)).encode())
    os.close(answers)


if __name__ == "__main__":
    main()
