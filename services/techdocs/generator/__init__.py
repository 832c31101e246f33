"""The program that turns prepared Markdown into a site; runs alone in its own process.

`python -m services.techdocs.generator JOB.json`, see `job.Job`. It ends with 0 when the
site is built, with 2 and the reason in `RECORD/refused.txt` when it may not be.
"""
