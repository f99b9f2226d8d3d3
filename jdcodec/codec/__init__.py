"""Photo to tiles to latents to symbols to file, and back."""
