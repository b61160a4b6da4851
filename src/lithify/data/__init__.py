"""Where rows come from, and the snapshots they are frozen into."""
