"""Features of many images, written to files, to a folder of parts, or into a gallery."""
