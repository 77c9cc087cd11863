"""Data in files and object stores: locating, reading, writing and locking them."""
