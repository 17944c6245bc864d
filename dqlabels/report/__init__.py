"""One plain dict, as ``LabelAudit.to_dict`` gives it, shown as text, HTML or charts; nothing here computes."""
