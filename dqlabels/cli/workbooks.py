"""Sheets of workbooks, read by fastexcel."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from dqlabels.errors import OptionError, needing

if TYPE_CHECKING:
    import polars as pl

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def read_sheet(path: str, file: BinaryIO, sheet: str | None) -> pl.DataFrame:
    """Read one sheet, whose first row names the columns.

    Args:
        path: What messages call the workbook.
        file: The workbook.
        sheet: The name of the sheet, which is needed where there are several.

    Raises:
        MissingExtraError: fastexcel is not installed.
        OptionError: This is no workbook, or it does not say which sheet.
    """
    with needing('Workbooks are read by fastexcel: pip install "dqlabels[excel]"'):
        import fastexcel
    content = file.read()
    try:
        workbook = fastexcel.read_excel(content)
        names = workbook.sheet_names
        if sheet not in names and (sheet is not None or len(names) != 1):
            raise OptionError(f"{path} has the sheets {', '.join(names)}. Name one, as in --sheet '{names[0]}'.")
        table: pl.DataFrame = workbook.load_sheet(sheet or names[0], schema_sample_rows=None).to_polars()
    except fastexcel.FastExcelError as error:
        raise OptionError(f"{path} cannot be read as a workbook: {str(error).splitlines()[0]}.") from error
    return table
