"""The raw tables: read, checked, and what is odd about them counted."""
