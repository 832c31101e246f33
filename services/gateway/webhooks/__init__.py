"""Push webhooks of Git hosts: verified, then published as `git-push`."""
