"""Tests of what carries the portal to other machines: images, compose file, locks."""
