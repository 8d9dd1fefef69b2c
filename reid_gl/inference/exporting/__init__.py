"""Write a network for another runtime (export_*) and open one again (open_*)."""
