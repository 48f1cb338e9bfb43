"""Training pictures: faces, heads turned and dressed, coverings drawn on them, scenes; one augmentation."""
