"""Looking at pictures: one, or two over each other with a slider, on an HTML page that needs nothing else."""
