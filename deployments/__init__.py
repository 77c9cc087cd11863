"""How the flows reach production."""
