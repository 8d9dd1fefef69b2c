"""The same as `reid-gl cross-domain`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["cross-domain", *sys.argv[1:]]))
