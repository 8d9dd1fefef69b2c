"""The same as `reid-gl test`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["test", *sys.argv[1:]]))
