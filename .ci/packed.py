"""Check what a wheel and a source archive hold: all of the package, and in the wheel nothing else."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

wheel, archive = sys.argv[1:]
packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("dqlabels/")}
there = {str(path) for path in Path("dqlabels").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
if packed != there:
    sys.exit(f"{wheel} lacks {sorted(there - packed)} and has {sorted(packed - there)} beside the package")
metadata = next(name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("/METADATA"))
others = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()} - {"dqlabels", metadata.split("/")[0]}
if others:
    sys.exit(f"{wheel} holds {sorted(others)} beside the package")
with tarfile.open(archive) as opened:
    sources = {name.partition("/")[2] for name in opened.getnames()}
needed = {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "tests/conftest.py", "docs/index.md"} | there
if needed - sources:
    sys.exit(f"{archive} lacks {sorted(needed - sources)}")
sys.stdout.write(f"{Path(wheel).name}: {len(packed)} files; {Path(archive).name}: {len(sources)}\n")
