"""The loop and what it needs: devices, steps, averages, checkpoints, figures. Knows tasks, not networks."""
