"""Databases: reading tables from them, and delivering rows to them."""
