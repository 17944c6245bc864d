"""The review page: suspicious rows or a sample, one at a time or as a table, decided by key and stored on the disk."""
