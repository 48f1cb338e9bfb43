"""Face photographs to tar shards: sources, landmarks, identity split, frozen test sets."""
