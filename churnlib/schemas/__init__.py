"""The tables: their columns, types, units, keys and rules."""
