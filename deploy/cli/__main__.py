"""`python -m deploy.cli`: the same as the `callboard` command."""

from deploy.cli.commands import run

if __name__ == "__main__":
    run()
