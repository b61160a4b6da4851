"""Objects by digest, containers, the catalog and the home that holds them."""
