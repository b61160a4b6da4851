"""The one tree format: flat arrays that are sealed, audited, scored and explained."""
