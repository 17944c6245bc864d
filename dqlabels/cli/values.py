"""What ``dqlabels audit`` prints of each kind of label, and the limits it holds it against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from dqlabels.cli.show import as_wide_as_fits, print_notes, print_summary, printable
from dqlabels.errors import OptionError

if TYPE_CHECKING:
    from dqlabels.audits.gate import GateResult
    from dqlabels.audits.values.result import ValueAudit


def print_result(result: Any, gate: Any, worst: int, console: Console) -> None:
    """An audit of classes or of numbers."""
    show: Any = print_summary if hasattr(result, "classes") else print_values
    show(result, gate, worst, console)


def print_values(result: ValueAudit, gate: GateResult | None, worst: int, console: Console) -> None:
    """Headline, what the false-discovery rate rests on, and the worst rows; nothing that came from data is obeyed."""
    facts = result.to_dict()
    missing = f", {facts['missing']:,} without a value" if facts["missing"] else ""
    console.print(
        printable(
            f"{facts['label']}: {facts['flagged']:,} of {facts['audited']:,} values flagged "
            f"({facts['flagged_share']:.1%}) at a false-discovery rate of {facts['fdr']:.0%}{missing}"
        ),
        style="bold",
    )
    console.print(
        f"The values lie {facts['model_error']:.0%} as far from their prediction as from the median ({facts['model']})."
    )
    console.print(printable(facts["assumption"]), style="dim")
    if facts["flagged"]:
        console.print(as_wide_as_fits("Most suspicious rows", result.issues.head(worst), console))
    print_notes(facts["warnings"], gate, console)


def held(
    result: Any,
    limits: Mapping[str, float | None],
    max_flagged_share: float | None,
    decide: str,
    on_inconclusive: str,
    reference: Any,
) -> Any:
    """The gate of the limits that were set, those of classes by their names, or None.

    Raises:
        OptionError: A limit that audits of this kind of label do not have.
    """
    if hasattr(result, "classes"):
        if max_flagged_share is not None:
            raise OptionError("--max-flagged-share is for numbers. Classes have a noise rate: set --max-noise-rate.")
        if not any(limit is not None for limit in limits.values()):
            return None
        return result.gate(**limits, decide=decide, on_inconclusive=on_inconclusive, reference=reference)
    if any(limit is not None for limit in limits.values()):
        raise OptionError("Limits of the noise rate are for classes. Numbers have none: set --max-flagged-share.")
    if max_flagged_share is None:
        return None
    return result.gate(max_flagged_share=max_flagged_share, decide=decide, on_inconclusive=on_inconclusive)
