"""The papermill engine `ccanalysis-inprocess`: cells run in an IPython shell of this very process.

It is for a process that runs one report and ends. There it saves the start of a kernel and all messages to it; the
outputs are those of a kernel, cell by cell, which a test compares. What it does not do: widgets and their comms, and
capturing what C code or a child process writes to the terminal.
"""

from __future__ import annotations

import io
import platform
import sys
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat import from_dict
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines
from traitlets.config import Config

NAME = "ccanalysis-inprocess"
MAX_PRINTED = 1_000_000


def _output(kind: str, **content: Any) -> Any:
    """Return an output as nbformat keeps it; the whole notebook is validated when it is written."""
    return from_dict({"output_type": kind, **content})


class Recorder:
    """The outputs of the cell that is running, as nbformat keeps them."""

    def __init__(self) -> None:
        self.outputs: list[Any] = []
        self.displayed: dict[str, list[Any]] = {}
        self.printed = 0
        self._clear_first = False

    def begin(self) -> None:
        """Start with an empty cell; displays of earlier cells can still be updated."""
        self.outputs, self.printed, self._clear_first = [], 0, False

    def add(self, output: Any) -> None:
        """Append an output."""
        if self._clear_first:
            self.outputs.clear()
            self._clear_first = False
        self.outputs.append(output)

    def clear(self, *, wait: bool) -> None:
        """Forget the outputs, now or when the next one comes."""
        if wait:
            self._clear_first = True
        else:
            self.outputs.clear()

    def print(self, name: str, text: str) -> None:
        """Append printed text, joined to what was printed just before, up to a limit."""
        room = MAX_PRINTED - self.printed
        self.printed += len(text)
        if len(text) > room:
            text = text[: max(room, 0)] + ("\n… further output is not kept\n" if room > 0 else "")
        if not text:
            return
        for output in reversed([] if self._clear_first else self.outputs):
            if output.output_type != "stream":
                break
            if output.name == name:  # as a kernel, which sends either stream in one piece where it can
                output["text"] += text
                return
        self.add(_output("stream", name=name, text=text))


RECORDER = Recorder()


class _Publisher(DisplayPublisher):
    """`display()` of a notebook."""

    def publish(  # type: ignore[override]
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **kwargs: Any,
    ) -> None:
        key = (transient or {}).get("display_id")
        if update:
            for output in RECORDER.displayed.get(key or "", []):
                output["data"], output["metadata"] = data, metadata or {}
            return
        output = _output("display_data", data=data, metadata=metadata or {})
        RECORDER.add(output)
        if key:
            RECORDER.displayed.setdefault(key, []).append(output)

    def clear_output(self, wait: bool = False) -> None:
        RECORDER.clear(wait=wait)


class _Hook(DisplayHook):
    """The value of a cell's last line."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        RECORDER.add(
            _output("execute_result", data=format_dict, metadata=md_dict or {}, execution_count=self.prompt_count)
        )

    def finish_displayhook(self) -> None:
        sys.stdout.flush()


class _Stream(io.TextIOBase):
    """`sys.stdout` and `sys.stderr` of a notebook."""

    encoding = "utf-8"  # type: ignore[assignment]
    errors = "replace"  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return f"<{self._name}>"

    def write(self, text: str) -> int:
        RECORDER.print(self._name, text)
        return len(text)

    def writable(self) -> bool:
        return True


class Shell(InteractiveShell):
    """An IPython shell that writes to the recorder and keeps no history."""

    display_pub_class = _Publisher
    displayhook_class = _Hook

    def _showtraceback(self, etype: type, evalue: BaseException, stb: Any) -> None:
        lines = stb if isinstance(stb, list) else str(stb).split("\n")
        RECORDER.add(_output("error", ename=etype.__name__, evalue=str(evalue), traceback=lines))

    def enable_gui(self, gui: object = None) -> None:
        """Do nothing: a report has no windows."""


def new_shell() -> Shell:
    """Return a fresh shell; the one before is forgotten."""
    Shell.clear_instance()
    InteractiveShell.clear_instance()
    return Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))


_ready: list[Shell] = []


def prepare() -> None:
    """Make a shell beforehand, in a process that forks: each child finds it unused."""
    _ready[:] = [new_shell()]


class InProcessEngine(Engine):
    """Run the cells of a notebook in this process."""

    @classmethod
    def execute_managed_notebook(  # type: ignore[override]
        cls, nb_man: NotebookExecutionManager, kernel_name: str, **kwargs: Any
    ) -> Any:
        """Run the cells in order, up to the first that fails."""
        shell = _ready.pop() if _ready else new_shell()
        streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Stream("stdout"), _Stream("stderr")  # type: ignore[assignment]
        try:
            for index, cell in enumerate(nb_man.nb.cells):
                nb_man.cell_start(cell, index)
                try:
                    if cell.cell_type == "code" and cell.source.strip() and not cls._run(shell, nb_man, cell, index):
                        break
                finally:
                    nb_man.cell_complete(cell, cell_index=index)
        finally:
            sys.stdout, sys.stderr = streams
        nb_man.nb.metadata["language_info"] = {
            "name": "python",
            "version": platform.python_version(),
            "mimetype": "text/x-python",
            "file_extension": ".py",
        }
        return nb_man.nb

    @staticmethod
    def _run(shell: Shell, nb_man: NotebookExecutionManager, cell: Any, index: int) -> bool:
        RECORDER.begin()
        result = shell.run_cell(cell.source, store_history=True)
        cell["execution_count"], cell["outputs"] = result.execution_count, RECORDER.outputs
        if result.success or "raises-exception" in cell.metadata.get("tags", []):
            return True
        nb_man.cell_exception(cell, cell_index=index, exception=result.error_before_exec or result.error_in_exec)
        return False


papermill_engines.register(NAME, InProcessEngine)
