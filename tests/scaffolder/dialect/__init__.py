"""Tests of the dialect as a package of its own: no run, no workspace, no engine."""
