"""One plain dict, as ``LabelAudit.to_dict`` gives it, shown as text or HTML; nothing here computes."""
