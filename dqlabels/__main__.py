"""The ``dqlabels`` command, also as ``python -m dqlabels``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say which extra it needs."""
    try:
        from dqlabels.cli import run
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich", "polars"):
            raise
        sys.stderr.write(f'The command line needs {error.name}: pip install "dqlabels[cli]"\n')
        raise SystemExit(2) from None
    run()


if __name__ == "__main__":
    main()
