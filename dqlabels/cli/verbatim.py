"""Write the columns of a text file as they were read, character for character: reading for judging is not for writing.

An audit judges numbers and dates; the file says ``00001``, ``1e5`` or ``2024-01-01T00:00:00Z``, and another program
reads it again. So the columns that come out are those of the file, and labels that an audit writes beside them are
written as the file writes that label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqlabels.cli.files import TEXTS
from dqlabels.cli.sources import Source
from dqlabels.errors import OptionError

if TYPE_CHECKING:
    import polars as pl

# Of a whole number: signs and zeros that a number does not keep.
LOST_IN_NUMBERS = r"^\s*(\+|-?0\d)"
# Prefixes that no column of a file has, since a text file that held them could not be written.
TEXT, TYPED = "\x00text ", "\x00typed "
# More different labels than this are numbers, whose suggestions are of nobody's writing.
MAX_WRITTEN = 100_000


@dataclass(frozen=True)
class Written:
    """How a text file writes its columns: ``texts`` beside ``typed``, row by row, or only where no more is needed."""

    typed: pl.LazyFrame
    texts: pl.LazyFrame

    @classmethod
    def of(cls, source: Source, typed: pl.DataFrame | pl.LazyFrame, added: Sequence[str] = ()) -> Written | None:
        """The texts of a file; None where its format holds values rather than texts.

        Args:
            source: The file.
            typed: Its columns as they are judged.
            added: Columns that are written anew, whatever the file holds under their names.

        Raises:
            OptionError: The file has another number of rows by now.
        """
        import polars as pl

        texts = source.texts()
        if texts is None:
            return None
        if isinstance(typed, pl.DataFrame) and texts.select(pl.len()).collect().item() != typed.height:
            raise OptionError(f"{source.path} changed while it was audited. Nothing was written.")
        return cls(typed.lazy().drop(added, strict=False), texts.drop(added, strict=False))

    def at(self, rows: Sequence[int]) -> Written:
        """The same of these rows."""
        return Written(self.typed.collect()[rows].lazy(), self.texts.collect()[rows].lazy())

    def values(self, label: str, answers: pl.Series) -> pl.Series:
        """Answers that write labels as the file does, with the labels as they are judged; other words stay."""
        import polars as pl

        if answers.dtype != pl.String or self.typed.collect_schema()[label] == pl.String:
            return answers
        known = self._known(label)
        judged = pl.Series([str(value) for value in known["value"].to_list()], dtype=pl.String)
        renamed: pl.Series = answers.replace(known["text"], judged)
        return renamed

    def restore(
        self, frame: pl.DataFrame | pl.LazyFrame, labels: Mapping[str, Sequence[str]], kind: str
    ) -> pl.DataFrame | pl.LazyFrame:
        """Put the texts of the file in place of its columns.

        Args:
            frame: The rows of the file in its order, with further columns.
            labels: For each column of labels in ``frame``, the columns of the file whose labels it may hold.
            kind: The format to be written. Where it holds values, only whole numbers that a number would change, such
                as ``007``, are written as text.
        """
        import polars as pl

        schema, dtypes = frame.lazy().collect_schema(), self.typed.collect_schema()
        names = [name for name in schema.names() if not schema[name].is_nested()]
        as_text = set(self._texts_of(dtypes, kind))
        own = [name for name in names if name in as_text and name not in labels]
        changed = [name for name, columns in labels.items() if name in names and as_text.intersection(columns)]
        if not own and not changed:
            return frame
        beside = pl.concat(
            [
                frame.lazy(),
                self.texts.select(pl.all().name.prefix(TEXT)),
                self.typed.select(pl.all().name.prefix(TYPED)),
            ],
            how="horizontal",
        )
        columns = [pl.col(TEXT + name).alias(name) for name in own]
        columns += [self._labels(name, [one for one in labels[name] if one in as_text]) for name in changed]
        restored = beside.with_columns(columns).select(schema.names())
        return restored.collect() if isinstance(frame, pl.DataFrame) else restored

    def _texts_of(self, dtypes: pl.Schema, kind: str) -> list[str]:
        """The columns to write as text: all that are not text yet, or those that would lose zeros and signs."""
        import polars as pl

        from dqlabels.engines.polars import collect

        if kind in TEXTS:
            return [name for name, dtype in dtypes.items() if dtype != pl.String]
        whole = [name for name, dtype in dtypes.items() if dtype.is_integer()]
        if not whole:
            return []
        lost = collect(self.texts.select(pl.col(whole).str.contains(LOST_IN_NUMBERS).any())).row(0, named=True)
        return [name for name in whole if lost[name]]

    def _labels(self, name: str, columns: Sequence[str]) -> pl.Expr:
        """A column of labels, each as the file writes it: in this row, or else in the first row that carries it."""
        import polars as pl

        value = pl.col(name)
        written = value.cast(pl.String)
        for column in columns:
            known = self._known(column)
            if known.height <= MAX_WRITTEN:
                written = value.replace_strict(known["value"], known["text"], default=written, return_dtype=pl.String)
        for column in columns:
            written = pl.when(value.eq_missing(pl.col(TYPED + column))).then(pl.col(TEXT + column)).otherwise(written)
        return written.alias(name)

    def _known(self, column: str) -> pl.DataFrame:
        """Each different ``value`` of a column, and the ``text`` of the first row that holds it."""
        import polars as pl

        from dqlabels.engines.polars import collect

        beside = pl.concat(
            [self.typed.select(pl.col(column).alias("value")), self.texts.select(pl.col(column).alias("text"))],
            how="horizontal",
        )
        return collect(beside.drop_nulls().group_by("value", maintain_order=True).first())
