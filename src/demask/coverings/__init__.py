"""Face masks as objects: a catalogue, shapes fitted to landmarks, textures, light, straps."""
