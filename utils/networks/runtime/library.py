"""The package `openvino`, imported without its converter."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


def openvino() -> ModuleType:
    """The module `openvino`. Raises ImportError where it is missing or cannot be loaded.

    `import openvino` also imports its converter `openvino.tools.ovc`, which sends an event to a usage statistics
    server at every start and takes two thirds of the time of the import. None in `sys.modules` makes that import fail,
    which the package allows for.
    """
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")
