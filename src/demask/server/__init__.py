"""The HTTP API and the web page: uploads stay in memory, work is bounded, nothing is kept."""
