"""The `callboard` command: start, stop, status, checks, events, rebuild, backup."""
