"""Entry of the generating process: `python -m services.techdocs.generator`."""

from services.techdocs.generator import early
from services.techdocs.generator.fork_server import BuildForkServer

if __name__ == "__main__":
    early.load()
    BuildForkServer().run()
