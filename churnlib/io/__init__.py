"""Data in files and object stores: where they lie, and how they are read, written and locked."""
