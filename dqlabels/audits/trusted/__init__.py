"""Train once, audit every batch: auditors in memory and in files, and how far a batch has drifted."""
