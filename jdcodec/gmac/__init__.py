"""`jdc gmac`: what a network costs to run. Counts, memory and seconds for each of its parts."""
