"""Several processes that train as one; alone, a process passes through all of this unchanged."""
