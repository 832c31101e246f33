"""Entry of the generating process: `python -m services.techdocs.generator`."""

from services.techdocs.generator import preloading
from services.techdocs.generator.fork_server import BuildForkServer

if __name__ == "__main__":
    preloading.preload()
    BuildForkServer().run()
