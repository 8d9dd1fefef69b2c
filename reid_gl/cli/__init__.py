"""Command line: arguments, logging and exit codes, nothing else."""
