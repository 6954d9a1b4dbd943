"""Small datasets in the layout of the real ones, as package data, and the scripts that made them."""
