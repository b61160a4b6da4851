"""Models over HTTP: the protocol, the routes, and the processes that answer."""
