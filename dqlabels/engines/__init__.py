"""Ways of feeding rows to the same mergeable statistics, so that every engine gives the same answer.

:mod:`~dqlabels.engines.memory` feeds arrays that are in memory: ``reduce`` merges a statistic over blocks of rows on
several threads, ``map`` fills an array block by block.

:mod:`~dqlabels.engines.polars` and :mod:`~dqlabels.engines.spark` feed tables of any size in four steps:
``draw_sample`` for the model, ``judge_rows`` with the model, ``reduce`` a statistic over the judged rows as often as
needed, and ``add_columns``. What happens in each step is up to the kind of label, which hands in a
:class:`~dqlabels.engines.task.Task`.
"""
