"""The raw tables: reading, validation and data warnings."""
