"""A file or bytes to pixels and back: decode, colour, metadata, geometry, compositing, provenance."""
