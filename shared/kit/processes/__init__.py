"""This process and its children: commands, tasks, secrets, the watchdog."""
