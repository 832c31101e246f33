"""`python -m deploy.cli`: the same as the `callboard` command."""

from deploy.cli.commands import app

if __name__ == "__main__":
    app(prog_name="callboard")
