"""This process and those it starts: commands, tasks, secrets, the watchdog."""
