"""The options of the commands are those of an audit and its gate in Python."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from support.command import run
from support.frames import ROOT
from typer.testing import CliRunner

from dqlabels.audits.gate import Limits
from dqlabels.audits.options import OPTION_NAMES, Options
from dqlabels.cli.app import app
from dqlabels.cli.command import command
from dqlabels.cli.options import LIMITS, MEANINGS, WRITABLE, CommandOptions, flag_of

COMMANDS = ("annotators", "apply", "audit", "checkup", "demo", "fit", "gate", "profile", "review", "review-sample")


def help_of(name: str) -> str:
    """What --help prints, without the frames that a terminal draws."""
    shown = run(name, "--help", columns=120).stdout.decode()
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", shown).split())


def test_every_option_of_an_audit_and_every_limit_is_one_of_the_gate_but_those_that_only_python_has():
    shown = help_of("gate")
    for name in (*WRITABLE, *LIMITS):
        assert flag_of(name) in shown or name in ("names", "sample_rows")
    assert set(OPTION_NAMES) - set(WRITABLE) == {"model", "sample_weight", "progress"}


@pytest.mark.parametrize("record", [Options, Limits])
def test_help_says_what_python_says(record):
    meanings = " ".join(help_of(name) for name in ("audit", "gate"))
    for one in fields(record):
        if one.name in (*WRITABLE, *LIMITS) and one.name not in MEANINGS:
            # A long meaning is broken where the column of flags ends, so its first words are enough.
            assert " ".join(one.metadata["meaning"].split()[:4]) in meanings, one.name


def test_help_shows_the_default_of_python():
    assert "[default: expected_f1]" in help_of("audit")
    assert "[default: estimate]" in help_of("gate")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_on_the_page_of_the_command_line(name):
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", help_of(name))) - {"--help", "--no-browser", "--browser"}
    assert {flag for flag in flags if flag not in page} == set()


def test_an_option_that_is_not_there_is_refused_with_the_ones_that_are_alike():
    done = run("audit", "table.csv", "--lable", "y")
    assert (done.returncode, b"--label" in done.stderr) == (2, True)


def test_a_command_is_handed_what_was_written_and_nothing_else():
    seen: list[CommandOptions] = []
    names = ("features", "random_state", "score", "max_class_noise_rate", "decide")

    @command("seen-by-a-test", names, names)
    def seen_by_a_test(options: CommandOptions) -> None:
        """Keep what was written."""
        seen.append(options)

    arguments = ["--features", "a, b", "--score", "self_confidence", "--max-class-noise-rate", "bad=0.1"]
    try:
        done = CliRunner().invoke(app, ["seen-by-a-test", *arguments])
    finally:
        app.registered_commands.pop()
    assert done.exit_code == 0, done.output
    (options,) = seen
    assert options.keywords() == {"features": ["a", "b"], "score": "self_confidence"}
    assert options.options().random_state == 0
    assert options.limits() == {"max_class_noise_rate": {"bad": 0.1}}
