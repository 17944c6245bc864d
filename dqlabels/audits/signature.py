"""How :func:`dqlabels.audit` looks to editors and type checkers: the result that each task gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

if TYPE_CHECKING:
    import polars as pl
    from typing_extensions import Unpack

    from dqlabels.audits.annotators.result import AnnotatorAudit
    from dqlabels.audits.base import Audit
    from dqlabels.audits.classes.result import LabelAudit
    from dqlabels.audits.classes.streamed import StreamedAudit
    from dqlabels.audits.options import TableOptions, Task
    from dqlabels.audits.tags.result import MultilabelAudit
    from dqlabels.audits.tokens.result import TokenAudit
    from dqlabels.audits.values.result import ValueAudit
    from dqlabels.audits.values.streamed import StreamedValueAudit


class AuditCall(Protocol):
    """:func:`dqlabels.audit`. Without ``task=`` one column is taken for classes, as it mostly is; several annotate."""

    @overload
    def __call__(
        self, frame: pl.LazyFrame, label: str, *, task: Literal["classes"], **options: Unpack[TableOptions]
    ) -> LabelAudit | StreamedAudit: ...

    @overload
    def __call__(
        self, frame: pl.LazyFrame, label: str, *, task: Literal["regression"], **options: Unpack[TableOptions]
    ) -> ValueAudit | StreamedValueAudit: ...

    @overload
    def __call__(
        self, frame: Any, label: str, *, task: Literal["classes", "ordinal"], **options: Unpack[TableOptions]
    ) -> LabelAudit: ...

    @overload
    def __call__(
        self, frame: Any, label: str, *, task: Literal["regression"], **options: Unpack[TableOptions]
    ) -> ValueAudit: ...

    @overload
    def __call__(
        self, frame: Any, label: str | Sequence[str], *, task: Literal["multilabel"], **options: Unpack[TableOptions]
    ) -> MultilabelAudit: ...

    @overload
    def __call__(
        self, frame: Any, label: str, *, task: Literal["tokens"], **options: Unpack[TableOptions]
    ) -> TokenAudit: ...

    @overload
    def __call__(
        self,
        frame: Any,
        label: str,
        *,
        annotator: str,
        item: str,
        task: Literal["annotators"] | None = None,
        **options: Unpack[TableOptions],
    ) -> AnnotatorAudit: ...

    @overload
    def __call__(
        self,
        frame: Any,
        label: list[str] | tuple[str, ...],
        *,
        task: Literal["annotators"] | None = None,
        **options: Unpack[TableOptions],
    ) -> AnnotatorAudit: ...

    @overload
    def __call__(
        self, frame: pl.LazyFrame, label: str, *, task: None = None, **options: Unpack[TableOptions]
    ) -> LabelAudit | StreamedAudit: ...

    @overload
    def __call__(self, frame: Any, label: str, *, task: None = None, **options: Unpack[TableOptions]) -> LabelAudit: ...

    @overload
    def __call__(
        self,
        frame: Any,
        label: str | Sequence[str],
        *,
        task: Task | None = None,
        annotator: str | None = None,
        item: str | None = None,
        **options: Unpack[TableOptions],
    ) -> Audit: ...


if TYPE_CHECKING:
    audit: AuditCall
