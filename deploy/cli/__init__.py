"""The `callboard` command: start, stop, look, check, follow, rebuild."""
