"""The pictures of a report: each from plain data, with its finding and how to read it."""
