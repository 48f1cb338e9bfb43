"""Networks; they know nothing of losses, devices, files or the command line."""
