"""A seeded run of work and faults against a whole portal, and what became of it.

`python -m tests.faults.driver --seed 1 --minutes 10 --engines servers`
"""
