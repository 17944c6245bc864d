"""The command line: one file a command, each of which adds itself to ``app``."""

import importlib
import pkgutil

from dqlabels.cli.app import run as run

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
