"""One file per training: its settings, its losses, how it is judged, its recipes."""
