"""Finding faces, aligning them to one frame, and telling which of their pixels are covered."""
