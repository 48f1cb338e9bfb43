"""demask: a photo in, the same photo without the face masks out."""
