"""pinnlab."""
