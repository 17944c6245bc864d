"""The answer of a gate for build systems: GitHub annotations and JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from dqlabels.audits.gate import GateCheck, GateResult

# GitHub shows ten annotations of each kind per step.
MAX_ANNOTATIONS = 10
KINDS = {"pass": "notice", "inconclusive": "warning", "fail": "error"}
# Characters that XML 1.0 cannot hold, even escaped.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def github_annotations(file: str, label: str, gate: GateResult) -> str:
    """Return workflow commands, one per line: the whole message with the worst limit, then the other limits not met.

    Args:
        file: The path of the table, relative to the repository if it is in it.
        label: The label column.
        gate: The answer.

    Returns:
        Text for standard output of a step; values from data cannot begin a command of their own.

    Source: GitHub Actions, "Workflow commands", the escapes of ``@actions/core``.
    """
    kind = KINDS[gate.verdict] if gate.passed else "error"
    lines = [_annotation(kind, file, f"Labels of {label!r}: {gate.verdict}", gate.message)]
    for check in gate.checks[1:MAX_ANNOTATIONS]:
        if check.verdict != "pass":
            kind = "error" if _failed(check, gate) else "warning"
            lines.append(_annotation(kind, file, f"Labels of {label!r}: {check.verdict}", str(check)))
    return "\n".join(lines) + "\n"


def github_error(file: str, label: str, message: str) -> str:
    """Return the annotation of a gate that could not run.

    >>> github_error("loans.csv", "risk", "no such column").strip()
    "::error file=loans.csv,title=Labels of 'risk' were not checked::no such column"
    """
    return _annotation("error", file, f"Labels of {label!r} were not checked", message) + "\n"


def junit_xml(file: str, label: str, gate: GateResult) -> str:
    """Return a JUnit report with one test case per limit. It holds no time, so the same answer gives the same report.

    Args:
        file: The path of the table.
        label: The label column.
        gate: The answer.

    Returns:
        An XML document, valid by the schema junit-10 of Jenkins' xUnit plugin.
    """
    rate: Any = gate.to_dict().get("noise_rate") or {}
    names = ("estimate", "low", "high", "confidence", "method", "rows")
    figures = {f"noise_rate.{name}": rate[name] for name in names if name in rate}
    suite = _suite(file, label, {"verdict": gate.verdict, "decide": gate.decide, **figures})
    for check in gate.checks:
        case = _case(suite, label, check.requirement)
        if _failed(check, gate):
            cause = ElementTree.SubElement(case, "failure", type="LabelNoise", message=_xml(str(check)))
            cause.text = _xml(gate.message if check is gate.checks[0] else str(check))
        elif check.verdict == "inconclusive":
            ElementTree.SubElement(case, "skipped", message=_xml(str(check)))
    if gate.passed:
        ElementTree.SubElement(suite, "system-out").text = _xml(gate.message)
    return _document(suite)


def junit_error(file: str, label: str, message: str) -> str:
    """Return a JUnit report of a gate that could not run: an error, so that no earlier report stands for it.

    >>> ElementTree.fromstring(junit_error("loans.csv", "risk", "no such column").encode()).attrib["errors"]
    '1'
    """
    suite = _suite(file, label, {})
    case = _case(suite, label, "the labels can be audited")
    first, _, _ = message.partition("\n")
    ElementTree.SubElement(case, "error", type="NotRun", message=_xml(first)).text = _xml(message)
    return _document(suite)


def _failed(check: GateCheck, gate: GateResult) -> bool:
    return check.verdict == "fail" or (check.verdict == "inconclusive" and not gate.passed)


def _annotation(kind: str, file: str, title: str, message: str) -> str:
    place = "" if file == "-" else f"file={_property(file)},"
    return f"::{kind} {place}title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _suite(file: str, label: str, figures: Mapping[str, object]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=_xml(f"labels of {label!r} in {file}"))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in {"file": file, "label": label, **figures}.items():
        ElementTree.SubElement(properties, "property", name=name, value=_xml(str(value)))
    return suite


def _case(suite: ElementTree.Element, label: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", name=_xml(name), classname=_xml(f"dqlabels.{label}"))


def _document(suite: ElementTree.Element) -> str:
    cases = suite.findall("testcase")
    counts = {"tests": len(cases)}
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        counts[name] = sum(case.find(tag) is not None for case in cases)
    for name, count in counts.items():
        suite.set(name, str(count))
    root = ElementTree.Element("testsuites", name="dqlabels")
    for name in ("tests", "failures", "errors"):
        root.set(name, str(counts[name]))
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    return NOT_XML.sub("�", text)
