"""Training: data, noise, losses, loop. Imports stay within torch, numpy, pillow, safetensors and rich."""
