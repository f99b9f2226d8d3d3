"""The networks: blind denoiser stem, transforms, entropy model, and their checkpoints. Needs torch only."""
