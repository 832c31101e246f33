"""Scaffolder: owns the runs of templates (tasks), from the form to the last step.

Publishes `template-run`, and consumes it to share runs among its processes. Start
reading at `runs/running.py`.
"""

#: What the command line may use.
__all__ = ["configuration", "templates"]
