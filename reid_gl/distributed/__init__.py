"""Training in several processes; in a single process, all of these functions change nothing."""
