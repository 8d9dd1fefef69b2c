"""The same as `reid-gl mot-to-reid`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["mot-to-reid", *sys.argv[1:]]))
