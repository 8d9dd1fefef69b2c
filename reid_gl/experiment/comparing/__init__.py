"""Which setting is better: many trainings in one series, or many scores of one network."""
