"""The program that turns prepared Markdown into sites; it runs apart from the service.

`python -m services.techdocs.generator` takes jobs (`job.Job`) and runs each in a fork
with limits and walls (`forge`, `child`, `confinement`). A job ends with 0 when its site
is built, with 2 and the reason in `RECORD/refused.txt` when it may not be.
"""
