"""Push webhooks of Git hosts: checked, then told as `git-push`."""
