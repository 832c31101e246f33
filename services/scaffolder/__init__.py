"""Scaffolder: owns the runs of templates (tasks), from the form to the last step.

Hears `template-run` (its own: to share runs among processes), says `template-run`.
Start reading at `running.py`.
"""
