"""Compiles the native kernels where the package is built, as a hook of hatchling.

Where there is no C++ compiler, the package is pure Python and says why.
"""

import importlib.util
import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SWITCH = "JAXCALC_NATIVE"  # 0: do without; 1: an installation without kernels is an error
FOLDER = Path("jaxcalc/_functions/native")
LIBRARY, REASON = FOLDER / "jaxcalc_rows.dso", FOLDER / "missing.txt"


class NativeHook(BuildHookInterface[BuilderConfig]):
    """Puts the library, or the reason why there is none, beside its sources and into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is made, of whose tag no version of Python is a part."""
        root = Path(self.root)
        for made in (LIBRARY, REASON):
            (root / made).unlink(missing_ok=True)
        reason = compiled(root)
        if reason and os.environ.get(SWITCH) == "1":
            raise RuntimeError(f"{SWITCH} is 1, but the native kernels cannot be had: {reason}")
        if reason:
            (root / REASON).write_text(f"{reason}\n", encoding="utf-8")
            self.app.display_warning(f"jaxcalc without native kernels: {reason}")
        else:
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data.update(pure_python=False, tag=f"py3-none-{platform}")
        build_data["artifacts"].append((REASON if reason else LIBRARY).as_posix())


def compiled(root: Path) -> str:
    """Make the library; why that cannot be, or nothing."""
    if os.environ.get(SWITCH) == "0":
        return f"{SWITCH} was 0 when it was installed"
    cmake, jaxlib = shutil.which("cmake"), importlib.util.find_spec("jaxlib")
    if cmake is None:
        return "there was no CMake when it was installed"
    if jaxlib is None or jaxlib.origin is None:
        return "there was no jaxlib, whose headers it needs, when it was installed"
    include = Path(jaxlib.origin).parent / "include"
    with tempfile.TemporaryDirectory() as folder:
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        configure = [cmake, "-S", str(root / FOLDER), "-B", folder, "-D", f"FFI_INCLUDE={include}"]
        for command in ([*configure, *generator], [cmake, "--build", folder, "--parallel"]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return _summary(done.stdout + done.stderr)
        # not over the old one: a process may have it open
        shutil.copy2(Path(folder) / LIBRARY.name, root / f"{LIBRARY}.new")
        os.replace(root / f"{LIBRARY}.new", root / LIBRARY)
    return ""


def _summary(output: str) -> str:
    if "CMAKE_CXX_COMPILER" in output or "CMAKE_MAKE_PROGRAM" in output:
        return "there was no C++ compiler when it was installed"
    errors = [line.strip() for line in output.splitlines() if "error" in line.lower()]
    return f"it could not be compiled: {(errors or ['for no reason that was told'])[0]}"
