"""The same as `reid-gl tune-inference`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["tune-inference", *sys.argv[1:]]))
