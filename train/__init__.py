"""Training: losses, optimizers, schedules, metrics, checkpoints and evaluation, written by hand."""
