"""Plain kernels for papermill, as the reference and where processes cannot be forked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from ccanalysis.reports.worker import KERNEL_PID


class KernelManager(AsyncKernelManager):
    """Starts this Python's own kernel, reached through files in the scratch folder and not through the network."""

    scratch: ClassVar[Path] = Path()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection_file = str(self.scratch / "kernel.json")
        if sys.platform != "win32":
            self.transport = "ipc"
            self.ip = str(self.scratch / "k")  # absolute and short: a socket's path has at most 107 bytes

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel of this Python, whatever kernels are installed for the user."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        quiet = ["--HistoryManager.enabled=False", "--InteractiveShell.colors=nocolor"]
        return KernelSpec(argv=[*command, *quiet], display_name="Python 3", language="python")

    async def _async_start_kernel(self, **kw: Any) -> None:
        await super()._async_start_kernel(**kw)
        if (pid := getattr(self.provisioner, "pid", None)) is not None:
            (self.scratch / KERNEL_PID).write_text(str(pid), encoding="ascii")

    start_kernel = _async_start_kernel
