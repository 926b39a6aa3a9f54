"""Starting child programs that cannot outlive us.

``setpriv --pdeathsig`` (util-linux) asks the kernel to kill the child when the *thread* that started it ends,
however that happens. It is a program of its own rather than a ``preexec_fn``, because running Python between
fork and exec is unsafe in a process with threads. Start children from a thread that lives as long as they
should.
"""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Sequence

from headrace.errors import NotFound


@functools.cache
def _setpriv() -> str | None:
    return shutil.which("setpriv") if sys.platform == "linux" else None


def tied(argv: Sequence[str]) -> list[str]:
    """``argv`` such that the program is killed with SIGKILL when the starting thread dies.

    Where setpriv is missing the argv is returned as it is: the program then needs another way to notice.
    """
    setpriv = _setpriv()
    return [setpriv, "--pdeathsig", "KILL", "--", *argv] if setpriv else list(argv)


def find_binary(name: str, package: str) -> str:
    """The full path of program ``name``, also looked for in the system folders that a user's PATH may lack.

    Raises NotFound naming the Debian package to install.
    """
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        raise NotFound(f"{name} is not installed; install it with: apt install {package}")
    return path
