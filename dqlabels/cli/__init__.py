"""The command line: one file a command, each of which adds itself to ``app``."""

from dqlabels.cli import annotators as annotators
from dqlabels.cli import apply as apply
from dqlabels.cli import audit as audit
from dqlabels.cli import checkup as checkup
from dqlabels.cli import demo as demo
from dqlabels.cli import fit as fit
from dqlabels.cli import gate as gate
from dqlabels.cli import review as review
from dqlabels.cli import review_sample as review_sample
from dqlabels.cli.app import run as run
