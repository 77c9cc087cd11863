"""The exit statuses of all commands."""

DONE = 0
FAILED = 1
"""Neither the user's input nor the configuration is at fault."""
USERS_FAULT = 2
"""The user's input or configuration is at fault."""
DIFFERENT = 3
"""A replayed model does not predict the same."""
