"""The commands of the scaffolder: create, dry-run, cancel and retry a run."""
