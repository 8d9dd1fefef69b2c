"""The same as `reid-gl watch`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["watch", *sys.argv[1:]]))
